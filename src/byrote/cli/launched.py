"""Commands in processes that torchrun has started: the first does what it would do alone, the others train with it."""

from __future__ import annotations

import os
from contextlib import redirect_stderr
from io import StringIO
from typing import TYPE_CHECKING, Any

from byrote.cli.asked_study import load_data, make_study
from byrote.cli.flags import EVERYTHING, Audit, Reproduce, TrainingFlags
from byrote.errors import StoreError, UserError

if TYPE_CHECKING:
    from byrote.data.dataset import Dataset


def is_launched() -> bool:
    """Whether torchrun has started this process and others."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_follower() -> bool:
    """Whether it is one of the others."""
    return is_launched() and os.environ.get("RANK") != "0"


def refuse_launched(command: object) -> None:
    """Raises UserError for what processes of torchrun have no use for."""
    if not is_launched():
        return
    if isinstance(command, Audit):
        raise UserError("got byrote audit by torchrun: audits take a single process, so start it without torchrun")
    if isinstance(command, TrainingFlags):
        if command.executor != "local":
            raise UserError(
                f"got --executor {command.executor} by torchrun, whose processes train every run together: leave one "
                "of the two out"
            )
        if command.processes != "auto":
            raise UserError(
                f"got --processes {command.processes} by torchrun, whose processes train every run together, as many "
                "as --nproc-per-node says: leave --processes out"
            )


def own_device(device: str) -> str:
    """That of this process, where a machine has several."""
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and is_launched() else device


def follow_command(command: Any, precision: str, device: str) -> int:
    """Trains with the first process what it says. Returns the exit code."""
    from byrote.runs.torchrun import Meeting, follow

    meeting = Meeting.of_torchrun()
    try:
        with redirect_stderr(StringIO()):  # the first says it
            data = _datasets(command, precision)
    except (UserError, StoreError) as error:
        meeting.refuse(str(error))
        return 0
    try:
        follow(meeting, data, device)
    except KeyboardInterrupt:
        return 130
    return 0


def _datasets(command: Any, precision: str) -> dict[str, Dataset]:
    """By their fingerprints."""
    from byrote.runs.torchrun import datasets_of

    if isinstance(command, Reproduce) and command.name == EVERYTHING:
        data = load_data(command, None)
        return {data.fingerprint: data}
    return datasets_of(make_study(command, precision, None))
