"""A progressive schedule is the paper's: Algorithm 1, and Table 6 as the shipped recipes print it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.progressive import ScheduleError, schedule
from nas.report.papers.facts import Fact, facts
from nas.report.papers.progressive import stage_sizes
from nas.resources import names
from nas.training_recipe import Progressive, Training, load_training


@pytest.mark.parametrize(
    "row", facts("efficientnetv2/table6"), ids=lambda row: f"{row['model']}-{row['where'].split()[0]}"
)
def test_the_shipped_recipes_print_table_6(row: Fact) -> None:
    name = f"efficientnetv2-{row['model'].lower()}" + ("-code" if "code" in row["where"] else "")
    training = load_training(name)
    made = schedule(training, training.resolution)
    printed = {line[0]: line[1:] for line in made.rows()}
    assert [int(size) for size in printed["Image Size"]] == list(stage_sizes(row))
    for label, key in {"RandAugment": "randaug", "Mixup alpha": "mixup", "Dropout rate": "dropout"}.items():
        assert [float(printed[label][place]) for place in (0, -1)] == [
            float(row[f"{key}_min"]),
            float(row[f"{key}_max"]),
        ], label
    assert len(made.stages) == int(row["stages"])
    if row["cutmix_max"]:
        assert float(printed["CutMix alpha"][-1]) == float(row["cutmix_max"])


def test_every_stage_of_the_paper_has_about_87_epochs() -> None:
    made = schedule(load_training("efficientnetv2-s"), 300)
    assert [stage.epochs for stage in made.stages] == [87, 88, 87, 88]
    assert str(made).splitlines()[1].split() == ["Image", "Size", "128", "185", "243", "300"]


@given(
    st.integers(1, 20), st.integers(1, 60), st.integers(8, 512), st.integers(0, 512), st.floats(0, 0.9),
    st.floats(0, 0.9),
)  # fmt: skip
def test_a_schedule_covers_every_epoch_once_and_never_falls(
    stages: int, more: int, first: int, rise: int, low: float, high: float
) -> None:
    low, high = sorted((low, high))
    training = Training(
        epochs=stages + more, dropout=high, progressive=Progressive(stages=stages, resolution=first, dropout=low)
    )
    made = schedule(training, first + rise)
    assert [stage.first for stage in made.stages] == [1, *(stage.last + 1 for stage in made.stages[:-1])]
    assert made.stages[-1].last == training.epochs
    for one, other in zip(made.stages, made.stages[1:], strict=False):
        assert one.resolution <= other.resolution
        assert one.dropout <= other.dropout + 1e-6
    assert made.stages[-1].resolution == first + rise
    assert all(made.at(epoch).first <= epoch <= made.at(epoch).last for epoch in range(1, training.epochs + 1))


def test_a_plain_training_is_one_stage() -> None:
    made = schedule(Training(epochs=5, dropout=0.25), 48)
    assert [(stage.first, stage.last, stage.resolution, stage.dropout) for stage in made.stages] == [(1, 5, 48, 0.25)]
    assert made.sizes == (48,)


@pytest.mark.parametrize(
    ("start", "key"),
    [({"resolution": 64}, "resolution"), ({"dropout": 0.5}, "dropout"), ({"randaugment": 9}, "randaugment")],
)
def test_a_schedule_that_shrinks_is_refused(start: dict[str, float], key: str) -> None:
    training = Training(epochs=8, dropout=0.1, randaugment=3, progressive=Progressive(**start))  # type: ignore[arg-type]
    with pytest.raises(ScheduleError, match=f"progressive.{key}: starts at .* never shrinks") as caught:
        schedule(training, 32)
    assert key in caught.value.hint


def test_more_stages_than_epochs_are_refused() -> None:
    with pytest.raises(ScheduleError, match="4 stages need as many epochs; epochs is 2"):
        schedule(Training(epochs=2, progressive=Progressive(stages=4)), 32)


def test_every_shipped_training_recipe_reads_and_has_a_schedule() -> None:
    assert {"short", "efficientnet", "efficientnetv2-s", "efficientnetv2-m-code"} <= set(names("recipes"))
    for name in names("recipes"):
        training = load_training(name)
        assert training.width == 1, name
        assert schedule(training, training.resolution).stages[-1].last == training.epochs


def test_the_short_recipe_is_that_of_a_search_for_the_whole_network() -> None:
    ours, theirs = load_training("short"), Training()
    changed = {key for key in Training.model_fields if getattr(ours, key) != getattr(theirs, key)}
    assert changed == {"width", "threads"}
