"""What `byrote measure` can measure: a line a measure, its flags in flags.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from byrote.cli.flags import Bounds, LargestN, Measure, Rademacher

if TYPE_CHECKING:
    from byrote.studies.analysis import Analysis


@dataclass(frozen=True)
class Measurement:
    flags: type[Measure]
    builder: str
    """MODULE:FUNCTION, called as FUNCTION(data, model=, recipe=, seeds=, n_train=) and with the measure's own flags;
    imported on use, for it imports torch."""

    @property
    def description(self) -> str:
        return " ".join((self.flags.__doc__ or "").split())

    @property
    def build(self) -> Callable[..., Analysis]:
        module, _, function = self.builder.partition(":")
        return getattr(import_module(module), function)


MEASURES: dict[str, Measurement] = {
    measurement.flags.name: measurement
    for measurement in (
        Measurement(Rademacher, "byrote.studies.rademacher:rademacher_analysis"),
        Measurement(LargestN, "byrote.studies.largest_n:largest_n_analysis"),
        Measurement(Bounds, "byrote.studies.bounds:bounds_analysis"),
    )
}
