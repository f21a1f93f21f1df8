"""Stage 5: do the regularisers of a network earn their keep? All combinations of them, trained side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64

from byrote.audits.material import Rows
from byrote.audits.memorization_findings import share
from byrote.audits.networks import NetworkSubject
from byrote.audits.stage import Case, Estimate, Stage, StageResult, interval_figure
from byrote.charts.figure import Figure, layered, rounded
from byrote.charts.sections import PageTable, Section
from byrote.evidence.attribution import shapley_weights
from byrote.evidence.finding import Finding
from byrote.evidence.intervals import mean_interval
from byrote.evidence.noise_ladder import balanced_accuracy, effect
from byrote.evidence.obstacles import obstacle
from byrote.evidence.verdicts import NO_HELP
from byrote.models.catalog import without_batch_norm
from byrote.studies.design import NO_REGULARIZERS
from byrote.studies.factors import Factors
from byrote.studies.regularization.findings import label
from byrote.studies.regularization.study import RegularizationStudy
from byrote.studies.study import Results
from byrote.training.recipe import Recipe
from byrote.training.threads import num_physical_cores

MOST_ROWS, MOST_STEPS = 2000, 2000
_FEWER_ROWS, _FEWER_STEPS = 500, 600
"""Of the smaller version."""
SEEDS = 4


class RegularizersStage(Stage):
    """Needs a network whose recipe, or whose model, has something that can be switched off."""

    name: ClassVar[str] = "regularizers"
    title: ClassVar[str] = "Do its regularisers earn their keep?"
    needs_classes: ClassVar[str] = (
        "What regularisers are worth is told of networks that byrote trains, which are classifiers; "
        "targets here are quantities."
    )
    version: ClassVar[int] = 2

    def estimate(self, case: Case, budget_s: float = math.inf) -> Estimate:
        if reason := _nothing_to_ask(case):
            return Estimate(0.0, smaller=f"It is left out: {reason[0].lower()}{reason[1:].rstrip('.')}")
        return _version(case, budget_s)[2]

    def run(self, case: Case, budget_s: float = math.inf) -> StageResult:
        subject = case.subject
        if (reason := _nothing_to_ask(case)) or not isinstance(subject, NetworkSubject):
            return StageResult("skipped", reason)
        rows, steps, plan = _version(case, budget_s)
        if plan.seconds > budget_s:
            return StageResult("skipped", f"Its smallest version takes {plan.seconds:,.0f} s, more than is left.")
        clean = case.clean_test_rows()
        if len(np.unique(case.material.test.labels[clean])) < 2:
            why = "The test rows that training does not know are not of two classes: they tell nothing."
            return StageResult("no conclusion", why)
        factors = factors_of(subject.model, subject.recipe)
        study = RegularizationStudy(
            data=subject.dataset(rows),
            models=[subject.model],
            seeds=SEEDS,
            recipe=subject.recipe.changed(stop="at_steps", steps=steps, validation=0.0),
            factors=factors,
        )
        case.log(f"training {len(study.plan())} networks, with and without {label(list(factors))}")
        results = subject.run(study)
        reason = obstacle(study.summarise(results), len(study.plan())) or ""
        if reason:
            return StageResult("no conclusion", reason)
        figures, p_values = _read(case, study, results, factors, clean)
        figures |= {"num_rows": len(rows), "steps": steps, "seeds": SEEDS, "smaller": plan.smaller}
        return StageResult("done", f"{plan.smaller}, for want of time." if plan.smaller else "", figures, p_values)

    def findings(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> list[Finding]:
        return [_finding(case, result.figures, each, found) for each in result.figures["regularizers"]]

    def sections(self, case: Case, result: StageResult) -> list[Section]:
        figures = result.figures
        rows = [
            [
                label(each["on"]),
                share(each["train_accuracy"]),
                share(each["test"]["mean"]),
                share(each["random_train_accuracy"]) + ("" if each["random_is_fitted"] else " (not fitted)"),
            ]
            for each in figures["combinations"]
        ]
        return [
            Section(
                "regularizers",
                "What the regularisers are worth",
                "Each adds this much test accuracy, as its share of what all together add (Shapley values), on the "
                "same test rows.",
                figures=[_figure(case, figures)],
                table=PageTable(("on", "train", "test", "random labels, train"), {"": rows}),
                note=(
                    f"{figures['num_rows']:,} training rows, {figures['steps']:,} steps, {figures['seeds']} seeds. "
                    "Test: balanced accuracy on rows that training does not know."
                ),
            )
        ]


def factors_of(model: str, recipe: Recipe) -> Factors:
    """The regularisers that are there, each (off, as it is); those inside a user's network cannot be switched."""
    factors: dict[str, tuple[Any, Any]] = {
        name: (off, getattr(recipe, name)) for name, off in NO_REGULARIZERS.items() if getattr(recipe, name) != off
    }
    if twin := without_batch_norm(model):
        factors["batch_norm"] = (twin, model)
    return factors


def _nothing_to_ask(case: Case) -> str:
    """Why the stage does not apply; "" where it does."""
    subject = case.subject
    if not isinstance(subject, NetworkSubject):
        return f"{subject.name} is no network that byrote trains, so that no regulariser of it can be switched off."
    if not factors_of(subject.model, subject.recipe):
        return (
            f"{subject.name} is trained without augmentation, dropout or weight decay, so that there is no regulariser "
            "to judge; those inside of a network of your own cannot be switched off from outside."
        )
    return ""


def _version(case: Case, budget_s: float) -> tuple[Rows, int, Estimate]:
    subject: Any = case.subject
    train, recipe = case.material.train, subject.recipe
    a_step = case.pace * subject.seconds_of_step / num_physical_cores()
    num_runs = SEEDS * 2 * 2 ** len(factors_of(subject.model, recipe))
    own = recipe.steps or recipe.epochs * math.ceil(min(len(train), MOST_ROWS) / recipe.batch_size)
    num_rows, steps, smaller = min(len(train), MOST_ROWS), min(own, MOST_STEPS), ""
    if num_runs * steps * a_step > budget_s and (num_rows > _FEWER_ROWS or steps > _FEWER_STEPS):
        most = (num_rows, steps)
        num_rows, steps = min(num_rows, _FEWER_ROWS), min(steps, _FEWER_STEPS)
        smaller = (
            f"Networks were trained on {num_rows:,} instead of {most[0]:,} rows, for {steps:,} instead of {most[1]:,} "
            "steps"
        )
    rows = case.material.some_training_rows(num_rows, "rows of the grid")
    return rows, steps, Estimate(num_runs * steps * a_step, 2.0**28, 2.0**16 * num_runs, smaller)


def _read(
    case: Case, study: RegularizationStudy, results: Results, factors: Factors, clean: Bool[np.ndarray, " T"]
) -> tuple[dict[str, Any], dict[str, float]]:
    test = case.tested().take(clean)
    (model,) = study.architectures
    on = [[name for name, is_on in zip(factors, cell, strict=True) if is_on] for cell in study.cells(model)]
    pairs = list(zip(results.planned, results.outcomes, strict=True))

    def of_cell(names: Sequence[str], *, random: bool) -> list[Any]:
        wanted = {f"{name}_on": name in names for name in factors}
        own = [(each, run) for each, run in pairs if all(each.labels[key] == value for key, value in wanted.items())]
        return [run for _, run in own if (run.spec.label_rate == 1) == random]

    right = np.stack(
        [np.stack([run.test_predictions[clean] == test.labels for run in of_cell(names, random=False)]) for names in on]
    )
    weights = shapley_weights(len(factors))
    values: Float64[np.ndarray, "F S T"] = np.einsum("cst,cf->fst", right.astype(np.float64), weights)
    regularizers, p_values = [], {}
    for place, (name, (off, level)) in enumerate(factors.items()):
        found = effect(values[place], test.labels, test.units)
        p_values[f"{name}-helps"] = found.p_above
        p_values[f"{name}-harms"] = found.p_below
        regularizers.append(
            {"name": name, "off": str(off), "on": str(level), "effect": interval_figure(found.interval)}
        )
    combinations = []
    for place, names in enumerate(on):
        true, random = of_cell(names, random=False), of_cell(names, random=True)
        combinations.append(
            {
                "on": names,
                "train_accuracy": float(np.mean([run.train_accuracy for run in true])),
                "test": interval_figure(balanced_accuracy(right[place], test.labels, test.units)),
                "random_train_accuracy": float(mean_interval([run.train_accuracy for run in random]).mean),
                "random_is_fitted": all(run.fitted for run in random),
            }
        )
    return {"regularizers": regularizers, "combinations": combinations}, p_values


def _finding(case: Case, figures: Mapping[str, Any], each: Mapping[str, Any], found: Mapping[str, bool]) -> Finding:
    name, added = each["name"], each["effect"]
    words = label([name])
    without, every = figures["combinations"][0], figures["combinations"][-1]
    ends = f"{_points(added['low'])} to {_points(added['high'])}"
    is_fitted = "fitted" if every["random_is_fitted"] else "not fitted"
    text = (
        f"{words[0].upper()}{words[1:]} ({each['on']} instead of {each['off']}) changes balanced test accuracy by "
        f"{_points(added['mean'])} points ({ends}); without any regulariser it is {share(without['test']['mean'])}, "
        f"with all {share(every['test']['mean'])}. Random labels are {is_fitted} with all of them "
        f"({share(every['random_train_accuracy'])} of {figures['num_rows']:,} in {figures['steps']:,} steps)."
    )
    claim = f"{words[0].upper()}{words[1:]} of {case.subject.name} earns its keep"
    if found.get(f"{name}-helps", False):
        return Finding(claim, "supported", text)
    if found.get(f"{name}-harms", False):
        return Finding(claim, "not supported", f"{text} It harms: leave it out.")
    if added["high"] < NO_HELP:
        return Finding(claim, "not supported", f"{text} It is worth less than a point.")
    return Finding(claim, "no conclusion", f"{text} More test rows would tell.")


def _points(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.1f}"


def _figure(case: Case, figures: Mapping[str, Any]) -> Figure:
    data = pd.DataFrame(
        [
            {
                "regulariser": label([each["name"]]),
                **{end: 100 * each["effect"][end] for end in ("mean", "low", "high")},
            }
            for each in figures["regularizers"]
        ]
    )
    data = rounded(data)
    base = alt.Chart().encode(y=alt.Y("regulariser:N", title=None, sort=list(data["regulariser"])))
    x = alt.X("mean:Q", title="points of test accuracy")
    bars = base.mark_rule().encode(x=alt.X("low:Q"), x2="high:Q")
    points = base.mark_point(filled=True).encode(x=x)
    caption = "What each adds, with its 95% interval over seeds and test rows."
    return Figure(
        "regularizers",
        "What the regularisers are worth",
        case.material.title,
        caption,
        data,
        layered(bars, points, data=data, height=50 * len(data) + 20),
    )
