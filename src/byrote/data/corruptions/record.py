"""Corruption: which one a run has, at which rate and strength; and what it is called in columns and in figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field, field_validator, model_serializer, model_validator

from byrote.data.corruptions.catalog import (
    TRUE_LABELS,
    find_corruption,
    full_name_of,
    instead_of,
    is_known,
    partial_name_of,
    title_of,
)
from byrote.data.corruptions.contract import AnyCorruption
from byrote.errors import UserError
from byrote.records import Record
from byrote.references import is_reference, name_of

UNIFORM_LABELS = frozenset({TRUE_LABELS, "partial-labels", "random-labels"})
"""The column `corruption` of runs that differ in one thing alone, the chance that a label is redrawn uniformly."""


class Corruption(Record):
    """One randomisation of the data.

    >>> import byrote
    >>> byrote.Corruption(name="additive-noise", rate=0.4, strength=0.5).label
    'additive-noise=0.5'
    """

    name: str
    """As `byrote list corruptions` has them, FILE.py:NAME or package.module:NAME; in Python also the class or the
    object itself."""
    rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Of a label corruption, per label; of an input corruption, the chance that an example is corrupted."""
    strength: Annotated[float, Field(gt=0)] | None = None
    """Of a corruption that has one; None is its own default."""

    @field_validator("name", mode="before")
    @classmethod
    def _an_object_by_its_name(cls, name: object) -> object:
        name = name if isinstance(name, str) else name_of(name)
        if not is_known(name):
            raise ValueError(instead_of(name))
        return name

    @model_validator(mode="after")
    def _rate_and_strength_are_its_own(self) -> Corruption:
        if (partial := partial_name_of(self.name)) and self.rate != 1:
            raise ValueError(f"{self.name} has rate 1, got {self.rate}; use {partial} for a rate")
        if not is_reference(self.name):
            own = find_corruption(self.name).strength
            if own is None and self.strength is not None:
                raise ValueError(f"got strength={self.strength:g} for {self.name}, which has none")
            if own is not None and self.strength is None:
                object.__setattr__(self, "strength", own)
        return self

    @model_serializer(mode="wrap")
    def _no_strength_unless_it_has_one(self, serialize: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """So that runs that were stored before there were strengths keep their keys."""
        fields = serialize(self)
        return fields if self.strength is not None else {k: v for k, v in fields.items() if k != "strength"}

    @property
    def method(self) -> AnyCorruption:
        """What draws and checks it. Raises UserError where the user's own code is not there."""
        return find_corruption(self.name)

    @property
    def label(self) -> str:
        """Its part of the column `corruption`: "random-pixels", "additive-noise=0.5"."""
        return self.name if self.strength is None else f"{self.name}={self.strength:g}"


def corruptions_of(asked: Any) -> tuple[Corruption, ...]:
    """What a name on the command line, or an object, asks for: NAME, or NAME=LEVEL, the level being its strength if it
    has one, else its rate; () for true-labels.

    Raises:
        UserError: there is none of this name, it cannot have this level, or it changes nothing.
    """
    if isinstance(asked, Corruption):
        return (_of_some(asked),)
    if not isinstance(asked, str):
        return (Corruption(name=asked),)
    name, level = split_level(asked)
    if name == TRUE_LABELS and level is None:
        return ()
    if not is_known(name):
        raise UserError(f"got corruption {name!r}, {instead_of(name)}")
    if level is None:
        if full := full_name_of(name):
            raise UserError(f"got {name} without a rate, expected one below 1, as {name}=0.5; {full} has rate 1")
        return (Corruption(name=name),)
    if level == 1 and (full := full_name_of(name)):
        return (Corruption(name=full),)
    has_strength = find_corruption(name).strength is not None
    return (_of_some(Corruption(name=name, **{"strength" if has_strength else "rate": level})),)


def _of_some(corruption: Corruption) -> Corruption:
    if corruption.rate == 0:
        raise UserError(
            f"got {corruption.label} at rate 0, which changes nothing: give a rate above 0, or {TRUE_LABELS} for the "
            "data as they are"
        )
    return corruption


def split_level(text: str) -> tuple[str, float | None]:
    """ "additive-noise=0.5" -> "additive-noise", 0.5."""
    name, equals, level = text.rpartition("=")
    try:
        return (name, float(level)) if equals else (text, None)
    except ValueError:
        return text, None


def parts_of(corruption: str) -> list[str]:
    """Those of the column `corruption`: "partial-labels+gaussian" -> "partial-labels", "gaussian"."""
    parts: list[str] = []
    whole = True
    for piece in corruption.split("+"):  # which a path may have too
        parts = [*parts, piece] if whole else [*parts[:-1], f"{parts[-1]}+{piece}"]
        whole = is_known(split_level(parts[-1])[0]) or parts[-1] == TRUE_LABELS
    return parts


def is_of_labels(corruption: str) -> bool:
    """Whether what the column `corruption` names leaves all inputs as they are."""
    parts = parts_of(corruption)
    return parts == [TRUE_LABELS] or all(find_corruption(part).changes == "labels" for part in map(_name, parts))


def _name(part: str) -> str:
    return split_level(part)[0]


def corruption_words(corruption: str, rate: float) -> str:
    """What sentences and figures call the column `corruption`: "partial labels 50%, Gaussian inputs"."""
    words = []
    for part in parts_of(corruption):
        name, strength = split_level(part)
        words.append(title_of(name) if strength is None else f"{title_of(name)} {strength:g}")
    if 0 < rate < 1:
        words[0] += f" {100 * rate:.3g}%"
    return ", ".join(words)
