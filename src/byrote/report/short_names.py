"""What pages call the user's own code: by its short name everywhere, and by its path once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import pandas as pd

from byrote.charts.figure import Figure, slug
from byrote.data.corruptions.catalog import title_of
from byrote.references import digest_in, shortened
from byrote.studies.short_names import readers_names
from byrote.studies.study import Finished, Study
from byrote.training.outcome import TrainOutcome

T = TypeVar("T")


class Verbatim(str):
    """Text in which names stay as they are."""


def names_on_page(study: Study, results: Sequence[Finished]) -> dict[str, str]:
    """The short name of each reference to the user's code that the study or its runs hold."""
    found = [*getattr(study, "model_names", []), *(name for result in results for name in _names_in(result))]
    specs = [outcome.spec for outcome in results if isinstance(outcome, TrainOutcome)]
    titles = {each.name: title_of(each.name) for spec in specs for each in spec.corruptions}
    names = readers_names(name for name in found if isinstance(name, str))
    return {name: titles.get(name, short) for name, short in names.items()}


def setup_lines(names: Mapping[str, str]) -> list[str]:
    """Where the user's own code is, a sentence each."""
    return [Verbatim(f"{short} is {_described(name)}.") for name, short in names.items()]


def with_short_names(value: T, names: Mapping[str, str]) -> T:
    """`value` with the short one for every name in it: in sentences, tables and charts."""
    return _replaced(value, names) if names else value


def _names_in(result: Finished) -> Iterable[Any]:
    if isinstance(result, TrainOutcome):
        return result.spec.references
    return (getattr(result.calculation, "model", None), *result.calculation.all_references)


def _described(name: str) -> str:
    if not digest_in(name):
        return name
    return f"{name}: it comes from a notebook or a script, and is known by what it does"


def _replaced(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Verbatim):
        return value
    if isinstance(value, str):
        return shortened(value, names)
    if isinstance(value, pd.DataFrame):
        texts = {column: value[column] for column in value if not pd.api.types.is_numeric_dtype(value[column])}
        return value.assign(**{str(column): [_replaced(each, names) for each in texts[column]] for column in texts})
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [part.name for part in dataclasses.fields(value) if part.init]
        parts = {name: _replaced(getattr(value, name), names) for name in fields}
        for anchor in {"id", "name"} & parts.keys():  # of files, and of places on the page
            parts[anchor] = _in_slugs(getattr(value, anchor), names)
        made = dataclasses.replace(value, **parts)
        if isinstance(value, Figure):
            made.__dict__["spec"] = _replaced(value.spec, names)
        return made
    if isinstance(value, dict):
        return {_replaced(key, names): _replaced(each, names) for key, each in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_replaced(each, names) for each in value))
    if isinstance(value, list | tuple):
        return type(value)(_replaced(each, names) for each in value)
    return value


def _in_slugs(text: str, names: Mapping[str, str]) -> str:
    return shortened(shortened(text, {slug(name): slug(short) for name, short in names.items()}), names)
