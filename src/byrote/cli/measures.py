"""What `byrote measure` can measure: a line a measure, its flags in flags.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from byrote.cli.flags import Bounds, LargestN, Quantity, Rademacher, Stability

if TYPE_CHECKING:
    from byrote.data.dataset import Dataset
    from byrote.studies.study import Study
    from byrote.training.spec import Recipe


@dataclass(frozen=True)
class Measurement:
    flags: type[Quantity]
    builder: str
    """MODULE:NAME of what makes the study, called as NAME(data, model=, recipe=, seeds=, n_train=) and with the
    measure's own flags; imported on use, for it imports torch."""
    recipe: str = "byrote.studies.paper_settings:paper_recipe"
    """MODULE:FUNCTION that makes the recipe, called as FUNCTION(model, data, **own)."""
    own: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the recipe that this measure chooses itself."""

    @property
    def description(self) -> str:
        return " ".join((self.flags.__doc__ or "").split())

    @property
    def build(self) -> Callable[..., Study]:
        return resolve_name(self.builder)

    def make_recipe(self, model: str | None, data: Dataset, precision: str, changes: Mapping[str, Any]) -> Recipe:
        """The recipe of `model`, or of the default for want of one, with `changes`.

        Raises:
            UserError: a field or value that no recipe has, or a field that the recipe does not heed.
        """
        from byrote.studies.model_choice import DEFAULT_MODEL

        made: Recipe = resolve_name(self.recipe)(model or DEFAULT_MODEL, data, precision=precision, **self.own)
        return made.changed(**changes)


_MEMORIZING = "byrote.studies.random_labels:memorizing_recipe"


MEASUREMENTS: dict[str, Measurement] = {
    measurement.flags.name: measurement
    for measurement in (
        Measurement(Rademacher, "byrote.studies.rademacher.study:rademacher_study", _MEMORIZING),
        Measurement(LargestN, "byrote.studies.largest_n.study:LargestNStudy", _MEMORIZING),
        Measurement(Stability, "byrote.studies.stability.study:StabilityStudy", _MEMORIZING, {"epochs": 100}),
        Measurement(Bounds, "byrote.studies.bounds.study:BoundsStudy", own={"epochs": 1000}),
    )
}
