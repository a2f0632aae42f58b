"""Random architectures, small enough to build and run by the dozen."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from nas import Activation, Architecture, Op, Stage

EXPANDS = (0.5, 1, 1.5, 2, 2.7, 3, 4, 6)
RATIOS = (0, 0.04, 0.25, 0.5, 1)


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    """A stage of any block type, with what that type can have."""
    op = draw(st.sampled_from(Op))
    return Stage(
        op=op,
        kernel=draw(st.sampled_from((3, 5, 7))),
        stride=draw(st.sampled_from((1, 2))),
        channels=draw(st.integers(1, 24)),
        layers=draw(st.integers(1, 3)),
        expand=1 if op is Op.SEPARABLE else draw(st.sampled_from(EXPANDS)),
        se=draw(st.sampled_from(RATIOS)),
        groups=draw(st.sampled_from((1, 2, 3, 8))) if op is Op.BOTTLENECK else 1,
    )


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    """Odd resolutions, widths that are no multiple of 8, SE anywhere, at most four stages, with and without a head."""
    rows = draw(st.lists(stages(), min_size=1, max_size=4))
    pool = draw(st.sampled_from((1, 1, 2)))
    least = 2 * pool * 2 ** sum(stage.stride == 2 for stage in rows)
    return Architecture(
        stem=draw(st.integers(1, 24)),
        stem_kernel=draw(st.sampled_from((3, 3, 5, 7))),
        stem_pool=pool,
        stages=tuple(rows),
        head=draw(st.integers(0, 48)),
        resolution=draw(st.integers(max(least, 8), 65)),
        classes=draw(st.sampled_from((2, 10, 1000))),
        activation=draw(st.sampled_from(Activation)),
        norm_eps=draw(st.sampled_from((1e-3, 1e-5))),
    )


ratios = st.floats(0, 1, allow_subnormal=False)
expansions = st.floats(0, 64, exclude_min=True, allow_subnormal=False)


@st.composite
def odd_architectures(draw: st.DrawFn) -> Architecture:
    """Values that a file or a notation must carry exactly, whether or not anyone would build them."""
    arch = draw(architectures())
    rows = [
        replace(row, expand=row.expand if row.op is Op.SEPARABLE else draw(expansions), se=draw(ratios))
        for row in arch.stages
    ]
    return replace(arch, stages=tuple(rows))
