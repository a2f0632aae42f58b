"""MobileNets (arXiv:1704.04861) and MobileNetV2 (arXiv:1801.04381), regenerated."""

from __future__ import annotations

from nas.report.papers.audit import READ, audited
from nas.report.papers.mobilenet import multipliers, tables
from nas.report.papers.paper import Inputs, Paper
from nas.report.papers.zoo import missing

_READ = (  # by the tables and figures; the audit says what it reads
    *(f"mobilenet/table{place}" for place in (1, 2, 4, 5, 6, 7, 8, 9)),
    *(f"mobilenetv2/table{place}" for place in (2, 4)),
    "mobilenet/checkpoints",
    "mobilenetv2/checkpoints",
)


def paper(inputs: Inputs) -> Paper:
    """The report: both papers' architectures, tables and multiplier grids, and the audit."""
    found, read = audited("mobilenet", _READ)
    return Paper(
        name="mobilenet",
        title="MobileNets, and MobileNetV2",
        citation=(
            "Andrew G. Howard et al., MobileNets: Efficient Convolutional Neural Networks for Mobile "
            "Vision Applications, arXiv:1704.04861v1; Mark Sandler et al., MobileNetV2: Inverted Residuals and Linear "
            "Bottlenecks, arXiv:1801.04381v4; and the tables of the official checkpoints"
        ),
        sections=(
            multipliers.first(inputs),
            multipliers.second(inputs),
            multipliers.accuracy(),
            tables.first_architecture(),
            tables.layer_types(),
            tables.first_tables(inputs),
            tables.second_architecture(),
            tables.second_table(inputs),
        ),
        findings=found,
        remarks=READ["mobilenet"],
        facts=read,
        provenance=inputs.provenance,
        missing=missing(inputs.zoo),
    )
