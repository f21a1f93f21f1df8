"""`byrote audit`: its flags -> an audit, its files, and the exit code."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byrote.cli.flags import Audit
from byrote.cli.interruption import shown, told_how_to_go_on

if TYPE_CHECKING:
    import pandas as pd

    from byrote.audits.audit import Limit


def make_audit(command: Audit, arguments: Sequence[str]) -> int:
    """Makes what OUT lacks of an audit and writes its files. Returns the exit code: 3 where the model raised, 4 where
    `--fail-on` asks for something that was found."""
    started = time.monotonic()
    from byrote.audits.audit import audit, parse_limits
    from byrote.audits.label_fixes import check_place_of_fixes
    from byrote.audits.stages import chosen_stages
    from byrote.files import make_folder

    limits = parse_limits(command.fail_on)
    if command.fix is not None:
        check_place_of_fixes(command.fix, [stage.name for stage in chosen_stages(command.stages)])
    out = command.out or Path("byrote-audit")
    given = _given(command)
    if command.dry_run:
        _show_estimates(command, given)
        return 0
    make_folder(out)
    store = command.store or str(out / "runs.db")
    with told_how_to_go_on(store, out, arguments):
        made = audit(command.model, command.data, out=out, store=command.store, command=shown(arguments), **given)
        made.write(out)
        if command.fix is not None:
            print(_fixed(command.fix, made.results["labels"].tables))
    for finding in made.findings:
        print(f"{finding.claim}: {finding.outcome}\n    {finding.statement}")
    print(f"Report: {out / 'report.html'} ({time.monotonic() - started:.0f} s in all)")
    for trace in dict.fromkeys(made.traces.values()):
        print(f"byrote: the model raised:\n{trace}", file=sys.stderr)
    passed = _passed(limits, made.alarms)
    for line in passed:
        print(f"byrote: {line}", file=sys.stderr)
    return 3 if made.traces else 4 if passed else 0


def _fixed(path: Path, tables: Mapping[str, pd.DataFrame]) -> str:
    """What became of `--fix`, in a sentence."""
    from byrote.audits.label_fixes import write_label_fixes
    from byrote.audits.labels_stage import WRONG_LABELS

    if WRONG_LABELS not in tables:
        return f"Nothing is known of wrong labels: {path} is not written."
    num = write_label_fixes(path, tables[WRONG_LABELS])
    return f"{path} has {num:,} corrected label{'' if num == 1 else 's'} to confirm; the data are as they were."


def _given(command: Audit) -> dict[str, Any]:
    from byrote.training.planner import resolve_device, resolve_precision

    precision = {}
    if command.precision != "auto" or resolve_device(command.device) != "cpu":
        precision = {"precision": resolve_precision(command.precision, resolve_device(command.device))}
    loading = {"image_size": command.image_size, "cache": command.cache, "max_pixels": command.max_pixels}
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
        "loading": {name: value for name, value in loading.items() if value is not None},
        **precision,
        **command.recipe,
    }


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
