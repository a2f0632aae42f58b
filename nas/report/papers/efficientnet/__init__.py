"""EfficientNet (arXiv:1905.11946), regenerated."""

from __future__ import annotations

from nas.report.papers.audit import READ, audited
from nas.report.papers.efficientnet import b0, compound, figures, scaled, tables, times
from nas.report.papers.paper import Inputs, Paper
from nas.report.papers.zoo import missing

_READ = (  # by the tables and figures; the audit says what it reads
    *(f"efficientnet/table{place}" for place in (1, 2, 3, 4, 7)),
    *(f"efficientnet/figure{place}" for place in (1, 3, 4, 5, 8)),
    "efficientnet/coefficients",
    "efficientnetv2/table7",
    "efficientnetv2/table11",
)


def paper(inputs: Inputs) -> Paper:
    """The report: Tables 1, 2, 3, 4 and 7, Figures 1, 3, 4 and 8, the grid of section 3, and the audit."""
    found, read = audited("efficientnet", _READ)
    return Paper(
        name="efficientnet",
        title="EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        citation="Mingxing Tan and Quoc V. Le, ICML 2019; arXiv:1905.11946, version 5 (11 September 2020)",
        sections=(
            b0.architecture(),
            tables.models(inputs),
            scaled.baselines(inputs),
            times.speedups(inputs),
            scaled.single(inputs),
            figures.size(inputs.zoo),
            figures.one_dimension(),
            figures.widths(),
            figures.methods(),
            compound.search(),
            compound.implied(),
        ),
        findings=found,
        remarks=READ["efficientnet"],
        facts=read,
        provenance=inputs.provenance,
        missing=missing(inputs.zoo),
    )
