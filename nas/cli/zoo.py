"""`nas measure --zoo`: the networks that the papers compare, on this device, as records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli import console
from nas.cli.options import pick_device
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.zoo.plan import Plan
    from nas.zoo.run import Done, Run


def measure_zoo(  # noqa: PLR0913, PLR0917
    names: list[str],
    what: str,
    set_name: str,
    time_cap: float | None,
    time_cap_total: str,
    out: Path,
    device: str,
    json_output: bool,
) -> None:
    """Measure what the records in `out`/DEVICE lack, and say so line by line. Raises: NasError for bad input."""
    from nas.recipe import parse_duration
    from nas.zoo.definition import load_zoo
    from nas.zoo.plan import counting_plans, plans
    from nas.zoo.run import FILE, Run, folder_name

    if time_cap is not None and time_cap <= 0:
        raise NasError("--time-cap: expected seconds above 0")
    counting = bool(what) and _only_counts(what)
    chosen = "cpu" if counting else pick_device(device)
    zoo = load_zoo()
    set_name = set_name or ("full" if chosen.startswith("cuda") else "reduced")
    planned = counting_plans(zoo, only=names) if counting else plans(zoo, set_name, time_cap=time_cap, only=names)
    budget = parse_duration(time_cap_total) if time_cap_total else None if counting else zoo.sets[set_name].seconds
    if budget is not None and budget <= 0:
        raise NasError("--time-cap-total: expected a time above 0", "write 9m or 1h")
    path = out / ("counts" if counting else folder_name(chosen)) / FILE
    _check_folder(path)
    run = Run(planned, path, chosen, _conditions(chosen, counting), budget)
    _say_before(run, planned)
    try:
        for done in run.measure():
            console.say(line(done))
    except KeyboardInterrupt:
        kept = f"what was measured is in {path}; " if path.exists() else "nothing was measured yet; "
        console.say(f"stopped: {kept}the same command goes on")
        raise
    if run.jobs:
        console.say(f"time is up: {len(run.jobs)} measurings left; the same command goes on")
    _show_result(run, planned, json_output)


def _only_counts(what: str) -> bool:
    from nas.cli.measure import keys_of
    from nas.metric import COMPUTED

    if set(keys_of(what)) <= set(COMPUTED):
        return True
    raise NasError(
        f"--what {what}: the zoo's sets say what is timed: train, infer, latency",
        "leave --what out, or write --what params,flops,activations",
    )


def _conditions(device: str, counting: bool) -> dict[str, Any]:
    """What all records of the run were measured on; counts depend on the versions alone."""
    from nas.environment import environment, versions

    return dict(versions()) if counting else environment(device)


def _check_folder(path: Path) -> None:
    """Raises: NasError, before anything is measured, where records cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.touch()
        partial.unlink()
    except OSError as error:
        raise NasError(f"--out {path.parent}: cannot be written: {error.strerror}", "name another folder") from None


def _say_before(run: Run, planned: list[Plan]) -> None:
    for library in sorted(set(run.skipped.values())):
        names = [name for name, missing in run.skipped.items() if missing == library]
        console.say(f"skipped, {library} is not installed: {', '.join(names)}")
    for name, changed in run.anew.items():
        console.say(f"{name}: measured before under other conditions ({', '.join(changed)}): measured anew")
    there = len(planned) - len(run.skipped) - len({job.plan.name for job in run.jobs})
    console.say(f"zoo: {len(run.jobs)} measurings to do, {there} networks done already; records in {run.path}")


def line(done: Done) -> str:
    """One line of progress."""
    from nas.metric import METRICS

    record, said = done.record, []
    for key, reading in record.readings.items():
        said.append(f"{METRICS[key].label} {METRICS[key].format(reading.value)}")
    again = f" (round {done.round})" if done.round > 1 else ""
    text = "   ".join([*said, *([record.reason] if record.reason else [])])
    left = f"{int(done.left) // 60}:{int(done.left) % 60:02} left"
    return f"[{done.number:3}/{done.total}] {record.baseline}{again}   {text}   {done.seconds:.1f} s, {left}"


def _show_result(run: Run, planned: list[Plan], json_output: bool) -> None:
    records = [run.records[plan.name] for plan in planned if plan.name in run.records]
    failed = [record.baseline for record in records if record.state == "failed"]
    complete = len(records) - len(failed)
    partly = [record.baseline for record in records if record.state == "complete" and record.reason]
    if json_output:
        console.show_json({
            "records": str(run.path), "complete": complete, "failed": failed, "partly": partly,
            "skipped": run.skipped, "left": len(run.jobs),
        })  # fmt: skip
        return
    more = f", {len(failed)} failed: {', '.join(failed)}" if failed else ""
    more += f", {len(partly)} not wholly measured: {', '.join(partly)}" if partly else ""
    console.result().print(
        f"zoo: {complete} of {len(planned)} networks in {run.path}{more}", soft_wrap=True, markup=False
    )
