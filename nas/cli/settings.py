"""Defaults from a settings file: flag > NAS_* > nas.toml or [tool.nas] in pyproject.toml > built in."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from nas.errors import NasError, nearest
from nas.resources import is_file

_LARGEST = 262_144  # bytes; pyproject.toml is someone else's, and long

_KNOWN = ("storage", "device", "data", "workers", "engine", "out")
_COMMANDS = {
    "search": _KNOWN,
    "grid": ("storage", "device", "data", "workers", "engine"),
    "report": ("storage", "out"),
    "show": ("storage",),
    "measure": ("storage", "device"),
}


def load_settings(config: str) -> dict[str, Any]:
    """Typer's default map. Raises: NasError for a file that is missing or broken, or an unknown key."""
    found, path = _read(config)
    for key, value in found.items():
        if key not in _KNOWN:
            raise NasError(f"{path}: {key}: unknown setting", nearest(key, _KNOWN))
        if type(value) is not (int if key == "workers" else str):
            from nas.document import describe

            raise NasError(
                f"{path}: {key}: expected {'a whole number' if key == 'workers' else 'text'}; got {describe(value)}"
            )
    defaults: dict[str, Any] = {
        command: {key: found[key] for key in keys if key in found} for command, keys in _COMMANDS.items()
    }
    storage = {"storage": found["storage"]} if "storage" in found else {}
    defaults["studies"] = dict.fromkeys(("list", "show", "export", "delete"), storage)
    return defaults


def _read(config: str) -> tuple[dict[str, Any], str]:
    if config and not is_file(Path(config)):
        raise NasError(f"--config {config}: no such file", "write one with lines such as: storage = 'sqlite:///nas.db'")
    for name in (config,) if config else ("nas.toml", "pyproject.toml"):
        path = Path(name)
        if not path.is_file():
            continue
        try:
            document = tomllib.loads(_text(path))
        except (ValueError, RecursionError, OSError) as error:  # of TOML, of UTF-8, of numbers, or of the file
            if path.name == "pyproject.toml":
                continue  # someone else's to mend
            raise NasError(f"{name}: not valid TOML: {getattr(error, 'strerror', None) or error}") from None
        if path.name != "pyproject.toml":
            return document, name
        tools = document.get("tool")
        table = tools.get("nas") if isinstance(tools, dict) else None
        if table is not None and not isinstance(table, dict):
            raise NasError("pyproject.toml: tool.nas: expected a table", "write [tool.nas] and lines below it")
        if table:
            return table, name
    return {}, ""


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise NasError(f"larger than {_LARGEST:,} bytes; expected a few lines")
    return content.decode("utf-8").replace("\r\n", "\n")
