"""Strategies that spoil valid documents where it hurts: at their leaves, their keys, their shape, and their letters."""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Callable, Sequence
from typing import Any

import yaml
from hypothesis import strategies as st

from tests.fuzz.guard import CANARY

Draw = Callable[[st.SearchStrategy[Any]], Any]

DEEP: Any = []
for _ in range(60):
    DEEP = [DEEP]

TEXTS = (
    "", " ", "\n", "\0", "a\0b", "\x1b[2J", "\u202egpj", "\ud800", "é" * 300, "x" * 70_000, "..", "../../x",
    "/dev/zero", "/etc/passwd", "file:///etc/passwd", "25e6", "1e-5", "1" * 5000, "NaN", "inf", "-0", "١٢", "½",
    "flops<=1e999",
    "flops<=" + "9" * 400, "top1_pct*(flops/0)^-1", "top1_pct*" * 40 + "flops", "999999999999d", "module:callable",
    f"{CANARY}:make", f"{CANARY}:make@64", "timm:resnet18", "timm:hf-hub:a/b", "timm:local-dir:/tmp",
    "torchvision:resnet18@999999999", "torchvision:http://127.0.0.1/x", "folder:/", "STUDY:17", "efficientnet-b0",
    "smallest", "published", "tpe", "!!python/object/apply:os.system [id]", "{{7*7}}", "</script><script>",
    "[/] [bold]x[/nope]", ":bomb:", "%s%n", "${HOME}", "$(id)", "`id`", "con", "a" * 300 + ".yaml",
)  # fmt: skip
VALUES = (
    None, True, False, 0, 1, -1, 2, 3, 7, 64, 1000, 65_537, 10**6, 10**9, 2**31, 2**63, 2**64, 10**40, 10**90,
    -(10**18), 16**4999, 0.0, -0.0, 0.5, 1.0, 1e-320, 1e308, 1e18, float("nan"), float("inf"), float("-inf"), [], {},
    [[]], [None],
    DEEP, {"from": 1, "to": 10**9, "by": 1}, {"from": 1, "to": 9_999}, {"from": 0, "to": 3}, {"from": 3, "to": 1},
    {"from": 1, "to": 10**30, "by": 10**29}, {"mbconv": 1}, {"mbconv": 0.25, "fused_mbconv": 0}, [1, 1], [3, 5],
    [1.5, "x"], [0.1, 0.2], list(range(3000)), list(range(1, 40)), datetime.date(2001, 1, 1), b"\xff\0",
)  # fmt: skip

leaves = st.one_of(
    st.sampled_from(VALUES),
    st.sampled_from(TEXTS),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.integers(-3, 300),
)
_OPERATIONS = ("replace", "replace", "replace", "delete", "rename", "add", "swap", "repeat", "wrap", "nudge")


_KEYS = ("stages", "grid", "groups", "norm_eps", "x", "training", "schema", "readings")


def _places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value below the top."""
    items: Any = ()
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = enumerate(document[:40])
    return [found for key, value in items for found in ((*path, key), *_places(value, (*path, key)))]


def _at(document: Any, path: Sequence[Any]) -> Any:
    for key in path:
        document = document[key]
    return document


def _spoil(draw: Draw, document: Any) -> Any:
    places = _places(document)
    if not places:
        return draw(leaves)
    path = draw(st.sampled_from(places))
    parent, key = _at(document, path[:-1]), path[-1]
    operation = draw(st.sampled_from(_OPERATIONS))
    if operation == "replace":
        parent[key] = copy.deepcopy(draw(leaves))
    elif operation == "delete":
        del parent[key]
    elif operation == "rename" and isinstance(parent, dict):
        parent[draw(st.one_of(st.sampled_from(TEXTS), st.text(max_size=8), st.integers()))] = parent.pop(key)
    elif operation == "add" and isinstance(parent, dict):
        parent[draw(st.sampled_from(_KEYS))] = copy.deepcopy(draw(leaves))
    elif operation == "swap":
        parent[key] = copy.deepcopy(_at(document, draw(st.sampled_from(places))))
    elif operation == "repeat" and isinstance(parent[key], list):
        parent[key] = parent[key] * draw(st.sampled_from((0, 2, 30, 300)))
    elif operation == "wrap":
        parent[key] = draw(st.sampled_from(([parent[key]], {"from": parent[key]}, [[parent[key]]])))
    elif operation == "nudge" and isinstance(parent[key], int | float) and not isinstance(parent[key], bool):
        parent[key] = parent[key] * draw(st.sampled_from((-1, 0, 2, 10, 1000, 10**9)))
    return document


def as_yaml(document: Any) -> str:
    """The document as a person's YAML, or where the dumper knows no such value, as JSON."""
    try:
        return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True))
    except (yaml.YAMLError, UnicodeEncodeError, ValueError, RecursionError):
        return as_json(document)


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_json(document: Any) -> str:
    try:
        return json.dumps(document, default=repr)
    except (ValueError, TypeError, RecursionError):  # a number too long to print, a key that is none
        return "{}"


def as_toml(document: Any) -> str:
    """Flat tables, values as JSON has them: right often enough."""
    if not isinstance(document, dict):
        return as_json(document)
    lines = []
    for key, value in document.items():
        if isinstance(value, dict):
            lines += [f"[{key}]", *(f"{json.dumps(str(inner))} = {as_json(one)}" for inner, one in value.items())]
        else:
            lines.insert(0, f"{key} = {as_json(value)}")
    return "\n".join(lines)


@st.composite
def documents(draw: Draw, seeds: Sequence[Any], dump: Callable[[Any], str]) -> bytes:
    """A seed with one to four of its places spoilt, written out, and now and then with its letters spoilt too."""
    document = copy.deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        document = _spoil(draw, document)
    text = dump(document).encode("utf-8", "surrogatepass")
    return _scrambled(draw, text) if draw(st.integers(0, 5)) == 0 else text


@st.composite
def texts(draw: Draw, seeds: Sequence[str]) -> bytes:
    """One of the seeds with its letters spoilt, two of them joined, or any text."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.text(max_size=60)).encode("utf-8", "surrogatepass")
    if kind == 1:
        return draw(st.sampled_from(TEXTS)).encode("utf-8", "surrogatepass")
    text = draw(st.sampled_from(seeds))
    if kind == 2:
        text += draw(st.sampled_from(("", " ", ",", "*", ":"))) + draw(st.sampled_from(seeds))
    if kind == 3:
        text = text * draw(st.sampled_from((2, 50, 3000)))
    return _scrambled(draw, text.encode())


def _scrambled(draw: Draw, data: bytes) -> bytes:
    """Some pieces dropped, doubled, or replaced."""
    pieces = (*(text.encode("utf-8", "surrogatepass") for text in TEXTS if len(text) < 30), b"\xff", b"0" * 12,
              b"9" * 30, b"-", b".", b"e", b":", b"@", b"[", b"{", b"*a", b"&a", b"\t", b"#", b"'", b'"')  # fmt: skip
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(data))))
        end = min(len(data), start + draw(st.integers(0, 6)))
        kind = draw(st.integers(0, 2))
        middle = (b"", data[start:end] * 2, draw(st.sampled_from(pieces)))[kind]
        data = data[:start] + middle + data[end:]
    return data


@st.composite
def words(draw: Draw, lines: Sequence[Sequence[str]], options: Sequence[str]) -> bytes:
    """A command line with words spoilt, dropped, swapped or added; words are parted by \\x1e."""
    line = list(draw(st.sampled_from(lines)))
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        place = draw(st.integers(1, max(1, len(line) - 1)))
        operation = draw(st.sampled_from(("replace", "replace", "scramble", "drop", "option", "insert")))
        if operation == "option":
            line += [draw(st.sampled_from(options)), draw(_word)]
        elif operation == "insert":
            line.insert(place, draw(_word))
        elif place < len(line):
            if operation == "drop":
                del line[place]
            elif operation == "replace":
                line[place] = draw(_word)
            else:
                line[place] = _scrambled(draw, line[place].encode("utf-8", "surrogatepass")).decode(
                    "utf-8", "surrogateescape"
                )
    return "\x1e".join(line).encode("utf-8", "surrogatepass")


_word = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(("0", "-1", "3", "1:2", "0:7", "nan", "1e400", "99999999999999999999", "flops<=4G", "random")),
    st.integers().map(str),
    st.floats().map(str),
    st.text(max_size=12),
)
