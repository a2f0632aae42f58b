"""EfficientNetV2 (arXiv:2104.00298), regenerated."""

from __future__ import annotations

from nas.report.papers.audit import READ, audited
from nas.report.papers.efficientnetv2 import architecture, figures, settings, sizes, times
from nas.report.papers.paper import Inputs, Paper, Section
from nas.report.papers.zoo import missing

_READ = (  # by the tables and figures; the audit says what it reads
    *(f"efficientnetv2/table{place}" for place in (1, 2, 3, 4, 6, 7, 10, 11)),
    *(f"efficientnetv2/figure{place}" for place in ("1a", "1b", "3", "5a", "5b", "5c")),
    "efficientnetv2/readme",
    "efficientnet/coefficients",
    "efficientnet/table2",
)


def paper(inputs: Inputs) -> Paper:
    """The report: Tables 1 to 4, 6, 7, 10 and 11, Figures 1, 3 and 5, V2-S, M and L from the base, and the audit."""
    found, read = audited("efficientnetv2", _READ)
    zoo = inputs.zoo
    ratios = (
        "A time belongs to its device: the paper's ratio of two networks stands beside the ratio measured within one "
        "device. Batch, size and precision of what was measured stand in the row.",
    )
    return Paper(
        name="efficientnetv2",
        title="EfficientNetV2: Smaller Models and Faster Training",
        citation=(
            "Mingxing Tan and Quoc V. Le, ICML 2021; arXiv:2104.00298, version 3 (23 June 2021), and version 1 "
            "(1 April 2021) where it prints other numbers; every row names its source"
        ),
        sections=(
            Section("efficiency", "Table 1: parameter efficiency", comparisons=(sizes.efficiency(inputs),)),
            Section(
                "image-size", "Table 2: image size", ratios, (times.image_size_speedup(zoo),), (times.image_size(),)
            ),
            Section("fused", "Table 3: Fused-MBConv", comparisons=(sizes.fused(inputs), times.fused_speedup(zoo))),
            architecture.v2_s(),
            architecture.rules(),
            settings.progressive(),
            Section(
                "main",
                "Table 7: performance, size and time",
                comparisons=(sizes.main(inputs), times.inference(zoo), times.training(zoo)),
            ),
            Section(
                "same-training",
                "Table 10: the same training",
                comparisons=(*sizes.same_training(inputs), times.same_training(zoo)),
            ),
            Section(
                "scaling-down",
                "Table 11: scaling down",
                comparisons=(sizes.scaled_down(inputs), times.scaled_down(zoo)),
            ),
            figures.training(zoo),
            figures.sizes(zoo),
        ),
        findings=found,
        remarks=READ["efficientnetv2"],
        facts=read,
        provenance=inputs.provenance,
        missing=missing(zoo),
    )
