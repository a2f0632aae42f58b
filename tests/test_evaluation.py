"""What an evaluation says is what the logits say."""

import pytest
import torch

from nas.training.evaluation import summary

NAMES = ("ant", "bee", "cat")


def logits_of(answers: list[int], confidence: float, classes: int) -> torch.Tensor:
    """Logits that give `confidence` to each answer and share out the rest."""
    rest = (1 - confidence) / (classes - 1)
    shares = torch.full((len(answers), classes), rest, dtype=torch.double)
    shares[torch.arange(len(answers)), torch.tensor(answers)] = confidence
    return shares.log().float()


def test_accuracy_confusion_and_calibration_of_a_known_table() -> None:
    labels = [0, 0, 0, 0, 1, 1, 2, 2]
    answers = [0, 0, 1, 2, 1, 1, 1, 1]
    found = summary(logits_of(answers, 0.8, 3), torch.tensor(labels), NAMES)
    assert (found.images, found.classes) == (8, 3)
    assert found.top1_pct == 50
    assert found.top5_pct is None
    assert found.mean_confidence_pct == pytest.approx(80, abs=1e-3)
    assert found.calibration_error_pct == pytest.approx(30, abs=1e-3)  # sure to 80 %, right in 50 %
    assert [(one.name, one.images, one.recall_pct, one.taken_for, one.taken_pct) for one in found.worst] == [
        ("cat", 2, 0, "bee", 100),
        ("ant", 4, 50, "bee", 25),
    ]


def test_calibration_is_taken_bin_by_bin() -> None:
    sure = logits_of([0] * 10, 0.95, 3)
    unsure = logits_of([0] * 10, 0.55, 3)
    labels = torch.tensor([0] * 5 + [1] * 5 + [0] * 10)  # the sure are right in half, the unsure always
    found = summary(torch.cat((sure, unsure)), labels, NAMES)
    assert found.calibration_error_pct == pytest.approx(50 * 0.45 + 50 * 0.45, abs=1e-3)


def test_top5_needs_more_than_five_classes() -> None:
    logits = torch.arange(8.0).repeat(2, 1)  # the answers in order: 7, 6, 5, 4, 3
    found = summary(logits, torch.tensor([3, 2]), ())
    assert (found.top1_pct, found.top5_pct) == (0, 50)
    assert [one.name for one in found.worst] == ["2", "3"]


def test_a_class_without_images_is_none_of_the_worst() -> None:
    found = summary(logits_of([0, 0], 0.9, 3), torch.tensor([0, 0]), NAMES)
    assert found.worst == ()
    assert found.top1_pct == 100
