"""What each command does: its flags -> data, study, store and executor -> runs -> report."""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, chdir, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from byrote import __version__
from byrote.cli.flags import DataFlags, Demo, Judge, List, Quantity, Report, Reproduce, Run, TrainingFlags
from byrote.cli.interruption import shown, told_how_to_go_on
from byrote.cli.measures import MEASUREMENTS
from byrote.cli.own_study import own_study
from byrote.cli.parsing import parse
from byrote.cli.studies import REPRODUCTIONS
from byrote.cli.writing import write
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.files import make_folder, write_file
from byrote.masking import masked

INVOCATION = "study.json"
"""What was asked for, kept in OUT so that `byrote report OUT` finds the same runs."""


def make(command: Demo | Reproduce | Quantity | Judge | Run, arguments: Sequence[str]) -> int:
    """Makes what the store lacks of a study, and writes the report. Returns the exit code."""
    started = time.monotonic()
    from byrote.cli.training import run_shown
    from byrote.runs.store import Store
    from byrote.studies.study import Planned, noun
    from byrote.training.planner import resolve_device, resolve_precision

    device = resolve_device(command.device)
    precision = resolve_precision(command.precision, device)
    out = command.out or Path(f"byrote-{command.name}")
    make_folder(out)
    study = make_study(command, precision, out)
    _refuse_flags_of_runs(command, study)
    _write_invocation(out, arguments, precision)
    with ExitStack() as stack:
        store = stack.enter_context(Store(out / "runs.db" if command.store is None else command.store))
        stack.enter_context(told_how_to_go_on(store.name, out, arguments))
        live = stack.enter_context(_live_page(study)) if command.live else None
        results, failures = run_shown(
            study,
            store,
            executor_of(command.executor, device),
            device=device,
            keep_weights=command.keep_weights,
            on_progress=None if live is None else live.update,
        )
        if results:
            write(study, results, out, arguments, failures, command.style, command.formats)
        num_all = len(results) + len(failures)
        called = noun([*results.planned, *(Planned(failure.task) for failure in failures)], num_all)
        print(f"{len(results)} of {num_all} {called}, {time.monotonic() - started:.0f} s in all.")
        if live is not None:
            live.finish(out / "report.html" if results else None)
            _serve_on(live.url)
    return 3 if failures else 0


def _refuse_flags_of_runs(command: TrainingFlags, study: Any) -> None:
    """Raises UserError for what only trained networks have, of a study that trains none."""
    from byrote.training.spec import TrainSpec

    given = [flag for flag in ("keep_weights", "live") if getattr(command, flag)]
    if given and not any(isinstance(task, TrainSpec) for task in study.tasks()):
        flags = ", ".join("--" + flag.replace("_", "-") for flag in given)
        raise UserError(f"got {flags}, which {study.name} has no use for: leave it out")


def report(command: Report) -> int:
    """Reports on what a folder's study has in its store. Makes nothing."""
    from byrote.runs.run import stored
    from byrote.runs.store import Store

    arguments, folder, precision = _read_invocation(command.folder)
    earlier = parse(arguments)
    if not isinstance(earlier, Demo | Reproduce | Quantity | Judge | Run):
        raise UserError(f"{command.folder / INVOCATION} holds no command that trains: run one with --out again")
    database = command.folder.resolve() / "runs.db"
    if earlier.store is None and not database.is_file():
        raise UserError(f"{command.folder} has no runs.db: run {shown(arguments)} first")
    # Paths in the flags mean what they meant then.
    with (
        chdir(folder if folder.is_dir() else Path.cwd()),
        Store(database if earlier.store is None else earlier.store) as store,
    ):
        study = make_study(earlier, precision, database.parent)
        results = stored(study, store)
        num_all = len(study.plan())
    if not results:
        raise UserError(f"the store has none of the {num_all} runs: run {shown(arguments)} first")
    style, formats = command.style or earlier.style, command.formats or earlier.formats
    write(study, results, command.folder, arguments, (), style, formats)
    if len(results) < num_all:
        print(f"{num_all - len(results)} of {num_all} runs are missing: {shown(arguments)} trains them")
    return 0


def show_names(command: List) -> int:
    """Prints the names that other commands take."""
    from byrote.data.augmentations import AUGMENTATIONS
    from byrote.data.corruptions.catalog import CORRUPTIONS
    from byrote.data.sources import SOURCES
    from byrote.models.catalog import MODELS
    from byrote.theory.measures.catalog import MEASURES
    from byrote.training.learning_rate_schedule import SCHEDULES

    studies = {name: reproduction.description for name, reproduction in REPRODUCTIONS.items()}
    lists = {
        "models": MODELS,
        "data": SOURCES,
        "corruptions": CORRUPTIONS,
        "augmentations": AUGMENTATIONS,
        "schedules": SCHEDULES,
        "studies": studies,
        "measurements": {name: measurement.description for name, measurement in MEASUREMENTS.items()},
        "measures": {name: f"{measure.title} ({measure.source})" for name, measure in MEASURES.items()},
    }
    for title, names in lists.items():
        if command.what in (None, title):
            print(title)
            width = max(map(len, names))
            for name, description in names.items():
                print(f"  {name:{width}}  {description}")
    return 0


def make_study(command: Demo | Reproduce | Quantity | Judge | Run, precision: str, out: Path) -> Any:
    """The study that the flags ask for, its data loaded."""
    from byrote.data.sources import load
    from byrote.studies.presets import demo_study

    study: Any
    match command:
        case Quantity():
            data = _load(command, out)
            measurement = MEASUREMENTS[command.name]
            recipe = measurement.make_recipe(command.models, data, precision, command.recipe)
            sizes = {"seeds": command.seeds, "n_train": command.n_train}
            return measurement.build(data, model=command.models, recipe=recipe, **sizes, **command.own)
        case Judge():
            return _judge(command, precision, out)
        case Run():
            study = own_study(command.study, _load(command, out), seeds=command.seeds, models=command.models)
        case Demo():
            study = demo_study(load("digits"), command.seeds)
        case Reproduce():
            study = REPRODUCTIONS[command.name].build(_load(command, out), command.scale, command.seeds, command.models)
            if command.corruptions is not None:
                study = _under(study, command)
    if command.n_train is not None:
        if not hasattr(study, "n_train"):
            raise UserError(f"got --n-train, which {study.name} has no use for: leave it out")
        study = replace(study, n_train=command.n_train)
    if not hasattr(study, "with_recipe"):
        refused = [*command.recipe, *(["precision"] * (command.precision != "auto"))]
        if refused:
            flags = ", ".join("--" + flag.replace("_", "-") for flag in refused)
            raise UserError(f"got {flags}, which {study.name} has no use for: leave it out")
        return study
    return study.with_recipe(precision=precision, **command.recipe)


def _under(study: Any, command: Reproduce) -> Any:
    """The study under the corruptions that the flags name, which may be joined by commas."""
    if not hasattr(study, "under"):
        raise UserError(
            f"got --corruptions for {command.name}, which chooses the corruptions of each run itself: leave it out, or "
            "reproduce figure1"
        )
    return study.under([name for word in command.corruptions or () for name in word.split(",") if name])


def _judge(command: Judge, precision: str, out: Path) -> Any:
    from byrote.studies.judge.study import JudgeStudy
    from byrote.studies.judge.zoo import zoo_study

    zoo = zoo_study(_load(command, out), command.seeds, command.models, command.n_train)
    return JudgeStudy(zoo.with_recipe(precision=precision, **command.recipe), judged_measures(command))


def judged_measures(command: Judge) -> list[str]:
    """Those asked for, or all in the box that do not take minutes for each network.

    Raises:
        UserError: one that is not there.
    """
    from byrote.studies.judge.study import BASELINES, SLOW, find_measure
    from byrote.theory.measures.catalog import MEASURES

    names = list(command.measures) or [name for name in MEASURES if name not in (*SLOW, *BASELINES)]
    for name in names:
        find_measure(name)
    return names


def _load(command: DataFlags, out: Path) -> Dataset:
    """The data that the flags name; images that cannot be decoded are listed in `out`."""
    from byrote.data.sources import load

    with _plain_warnings():
        return load(
            command.data,
            label=command.label,
            title=command.title,
            image_size=command.image_size,
            cache=command.cache,
            max_pixels=command.max_pixels,
            rejected=out / "rejected.csv",
        )


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """A warning is a line on standard error, as an error is, without the line of code that gave it."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = lambda message, *_, **__: print(f"byrote: {message}", file=sys.stderr)
        yield


def executor_of(name: str, device: str) -> Any:
    from byrote.runs.executors import Local, Ray

    return Local() if name == "local" else Ray(num_gpus=1 if device.startswith("cuda") else 0)


@contextmanager
def _live_page(study: Any) -> Iterator[Any]:
    from byrote.report.live import LivePage

    with LivePage(study) as page:
        print(f"Curves while networks train: {page.url}", file=sys.stderr, flush=True)
        yield page


def _serve_on(url: str) -> None:
    """Leaves the page up for as long as somebody sits at the terminal to see it."""
    if sys.stdin is not None and sys.stdin.isatty():
        with suppress(KeyboardInterrupt, EOFError):
            input(f"{url} leads to the report, until you press Enter. ")


def _write_invocation(out: Path, arguments: Sequence[str], precision: str) -> None:
    invocation = {
        "byrote": __version__,
        "arguments": [masked(argument) for argument in arguments],
        "folder": str(Path.cwd()),
        "precision": precision,
    }
    write_file(out / INVOCATION, json.dumps(invocation, indent=2) + "\n")


def _read_invocation(out: Path) -> tuple[list[str], Path, str]:
    path = out / INVOCATION
    try:
        invocation = json.loads(path.read_text(encoding="utf-8"))
        return list(invocation["arguments"]), Path(invocation["folder"]), str(invocation["precision"])
    except FileNotFoundError as error:
        raise UserError(f"got {out}, which has no {INVOCATION}: name the --out folder of an earlier command") from error
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}): run the command that wrote {out} again") from error
