"""EfficientNet (arXiv:1905.11946), regenerated."""

from __future__ import annotations

from nas.report.papers.efficientnet import tables
from nas.report.papers.paper import Inputs, Paper


def paper(inputs: Inputs) -> Paper:
    """The report: Tables 1, 2, 3, 4 and 7, Figures 1, 3, 4 and 8, the grid of section 3, and the audit."""
    return Paper(
        name="efficientnet",
        title="EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        citation="Mingxing Tan and Quoc V. Le, ICML 2019; arXiv:1905.11946, version 5 (11 September 2020)",
        sections=(tables.models(inputs),),
        facts=("efficientnet/table2",),
    )
