"""Record: what recipes, corruptions and calculations are; a wrong field is told in the sentence that the command line
gives."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from byrote.errors import UserError, suggestion

R = TypeVar("R", bound="Record")

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=10**12)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]

OTHER_NAMES: Mapping[str, str] = {
    "bs": "batch_size",
    "iterations": "steps",
    "lr": "learning_rate",
    "max_epochs": "epochs",
    "num_epochs": "epochs",
    "wd": "weight_decay",
}
"""What other programs call these fields, where spelling alone would not lead there."""


class Record(BaseModel):
    """Frozen, hashable, validated.

    Raises:
        UserError: a field that is not there, or a value that it cannot take.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            known = type(self).model_fields
            raise UserError("; ".join(_sentence(problem, known) for problem in error.errors())) from None
        # Which fields were given is the same for all runs of a plan, and takes more memory than their values do.
        object.__setattr__(self, "__pydantic_fields_set__", _one_of(frozenset(self.model_fields_set)))

    @classmethod
    def model_validate(cls: type[R], obj: Any, **options: Any) -> R:
        return cls(**obj) if isinstance(obj, dict) and not options else super().model_validate(obj, **options)


@lru_cache(maxsize=256)
def _one_of(names: frozenset[str]) -> set[str]:
    """The same object for equal ones. Nothing is added to it, as records are frozen."""
    return set(names)


def meant(name: str, known: Collection[str]) -> str | None:
    """The one of `known` that a slip probably stands for."""
    if OTHER_NAMES.get(name) in known:
        return OTHER_NAMES[name]
    parts = [other for other in known if other.startswith(name) or name.startswith(other)]
    return next(iter([*get_close_matches(name, known, n=1, cutoff=0.6), *parts]), None)


def _sentence(problem: ErrorDetails, known: Collection[str]) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "literal_error":
        message += suggestion(str(problem["input"]), re.findall(r"'([^']*)'", message))
    if not problem["loc"]:
        return message
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":
        close = meant(name, known)
        hint = f"; did you mean {close}?" if close else f": it has {', '.join(known)}"
        return f"got {name}={problem['input']!r}, which is no field{hint}"
    if problem["type"] == "missing":
        return f"got no {name}, which is needed"
    return f"got {name}={problem['input']!r}: {message[0].lower()}{message[1:]}"
