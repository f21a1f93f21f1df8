"""The stages that there are, cheapest and most telling first."""

from __future__ import annotations

from collections.abc import Sequence

from byrote.audits.data_stage import DataStage
from byrote.audits.labels_stage import LabelsStage
from byrote.audits.memorization_stage import MemorizationStage
from byrote.audits.regularizers_stage import RegularizersStage
from byrote.audits.rote_stage import RoteStage
from byrote.audits.signal_stage import SignalStage
from byrote.audits.stage import Stage
from byrote.errors import UserError, suggestion

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        DataStage(),
        SignalStage(),
        MemorizationStage(),
        LabelsStage(),
        RegularizersStage(),
        RoteStage(),
    )
}


def chosen_stages(names: Sequence[str] | None) -> list[Stage]:
    """Those of these names, in the order of STAGES; all for None.

    Raises:
        UserError: one that is not there.
    """
    for name in names or ():
        if name not in STAGES:
            raise UserError(f"got the stage {name!r}, expected one of {', '.join(STAGES)}{suggestion(name, STAGES)}")
    return [stage for name, stage in STAGES.items() if names is None or name in names]
