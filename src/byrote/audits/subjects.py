"""From what the user calls a model to a subject."""

from __future__ import annotations

import inspect
from typing import Any

import torch

from byrote.audits.estimators import EstimatorSubject, is_estimator, predicts_quantities
from byrote.audits.given_predictions import GivenPredictions
from byrote.audits.material import Material
from byrote.audits.metric import scores_quantities
from byrote.audits.networks import NetworkSubject
from byrote.audits.own_training import TrainingFunctionSubject
from byrote.audits.subject import Subject
from byrote.audits.whole_pipelines import ARGUMENTS, WholePipeline, is_pipeline
from byrote.errors import UserError
from byrote.input_parts import names_in_words
from byrote.references import is_reference, load_object, name_of, short_name
from byrote.runs.store import Store


def metric_asked(model: Any, metric: str | None, *, train_fn: Any = None, predictions: Any = None) -> str:
    """The metric, which says whether labels are classes or quantities: that which is asked for, or else r2 of a
    regressor and accuracy of all else. Never told by the labels, for few or many numbers may be either.

    Raises:
        UserError: a metric of quantities for what says classes, or the other way round.
    """
    asked = None if metric is None else scores_quantities(metric)
    if train_fn is not None or predictions is not None or model is None:
        return metric or "accuracy"
    name = model if isinstance(model, str) else ""
    found = load_object(name) if name and is_reference(name) else model
    if isinstance(found, str | torch.nn.Module) or not (is_pipeline(found) or is_estimator(found)):
        if asked:
            raise UserError(
                f"got metric={metric!r}, a score of quantities, of {short_name(name_of(model))}, which byrote's engine "
                "would train, and it trains classifiers alone: give a function train_fn(model, train_dataset) -> "
                "predict besides (--train FILE.py:NAME), or a regressor of scikit-learn"
            )
        return metric or "accuracy"
    if is_pipeline(found):
        return metric or "accuracy"
    is_regressor = predicts_quantities(found)
    if asked is not None and asked != is_regressor:
        what = short_name(name) if name else getattr(found, "__name__", type(found).__name__)
        raise UserError(
            f"got metric={metric!r}, a score of {_WORDS[asked]}, of {what}, which is "
            f"{'a' if is_regressor else 'no'} regressor by scikit-learn's is_regressor: give "
            + (
                "another, such as r2 or neg_mean_absolute_error, or a classifier"
                if is_regressor
                else "a regressor, or another metric, such as accuracy, balanced_accuracy or roc_auc"
            )
        )
    return metric or ("r2" if is_regressor else "accuracy")


_WORDS = {True: "quantities", False: "classes"}


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
        model: a network's class, factory, instance or catalogue name; a classifier, regressor or pipeline of
            scikit-learn, its class, or a function without arguments that makes one; a function
            `pipeline(table, labels, seed) -> score`; a name of any of them; None with predictions.
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
        raise UserError("got no model and no predictions, expected one of them: byrote.audit(model, data), say")
    name = model if isinstance(model, str) else ""
    found = load_object(name) if name and is_reference(name) else model
    if not isinstance(found, str | torch.nn.Module):
        if is_pipeline(found):
            _refuse_parts(material, f"{found.__name__}, a pipeline,")
            _refuse(recipe, f"{found.__name__}, which is a pipeline")
            return WholePipeline(found, material, name)
        if is_estimator(found):
            _refuse_parts(material, "an estimator of scikit-learn")
            _refuse(recipe, "an estimator of scikit-learn")
            return EstimatorSubject(found, material, name)
        if not callable(found):
            raise UserError(
                f"got {name or type(found).__name__}, expected a network, its class or a function that makes one, a "
                "classifier or regressor of scikit-learn, or a function pipeline(table, labels, seed) -> score"
            )
        _refuse_look_alikes(found, name or getattr(found, "__name__", ""))
    return NetworkSubject(model, material, store, device=device, **recipe)


def _refuse_look_alikes(found: Any, name: str) -> None:
    """Raises UserError for what nearly is an estimator or a pipeline, and would be called as a network's factory."""
    if isinstance(found, type) and not issubclass(found, torch.nn.Module) and hasattr(found, "fit"):
        raise UserError(
            f"got {name}, which has fit and is no estimator of scikit-learn: derive it from ClassifierMixin (or "
            "RegressorMixin) and BaseEstimator of sklearn.base"
        )
    if inspect.isfunction(found) and tuple(inspect.signature(found).parameters)[:1] == ARGUMENTS[:1]:
        raise UserError(f"got {name}{inspect.signature(found)}, expected pipeline({', '.join(ARGUMENTS)}) -> score")


def _refuse(recipe: dict[str, Any], what: str) -> None:
    given = [name for name, value in recipe.items() if value is not None and (name, value) != ("precision", "float32")]
    if given:
        raise UserError(f"got {', '.join(given)}, which {what} has no use for: leave it out")


def _refuse_parts(material: Material, what: str) -> None:
    if material.parts:
        raise UserError(
            f"got {what} for data with the inputs {names_in_words(material.parts)}, expected a network: this "
            "takes one table; make one of them (pandas.DataFrame), or give one of them alone"
        )
