"""EfficientNet (arXiv:1905.11946), regenerated."""

from __future__ import annotations

from nas.report.papers.audit import READ, findings
from nas.report.papers.efficientnet import b0, compound, figures, latency, scaled, tables
from nas.report.papers.paper import Inputs, Paper
from nas.report.papers.zoo import missing

_FACTS = (
    "table1", "table2", "table3", "table4", "table7", "figure1", "figure3", "figure4", "figure8", "coefficients",
)  # fmt: skip


def paper(inputs: Inputs) -> Paper:
    """The report: Tables 1, 2, 3, 4 and 7, Figures 1, 3, 4 and 8, the grid of section 3, and the audit."""
    return Paper(
        name="efficientnet",
        title="EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        citation="Mingxing Tan and Quoc V. Le, ICML 2019; arXiv:1905.11946, version 5 (11 September 2020)",
        sections=(
            b0.architecture(),
            tables.models(inputs),
            scaled.baselines(),
            latency.speedups(inputs),
            scaled.single(),
            figures.size(inputs.zoo),
            figures.one_dimension(),
            figures.widths(),
            figures.methods(),
            compound.search(),
            compound.implied(),
        ),
        findings=findings("efficientnet"),
        remarks=READ["efficientnet"],
        facts=tuple(f"efficientnet/{name}" for name in _FACTS),
        provenance=inputs.provenance,
        missing=missing(inputs.zoo),
    )
