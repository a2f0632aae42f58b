"""A training's curves as TensorBoard events. They are no part of what must not be lost: a full disk ends them only."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from nas.training.outcome import Epoch

_OURS = "nas"  # paths that begin with it and a colon are opened by `_Events`


class Curves:
    """Events of every epoch, in a folder; nothing without one. Epochs that are trained again replace those of the
    process that died: `done` are kept."""

    def __init__(self, folder: Path | None, done: int) -> None:
        self._writer = None
        if folder is not None:
            from tensorboardX import SummaryWriter

            _register()
            place, purge = f"{_OURS}:{folder.absolute()}", done + 1 if done else None
            # named by the second and by what is done: a resumed one has a file of its own
            self._writer = SummaryWriter(place, purge_step=purge, filename_suffix=f".{done}")

    def add(self, epoch: Epoch) -> None:
        """Add an epoch that has ended."""
        if self._writer is None:
            return
        values = {
            "loss/train": epoch.loss,
            "top1_pct/train": epoch.train_pct,
            "top1_pct/held": epoch.held_pct,
            "schedule/resolution": epoch.resolution,
            "seconds/epoch": epoch.training_s,
        }
        for name, value in values.items():
            self._writer.add_scalar(name, value, epoch.epoch)
        self._writer.flush()  # on the disk as soon as the checkpoint is

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()


class _Events:
    """A file that holds whole flushes only, and takes no more after the first that fails."""

    def __init__(self, path: str) -> None:
        self._file: int | None = None
        self._held = b""
        with suppress(OSError):
            self._file = os.open(path.partition(":")[2], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)

    def write(self, content: bytes) -> None:
        self._held += content

    def flush(self) -> None:
        held, self._held = self._held, b""
        if self._file is None or not held:
            return
        with suppress(OSError):
            size = os.fstat(self._file).st_size
            with suppress(OSError):
                if os.write(self._file, held) == len(held):
                    return
            os.ftruncate(self._file, size)
        self._end()

    def close(self) -> None:
        self.flush()
        self._end()

    def _end(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
        self._file = None


class _Factory:
    """What tensorboardX asks for files and folders of ours."""

    def open(self, path: str) -> _Events:
        return _Events(path)

    def directory_check(self, path: str) -> None:
        """The folder is there."""


@cache
def _register() -> None:
    from tensorboardX.record_writer import register_writer_factory

    register_writer_factory(_OURS, _Factory())
