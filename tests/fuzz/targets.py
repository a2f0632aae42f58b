"""What is fuzzed: for each target the code that an input reaches, and how inputs are made."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from nas.errors import NasError
from tests.fuzz import seeds
from tests.fuzz.guard import CANARY
from tests.fuzz.mutations import as_json, as_toml, as_yaml, documents, texts, words

Input = st.SearchStrategy[bytes]


@dataclass(frozen=True)
class Target:
    """`run` gets an input, in the target's folder. `share`: of all inputs. `covered`: atheris takes half of them."""

    run: Callable[[bytes], object]
    inputs: Callable[[], Input]
    seeds: Callable[[], list[bytes]]
    share: float
    covered: bool = True


def prepare(folder: Path) -> None:
    """Lay out what inputs refer to: a space, a recipe, records, a study, and a module that nothing may import."""
    (folder / f"{CANARY}.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    (folder / "tiny.yaml").write_text(as_yaml(seeds.TINY), encoding="utf-8")
    (folder / "recipe.yaml").write_text(as_yaml(seeds.RECIPES[2]), encoding="utf-8")
    (folder / "records.jsonl").write_text("".join(as_json(one) + "\n" for one in seeds.RECORDS[1]), encoding="utf-8")
    (folder / "broken.jsonl").write_text("{}\n[\n", encoding="utf-8")
    (folder / "nas.toml").write_text(as_toml(seeds.SETTINGS[0]), encoding="utf-8")


def make_study(folder: Path) -> None:
    """A finished study `first` in `nas.db`, and as `kept.db`, from which it is put back."""
    from nas.arch import Architecture
    from nas.recipe import Recipe
    from nas.space_file import load_space
    from nas.study.lifecycle import open_or_create
    from nas.study.storage import open_storage

    space = load_space(str(folder / "tiny.yaml"))
    recipe = Recipe(name="first", space="tiny.yaml", objectives=("flops",), measure=(), trials=2)
    storage = open_storage(f"sqlite:///{folder / 'kept.db'}", create=True)
    study = open_or_create(storage, recipe, space, "cpu", "nas search", {"cpu": "x"}).study
    for number in range(2):
        trial = study.ask()
        arch = space.suggest(trial)
        assert isinstance(arch, Architecture)
        record = {**seeds.RECORD, "trial": number, "arch": str(arch), "id": arch.id}
        trial.set_user_attr("record", record)
        study.tell(trial, 1.0)
    storage.engine.dispose()
    with closing(sqlite3.connect(folder / "kept.db")) as kept:  # one file, nothing left in a log beside it
        kept.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        kept.execute("PRAGMA journal_mode=DELETE")
    shutil.copy(folder / "kept.db", folder / "nas.db")


def _space(data: bytes) -> object:
    from nas.space_file import load_space

    Path("input.yaml").write_bytes(data)
    space = load_space("input.yaml")
    for arch in space.samples(3):
        assert arch in space
        assert space.decode(space.encode(arch)) == arch
    return space.hash, f"{space.size:.3g}", space.total_stride, space.smallest_side, space.to_document()


def _architecture(data: bytes) -> object:
    from nas.cost import cost
    from nas.space_file import dump_architecture, load_architecture

    Path("input.yaml").write_bytes(data)
    arch = load_architecture("input.yaml")
    Path("again.yaml").write_text(dump_architecture(arch, "again", "input"), encoding="utf-8")
    assert load_architecture("again.yaml") == arch
    return cost(arch)


def _recipe(data: bytes) -> object:
    from nas.recipe import Recipe, load_recipe

    Path("input.yaml").write_bytes(data)
    recipe = load_recipe("input.yaml")
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    return recipe.identity(), recipe.measured, recipe.parsed_limits, recipe.parsed_objectives


def _training(data: bytes) -> object:
    from nas.progressive import schedule
    from nas.training_recipe import load_training

    Path("input.yaml").write_bytes(data)
    training = load_training("input.yaml")
    return str(schedule(training, training.resolution)), training.said()


def _weights(data: bytes) -> object:
    """A weights file whose header is spoilt; and the input as a whole file."""
    from nas.training.weights import read_weights

    path = Path("input.safetensors")
    path.write_bytes(data)
    with contextlib.suppress(NasError):
        read_weights(path)
    path.write_bytes(len(data).to_bytes(8, "little") + data + bytes(64))
    weights = read_weights(path)
    return weights.arch, weights.classes, weights.statistics, weights.about


def _checkpoint(data: bytes) -> object:
    from nas.training.checkpoint import NAME, read_checkpoint

    Path(NAME).write_bytes(data)
    Path("checkpoint-0001.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    return read_checkpoint(Path())


def _notation(data: bytes) -> object:
    from nas.arch import parse
    from nas.cost import cost

    arch = parse(_text(data))
    assert parse(str(arch)) == arch
    return arch.id, cost(arch)


def _records(data: bytes) -> object:
    from nas.record import read_records
    from nas.study.feed import read_all
    from nas.study.feed_file import RecordsSource

    path = Path("input.jsonl")
    path.write_bytes(data)
    with contextlib.suppress(NasError):
        read_all([RecordsSource(path)])
    return [record.to_json() for record in read_records(path)]


def _report(data: bytes) -> object:
    from nas.dashboard.study import study_of
    from nas.report.analysis import analyse
    from nas.report.tables import front_table, trials_table
    from nas.study.feed import read_all
    from nas.study.feed_file import RecordsSource

    Path("input.jsonl").write_bytes(data)
    for snapshot in read_all([RecordsSource(Path("input.jsonl"))]):
        study = study_of(snapshot)
        analysis = analyse(study.records, study.recipe)
        front_table(analysis)
        trials_table(analysis)
    return None


def _reference(data: bytes) -> object:
    from nas.cli.refs import resolve
    from nas.study.feed import is_records, open_sources
    from nas.study.storage import masked, open_storage, sqlite_path

    text = _text(data)
    masked(text)
    is_records(text)
    refused = NasError("a server is not reached")
    for attempt in (
        lambda: open_sources([text], "sqlite:///nas.db"),
        lambda: open_storage(text),
        lambda: resolve(text, "sqlite:///nas.db"),
    ):
        if "://" in text and sqlite_path(text) is None:
            continue  # a server: reaching it is no part of reading its address
        try:
            attempt()
        except NasError as error:
            refused = error
        else:
            return None
    raise refused


def _expression(data: bytes) -> object:
    from nas.cli.grid import parse_range
    from nas.cli.measure import keys_of
    from nas.cli.scale import parse_phis
    from nas.metric import parse_limit, parse_number, parse_objective
    from nas.recipe import parse_duration

    text, read, refused = _text(data), 0, NasError("")
    readers = (parse_limit, parse_number, parse_objective, parse_duration, parse_phis, parse_range, keys_of)
    for reader in readers:
        try:
            value = reader(text)
        except NasError as error:
            refused = error
            continue
        read += 1
        if reader in (parse_limit, parse_objective):
            assert reader(str(value)) == value
    if not read:
        raise refused
    return read


def _settings(data: bytes) -> object:
    from nas.cli.settings import load_settings

    Path("input.toml").write_bytes(data)
    return load_settings("input.toml")


def _foreign(data: bytes) -> object:
    from nas.foreign import check_allowed, read, split

    text = _text(data)
    with contextlib.suppress(NasError):
        split(text)
    found = read(text)
    assert read(str(found)) == found
    check_allowed(str(found), "input", allowed=False)
    return found.id


def _command(data: bytes) -> object:
    from nas.cli import main

    prepare(Path())
    shutil.copy("kept.db", "nas.db")
    for left in ("nas.db-wal", "nas.db-shm", "nas.db.lock"):
        Path(left).unlink(missing_ok=True)
    line = _text(data).split("\x1e")
    if "search" in line or "--measure" in line:
        line += ["--dry-run", "--dry-run"]  # the first may stand where an option takes a word
    if "dashboard" in line:
        line += ["no-study-1", "no-study-2"]  # one of them stands where an option takes no word
    line += ["--what", "nothing"] * 2 if "measure" in line else []
    line += ["extra", "extra"] if "doctor" in line else []
    main(line)
    return None


def _stored(data: bytes) -> object:
    """A study of a stranger: what it says of itself, and one of its trials, are spoilt."""
    from nas.cli import main

    shutil.copy("kept.db", "nas.db")
    with closing(sqlite3.connect("nas.db")) as storage, storage:
        for key, value in _stored_values(data).items():
            table = "study_user_attributes" if key == "nas" else "trial_user_attributes"
            storage.execute(f"UPDATE {table} SET value_json = ? WHERE key = ?", (value, key))
    line = _READING_COMMANDS[sum(data) % len(_READING_COMMANDS)]
    main([*line, "--storage", "sqlite:///nas.db"])
    return None


def _stored_values(data: bytes) -> dict[str, str]:
    """Attribute → its JSON; what is no JSON at all is stored as it is."""
    try:
        document = json.loads(data)
    except ValueError:
        return {"nas" if len(data) % 2 else "record": data.decode("utf-8", "replace")}
    known = ("nas", "record")
    return {key: json.dumps(document[key]) for key in known if key in document} if isinstance(document, dict) else {}


_READING_COMMANDS = (
    ("studies", "list"),
    ("studies", "show", "first"),
    ("studies", "show", "first", "--json"),
    ("studies", "export", "first", "-o", "x.jsonl"),
    ("show", "first:0"),
    ("search", "--study", "first", "--dry-run", "--device", "cpu"),
)


def stored_study() -> dict[str, object]:
    """What the study `first` holds, to be spoilt."""
    with closing(sqlite3.connect("kept.db")) as storage:
        (facts,) = storage.execute("SELECT value_json FROM study_user_attributes WHERE key = 'nas'").fetchone()
        (record,) = storage.execute("SELECT value_json FROM trial_user_attributes WHERE key = 'record'").fetchone()
    return {"nas": json.loads(facts), "record": json.loads(record)}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _lines(records: object) -> str:
    """Records as JSON lines, also where spoiling left no list."""
    return "\n".join(map(as_json, records)) if isinstance(records, list) else as_json(records)


def _documents(
    pool: list[object], dump: Callable[[object], str]
) -> tuple[Callable[[], Input], Callable[[], list[bytes]]]:
    return lambda: documents(pool, dump), lambda: [dump(one).encode("utf-8", "surrogatepass") for one in pool]


def _texts(pool: list[str]) -> tuple[Callable[[], Input], Callable[[], list[bytes]]]:
    return lambda: texts(pool), lambda: [one.encode() for one in pool]


TARGETS: dict[str, Target] = {
    "space files": Target(_space, *_documents(list(seeds.SPACES), as_yaml), 0.13),
    "architecture files": Target(_architecture, *_documents(list(seeds.ARCHITECTURES), as_yaml), 0.07),
    "recipes": Target(_recipe, *_documents(list(seeds.RECIPES), as_yaml), 0.14),
    "training recipes": Target(_training, *_documents(list(seeds.TRAININGS), as_yaml), 0.04),
    "weights": Target(_weights, *_documents(list(seeds.WEIGHTS), as_json), 0.04, covered=False),
    "checkpoints": Target(_checkpoint, *_documents(list(seeds.CHECKPOINTS), as_json), 0.02, covered=False),
    "notation": Target(_notation, *_texts(seeds.NOTATIONS), 0.14),
    "records": Target(_records, *_documents(list(seeds.RECORDS), _lines), 0.11),
    "records in a report": Target(_report, *_documents(list(seeds.RECORDS), _lines), 0.03, covered=False),
    "URLs and references": Target(_reference, *_texts([*seeds.URLS, *seeds.FOREIGN]), 0.05, covered=False),
    "expressions": Target(_expression, *_texts(seeds.EXPRESSIONS), 0.08),
    "settings": Target(_settings, *_documents(list(seeds.SETTINGS), as_toml), 0.06),
    "foreign references": Target(_foreign, *_texts([*seeds.FOREIGN, *seeds.NOTATIONS]), 0.06),
    "stored studies": Target(
        _stored,
        lambda: documents([stored_study()], as_json),
        lambda: [as_json(stored_study()).encode()],
        0.01,
        covered=False,
    ),
    "command line": Target(
        _command,
        lambda: words(seeds.LINES, seeds.OPTIONS),
        lambda: ["\x1e".join(line).encode() for line in seeds.LINES],
        0.02,
        covered=False,
    ),
}
