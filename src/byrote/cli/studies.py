"""What `byrote reproduce` can reproduce: a line a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from byrote.studies.study import Study


@dataclass(frozen=True)
class Reproduction:
    description: str
    builder: str
    """MODULE:FUNCTION, called as FUNCTION(data, scale, seeds, models); imported on use, for it imports torch."""

    @property
    def build(self) -> Callable[..., Study]:
        module, _, function = self.builder.partition(":")
        return getattr(import_module(module), function)


REPRODUCTIONS: dict[str, Reproduction] = {
    "figure1": Reproduction(
        "Figure 1: learning curves under each randomisation, time to fit and test error against label corruption",
        "byrote.studies.figure1:figure1_study",
    ),
}
