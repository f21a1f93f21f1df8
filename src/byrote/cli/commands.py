"""What each command does: its flags -> data, study, store and executor -> runs -> report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager, suppress
from pathlib import Path
from typing import Any

from byrote import __version__
from byrote.cli.asked_study import make_study, said_of_scale
from byrote.cli.everything import Everything
from byrote.cli.flags import EVERYTHING, Demo, Judge, List, Quantity, Report, Reproduce, Run, TrainingFlags
from byrote.cli.interruption import shown, told_how_to_go_on
from byrote.cli.launched import follow_command, is_follower, is_launched, own_device
from byrote.cli.parsing import parse
from byrote.cli.sharding import say_of_shard, whole
from byrote.cli.writing import write
from byrote.errors import UserError, suggestion
from byrote.files import make_folder, write_file
from byrote.masking import masked
from byrote.studies.registry import STUDIES, measurements, reproductions

INVOCATION = "study.json"
"""What was asked for, kept in OUT so that `byrote report OUT` finds the same runs."""


def make(command: Demo | Reproduce | Quantity | Judge | Run, arguments: Sequence[str]) -> int:
    """Makes what the store lacks of a study, and writes the report. Returns the exit code."""
    started = time.monotonic()
    from byrote.cli.training import run_shown
    from byrote.runs.shards import Shard
    from byrote.studies.study import Planned, noun
    from byrote.training.planner import resolve_device, resolve_precision

    if command.shard is not None:
        Shard.parse(command.shard)
        _refuse_live(command)
        arguments = whole(arguments)
    device = own_device(resolve_device(command.device))
    precision = resolve_precision(command.precision, device)
    out = command.out or Path(f"byrote-{command.name}")
    if is_follower():
        return 0 if command.dry_run else follow_command(command, precision, device)
    if command.dry_run:
        return _dry_run(command, arguments, precision, device, out)
    executor = executor_of(command)
    make_folder(out)
    everything: Everything | None = None
    if isinstance(command, Reproduce) and command.name == EVERYTHING:
        everything = Everything.asked_for(command, arguments, precision, out)
    else:
        study = make_study(command, precision, out)
        _refuse_flags_of_runs(command, study)
    _write_invocation(out, arguments, precision)
    with ExitStack() as stack:
        store = stack.enter_context(store_of(command, out))
        stack.enter_context(told_how_to_go_on(store.name, out, arguments))
        stack.enter_context(executor)
        if everything is not None:
            return everything.make(store, executor, device)
        live = stack.enter_context(_live_page(study)) if command.live else None
        on_progress = None if live is None else live.update
        results, failures = run_shown(study, store, executor, command, device, on_progress)
        if command.shard is not None:
            say_of_shard(command, [study], store, arguments)
            return 3 if failures else 0
        if results:
            note = said_of_scale(command, study)
            write(study, results, out, arguments, failures, command.style, command.formats, note)
        num_all = len(results) + len(failures)
        called = noun([*results.planned, *(Planned(failure.task) for failure in failures)], num_all)
        print(f"{len(results)} of {num_all} {called}, {time.monotonic() - started:.0f} s in all.")
        if live is not None:
            live.finish(out / "report.html" if results else None)
            _serve_on(live.url)
    return 3 if failures else 0


def _dry_run(
    command: Demo | Reproduce | Quantity | Judge | Run, arguments: Sequence[str], precision: str, device: str, out: Path
) -> int:
    from byrote.cli.dry_run import show
    from byrote.cli.training import foreseen
    from byrote.runs.local import Local
    from byrote.runs.store import Store

    executor = Local(command.processes)
    store: Store | None = None
    if command.store is not None or out.is_dir():
        store = Store.existing(out / "runs.db" if command.store is None else command.store)
    if isinstance(command, Reproduce) and command.name == EVERYTHING:
        everything = Everything.asked_for(command, arguments, precision, out, lists_rejected=False)
        show(everything.forecasts(store, device, executor))
    else:
        study = make_study(command, precision, None)
        _refuse_flags_of_runs(command, study)
        show({study.name: foreseen(study, store, executor, command, device)})
    return 0


def _refuse_live(command: TrainingFlags) -> None:
    if command.live:
        raise UserError("got --live with --shard, which has a part of the curves alone: leave one of them out")


def _refuse_flags_of_runs(command: TrainingFlags, study: Any) -> None:
    """Raises UserError for what only trained networks have, of a study that trains none."""
    from byrote.cli.training import trains

    given = [flag for flag in ("keep_weights", "live") if getattr(command, flag)]
    if given and not trains(study):
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
        if isinstance(earlier, Reproduce) and earlier.name == EVERYTHING:
            everything = Everything.asked_for(earlier, arguments, precision, database.parent)
            return everything.report(store, command.style or earlier.style, command.formats or earlier.formats)
        study = make_study(earlier, precision, database.parent)
        results = stored(study, store)
        num_all = len(study.plan())
    if not results:
        raise UserError(f"the store has none of the {num_all} runs: run {shown(arguments)} first")
    style, formats = command.style or earlier.style, command.formats or earlier.formats
    write(study, results, command.folder, arguments, (), style, formats, said_of_scale(earlier, study))
    if len(results) < num_all:
        print(f"{num_all - len(results)} of {num_all} runs are missing: {shown(arguments)} trains them")
    return 0


_LISTS = ("models", "data", "corruptions", "augmentations", "schedules", "studies", "measurements", "measures")


def show_names(command: List) -> int:
    """Prints the names that other commands take, or the columns of a study's table."""
    if command.what == "columns":
        return _show_columns(command.study)
    if command.study is not None:
        raise UserError(f"got {command.study}, but only columns are those of a study: byrote list columns STUDY")
    for title in _LISTS if command.what is None else (command.what,):
        names = _names(title)
        print(title)
        width = max(map(len, names))
        for name, description in names.items():
            print(f"  {name:{width}}  {description}")
    return 0


def _names(what: str) -> Mapping[str, str]:
    """Each with its description; no list waits for what another imports."""
    match what:
        case "models":
            from byrote.models.catalog import MODELS

            return MODELS
        case "data":
            from byrote.data.sources import SOURCES

            return SOURCES
        case "corruptions":
            from byrote.data.corruptions.catalog import CORRUPTIONS

            return CORRUPTIONS
        case "augmentations":
            from byrote.data.augmentations import AUGMENTATIONS

            return AUGMENTATIONS
        case "schedules":
            from byrote.training.learning_rate_schedule import SCHEDULES

            return SCHEDULES
        case "measurements":
            return {name: measurement.description for name, measurement in measurements().items()}
        case "measures":
            from byrote.theory.measures.catalog import MEASURES

            return {name: f"{measure.title} ({measure.source})" for name, measure in MEASURES.items()}
    studies = {name: reproduction.description for name, reproduction in reproductions().items()}
    return studies | {
        EVERYTHING: "all of these, one after another, and an index with the paper's own figures beside ours"
    }


def _show_columns(study: str | None) -> int:
    if study not in STUDIES:
        given = "no study" if study is None else repr(study)
        raise UserError(
            f"got {given} after byrote list columns, expected one of {', '.join(STUDIES)}"
            f"{suggestion(study or '', STUDIES)}"
        )
    columns = STUDIES[study].columns
    width, kinds = max(len(column.name) for column in columns), max(len(column.dtype) for column in columns)
    print(f"columns of {study}")
    for column in columns:
        print(f"  {column.name:{width}}  {column.dtype:{kinds}}  {column.told}")
    return 0


def store_of(command: TrainingFlags, out: Path) -> Any:
    """With a folder for checkpoints: beside its file, or in OUT where it is on a server."""
    from byrote.runs.store import Store

    store = Store(out / "runs.db" if command.store is None else command.store)
    if store.checkpoints is None:
        store.checkpoints = (out / "checkpoints").absolute()
    return store


def executor_of(command: TrainingFlags) -> Any:
    """Raises UserError for what the executor has no use for."""
    from byrote.runs.local import Local
    from byrote.runs.on_ray import Ray
    from byrote.training.planner import resolve_device

    if command.executor == "local":
        if command.address is not None:
            raise UserError(f"got --address {command.address} without --executor ray: give both, or neither")
        if is_launched():
            from byrote.runs.torchrun import Meeting, Torchrun

            return Torchrun(Meeting.of_torchrun())
        return Local(command.processes)
    if command.processes != "auto":
        raise UserError(f"got --processes {command.processes} with --executor ray, which has its own: leave it out")
    return Ray(command.address, num_gpus=1 if resolve_device(command.device).startswith("cuda") else 0)


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
