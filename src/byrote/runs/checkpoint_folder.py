"""The folder with the checkpoints of runs and calculations that have not ended: what in it is of no use is removed."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from byrote.runs.groups import OnLog
from byrote.runs.store import Store
from byrote.training.checkpoint_file import ENDING, Damaged, read_head, remove_checkpoint
from byrote.training.checkpoints import Checkpoints


def tidy(folder: Path, groups: Collection[tuple[str, ...]], store: Store, log: OnLog) -> None:
    """Removes the checkpoints of runs and calculations that are stored, all of them, and says what others there are
    than those of `groups`: the keys of runs that are to be trained together, or of one calculation. Those of a group of
    one by one are its runs'."""
    checkpoints, missing = Checkpoints(folder), {key for group in groups for key in group}
    own = {checkpoints.file(group) for group in groups} | {checkpoints.file([key]) for key in missing}
    num_elsewhere = num_regrouped = 0
    for file in sorted(folder.glob(f"*{ENDING}")):
        if file in own:
            continue
        with suppress(OSError, Damaged):
            keys = read_head(file)["keys"]
            if store.finished(keys).issuperset(keys):
                remove_checkpoint(file)
            elif missing.isdisjoint(keys):
                num_elsewhere += 1
            else:
                num_regrouped += 1
    if num_regrouped:
        log(f"{_said(num_regrouped)} not used: in {folder}, of runs that the plan has in other groups now")
    if num_elsewhere:
        log(
            f"{_said(num_elsewhere)} not of these runs: in {folder}, of a search, of another study, or of what was "
            "changed since (the model, the data, the recipe, byrote)"
        )


def remove_empty(folder: Path) -> None:
    """Removes the folder where nothing is in it: it is made again for the next checkpoint."""
    with suppress(OSError):
        folder.rmdir()


def _said(number: int) -> str:
    return "1 checkpoint is" if number == 1 else f"{number} checkpoints are"
