"""Outcomes of a study -> one self-contained HTML page, with the table and the figures beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from byrote.charts.examples import example_rows
from byrote.charts.figure import condition_label
from byrote.charts.sections import Presentation
from byrote.charts.theme import Style
from byrote.data.classes import class_remarks
from byrote.data.corruptions.catalog import does
from byrote.data.corruptions.record import corruption_words, parts_of, split_level
from byrote.data.dataset import Dataset
from byrote.data.kinds import in_words
from byrote.data.label_copies import label_copy_remarks
from byrote.errors import UserError
from byrote.evidence.finding import Finding
from byrote.evidence.intervals import mean_interval
from byrote.evidence.words import count_of_seeds, percent, regularizers
from byrote.files import make_folder, write_file, write_table
from byrote.masking import masked
from byrote.report.rendering import Format, chart, distinct, environment, theme, write_figure
from byrote.report.short_names import Verbatim, names_on_page, setup_lines, with_short_names
from byrote.studies.study import Finished, Planned, Results, Study, Task, noun, tabulate
from byrote.training.outcome import TrainOutcome
from byrote.training.planner import resolve_device
from byrote.training.probe import probe_models
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

MOST_LISTED = 20
"""Of more runs than this that are alike, a page lists this many and tells the number of the others."""


class PassedCheck(NamedTuple):
    """A check that these runs passed."""

    name: str
    num_runs: int
    run: str
    """The first of them, which `detail` is of."""
    detail: str


@runtime_checkable
class Failure(Protocol):
    """A task that raised: `byrote.runs` makes them."""

    @property
    def task(self) -> Task: ...

    @property
    def trace(self) -> str: ...


class Written(NamedTuple):
    """What a page says, as far as others say it again; with short names for the user's code."""

    headline: str
    findings: list[Finding]
    table: pd.DataFrame
    """What the study made of the results, with full names."""


def write_report(
    path: str | Path,
    study: Study,
    results: Sequence[Finished],
    *,
    command: str = "",
    failures: Sequence[Failure] = (),
    style: Style = "screen",
    formats: Sequence[Format] = ("svg",),
) -> list[Finding]:
    """Writes `path` (report.html; a folder takes that name), and beside it results.csv and figures/; gives the verdict.

    The page holds all it shows and forbids the browser every request. Each figure is also a file in each of `formats`,
    with the data it draws as .csv.

    >>> import byrote
    >>> recipe = byrote.Recipe(steps=2)
    >>> study = byrote.ZooStudy(byrote.load("digits"), ["mlp-1x4"], recipe=recipe, conditions=[()], grid={})
    >>> results = byrote.run(study, "runs.db", device="cpu", quiet=True)
    >>> [finding.outcome for finding in byrote.write_report("report.html", study, results, formats=())]
    ['no conclusion']

    Args:
        results: as `run` gives them.
        command: what the user typed, shown as it is.
        failures: tasks that raised; the page shows their traces.
        style: "slides" for large type, one chart a slide when printed.

    Raises:
        UserError: there is no result to report.
    """
    return write_page(path, study, results, command=command, failures=failures, style=style, formats=formats).findings


def write_page(
    path: str | Path,
    study: Study,
    results: Sequence[Finished],
    *,
    command: str,
    failures: Sequence[Failure],
    style: Style,
    formats: Sequence[Format],
    note: str = "",
) -> Written:
    """As `write_report`, and gives all that an index of pages says again.

    Args:
        note: said below the headline.
    """
    if not results:
        raise UserError("got no finished run, expected at least one to report: run the study first")
    results = Results.of(study, results)
    path = Path(path)
    if path.is_dir():
        path /= "report.html"
    make_folder(path.parent)
    table = study.summarise(results)
    findings = study.verdict(table)
    names = names_on_page(study, results)
    shown = with_short_names(_presented(study, results, table, findings), names)
    outcomes = results.outcomes
    # Of runs on other data than the study's, the page shows no examples: their labels are not those of its classes.
    own = [planned.task for planned in results.planned if isinstance(planned.task, TrainSpec) and planned.data is None]
    html = (
        environment(names)
        .get_template("page.html.jinja")
        .render(
            study=study,
            style=style,
            note=note,
            theme=theme(style),
            shown=shown,
            chart_of=lambda figure: chart(figure, style),
            corruptions=does({split_level(part)[0] for spec in own for part in parts_of(spec.corruption)}),
            examples=example_rows(study.data, own) if own else [],
            results=_results(tabulate(study.name, outcomes)) if outcomes else {},
            num_rows=len(table),
            num_runs=len(outcomes),
            num_results=len(results),
            noun=noun(results.planned, len(results)),
            failed_checks=_failed_checks(outcomes, table),
            passed_checks=_passed_checks(outcomes),
            most_listed=MOST_LISTED,
            notes=[*_notes(study, results), *_model_notes(study, results), *shown.notes],
            findings=findings,
            command=Verbatim(masked(command)),
            own_code=setup_lines(names),
            environments=distinct(result.environment for result in results),
            recipes=_recipes(outcomes),
            num_failures=len(failures),
            failures=_failures((_label(failure.task), failure.trace) for failure in failures),
            failed=noun([Planned(failure.task) for failure in failures], len(failures)),
        )
    )
    write_table(path.with_name("results.csv"), table)
    for figure in shown.figures:
        write_figure(path.parent / "figures", figure, style, formats)
    write_file(path, html)
    told = [replace(finding, reading=None) for finding in findings]
    return Written(shown.headline, with_short_names(told, names), table)


def _presented(study: Study, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """Raises UserError for what no page can be made of."""
    shown = study.page(results, table, findings)
    if not isinstance(shown, Presentation):
        raise UserError(
            f"got {type(shown).__name__} as the page of {study.name}, expected byrote.Presentation(headline, sections)"
        )
    for what, names in (
        ("figures", [figure.name for figure in shown.figures]),
        ("sections", [section.id for section in shown.sections]),
    ):
        if twice := [name for name, times in Counter(names).items() if times > 1]:
            raise UserError(f"got two {what} of {study.name} called {twice[0]!r}, expected a name of its own for each")
    return shown


def _label(task: Task) -> str:
    return _run_label(task) if isinstance(task, TrainSpec) else task.label


def _run_label(spec: TrainSpec) -> str:
    return f"{spec.model}, {condition_label(spec)}, seed {spec.seed}"


def _results(table: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """A block a model, in it a row a condition: means over its seeds with their intervals."""
    blocks: dict[str, list[dict[str, Any]]] = {}
    means = ("train_accuracy", "test_accuracy", "generalization_gap", "epochs_to_fit", "steps_to_fit")
    setting, own = ["corruption", "corruption_rate"], ["augmentation", "dropout", "weight_decay"]
    for _, runs in table.groupby(["model", "n_train", *setting, *own], sort=False):
        first = runs.iloc[0]
        by_seed = runs.groupby("seed")[list(means)].mean()
        row = {
            "setting": ", ".join(filter(None, [corruption_words(*first[setting]), regularizers(*first[own])])),
            "fitted": int(runs["fitted"].sum()),
            "runs": len(runs),
            "stop": ", ".join(runs["stop_reason"].unique()),
            "failed_checks": "; ".join(sorted(set(runs["failed_checks"]) - {""})),
            # Runs that differ in more than their seed, such as in an example that is replaced, are no further seeds.
            **{name: mean_interval(by_seed[name].to_numpy(np.float64)) for name in means},
        }
        block = f"{first['model']}, n = {first['n_train']:,}, {count_of_seeds(len(by_seed), '1 seed')}"
        blocks.setdefault(block, []).append(row)
    return blocks


def _failed_checks(outcomes: Sequence[TrainOutcome], table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Run, check and detail: the runs' own, then those that the study found by comparing runs."""
    own = [
        (_run_label(outcome.spec), check.name, check.detail) for outcome in outcomes for check in outcome.failed_checks
    ]
    known = {(run, name) for run, name, _ in own}
    rows = table[table["failed_checks"] != ""] if {"key", "failed_checks"} <= set(table) else table[:0]
    failed = set(rows["key"]) if len(rows) else set()
    runs = {outcome.key: _run_label(outcome.spec) for outcome in outcomes if outcome.key in failed}
    rows = rows[rows["key"].isin(list(runs))] if len(rows) else rows
    compared = [
        (runs[row["key"]], name, "This shows when the runs of the study are compared.")
        for row in rows.to_dict("records")
        for name in filter(None, row["failed_checks"].split("; "))
        if (runs[row["key"]], name) not in known
    ]
    return own + compared


def _passed_checks(outcomes: Sequence[TrainOutcome]) -> list[PassedCheck]:
    """Each check by its name, with the first run that passed it."""
    passed: dict[str, PassedCheck] = {}
    numbers = Counter(name for outcome in outcomes for name, is_passed in outcome.check_results if is_passed)
    for outcome in outcomes:
        if all(name in passed for name, is_passed in outcome.check_results if is_passed):
            continue
        for check in outcome.checks:
            if check.passed and check.name not in passed:
                label = _run_label(outcome.spec)
                passed[check.name] = PassedCheck(check.name, numbers[check.name], label, check.detail)
    return list(passed.values())


def _failures(failures: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Labels and traces; runs that failed alike share one."""
    alike: dict[str, list[str]] = {}
    for label, trace in failures:
        alike.setdefault(trace, []).append(label)
    return [(_listed(labels), trace) for trace, labels in alike.items()]


def _listed(labels: Sequence[str]) -> str:
    """ "a; b; and 3 more"."""
    more = [f"and {len(labels) - MOST_LISTED:,} more"] if len(labels) > MOST_LISTED else []
    return "; ".join([*labels[:MOST_LISTED], *more])


def _recipes(outcomes: Sequence[TrainOutcome]) -> list[tuple[str, dict[str, Any]]]:
    """The recipe of each model, without what differs between its runs and what is not set."""
    recipes: dict[str, dict[str, Any]] = {}
    for outcome in outcomes:
        recipe = outcome.spec.model_dump(mode="json", exclude={"model", "corruptions", "seed", "n_train"})
        model = f"{outcome.spec.model} (n = {outcome.n_train:,})"
        common = recipes.setdefault(model, {name: value for name, value in recipe.items() if value not in (None, [])})
        for name in [name for name, value in common.items() if recipe[name] != value]:
            del common[name]
    return list(recipes.items())


def _notes(study: Study, results: Results) -> list[str]:
    outcomes = results.outcomes
    notes = [*_leak_notes(study.data, outcomes), _data_note(study.data)]
    if outcomes:
        notes += class_remarks(study.data, min(outcome.n_train for outcome in outcomes))
    recipes = _recipes_used(study, results)
    notes += [*study.choices(), *_input_notes(study.data, recipes)]
    return [*notes, *(_run_notes(outcomes) if outcomes else []), *_whitening_notes(recipes)]


def _recipes_used(study: Study, results: Results) -> list[Recipe]:
    """Of the runs, and of calculations that have one."""
    found = [
        planned.task if isinstance(planned.task, Recipe) else getattr(planned.task, "recipe", None)
        for planned in results.planned
    ]
    return [recipe.resolved(study.data) for recipe in found if isinstance(recipe, Recipe)]


def _run_notes(outcomes: Sequence[TrainOutcome]) -> list[str]:
    seeds = len({outcome.spec.seed for outcome in outcomes})
    interval = (
        "There is one seed, and so no interval: another seed would give other figures."
        if seeds == 1
        else f"{seeds} seeds; ± and bars are 95% intervals of the mean over seeds (Student's t)."
    )
    fitted = (
        "Fitted means 99% of the training labels right, in evaluation mode on the whole set. Test labels are never "
        "corrupted; corrupted inputs are corrupted in training and test set alike."
    )
    notes = [interval, fitted, _stop_note(outcomes)]
    calculated = [o.spec.corruption for o in outcomes if o.spec.input_method and o.spec.input_method.of_quantities]
    if calculated:
        names = " and ".join(dict.fromkeys(corruption_words(name, 1.0) for name in calculated))
        names = f"{names[0].upper()}{names[1:]}"
        notes.append(f"{names} are unclamped numbers; the pictures above clip them to what a screen can show.")
    lagging = [outcome for outcome in outcomes if outcome.batch_norm]
    if lagging:
        notes.append(_batch_norm_note(lagging))
    ceiling = min(outcome.ceiling for outcome in outcomes)
    if ceiling < 1:
        notes.append(f"Identical inputs with different labels cap training accuracy, at {ceiling:.2%} or more.")
    diverged = [_run_label(outcome.spec) for outcome in outcomes if outcome.stop_reason == "non-finite loss"]
    if diverged:
        notes.append(f"Stopped because the loss was no longer finite: {_listed(diverged)}.")
    return notes


def _model_notes(study: Study, results: Results) -> list[str]:
    """What is to be said of the user's own models; they are tried again where this process has not trained them."""
    notes = []
    tried = {
        planned.task.model: (planned.task, planned.data or study.data)
        for planned in results.planned
        if isinstance(planned.task, TrainSpec)
    }
    for model, (spec, data) in tried.items():
        try:
            notes += [f"{note}." for note in probe_models([spec], data, resolve_device("auto"))]
        except UserError as error:
            notes.append(f"The outputs of {model} could not be looked at again: {error}.")
    return notes


def _data_note(data: Dataset) -> str:
    return (
        f"Data: {data.label}, {data.num_classes} classes, {len(data.train):,} training and {len(data.test):,} test "
        "examples. Training sets smaller than that are stratified subsets; each figure states its n."
    )


def _input_notes(data: Dataset, recipes: Sequence[Recipe]) -> list[str]:
    """What was done to the inputs, and why, in each way that occurs."""
    ways = dict.fromkeys(recipe.resolved(data).preprocessing for recipe in recipes)
    return [*(in_words(data, done) for done in ways), *label_copy_remarks(data)]


def _leak_notes(data: Dataset, outcomes: Sequence[TrainOutcome]) -> list[str]:
    """How many test examples are in training, where any are."""
    if not outcomes:
        return []
    most = max(outcomes, key=lambda outcome: len(outcome.test_leaked))
    if not len(most.test_leaked):
        return []
    rest = most.n_test - len(most.test_leaked)
    others = (
        f"test accuracy on the {rest:,} others is {percent(most.test_accuracy_unleaked)} instead of "
        f"{percent(most.test_accuracy)} ({_run_label(most.spec)}); results.csv has it for every run"
        if rest
        else "there is no other, and so the test set says nothing of generalization"
    )
    first = data.test.place(int(most.test_leaked[0]))
    exactly = "but for rounding" if data.kind == "vectors" else "exactly"
    note = (
        f"{len(most.test_leaked):,} of {most.n_test:,} test examples have {exactly} the input of an example that was "
        f"trained on, {first} the first. A right answer there may be memory: {others}."
    )
    return [note]


def _stop_note(outcomes: Sequence[TrainOutcome]) -> str:
    rules = {outcome.spec.stop for outcome in outcomes}
    if rules == {"at_interpolation"}:
        return (
            "Runs stop when all training labels are right, or at their limit of epochs; final accuracies are of then."
        )
    if rules == {"at_steps"}:
        return "All runs of a model take the same number of steps; final accuracies are from the last."
    return "Some runs stop at interpolation and some after a number of steps: their final accuracies do not compare."


def _whitening_notes(recipes: Sequence[Recipe]) -> list[str]:
    """What whitening leaves of crop-flip-color, where any run has both: see `byrote.data.augmentations`."""
    note = (
        "Whitening comes after crop-flip-color and undoes a part of it. Each image has its mean subtracted and is "
        "divided by its deviation, which cancels the random brightness and, on images of one channel, the random "
        "contrast (on colours only a part of that), except where pixels were clipped to the range of an image."
    )
    both = any((recipe.augmentation, recipe.preprocessing) == ("crop-flip-color", "whiten") for recipe in recipes)
    return [note] if both else []


def _batch_norm_note(outcomes: Sequence[TrainOutcome]) -> str:
    models = ", ".join(dict.fromkeys(outcome.spec.model for outcome in outcomes))
    widest = 0.0
    for outcome in outcomes:
        curve = outcome.curve
        widest = float(np.nanmax(curve["running_accuracy"] - curve["train_accuracy"], initial=widest))
    measured = f" (by up to {percent(widest, 0)} here)" if widest >= 0.01 else ""
    return (
        f"Batch norm ({models}) evaluates with running averages. On few examples they lag behind the weights, so "
        f"accuracy in evaluation mode stays below that in training mode for a while{measured}, and time to fit partly "
        "measures that lag."
    )
