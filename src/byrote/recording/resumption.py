"""What is kept of a record where training goes on from a checkpoint.

A checkpoint is older than the record, or as old: epochs after it are trained anew, and so recorded anew. Of an epoch
that was going on when a run ended nothing was written. Processes of one run may have ended one epoch apart, so that all
keep as many as each of them has.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from byrote.errors import UserError, warn
from byrote.recording.recording import PartSummary, recorded_parts


@dataclass(frozen=True)
class Resumption:
    """Of a run that has been trained for as many epochs as are kept and left out together."""

    kept: int
    """Recorded epochs, the first ones."""
    left_out: tuple[int, ...]
    """Those that the record lacks, by their numbers from 0: they ended early, or the run ended before they were
    written."""
    parts: tuple[PartSummary, ...]
    """As they are in the folder."""


def resumption(folder: Path, num_examples: int, epochs: int) -> Resumption:
    """
    Args:
        epochs: that training has behind it.

    Raises:
        UserError: the record is of another run.
    """
    if isinstance(epochs, bool) or not isinstance(epochs, int | np.integer) or epochs < 0:
        raise UserError(f"got resume={epochs!r}, expected how many epochs the checkpoint has behind it, 0 without one")
    epochs, parts = int(epochs), tuple(recorded_parts(folder))
    is_whole = bool(parts) and len(parts) == parts[0].num_processes
    in_record = min((part.whole_epochs for part in parts), key=len) if is_whole else []
    recorded = len(in_record)
    known = min(part.epochs + len(part.left_out) for part in parts) if is_whole else 0
    if parts and {part.num_examples for part in parts} != {num_examples}:
        raise UserError(
            f"got num_examples={num_examples:,} and a record of {parts[0].num_examples:,} examples in {folder}: go on "
            "with the data set that was recorded, or name another folder"
        )
    if epochs > known + 1:  # one may have ended without being written
        raise UserError(
            f"got resume={epochs} and a record of {known} epochs in {folder}: the checkpoint is of "
            "another run or was not recorded, so name another folder"
        )
    before = [epoch for epoch in in_record if epoch < epochs]
    kept = len(before)
    if kept < recorded:
        warn(
            f"the record in {folder} has {recorded} epochs, and training goes on after {epochs}: {recorded - kept} "
            f"{'is' if recorded == kept + 1 else 'are'} dropped, and recorded anew"
        )
    return Resumption(kept, tuple(sorted({*range(epochs)} - {*before})), parts)
