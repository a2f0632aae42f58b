"""The root of every error a user can cause: one line of what, one line of what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 1_000  # characters of a message that anyone reads


class NasError(ValueError):
    """Bad input. `str(error)` says what was wrong, where and what was expected; `hint` says what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(_one_line(message))
        self.hint = _one_line(hint)


def _one_line(text: str) -> str:
    """A quoted value may hold line breaks and control characters: show them as \\n, \\x1b; and it may be endless."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST * 3 // 4]} … {text[-_LONGEST // 4 :]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """'did you mean …?' with the known names closest to `name`, or the list of them when none is close."""
    names = sorted(known)
    lower = {candidate.lower(): candidate for candidate in names}
    close = [lower[match] for match in difflib.get_close_matches(name.lower(), lower, count, 0.5)]
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(names)}" if names else ""


def raised(error: BaseException) -> str:
    """`RuntimeError: no kernel`: what somebody else's code raised, in one line of a readable length."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
