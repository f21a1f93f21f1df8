"""Which models a study trains, and why: those that were asked for, or what byrote uses on data of their kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.words import listed
from byrote.input_parts import names_in_words
from byrote.models.catalog import ONE_INPUT
from byrote.references import is_reference

M = TypeVar("M")

DEFAULT_MODEL = "mlp-1x512"
"""Takes images as well as vectors, and trains in seconds."""
_ON_VECTORS = "mlp-3x512"
"""Where none of a study's models takes vectors."""


def chosen_models(models: Sequence[M] | None, data: Dataset, defaults: Sequence[str]) -> tuple[M | str, ...]:
    """`models`, or where there are none those of `defaults` that take inputs like those of `data`: all on images; on
    vectors the perceptrons among them, or mlp-3x512 if there is none.

    Raises:
        UserError: no models for token ids or several inputs, which no model in the box takes.
    """
    if models is not None:
        return tuple(models)
    if data.kind == "dict":
        raise UserError(f"got {data.name}, whose inputs are {names_in_words(data.parts)}, without a model: {ONE_INPUT}")
    if data.kind == "tokens":
        raise UserError(
            f"got {data.name}, whose inputs are token ids, without a model: those in the box take quantities; give one "
            "of your own that begins with nn.Embedding (models=..., --models FILE.py:NAME)"
        )
    if data.kind == "images":
        return tuple(defaults)
    return tuple(model for model in defaults if architecture(model) == "mlp") or (_ON_VECTORS,)


def choice_in_words(names: Sequence[str], data: Dataset, *, asked_for: bool) -> str:
    """Which models were used and why, in one sentence."""
    shown = listed([name.replace("{width}", "W") for name in names])
    subject, verb = ("The model is", "was") if len(names) == 1 else ("The models are", "were")
    if asked_for:
        return f"{subject} {shown}, which {verb} asked for."
    none = "no model was" if len(names) == 1 else "no models were"
    return f"{subject} {shown}, which byrote uses on {data.kind}, since {none} given."


def architecture(model: str) -> str:
    """The first word of a name of the catalogue; "" for the user's own, whose file may be called anything."""
    return "" if is_reference(model) else model.partition("-")[0]
