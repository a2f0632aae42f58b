"""`nas train`: train a network by a recipe, from a search's winner to weights in a file."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nas.cli import console
from nas.cli.options import DEFAULT_STORAGE, FOREIGN, NOTATION, Device, Json, Storage, pick_device
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.training.session import Job


def train(  # noqa: PLR0913, PLR0917
    ref: Annotated[str, typer.Argument(help=f"A network: {NOTATION}; {FOREIGN}.")],
    data: Annotated[
        str | None, typer.Option(envvar="NAS_DATA", help="fractals, digits, folder:PATH, cifar10:ROOT, …")
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="short, efficientnet, efficientnetv2-s, … or a YAML file; trial: that of STUDY:TRIAL.")
    ] = "short",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder of the training; else runs/REF-RECIPE.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training that the folder holds.")] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    batch: Annotated[
        int | None,
        typer.Option(min=2, help="Images a step, of all processes; the learning rate follows in proportion."),
    ] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe. Repeat.")
    ] = None,
    weights: Annotated[
        str, typer.Option(metavar="FILE|torchvision:NAME", help="Start from these; other classes get a new classifier.")
    ] = "",
    freeze: Annotated[Literal["none", "backbone"], typer.Option(help="backbone: only the classifier learns.")] = "none",
    backbone_rate: Annotated[
        float, typer.Option(min=0, max=10, help="Learning rate of all but the classifier, as a factor of the recipe's.")
    ] = 1.0,
    teacher: Annotated[
        str, typer.Option(metavar="FILE|REF:FILE|torchvision:NAME", help="Distil it into the network.")
    ] = "",
    labels: Annotated[
        int | None, typer.Option(min=1, help="Keep the labels of so many training images a class.")
    ] = None,
    unlabeled: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures without labels, for --rounds of self-training.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=0, max=20, help="Of self-training: the student becomes teacher.")] = 0,
    confidence: Annotated[float, typer.Option(min=0, max=1, help="Least of a label that a teacher gives.")] = 0.3,
    grow: Annotated[
        float, typer.Option(min=0, max=7, help="Compound coefficient φ by which each student is larger.")
    ] = 0.0,
    device: Device = "auto",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0,
    storage: Storage = DEFAULT_STORAGE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen and how long it takes.")] = False,
    json_output: Json = False,
) -> None:
    """Train a network on data by a recipe; its weights end in DIR/weights.safetensors, those of rounds in DIR/round-N/.

    A training that was stopped goes on with --resume, to the same weights. torchrun's processes share each batch.

    Examples:

      nas train first:2 --data fractals --recipe short -o runs/mine

      nas train efficientnetv2-s --data folder:imagenet --recipe efficientnetv2-s --dry-run

      nas train first:2 --data digits --set epochs=8 --set progressive.stages=2 --set progressive.resolution=16

      nas train first:2 --data digits --teacher runs/large/weights.safetensors

      nas train efficientnet-b0 --data folder:pets --weights torchvision:efficientnet_b0 --backbone-rate 0.1

      torchrun --nproc-per-node 2 -m nas train first:2 --data digits
    """
    from nas.cli.training_job import Asked, default_folder, named_recipe, settle_training

    together, device = _processes(device)
    training = settle_training(named_recipe(recipe, ref, storage), data, sets or [], epochs, batch)
    if not teacher and (idle := [text for text in sets or () if text.startswith(("temperature=", "hard_weight="))]):
        raise NasError(f"--set {idle[0]}: only a student has it", "add --teacher FILE")
    from nas.cli.refs import resolve_network

    folder = output or default_folder(ref, recipe)
    asked = Asked(
        ref, resolve_network(ref, storage), training, folder, seed, pick_device(device), weights, teacher,
        freeze == "backbone", backbone_rate, together, storage,
    )  # fmt: skip
    if freeze == "backbone" and not weights:
        raise NasError("--freeze backbone: it would stay as it was drawn", "add --weights FILE|torchvision:NAME")
    if grow and not rounds:
        raise NasError("--grow: only the students of --rounds grow", "add --rounds 1")
    if grow and weights:
        raise NasError("--grow: --weights do not fit a larger network", "leave one of them out")
    if rounds or unlabeled is not None or labels is not None:
        from nas.cli.training_rounds import Rounds, train_rounds

        _alone(together, dry_run)
        train_rounds(Rounds(asked, labels, unlabeled, rounds, confidence, grow), resume=resume, json_output=json_output)
        return
    from nas.cli.training_job import make_job

    job = make_job(asked)
    if dry_run:
        _plan(job, json_output)
        return
    document = run_job(job, resume=resume)
    if document is not None:
        finish(document, json_output)


def _processes(device: str) -> tuple[bool, str]:
    """Whether torchrun started several processes, and the device of this one. All but the first are silent."""
    import os

    from nas.training.plumbing import rank, under_torchrun

    together = under_torchrun() and int(os.environ.get("WORLD_SIZE", "1")) > 1
    if not together:
        return False, device
    if rank():
        console.MANNERS.quiet = True
    chosen = pick_device("auto" if device == "auto" else device.partition(":")[0])
    return True, f"cuda:{os.environ['LOCAL_RANK']}" if chosen.startswith("cuda") else chosen


def _alone(together: bool, dry_run: bool) -> None:
    if together:
        raise NasError("--rounds, --labels and --unlabeled run in one process", "start it without torchrun")
    if dry_run:
        raise NasError(
            "--dry-run: what rounds take depends on what each teacher is sure of",
            "leave --rounds, --labels and --unlabeled out: it then says what a round of all the data takes",
        )


def _plan(job: Job, json_output: bool) -> None:
    """Say what would happen; nothing is written."""
    from nas.cli.training_live import announce, stages
    from nas.training.session import Session

    with fitting(job):
        session = Session(job, resume=True)
        forecasts = session.forecast()
    if not session.first:
        return
    if json_output:
        each = [{"epochs": one.epochs, "images_per_s": one.images_per_s, "seconds": one.seconds,
                 "resolution": one.stage.resolution} for one in forecasts]  # fmt: skip
        total = sum(one.seconds for one in forecasts)
        console.show_json(
            {"arch": str(job.arch), "steps": session.run.steps - session.run.step, "expected_s": total, "stages": each}
        )
        return
    announce(session, forecasts, table=False)
    console.show(console.as_rich(stages(session.run.schedule, forecasts)))


def run_job(job: Job, *, resume: bool) -> dict[str, Any] | None:
    """Train, showing it, and return what the result says; None in all processes but the first. One that has ended is
    not trained again when it is resumed.

    Raises: typer.Exit(1) where the training diverged, NasError for what it could not begin or write.
    """
    from nas.cli.training_live import announce, took, watch
    from nas.training.outcome import DivergedError
    from nas.training.plumbing import rank
    from nas.training.session import Session, ended

    if resume and (found := ended(job)) is not None:
        console.say(f"       {job.folder} has ended")
        kept = {key: value for key, value in found.items() if key not in ("curve", "identity")}
        return None if rank() else {**kept, "expected_s": 0.0, "resumed_after": job.training.epochs}
    with fitting(job):
        session = Session(job, resume=resume)
        forecasts = session.forecast()
    announce(session, forecasts)
    try:
        with fitting(job), watch(session, forecasts) as show:
            finished = session.go(show)
    except DivergedError as error:
        console.fail(str(error), error.hint)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        done = len(session.run.curve)
        console.say(f"stopped after {done} of {job.training.epochs} epochs; go on with: {_again()}")
        raise typer.Exit(130) from None
    console.say(took(forecasts, finished.trained, resumed=session.resumed > 0))
    if not session.first:
        return None
    return {
        **finished.about,
        "weights": str(finished.weights),
        "seconds": finished.trained.seconds,
        "training_s": finished.trained.training_s,
        "expected_s": sum(one.seconds for one in forecasts),  # of the epochs trained now
        "resumed_after": session.resumed,
        "steps": finished.trained.steps,
    }


@contextmanager
def fitting(job: Job) -> Iterator[None]:
    """Raises: typer.Exit(1) where the device's memory is too small, having said what to do."""
    from nas.meters.batch import is_out_of_memory

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        console.fail(
            f"out of memory at a batch of {job.training.batch} in {job.training.accumulate} parts",
            f"add --set accumulate={2 * job.training.accumulate}: the same batch in more parts; or a smaller --batch",
        )
        raise typer.Exit(1) from None


def finish(document: dict[str, Any], json_output: bool) -> None:
    """Print the result, and what to do with it."""
    if json_output:
        console.show_json(document)
        return
    data, weights = document["data"], shlex.quote(document["weights"])
    console.result().print(
        f"top-1 {document['top1_pct']:.1f} % of {document['held_out_images']:,} held-out images of {data}\n"
        f"weights {document['weights']}",
        soft_wrap=True,
    )
    console.say(f"next   nas evaluate {weights} --data {shlex.quote(data)}")
    console.say(f"       nas export {weights} --format onnx")


def _again() -> str:
    words = [word for word in sys.argv[1:] if word != "--resume"]
    return shlex.join(["nas", *words, "--resume"])
