"""Data sets by name: what they hold, and what a missing or broken one says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas.data import DataError, check_data, load_data
from nas.data.cache import cached
from nas.data.folder import LARGEST_RESIDENT
from nas.data.fractals import Fractals, draw
from nas.data.split import Augment, draw_moves, moves
from nas.data.vision import VISION

TINY = Fractals(classes=3, train=4, held=2)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pictures(root: Path, counts: dict[str, int], side: int = 20) -> Path:
    generator = np.random.default_rng(0)
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = generator.integers(0, 255, (side, side + 7, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


# fractals


def test_fractals_are_drawn_anew_the_same_from_one_seed() -> None:
    first, second, other = draw(TINY, 24, 1), draw(TINY, 24, 1), draw(TINY, 24, 2)
    assert torch.equal(first["train"], second["train"])
    assert torch.equal(first["held"], second["held"])
    assert not torch.equal(first["train"], other["train"])


def test_fractals_show_the_same_pictures_at_every_resolution() -> None:
    coarse, fine = draw(TINY, 16, 0)["train"].float(), draw(TINY, 64, 0)["train"].float()
    shrunk = torch.nn.functional.avg_pool2d(fine.flatten(0, 1), 4)
    pairs = torch.stack([coarse.flatten(0, 1).mean(1).flatten(1), shrunk.mean(1).flatten(1)])
    for index in range(pairs.shape[1]):
        assert torch.corrcoef(pairs[:, index])[0, 1] > 0.8


def test_fractals_hold_out_other_images_of_every_class(own_cache: Path) -> None:
    data = load_data("fractals:4", resolution=16)
    assert data.classes == 4
    for split in (data.train, data.held):
        labels = torch.cat([labels for _, labels in split.batches(100)])
        assert torch.bincount(labels).tolist() == [len(split) // 4] * 4
    assert len(list(own_cache.glob("fractals-*.npz"))) == 1
    assert not list(own_cache.glob("*.partial"))


def test_fractals_of_a_given_number_of_training_images() -> None:
    data = load_data("fractals:2x70", resolution=8)
    assert len(data.train) == 140
    images = torch.cat([images for split in (data.train, data.held) for images, _ in split.batches(500)])
    assert len(torch.unique(images, dim=0)) == len(images)


def test_fractals_of_a_class_differ_from_each_other() -> None:
    one = draw(TINY, 24, 0)["train"][0].float()
    for number in range(1, len(one)):
        assert (one[0] - one[number]).abs().mean() > 5


@pytest.mark.parametrize("spec", ["fractals:x", "fractals:1", "fractals:-3", "fractals:4x0", "fractals:4x"])
def test_fractals_of_no_number_of_classes_are_refused(spec: str) -> None:
    with pytest.raises(DataError, match="classes"):
        load_data(spec, resolution=16)


# the cache


def test_a_damaged_cache_file_is_made_again(own_cache: Path) -> None:
    def make() -> dict[str, torch.Tensor]:
        return {"x": torch.arange(3)}

    assert torch.equal(cached("thing", make)["x"], torch.arange(3))
    for damage in (b"", b"PK\x03\x04 not an archive", (own_cache / "thing.npz").read_bytes()[:50]):
        (own_cache / "thing.npz").write_bytes(damage)
        assert torch.equal(cached("thing", make)["x"], torch.arange(3))
    assert torch.equal(cached("thing", lambda: pytest.fail("made although stored"))["x"], torch.arange(3))


def test_a_pickle_in_the_cache_is_never_loaded(own_cache: Path) -> None:
    own_cache.mkdir()
    np.savez(own_cache / "thing.npz", x=np.array([{"a": 1}], dtype=object))
    assert torch.equal(cached("thing", lambda: {"x": torch.zeros(1)})["x"], torch.zeros(1))


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "file"))
    assert torch.equal(cached("thing", lambda: {"x": torch.zeros(1)})["x"], torch.zeros(1))


# digits, folders, torchvision


def test_digits_are_split_by_seed() -> None:
    first, again, other = (load_data("digits", resolution=16, seed=seed) for seed in (0, 0, 1))
    labels = [torch.cat([labels for _, labels in data.held.batches(500)]) for data in (first, again, other)]
    assert first.classes == 10
    assert len(first.train) + len(first.held) == 1797
    assert torch.equal(labels[0], labels[1])
    assert not torch.equal(labels[0], labels[2])


def test_folder_in_imagenet_layout(tmp_path: Path) -> None:
    pictures(tmp_path / "train", {"ant": 3, "bee": 4})
    pictures(tmp_path / "val", {"ant": 2, "bee": 1})
    data = load_data(f"folder:{tmp_path}", resolution=12)
    images, labels = next(data.held.batches(10))
    assert (data.classes, len(data.train), len(data.held), data.skipped) == (2, 7, 3, 0)
    assert images.shape == (3, 3, 12, 12)
    assert labels.tolist() == [0, 0, 1]


def test_folder_of_one_level_holds_out_a_fifth_of_every_class(tmp_path: Path) -> None:
    pictures(tmp_path, {"ant": 10, "bee": 5})
    data = load_data(f"folder:{tmp_path}", resolution=8)
    assert (len(data.train), len(data.held)) == (12, 3)


@pytest.mark.parametrize("resident", [LARGEST_RESIDENT, 0])
def test_corrupt_images_are_skipped_and_counted(tmp_path: Path, resident: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.data.folder.LARGEST_RESIDENT", resident)
    pictures(tmp_path / "train", {"ant": 4, "bee": 4})
    pictures(tmp_path / "val", {"ant": 2, "bee": 2})
    (tmp_path / "train" / "ant" / "0.png").write_bytes(b"not a picture")
    whole = (tmp_path / "val" / "bee" / "1.png").read_bytes()
    (tmp_path / "val" / "bee" / "1.png").write_bytes(whole[: len(whole) // 2])
    data = load_data(f"folder:{tmp_path}", resolution=8)
    seen = [sum(len(labels) for _, labels in split.batches(3)) for split in (data.train, data.held)]
    assert seen == [7, 3]
    assert data.skipped == 2


@pytest.mark.parametrize(
    ("spec", "message", "hint"),
    [
        ("fractal", "unknown data set 'fractal'", "fractals"),
        ("folder:/nowhere/at/all", "no such folder", "train/CLASS"),
        ("folder", "no such folder", "train/CLASS"),
        ("cifar10:/nowhere/at/all", "not found under /nowhere/at/all", "cifar10:ROOT"),
        ("digits:3", "takes no argument", "digits"),
    ],
)
def test_a_missing_or_unknown_data_set_is_one_clear_line(spec: str, message: str, hint: str) -> None:
    said = []
    for function in (load_data, check_data):
        with pytest.raises(DataError, match=message) as caught:
            function(spec, resolution=16)
        assert "\n" not in str(caught.value)
        assert hint in caught.value.hint
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_a_folder_without_classes_or_images_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="0 of at least 2 classes"):
        load_data(f"folder:{tmp_path}", resolution=8)
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(b"not a picture")
        (tmp_path / name / "1.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match="can be read"):
        load_data(f"folder:{tmp_path}", resolution=8)


# checks before a search


@pytest.mark.parametrize("spec", ["fractals", "fractals:1000x10000", "digits"])
def test_checking_built_in_data_draws_nothing(spec: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.data.fractals.draw", lambda *_: pytest.fail("drawn"))
    check_data(spec)
    assert not own_cache.exists()


def test_checking_refuses_a_resolution_that_cannot_be_had() -> None:
    with pytest.raises(DataError, match="too fine"):
        check_data("fractals", resolution=1000)


def test_checking_a_folder_reads_no_more_than_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures(tmp_path / "train", {"ant": 30, "bee": 30})
    pictures(tmp_path / "val", {"ant": 20, "bee": 20})
    (tmp_path / "train" / "ant" / "0.png").write_bytes(b"not a picture")
    opened: list[object] = []
    open_image = Image.open
    monkeypatch.setattr(Image, "open", lambda path: opened.append(path) or open_image(path))
    check_data(f"folder:{tmp_path}")
    assert len(opened) == 3  # the damaged one, the next, and one held-out


@pytest.mark.parametrize("part", ["train", "val"])
def test_checking_a_folder_of_which_nothing_can_be_read_says_so(tmp_path: Path, part: str) -> None:
    for name in ("train", "val"):
        pictures(tmp_path / name, {"ant": 2, "bee": 2})
    for path in (tmp_path / part).rglob("*.png"):
        path.write_bytes(b"not a picture")
    said = []
    for function in (load_data, check_data):
        with pytest.raises(DataError, match="can be read") as caught:
            function(f"folder:{tmp_path}", resolution=8)
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_checking_a_torchvision_set_opens_it_and_reads_one_image_of_each_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Few:
        """Three images, the first of them damaged."""

        def __init__(self, root: str, download: bool, train: bool) -> None:
            self.read: list[int] = []
            sets.append(self)

        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> tuple[Image.Image, int]:
            self.read.append(index)
            if index == 0:
                raise OSError("damaged")
            return Image.new("RGB", (9, 12)), index

    sets: list[Few] = []
    monkeypatch.setitem(VISION, "cifar10", (Few, {"train": True}, {"train": False}))
    check_data(f"cifar10:{tmp_path}")
    assert [one.read for one in sets] == [[0, 1], [0, 1]]
    data = load_data(f"cifar10:{tmp_path}", resolution=8)
    assert (data.classes, len(data.train), data.skipped) == (3, 2, 2)


# batches


def test_batches_are_normalised_and_seeded() -> None:
    data = load_data("digits", resolution=8)
    whole = torch.cat([images for images, _ in data.train.batches(500)])
    assert whole.mean().abs() < 0.1
    assert (whole.std() - 1).abs() < 0.1
    runs = [
        torch.cat([labels for _, labels in data.train.batches(64, torch.Generator().manual_seed(seed), "crop")])
        for seed in (0, 0, 1)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert len(runs[0]) == len(data.train) // 64 * 64


def _drawn(augment: Augment, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    drawn = draw_moves(40, 16, augment, generator)
    assert drawn is not None
    return drawn


def test_augmentation_mirrors_or_moves_but_keeps_the_picture() -> None:
    images = torch.randint(0, 255, (40, 3, 16, 16), dtype=torch.uint8)
    generator = torch.Generator().manual_seed(0)
    assert draw_moves(40, 16, "none", generator) is None
    flipped = moves(images, *_drawn("flip", generator))
    same = (flipped == images).flatten(1).all(1)
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    assert bool((same | mirrored).all())
    assert 0 < int(mirrored.sum()) < 40
    moved = moves(images, *_drawn("crop", generator))
    assert moved.shape == images.shape
    for number in range(40):  # the middle is still there, mirrored or not, up to two pixels away
        middle = moved[number, :, 4:12, 4:12]
        places = [
            picture[:, row : row + 8, column : column + 8]
            for picture in (images[number], images[number].flip(2))
            for row in range(2, 7)
            for column in range(2, 7)
        ]
        assert any(torch.equal(middle, place.float()) for place in places)
