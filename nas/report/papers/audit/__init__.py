"""The audit: every printed number that does not follow, found by computing and listed with its arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from nas.report.papers.audit import (
    beside,
    efficientnet,
    efficientnetv2,
    gmacs,
    mobilenet,
    printed,
    ratios,
    recomputed,
    scaled_figures,
)
from nas.report.papers.audit.finding import Finding, Published, Remark
from nas.report.papers.facts import Fact, facts

AUDITS: dict[str, tuple[Callable[[Published], Finding], ...]] = {  # name of the report → its findings, in order
    "efficientnet": (
        scaled_figures.baseline,
        scaled_figures.table_7,
        scaled_figures.figure_8,
        beside.table_7_accuracy,
        beside.exchanged,
        efficientnet.constants,
        efficientnet.implied_phi,
        ratios.ratios,
        efficientnet.latency,
        scaled_figures.figure_1,
        efficientnet.sizes,
        efficientnet.dropout,
        gmacs.printed_flops,
        gmacs.timm,
        beside.regnet,
    ),
    "efficientnetv2": (
        efficientnetv2.v2_s,
        efficientnetv2.larger,
        efficientnetv2.table_3,
        efficientnetv2.rounding,
        efficientnetv2.moving_statistics,
        efficientnetv2.fused_se,
        printed.figure_5c,
        printed.figure_5_other,
        printed.figure_1a,
        printed.stages,
        printed.carried_over,
        printed.versions,
        printed.accuracies,
        recomputed.readme,
        recomputed.changes,
        recomputed.factors,
    ),
    "mobilenet": (mobilenet.three_quarters, mobilenet.last_stride, mobilenet.quoted, mobilenet.mnasnet_grid),
}

READ: dict[str, tuple[Remark, ...]] = {  # contradictions between words: read, not computed
    "efficientnet": (
        Remark(
            "Stochastic depth: a drop connect ratio of 0.3 in the ICML version, a survival probability of 0.8 in v5 "
            "and in the code.",
            "arXiv:1905.11946v5 Sec 5.2",
        ),
    ),
    "efficientnetv2": (
        Remark(
            "Batch norm momentum: 0.99 in the text, 0.9 in the code.",
            "arXiv:2104.00298v3 Sec 5.1; github.com/google/automl:efficientnetv2/hparams.py@6a54c87",
        ),
        Remark(
            "Largest inference size: 480 px in the text, 512 px for XL in the code.",
            "arXiv:2104.00298v3 Sec 3.3; github.com/google/automl:efficientnetv2/effnetv2_configs.py@6a54c87",
        ),
    ),
    "mobilenet": (),
}


def findings(paper: str, published: Published = facts) -> tuple[Finding, ...]:
    """What the audit found about the paper of this report (`efficientnet`), computed now from the published facts."""
    return tuple(audit(published) for audit in AUDITS[paper])


def audited(paper: str, others: Iterable[str]) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """(the findings, the files of facts that they and `others` rest on, in order)."""
    read = set(others)

    def published(name: str) -> Sequence[Fact]:
        read.add(name)
        return facts(name)

    return findings(paper, published), tuple(sorted(read))


__all__ = ["AUDITS", "READ", "Finding", "Published", "Remark", "audited", "findings"]
