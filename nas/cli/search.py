"""`nas search`: run a study, or go on with it, and write its report."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli import console
from nas.cli.options import DEFAULT_STORAGE, Device, Json, Storage, pick_device
from nas.cli.plan import Plan, print_plan
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.recipe import Recipe
    from nas.study.engine import Search
    from nas.study.space import Space


def search(  # noqa: PLR0913, PLR0917
    space: Annotated[str | None, typer.Option(help="A shipped space or a YAML file (see: nas spaces).")] = None,
    recipe: Annotated[str | None, typer.Option(help="A study recipe, shipped or a YAML file.")] = None,
    study: Annotated[str | None, typer.Option(help="Name of the study; otherwise that of the space or recipe.")] = None,
    storage: Storage = DEFAULT_STORAGE,
    trials: Annotated[int | None, typer.Option("--trials", "-n", help="Total of the study; again to resume.")] = None,
    timeout: Annotated[str | None, typer.Option(metavar="90s|4h", help="Start no trial after this long.")] = None,
    sampler: Annotated[str | None, typer.Option(help="tpe, nsga2, nsga3, gp, random or grid.")] = None,
    objective: Annotated[
        list[str] | None, typer.Option(help="A metric, or a reward such as top1_pct*(flops/4G)^-0.07. Repeat.")
    ] = None,
    limit: Annotated[list[str] | None, typer.Option(help="For example flops<=4G. Repeat.")] = None,
    data: Annotated[
        str | None, typer.Option(envvar="NAS_DATA", help="fractals, digits, folder:PATH, cifar10:ROOT, …")
    ] = None,
    device: Device = "auto",
    seed: Annotated[
        int | None, typer.Option(help="The same seed and readings: the same networks in the same order.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Networks measured at a time.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder of report and logs; otherwise runs/STUDY.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and do nothing.")] = False,
    json_output: Json = False,
) -> None:
    """Search a space for networks that are accurate, cheap and fast on this machine, and write a Pareto report.

    The same command again goes on where it stopped. Ctrl-C ends it cleanly.

    Examples:

      nas search --space efficientnetv2

      nas search --space efficientnetv2 -n 400 --limit 'flops<=10G' --objective top1_pct --objective train_images_per_s

      nas search --recipe mystudy.yaml --storage postgresql://user@host/nas
    """
    overrides: dict[str, Any] = {"trials": trials, "timeout": timeout, "sampler": sampler, "seed": seed}
    overrides |= {"objectives": objective, "limits": limit}
    if space is None and recipe is None and study is None:
        raise NasError("search what?", "nas search --space efficientnetv2   (nas spaces lists them)")
    chosen, found = _recipe_and_space(space, recipe, study, storage, device)
    given = {key: value for key, value in overrides.items() if value not in (None, [])}
    given |= {"name": study or (chosen.name if space is None else found.name)}
    given |= {"budget": None} if "limits" in given else {}
    given |= {"measure": []} if "objectives" in given and recipe is None else {}  # only what they need
    if data is not None:
        given["training"] = {**chosen.training.model_dump(mode="json"), "data": data}
    whole = settle(chosen, given, found)
    folder = out or Path("runs") / whole.name
    plan = Plan(whole, found, storage, pick_device(device), workers, folder, command_line(storage))
    plan.check()
    if dry_run:
        print_plan(plan, json_output)
        return
    raise typer.Exit(run_plan(plan, json_output))


def command_line(storage: str) -> str:
    """The command as it was given, without the storage's password."""
    from nas.study.storage import masked

    return shlex.join(["nas", *(word.replace(storage, masked(storage)) for word in sys.argv[1:])])


def _recipe_and_space(
    space: str | None, recipe: str | None, study: str | None, storage: str, device: str
) -> tuple[Recipe, Space]:
    """What to search by which recipe: the ones named, the default for the device, or those of a stored study."""
    from nas.recipe import load_recipe
    from nas.space_file import load_space

    if space is None and recipe is None:
        return _stored(storage, str(study))
    named = load_recipe(recipe) if recipe else None
    if named and named.grid:
        raise NasError(f"recipe '{recipe}' is that of a grid", f"nas grid --recipe {recipe} --measure")
    found = load_space(space or named.space if named else str(space))
    if named is None:
        named = load_recipe("default-gpu" if pick_device(device).startswith("cuda") else "default-cpu")
    return named.model_copy(update={"space": found.name}), found


def settle(recipe: Recipe, given: dict[str, Any], space: Space) -> Recipe:
    """The whole recipe, validated with what the command line gave, its limits possible in this space."""
    from nas.document import validate
    from nas.recipe import Recipe
    from nas.study.lifecycle import check_limits, check_training, resolve

    whole = resolve(validate(Recipe, {**recipe.model_dump(mode="json"), **given}, "search"), space)
    if warning := check_limits(space, whole.parsed_limits):
        console.say(f"note   {warning}")
    check_training(whole, space)
    return whole


def _stored(storage: str, study: str) -> tuple[Recipe, Space]:
    from nas.study.storage import open_storage, open_study, recipe_of, space_of

    opened = open_study(open_storage(storage), study)
    return recipe_of(opened), space_of(opened)


def run_plan(plan: Plan, json_output: bool) -> int:
    """Run or go on with a study, print what it found, and return the exit code."""
    from nas.cli.live import announce, watch
    from nas.environment import environment
    from nas.study.engine import Search
    from nas.study.executors import ExecutorError, Pool
    from nas.study.executors.local import LocalExecutor
    from nas.study.lifecycle import open_or_create, resolve_baselines
    from nas.study.lock import creating, driver_lock
    from nas.study.storage import open_storage

    baselines = resolve_baselines(plan.recipe, plan.space)
    logs = _make_folder(plan.out / "logs")
    with driver_lock(plan.storage, plan.recipe.name, console.say) as lock:
        with creating(plan.storage):
            storage = open_storage(plan.storage, create=True)
        facts = environment(plan.device)
        opened = open_or_create(storage, plan.recipe, plan.space, plan.device, plan.command, facts)
        executor = LocalExecutor(Pool(min(plan.workers, plan.recipe.trials), logs, plan.device))
        search = Search(opened.study, plan.recipe, plan.space, executor, plan.device, baselines, guard=lock.check)
        try:
            announce(plan, search, opened.resumed)
            with watch(search, plan.recipe.trials), _signals(search) as received:
                stopped = search.run()
        except ExecutorError as error:
            console.fail(str(error))
            return 1
        finally:
            executor.close()
        try:
            return _conclude(plan, search, stopped, received, json_output)
        except KeyboardInterrupt:
            left = f"{search.done} of {plan.recipe.trials} trials are done; to go on and write the report"
            done = "all trials are done; the same command writes the answer"
            console.say(f"{left if search.done < plan.recipe.trials else done}: {plan.again}")
            return 130


def _make_folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise NasError(f"--out {path.parent}: cannot be written: {error.strerror}", "name another folder") from None
    return path


@contextmanager
def _signals(search: Search) -> Iterator[list[int]]:
    """The first Ctrl-C or SIGTERM ends the search cleanly, the second at once. Yields the signals that came."""
    received: list[int] = []

    def handle(number: int, _: Any) -> None:
        received.append(number)
        search.stop = "interrupted"
        if len(received) > 1:
            raise KeyboardInterrupt
        console.say("stopping: the running trial gets a few seconds; again to stop at once")

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _conclude(plan: Plan, search: Search, stopped: str, received: list[int], json_output: bool) -> int:
    from nas.cli.study_report import write_study_report

    page = None
    if search.ledger.counts["complete"]:
        page = write_study_report(plan.recipe.name, plan.out, plan.storage)
    if stopped == "exhausted":
        console.say("nothing is left to try: the space is exhausted, or nothing in it is within the limits")
    if received or stopped == "timeout":
        console.say(f"{search.done} of {plan.recipe.trials} trials done; go on with: {plan.again}")
    if json_output:
        console.show_json(_document(plan, search, stopped, page))
    elif page is not None:
        _print_findings(plan, search)
        console.result().print(f"report {page}", soft_wrap=True, markup=False)
    if received:
        return 143 if received[0] == signal.SIGTERM else 129 if received[0] == signal.SIGHUP else 130
    if search.ledger.counts["complete"]:
        return 0
    if search.ledger.counts["failed"]:
        hint = f"the reasons: nas studies show {plan.recipe.name}; {plan.out}/logs"
        console.fail("no trial was measured to its end", hint)
    elif stopped == "timeout":
        console.fail("time was up before a network was measured", "give it longer with --timeout")
    else:
        console.fail("no network was within the limits", f"see the spread with: nas spaces {plan.space.name}")
    return 4


def _print_findings(plan: Plan, search: Search) -> None:
    from nas.cli.grid_measure import print_answer
    from nas.report.analysis import analyse
    from nas.report.words import findings
    from nas.study.storage import records

    if plan.recipe.grid is None:
        for sentence in findings(analyse(records(search.study), plan.recipe)):
            console.result().print(sentence, soft_wrap=True, markup=False)
    else:
        print_answer(search.study)


def _document(plan: Plan, search: Search, stopped: str, page: Path | None) -> dict[str, Any]:
    from nas.cli.grid_measure import answer_document
    from nas.metric import METRICS
    from nas.report.analysis import analyse
    from nas.study.storage import masked, records

    analysis = analyse(records(search.study), plan.recipe)
    front = [
        {
            "trial": member.record.trial,
            "notation": member.record.arch,
            "id": member.record.id,
            "baseline": member.record.baseline,
            "status": member.status,
            **{key: member.values.get(key) for key in METRICS},
            **{key: value for key, value in member.values.items() if key not in METRICS},
            "spread": dict(member.spreads),
        }
        for member in analysis.front
    ]
    return {
        "study": plan.recipe.name,
        "storage": masked(plan.storage),
        "report": str(page) if page else None,
        "stopped": stopped,
        "trials": {**analysis.counts, "reused": analysis.repeats},
        "front": front,
        **answer_document(search.study),
    }
