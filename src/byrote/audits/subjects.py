"""From what the user calls a model to a subject."""

from __future__ import annotations

from typing import Any

import torch

from byrote.audits.estimators import EstimatorSubject, is_estimator
from byrote.audits.given_predictions import GivenPredictions
from byrote.audits.material import Material
from byrote.audits.networks import NetworkSubject
from byrote.audits.own_training import TrainingFunctionSubject
from byrote.audits.subject import Subject
from byrote.audits.whole_pipelines import WholePipeline, is_pipeline
from byrote.errors import UserError
from byrote.references import is_reference, load_object
from byrote.runs.store import Store


def make_subject(
    model: Any,
    material: Material,
    store: Store,
    *,
    train_fn: Any = None,
    predictions: Any = None,
    device: str = "auto",
    **recipe: Any,
) -> Subject:
    """The subject that `model` is.

    Args:
        model: a network's class, factory, instance or catalogue name; a classifier or pipeline of scikit-learn, its
            class, or a function without arguments that makes one; a function `pipeline(table, labels, seed) ->
            score`; a name of any of them; None with predictions.
        train_fn: what trains the model: `train_fn(model, train_dataset) -> predict`.
        predictions: of the test examples, in place of a model.
        recipe: how byrote's engine trains a network.

    Raises:
        UserError: it is none of these, or has no use for what else is given.
    """
    if predictions is not None:
        if model is not None or train_fn is not None:
            raise UserError(
                "got a model and predictions, expected one of them: leave the model out to audit predictions"
            )
        _refuse(recipe, "predictions that were made elsewhere")
        return GivenPredictions(predictions, material)
    if train_fn is not None:
        _refuse(recipe, "a training function of your own")
        return TrainingFunctionSubject(train_fn, model, material)
    if model is None:
        raise UserError("got no model and no predictions, expected one of them")
    name = model if isinstance(model, str) else ""
    found = load_object(name) if name and is_reference(name) else model
    if not isinstance(found, str | torch.nn.Module):
        if is_pipeline(found):
            _refuse(recipe, f"{found.__name__}, which is a pipeline")
            return WholePipeline(found, material, name)
        if is_estimator(found):
            _refuse(recipe, "a classifier of scikit-learn")
            return EstimatorSubject(found, material, name)
        if not callable(found):
            raise UserError(
                f"got {name or type(found).__name__}, expected a network, its class or a function that makes one, a "
                "classifier of scikit-learn, or a function pipeline(table, labels, seed) -> score"
            )
    return NetworkSubject(model, material, store, device=device, **recipe)


def _refuse(recipe: dict[str, Any], what: str) -> None:
    given = [name for name, value in recipe.items() if value is not None and (name, value) != ("precision", "float32")]
    if given:
        raise UserError(f"got {', '.join(given)}, which {what} has no use for: leave it out")
