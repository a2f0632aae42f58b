"""The command line: thin commands over the library. Heavy imports happen inside them."""

from __future__ import annotations

import json
import os
import sys
import traceback
from contextlib import suppress
from typing import Annotated

import typer

from nas.cli import console
from nas.cli.dashboard import dashboard
from nas.cli.doctor import doctor
from nas.cli.evaluate import evaluate
from nas.cli.export import export
from nas.cli.grid import grid
from nas.cli.import_ import import_
from nas.cli.measure import measure
from nas.cli.report import report
from nas.cli.scale import scale
from nas.cli.search import search
from nas.cli.settings import load_settings
from nas.cli.show import show
from nas.cli.spaces import spaces
from nas.cli.studies import studies
from nas.cli.train import train
from nas.errors import NasError

app = typer.Typer(
    name="nas",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 failed, 2 bad input, 4 nothing usable, 5 a check failed, "
    "129 SIGHUP, 130 Ctrl-C, 143 SIGTERM.",
)
for command in (search, grid, scale, show, spaces, measure, train, evaluate, export, report, dashboard, doctor):
    app.command()(command)
app.command("import")(import_)
app.add_typer(studies)

_EVERYWHERE = {"--debug", "--no-color", "-q", "--quiet", "-v", "--verbose"}


def _print_version(asked: bool) -> None:
    if asked:
        from nas import __version__

        print(f"nas {__version__}")
        raise typer.Exit


@app.callback()
def nas(  # noqa: PLR0913, PLR0917
    context: typer.Context,
    config: Annotated[str, typer.Option(help="Settings file; otherwise nas.toml or [tool.nas] here.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No messages, only results. Anywhere.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="More messages. Anywhere on the line.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours, as NO_COLOR=1. Anywhere.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks. Anywhere on the line.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Search, scale and train efficient convolutional networks, measured on your machine."""
    del quiet, verbose, no_color, debug, version  # read by `main` and `_print_version`
    context.default_map = load_settings(config)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch loads: spinning threads starve the machine
    words = list(sys.argv[1:] if arguments is None else arguments)
    flags = {word for word in words if word in _EVERYWHERE}
    console.MANNERS.debug = "--debug" in flags
    console.MANNERS.color = "--no-color" not in flags
    console.MANNERS.quiet = bool(flags & {"-q", "--quiet"})
    console.MANNERS.verbose = bool(flags & {"-v", "--verbose"})
    if words and not set(words) <= _EVERYWHERE:
        words = [word for word in words if word not in _EVERYWHERE]
    before = os.umask(0o077)  # studies, reports, logs and records are their owner's alone, until chmod says otherwise
    try:
        console.Patient.install()
        code = _run(words)
        _let_go_of_stdout()
    finally:
        os.umask(before)
    sys.exit(code)


def _let_go_of_stdout() -> None:
    """Where nobody reads standard output any more, Python would end with a code of its own."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _run(words: list[str]) -> int:
    try:
        _check_text(words)
        return app(words, prog_name="nas", standalone_mode=False) or 0
    except NasError as error:
        _trace()
        console.fail(str(error), error.hint)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except Exception as error:
        return _other(error)


def _check_text(words: list[str]) -> None:
    """Raises: NasError for a word that is no text, and could neither be shown nor stored."""
    for word in words:
        if any("\ud800" <= character <= "\udfff" or character == "\0" for character in word):
            raise NasError(f"'{word}': not UTF-8 text", "name the file in UTF-8, or go to its folder")


def _other(error: Exception) -> int:
    if type(error).__module__.startswith("sqlalchemy."):  # of a database that is full, locked or gone meanwhile
        _trace()
        console.fail(
            f"storage: {str(getattr(error, 'orig', None) or error).strip().splitlines()[0]}", "see what it lacks"
        )
        return 1
    if isinstance(error, json.JSONDecodeError):  # the storage's: what nas reads itself is refused by name
        _trace()
        console.fail(f"a study in the storage is damaged: what it stores is no JSON: {error}", "restore a copy of it")
        return 2
    message = getattr(error, "format_message", None)
    if message is None:
        _trace()
        name = type(error).__name__
        console.fail(f"{name}: {error}", "run it again with --debug for the traceback")
        return 1
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error)
        return 2
    context = getattr(error, "ctx", None)
    console.fail(message().rstrip("."), f"{context.command_path} --help" if context else "nas --help")
    return 2


def _trace() -> None:
    if console.MANNERS.debug:
        traceback.print_exc()
