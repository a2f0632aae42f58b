"""A teacher labels what it is sure of, evenly over the classes; students learn it; nothing held out is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from nas.data import DataError, load_data, load_unlabeled
from nas.data.split import Resident
from nas.data.stream import Streamed
from nas.training.selftraining import SelfTrainingError, few_labels, label, left_out, with_labels

CPU = torch.device("cpu")


class Oracle(nn.Module):
    """Answers what the first pixel of a picture says: class and confidence."""

    def forward(self, x: Tensor) -> Tensor:
        number, sure = x[:, 0, 0, 0].round().long(), x[:, 1, 0, 0]
        shares = ((1 - sure) / 3)[:, None].repeat(1, 4)
        return shares.scatter(1, number[:, None], sure[:, None]).log()


def pictures(answers: list[tuple[int, float]]) -> Resident:
    images = torch.zeros(len(answers), 3, 8, 8)
    for place, (number, sure) in enumerate(answers):
        images[place, 0], images[place, 1] = number, sure
    return Resident(images, torch.zeros(len(answers), dtype=torch.long), torch.zeros(3), torch.ones(3))


def test_only_what_is_sure_is_labelled_and_every_class_gets_as_many() -> None:
    split = pictures([(0, 0.9), (0, 0.8), (0, 0.7), (0, 0.95), (1, 0.6), (2, 0.2), (2, 0.35)])
    found = label(Oracle(), split, device=CPU, classes=4, least=0.3)
    assert (found.sure, found.of) == (6, 7)
    assert found.index.tolist() == [3, 0, 4, 4, 6, 6], "of class 0 the surest two, the others twice, 3 not at all"
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_a_teacher_that_is_sure_of_nothing_is_one_clear_error() -> None:
    with pytest.raises(SelfTrainingError, match=r"none of 2 pictures: .* is 0\.60, below 0\.7"):
        label(Oracle(), pictures([(0, 0.6), (1, 0.5)]), device=CPU, classes=4, least=0.7)


def test_few_labels_keeps_so_many_of_each_class_and_the_others_without() -> None:
    data = load_data("digits", resolution=8)
    few, rest = few_labels(data, 5)
    assert torch.bincount(few.train.targets).tolist() == [5] * 10
    assert len(few.train) + len(rest) == len(data.train)
    assert set(rest.targets.tolist()) == {0}
    assert few.held is data.held
    kept, others = left_out(data, 5)
    assert not set(kept.tolist()) & set(others.tolist())
    assert torch.equal(few.train.images, data.train.images[kept])
    with pytest.raises(SelfTrainingError, match=r"--labels 500: class 0 of digits has 1\d\d training images"):
        few_labels(data, 500)


def test_the_teachers_labels_join_the_labelled_pictures() -> None:
    data = load_data("digits", resolution=8)
    few, rest = few_labels(data, 5)
    kept, others = left_out(data, 5)
    found = label(Truth(data.train, others), rest, device=CPU, classes=10, least=0.5)
    joined = with_labels(few, rest, found)
    assert len(joined.train) == 50 + len(found.index)
    truth = data.train.targets[others][found.index]
    assert torch.equal(joined.train.targets, torch.cat((data.train.targets[kept], truth)))


class Truth(nn.Module):
    """Knows the labels of the pictures that it is shown in order."""

    def __init__(self, train: Resident, others: Tensor) -> None:
        super().__init__()
        self.labels, self.shown = train.targets[others], 0

    def forward(self, x: Tensor) -> Tensor:
        own = self.labels[self.shown : self.shown + len(x)]
        self.shown += len(x)
        return 20.0 * nn.functional.one_hot(own, 10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    for number in range(5):
        Image.new("RGB", (20, 16), (40 * number, 0, 0)).save(tmp_path / "deep" / f"{number}.png")
    (tmp_path / "deep" / "3.png").write_bytes(b"no picture")
    return tmp_path


def test_a_folder_of_pictures_without_labels_in_memory_and_streamed(folder: Path) -> None:
    like = load_data("digits", resolution=16).train
    found = load_unlabeled(folder, 16, like)
    assert isinstance(found, Resident)
    assert (len(found), found.skipped) == (4, 1)
    assert torch.equal(found.mean, like.mean)
    streamed = load_unlabeled(folder, 16, Streamed((), 16))
    assert isinstance(streamed, Streamed)
    assert sum(len(labels) for _, labels in streamed.batches(2)) == 4
    assert streamed.readable().tolist() == [0, 1, 2, 4]
    with pytest.raises(SelfTrainingError, match="do not mix"):
        with_labels(
            load_data("digits", resolution=16), streamed, label(Flat(), streamed, device=CPU, classes=4, least=0.1)
        )


class Flat(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros(len(x), 4)


@pytest.mark.parametrize(
    ("name", "words"), [("nowhere", "no such folder"), ("empty", "no pictures"), ("broken", "none of 1")]
)
def test_a_folder_without_pictures_is_one_clear_error(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match=words) as caught:
        load_unlabeled(tmp_path / name, 16, load_data("digits", resolution=16).train)
    assert name in str(caught.value)
