"""Fits of one subject on labels of which a share is random, on random labels, and on inputs without structure.

A network's are runs of the randomisation test, stored as all others. Any other subject is fitted on rows whose labels
the same corruptions have redrawn.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int64, Shaped

from byrote.audits.material import Material, Rows
from byrote.audits.networks import NetworkSubject
from byrote.audits.subject import Subject
from byrote.data.corruptions.application import apply_corruptions
from byrote.data.corruptions.record import corruptions_of
from byrote.data.dataset import Dataset, Split
from byrote.data.distinct_inputs import DistinctInputs, num_attainable
from byrote.data.subsets import stratified_rows
from byrote.evidence.noise_ladder import RATES
from byrote.evidence.obstacles import obstacle
from byrote.randomness import permutation, stream
from byrote.references import shortened
from byrote.studies.design import label_corruptions
from byrote.studies.largest_n.calculations import geometric_grid
from byrote.studies.largest_n.study import LargestNStudy
from byrote.studies.randomization.study import RandomizationStudy, settings_of
from byrote.training.course import FIT
from byrote.training.outcome import TrainOutcome
from byrote.training.recipe import Recipe

NOISE_INPUTS = "noise inputs"
MORE_EPOCHS = 3
"""Random labels take longer: a network may take so many times the epochs that it may take on true ones."""


@dataclass(frozen=True, eq=False)
class NoisyFit:
    """One fit, and what it says of the rows that it was fitted on and of the test rows."""

    condition: str
    """ "true labels", "50% random labels", NOISE_INPUTS"""
    rate: float
    """The chance that a label was redrawn."""
    draw: int
    given: Int64[np.ndarray, " N"]
    """The labels that it was fitted on."""
    true: Int64[np.ndarray, " N"]
    train: Int64[np.ndarray, " N"]
    """The classes that it says these rows have."""
    test: Int64[np.ndarray, " T"]
    ceiling: float
    """The accuracy that identical inputs with different labels leave."""
    seconds: float | None = None
    """Of the fit alone; None of networks, which are trained side by side."""
    steps_to_fit: int | None = None
    """Of a network."""

    @property
    def accuracy(self) -> float:
        """On the labels that it was fitted on."""
        return float((self.train == self.given).mean())

    @property
    def is_fitted(self) -> bool:
        """Whether it is right on nearly all labels that it could have learnt."""
        return self.accuracy >= FIT * self.ceiling


@dataclass(frozen=True)
class LargestFit:
    """The largest n whose random labels are fitted."""

    n: int | None
    """None where not even the smallest that was tried is."""
    tried: int
    """The largest that was tried."""


def condition_of(rate: float) -> str:
    """ "50% random labels"."""
    return {0.0: "true labels", 1.0: "random labels"}.get(rate, f"{100 * rate:g}% random labels")


def noisy_fits(
    subject: Subject,
    material: Material,
    rows: Rows,
    draws: int,
    log: Callable[[str], None] = lambda _: None,
) -> tuple[list[NoisyFit], str]:
    """`draws` fits at each of RATES, one on random labels and one on inputs without structure; and, of networks, what
    keeps those from telling anything, in a sentence, "" where nothing does.

    Raises:
        SubjectFailed: the model raised.
    """
    if isinstance(subject, NetworkSubject):
        return _of_network(subject, rows, draws)
    distinct = DistinctInputs.of(_codes(rows)).places
    found = []
    for rate in (*RATES, 1.0):
        for draw in range(draws if rate < 1 else 1):
            log(f"a fit on {condition_of(rate)}, draw {draw + 1}")
            noisy = rows.relabelled(redrawn_labels(rows.labels, material.num_classes, rate, draw))
            found.append(_refit(subject, material, rows, noisy, distinct, condition_of(rate), rate, draw))
    noise = noise_inputs(material, rows)
    distinct = DistinctInputs.of(_codes(noise)).places
    found.append(_refit(subject, material, noise, noise, distinct, NOISE_INPUTS, 0.0, 0))
    return found, ""


def largest_fit(subject: Subject, material: Material, rows: Rows) -> LargestFit:
    """The largest n, on a grid in steps of a fifth, whose random labels are fitted; all are known not to be."""
    if isinstance(subject, NetworkSubject):
        data, recipe = subject.dataset(rows), longer(subject.recipe_for(len(rows)))
        study = LargestNStudy(data=data, model=subject.model, recipe=recipe, draws=1)
        value = float(study.summarise(subject.run(study))["largest_n"].iloc[0])
        return LargestFit(None if np.isnan(value) else int(value), len(rows))
    grid = geometric_grid(material.num_classes, len(rows))

    def is_too_large(n: int) -> bool:
        part = rows.take(stratified_rows(rows.labels, n, stream(0, "largest n")))
        noisy = part.relabelled(redrawn_labels(part.labels, material.num_classes, 1.0, 0))
        distinct = DistinctInputs.of(_codes(part)).places
        return not _refit(subject, material, part, noisy, distinct, condition_of(1.0), 1.0, 0).is_fitted

    place = bisect_left(grid[:-1], True, key=is_too_large)
    return LargestFit(grid[place - 1] if place else None, len(rows))


def redrawn_labels(
    labels: Int64[np.ndarray, " N"], num_classes: int, rate: float, draw: int
) -> Int64[np.ndarray, " N"]:
    """Each label, with the chance `rate`, drawn uniformly from all classes, as in runs of networks with this seed."""
    nothing = np.zeros((len(labels), 1), np.float32)
    names = tuple(map(str, range(num_classes)))
    data = Dataset("labels", Split.clean(nothing, labels), Split.clean(nothing[:1], labels[:1]), names)
    return apply_corruptions(data, label_corruptions(rate), draw).train.labels


def noise_inputs(material: Material, rows: Rows) -> Rows:
    """Gaussian images and vectors with the mean and variance of these; tables and token ids with each column in an
    order of its own."""

    def order(column: int) -> Int64[np.ndarray, " N"]:
        return permutation(stream(0, "noise inputs", column), len(rows))

    if isinstance(rows.inputs, pd.DataFrame):
        columns = [rows.inputs[name].iloc[order(place)].to_numpy() for place, name in enumerate(rows.inputs)]
        mixed = pd.DataFrame(dict(zip(rows.inputs, columns, strict=True)), index=rows.inputs.index)
        return replace(rows, inputs=mixed.astype(rows.inputs.dtypes.to_dict()))
    if material.kind == "tokens":
        columns = [rows.inputs[order(place), place] for place in range(rows.inputs.shape[1])]
        return replace(rows, inputs=np.stack(columns, axis=1))
    data = material.dataset(rows, rows.take(np.arange(1)))
    return replace(rows, inputs=apply_corruptions(data, corruptions_of("gaussian"), 0).train.inputs)


def most_epochs(subject: Subject, num_rows: int) -> int | None:
    """That a fit on other labels may take; None where no epochs end it."""
    if not isinstance(subject, NetworkSubject):
        return None
    recipe = longer(subject.recipe_for(num_rows))
    return None if recipe.stop == "at_steps" else recipe.epochs


def longer(recipe: Recipe) -> Recipe:
    """With MORE_EPOCHS times as many epochs, where they end a run; all rows are trained on."""
    epochs = {} if recipe.stop == "at_steps" else {"epochs": MORE_EPOCHS * recipe.epochs}
    return recipe.changed(validation=0.0, **epochs)


def _refit(
    subject: Subject,
    material: Material,
    rows: Rows,
    noisy: Rows,
    distinct: Int64[np.ndarray, " N"],
    condition: str,
    rate: float,
    draw: int,
) -> NoisyFit:
    started = time.perf_counter()
    predict = subject.fit(noisy, draw)
    seconds = time.perf_counter() - started
    ceiling = num_attainable(distinct, noisy.labels, material.num_classes) / len(noisy)
    says = predict(noisy).labels, predict(material.test).labels
    return NoisyFit(condition, rate, draw, noisy.labels, rows.labels, *says, ceiling, seconds)


def studies_of(subject: NetworkSubject, rows: Rows, draws: int) -> tuple[RandomizationStudy, ...]:
    """The runs of a network's fits."""
    data = subject.dataset(rows)
    shared: dict[str, Any] = {"data": data, "models": [subject.model], "recipe": longer(subject.recipe_for(len(rows)))}
    ladder = RandomizationStudy(**shared, settings=(), rates=RATES, seeds=draws)
    return ladder, RandomizationStudy(**shared, settings=(settings_of(data)[-1],), rates=(1.0,))


def _of_network(subject: NetworkSubject, rows: Rows, draws: int) -> tuple[list[NoisyFit], str]:
    data = subject.dataset(rows)
    found: list[NoisyFit] = []
    studies = studies_of(subject, rows, draws)
    tables = []
    for study in studies:
        results = subject.run(study)
        tables.append(study.summarise(results))
        found += [_of_outcome(outcome, data) for outcome in results.outcomes]
    table = pd.concat(tables, ignore_index=True)
    # What is to be tried is a flag of the audited fit, of whose epochs these may take more.
    asked = table.assign(epochs_run=table["epochs_run"] // MORE_EPOCHS)
    reason = obstacle(asked, sum(len(study.plan()) for study in studies), fitted=True) or ""
    return found, shortened(reason, studies[0].readers_names(table))


def _of_outcome(outcome: TrainOutcome, data: Dataset) -> NoisyFit:
    spec = outcome.spec
    is_noise = spec.input_method is not None
    given = apply_corruptions(data, spec.corruptions, spec.seed).train.labels
    return NoisyFit(
        NOISE_INPUTS if is_noise else condition_of(spec.label_rate),
        0.0 if is_noise else spec.label_rate,
        spec.seed,
        given,
        data.train.labels,
        outcome.train_predictions.astype(np.int64),
        outcome.test_predictions.astype(np.int64),
        outcome.ceiling,
        steps_to_fit=outcome.steps_to_fit,
    )


def _codes(rows: Rows) -> Shaped[np.ndarray, "N ..."]:
    """Equal values for equal rows."""
    if not isinstance(rows.inputs, pd.DataFrame):
        return rows.inputs
    return pd.util.hash_pandas_object(rows.inputs.astype(str), index=False).to_numpy()[:, None]


def of_condition(fits: Sequence[NoisyFit], condition: str) -> list[NoisyFit]:
    """The fits on labels of one condition."""
    return [fit for fit in fits if fit.condition == condition]
