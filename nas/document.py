"""Read YAML written by people, and say in one line what is wrong with it and where."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from nas.errors import NasError, nearest

_LARGEST = 65_536  # bytes; a study or a space is a page
_MOST_VALUES = 5_000  # lists, mappings and what stands in them, keys too: a quarter of a second of reading
_DEEPEST = 20  # lists and mappings within each other
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_LONGEST_NUMBER = 100  # characters; hexadecimal and base 60 would let a number of any size through


# Commands of a terminal, marks that turn the reading direction, and halves of characters.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class DocumentError(NasError):
    """A file that does not say what it should: `file: path: expected …; got …`."""


class Section(BaseModel):
    """A part of a YAML file: frozen, strict (no string for a number), and closed (no unknown key)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


S = TypeVar("S", bound=Section)


class _Loader(yaml.SafeLoader):
    """SafeLoader without aliases (an alias bomb is not a study), without silently repeated keys, and with bounds."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._composed = self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not allowed", mark)
        self._composed += 1
        if self._composed > _MOST_VALUES:
            raise yaml.composer.ComposerError(None, None, f"more than {_MOST_VALUES:,} values; expected a page", mark)
        if self._depth >= _DEEPEST:
            raise yaml.composer.ComposerError(None, None, "nested too deeply", mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        if node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
            raise yaml.constructor.ConstructorError(
                None, None, f"a number of {len(node.value):,} characters", node.start_mark
            )
        value = super().construct_scalar(node)
        if isinstance(value, str) and (match := _UNPRINTABLE.search(value)):
            raise yaml.constructor.ConstructorError(
                None, None, f"the character {ascii(match[0])[1:-1]} is no text", node.start_mark
            )
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key '{key}' stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def as_text(text: str) -> str:
    """`text` without the characters that a file may not have: those that command a terminal, or turn its reading."""
    return _UNPRINTABLE.sub("", text)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in `path`. Raises: DocumentError with file and line for anything else."""
    try:
        document = yaml.load(_text(path), _Loader)  # noqa: S506  (a SafeLoader)
    except DocumentError:
        raise
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        deep = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or deep
        raise DocumentError(f"{path}{where}: not valid YAML: {problem}") from None
    except UnicodeDecodeError:
        raise DocumentError(f"{path}: expected UTF-8 text; got something else") from None
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # PyYAML lets some through, such as a date of month 13
        raise DocumentError(f"{path}: not valid YAML: {error}") from None
    except (LookupError, AttributeError):  # and `!!bool maybe`
        raise DocumentError(f"{path}: not valid YAML: a value does not fit its tag (!!…)") from None
    if not isinstance(document, dict):
        raise DocumentError(f"{path}: expected keys and values; got {describe(document)}")
    return document


def _text(path: Path) -> str:
    """The text of a small file. A device or a pipe may have no end: only what is a file is read."""
    if not path.is_file() and not path.is_dir() and path.exists():
        raise DocumentError(f"{path}: expected a file; got a device or a pipe")
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise DocumentError(f"{path}: larger than {_LARGEST:,} bytes; expected a page of YAML")
    return content.decode("utf-8")


def describe(value: object) -> str:
    """What a person sees in the file: '25e6' (a string), 3, a list."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f"the string '{value[:60]}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    return "a mapping" if isinstance(value, dict) else repr(value)[:60]


_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?")
_EXPONENT = re.compile(r"([+-]?\d+(?:\.\d*)?)[eE]([+-]?\d+)")


def number_hint(value: object) -> str:
    """How to write a number that came as a string: YAML 1.1 reads 25e6 as one, its exponent needs a dot and a sign."""
    text = value.strip() if isinstance(value, str) else ""
    if match := _EXPONENT.fullmatch(text):
        if len(text) < 20 and float(text).is_integer() and abs(float(text)) < 1e15:
            return f"YAML reads {text} as text: write {int(float(text))}"
        mantissa, exponent = match.groups()
        dotted = mantissa if "." in mantissa else f"{mantissa}.0"
        signed = exponent if exponent[0] in "+-" else f"+{exponent}"
        return f"YAML reads {text} as text: write {dotted}e{signed}"
    return f"write it without quotes: {text}" if _NUMBER.fullmatch(text) else ""


NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"  # of what becomes a folder, a file or a word of a command
NAME_WORDS = "a name: at most 100 letters, digits, dots, hyphens and underscores, the first a letter or a digit"

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_pattern_mismatch": NAME_WORDS,  # only names have a pattern
    "tuple_type": "a list",
    "model_type": "keys and values",
    "too_short": "a list that is not empty",
}


def validate(section: type[S], document: dict[str, Any], source: str, at: str = "") -> S:
    """`document` as a `section`, which stands `at` this path of its file.

    Raises: DocumentError naming file, path, what was expected and what came.
    """
    try:
        return section.model_validate(document)
    except ValidationError as error:
        raise _first_fault(section, error, source, at) from None


def validate_stored(section: type[S], document: Any, source: str) -> S:
    """`document`, as JSON stored it, as a `section`. Raises: DocumentError as `validate` does."""
    try:
        return section.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise _first_fault(section, error, source) from None


def _first_fault(section: type[Section], error: ValidationError, source: str, at: str = "") -> DocumentError:
    fault = error.errors()[0]
    # pydantic adds the branch of a union to the path: keep only what stands in the file
    location = [part for part in fault["loc"] if isinstance(part, int) or part in _known_keys(section, fault)]
    path = at + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    where = ": ".join(filter(None, (source, path.lstrip("."))))  # a fault of the whole document says its own path
    got = fault["input"]
    if fault["type"] == "extra_forbidden":
        key = str(location[-1])
        owner = _section_at(section, [part for part in location[:-1] if isinstance(part, str)])
        return DocumentError(f"{where}: unknown key", nearest(key, owner.model_fields))
    if fault["type"] == "missing":
        return DocumentError(f"{where}: expected a value; the key is missing")
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, NasError):
        return DocumentError(f"{where}: {cause}", cause.hint)
    same = [other for other in error.errors() if other["loc"][: len(location)] == tuple(location)]
    expected = " or ".join(_EXPECTED.get(other["type"]) or _lower(other["msg"]) for other in same)
    return DocumentError(f"{where}: expected {expected}; got {describe(got)}", _hint(fault))


def _hint(fault: Any) -> str:
    got = fault["input"]
    if fault["type"] == "literal_error" and isinstance(got, str):
        hint = nearest(got, re.findall(r"'([^']+)'", fault["ctx"]["expected"]))
        return hint if hint.startswith("did you mean") else ""
    return number_hint(got)


def _lower(message: str) -> str:
    text = message.removeprefix("Value error, ").removeprefix("Input should be ")
    return text[:1].lower() + text[1:]


def _known_keys(section: type[Section], fault: Any) -> set[str]:
    keys = {name for model in _sections(section) for name in model.model_fields}
    return keys | ({str(fault["loc"][-1])} if fault["type"] == "extra_forbidden" else set())


def _sections(section: type[Section]) -> Iterator[type[Section]]:
    yield section
    for field in section.model_fields.values():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, Section):
                yield from _sections(kind)


def _section_at(section: type[Section], path: list[str]) -> type[Section]:
    for name in path:
        field = section.model_fields.get(name)
        if field is None:
            break
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, Section):
                section = kind
    return section


def digest(value: Any) -> str:
    """Twelve hexadecimal digits of a hash of a JSON value, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def short_path(path: Path) -> str:
    """A file as messages name it: from the current folder, or by its name alone."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return path.name
