"""`byrote audit`: its flags -> an audit, its files, and the exit code."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byrote.cli.flags import Audit
from byrote.cli.interruption import shown, told_how_to_go_on
from byrote.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from byrote.audits.audit import Audit as MadeAudit
    from byrote.audits.audit import Limit
    from byrote.audits.recorded_audit import RecordedAudit

_HEEDED_WITH_RECORD = (
    *("record", "data", "label", "image_size", "cache", "max_pixels", "kind", "title"),
    *("fail_on", "fix", "out", "device", "precision"),
)
"""Device and precision, which nothing hinges on, may stand in everybody's alias."""


def make_audit(command: Audit, arguments: Sequence[str]) -> int:
    """Makes what OUT lacks of an audit and writes its files. Returns the exit code: 3 where the model raised, 4 where
    `--fail-on` asks for something that was found."""
    started = time.monotonic()
    from byrote.audits.audit import audit, parse_limits
    from byrote.audits.label_fixes import check_place_of_fixes
    from byrote.audits.labels_stage import WRONG_LABELS
    from byrote.audits.stages import chosen_stages
    from byrote.files import make_folder

    limits = parse_limits(command.fail_on)
    if command.fix is not None:
        check_place_of_fixes(command.fix, [stage.name for stage in chosen_stages(command.stages)])
    out = command.out or Path("byrote-audit")
    if command.record is not None:
        recorded = _of_record(command, command.record, shown(arguments))
        recorded.write(out)
        return _told(command, limits, recorded, recorded.wrong_labels, {}, out, started)
    given = _given(command)
    if command.dry_run:
        _show_estimates(command, given)
        return 0
    make_folder(out)
    store = command.store or str(out / "runs.db")
    with told_how_to_go_on(store, out, arguments):
        made = audit(command.model, command.data, out=out, store=command.store, command=shown(arguments), **given)
        made.write(out)
    tables = made.results["labels"].tables if "labels" in made.results else {}
    return _told(command, limits, made, tables.get(WRONG_LABELS), made.traces, out, started)


def _of_record(command: Audit, folder: Path, words: str) -> RecordedAudit:
    """
    Raises:
        UserError: no record, data that are not those of it, or a flag that it has no use for.
    """
    from byrote.audits.recorded_audit import audit_recorded
    from byrote.data.sources import load
    from byrote.recording.recording import read_recording

    unused = [
        each.name
        for each in fields(command)
        if each.name not in _HEEDED_WITH_RECORD and getattr(command, each.name) != _default(each)
    ]
    if unused:
        names = ", ".join(f"--{name.replace('_', '-')}" if name != "model" else "a model" for name in unused)
        raise UserError(f"got {names} with --record, which has no use for it: leave it out")
    recording = read_recording(folder)
    data = None if command.data is None else load(command.data, label=command.label, **_loading(command))
    return audit_recorded(recording, data, title=command.title, command=words)


def _default(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def _told(
    command: Audit,
    limits: Sequence[Limit],
    made: MadeAudit | RecordedAudit,
    wrong_labels: pd.DataFrame | None,
    traces: Mapping[str, str],
    out: Path,
    started: float,
) -> int:
    """Prints what was found; the exit code."""
    if command.fix is not None:
        print(_fixed(command.fix, wrong_labels))
    for finding in made.findings:
        print(f"{finding.claim}: {finding.outcome}\n    {finding.statement}")
    print(f"Report: {out / 'report.html'} ({time.monotonic() - started:.0f} s in all)")
    for trace in dict.fromkeys(traces.values()):
        print(f"byrote: the model failed:\n{trace}", file=sys.stderr)
    passed = _passed(limits, made.alarms)
    for line in passed:
        print(f"byrote: {line}", file=sys.stderr)
    return 3 if traces else 4 if passed else 0


def _fixed(path: Path, wrong_labels: pd.DataFrame | None) -> str:
    """What became of `--fix`, in a sentence."""
    from byrote.audits.label_fixes import write_label_fixes

    if wrong_labels is None:
        return f"Nothing is known of wrong labels: {path} is not written."
    num = write_label_fixes(path, wrong_labels)
    return f"{path} has {num:,} corrected label{'' if num == 1 else 's'} to confirm; the data are as they were."


def _given(command: Audit) -> dict[str, Any]:
    from byrote.training.planner import resolve_device, resolve_precision

    precision = {}
    if command.precision != "auto" or resolve_device(command.device) != "cpu":
        precision = {"precision": resolve_precision(command.precision, resolve_device(command.device))}
    return {
        "label": command.label,
        "groups": command.groups,
        "time": command.time,
        "metric": command.metric,
        "train_fn": command.train,
        "predictions": command.predictions,
        "stages": command.stages,
        "budget": command.budget,
        "seeds": command.seeds,
        "retrain": command.retrain,
        "device": command.device,
        "title": command.title,
        "loading": _loading(command),
        **precision,
        **command.recipe,
    }


def _loading(command: Audit) -> dict[str, Any]:
    given = {name: getattr(command, name) for name in ("image_size", "cache", "max_pixels", "kind")}
    return {name: value for name, value in given.items() if value is not None}


def _show_estimates(command: Audit, given: dict[str, Any]) -> None:
    from byrote.audits.audit import estimated

    rows = estimated(command.model, command.data, **given)
    print(f"{'stage':10}{'time':>10}{'memory':>12}{'disk':>10}")
    for name, each in rows.items():
        print(
            f"{name:10}{_time(each.seconds):>10}{each.memory_bytes / 2**20:>8,.0f} "
            f"MiB{each.disk_bytes / 2**20:>6,.0f} MiB" + (f"   {each.smaller}." if each.smaller else "")
        )
    print("Times are estimates, from a fit on some rows: those of training at most a few times off.")


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _passed(limits: Sequence[Limit], alarms: dict[str, float]) -> list[str]:
    """A line for each limit that is passed."""

    def found(limit: Limit) -> str:
        if limit.alarm not in alarms:
            return "not known, since no stage of this audit came to tell"
        return "found" if limit.most == 0 else f"{100 * alarms[limit.alarm]:.1f}%"

    return [f"--fail-on {limit.alarm}: {found(limit)}" for limit in limits if limit.is_passed(alarms)]
