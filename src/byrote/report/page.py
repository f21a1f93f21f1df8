"""Outcomes of a study -> one self-contained HTML page, with the table and the figures beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import jinja2
import numpy as np
import pandas as pd
import vl_convert

from byrote.data.corruptions import CORRUPTIONS
from byrote.errors import UserError
from byrote.report.answers import percent
from byrote.report.examples import example_rows
from byrote.report.figures import Figure, condition_label, setting_label
from byrote.report.presentations import presentation
from byrote.report.sections import Presentation
from byrote.report.theme import DARK, FONT, LIGHT, Style, vega_config
from byrote.studies.design import regularizers
from byrote.studies.statistics import mean_interval
from byrote.studies.study import Study
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec

Format = Literal["svg", "png", "pdf"]

# Without a container to fill, a chart is as wide as a column of text.
_FILE_WIDTH = 640
_SLIDE_HEIGHT = 440


@runtime_checkable
class Failure(Protocol):
    """A run that raised: `byrote.runs` makes them."""

    @property
    def spec(self) -> TrainSpec: ...

    @property
    def trace(self) -> str: ...


def write_report(
    path: str | Path,
    study: Study,
    outcomes: Sequence[TrainOutcome],
    *,
    command: str = "",
    failures: Sequence[Failure] = (),
    style: Style = "screen",
    formats: Sequence[Format] = ("svg",),
) -> None:
    """Writes `path` (report.html; a folder takes that name), and beside it results.csv and figures/.

    The page holds all it shows and forbids the browser every request. Each figure is also a file in each of `formats`,
    with the data it draws as .csv.

    Args:
        command: what the user typed, shown as it is.
        failures: runs that raised; the page shows their traces.
        style: "slides" for large type, one chart a slide when printed.

    Raises:
        UserError: there is no outcome to report.
    """
    if not outcomes:
        raise UserError("got no finished run, expected at least one to report: run the study first")
    path = Path(path)
    if path.is_dir():
        path /= "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    table = study.summarise(outcomes)
    table.to_csv(path.with_name("results.csv"), index=False)
    shown = presentation(study, outcomes, table)
    for figure in shown.figures:
        _write_figure(path.parent / "figures", figure, style, formats)
    path.write_text(_page(study, outcomes, table, shown, command, failures, style), encoding="utf-8")


def environment() -> jinja2.Environment:
    """Templates of this package: all text is escaped, and a name that is not given is an error."""
    loader = jinja2.PackageLoader("byrote.report")
    made = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["percent"] = percent
    made.globals.update(
        css_light=LIGHT.css(),
        css_dark=DARK.css(),
        font=FONT,
        vega=_vega,
    )
    return made


@cache
def _vega() -> str:
    """Vega, Vega-Lite and vega-embed, as one script that needs no other."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def theme(style: Style) -> dict[str, dict[str, object]]:
    """What charts.js colours charts with."""
    return {"light": vega_config(LIGHT, style), "dark": vega_config(DARK, style)}


def _write_figure(folder: Path, figure: Figure, style: Style, formats: Sequence[Format]) -> None:
    folder.mkdir(exist_ok=True)
    figure.data.to_csv(folder / f"{figure.name}.csv", index=False)
    spec = json.dumps(
        {**figure.spec, "width": _FILE_WIDTH, "title": {"text": figure.title, "subtitle": figure.subtitle}}
    )
    config: Any = {**vega_config(LIGHT, style), "title": {"anchor": "start", "fontWeight": "normal", "offset": 12}}
    for kind in formats:
        convert = getattr(vl_convert, f"vegalite_to_{kind}")
        drawn = convert(spec, config=config, **({"scale": 2} if kind == "png" else {}))
        (folder / f"{figure.name}.{kind}").write_bytes(drawn.encode() if isinstance(drawn, str) else drawn)


def _page(
    study: Study,
    outcomes: Sequence[TrainOutcome],
    table: pd.DataFrame,
    shown: Presentation,
    command: str,
    failures: Sequence[Failure],
    style: Style,
) -> str:
    return (
        environment()
        .get_template("page.html.jinja")
        .render(
            study=study,
            style=style,
            theme=theme(style),
            shown=shown,
            chart_of=lambda figure: _chart(figure, style),
            corruptions=CORRUPTIONS,
            examples=example_rows(study.data, [outcome.spec for outcome in outcomes]),
            results=_results(table),
            num_runs=len(table),
            num_seeds=table["seed"].nunique(),
            failed_checks=_failed_checks(outcomes, table),
            passed_checks=_passed_checks(outcomes),
            notes=[*_notes(study, outcomes), *shown.notes],
            findings=study.verdict(table),
            command=command,
            environments=_distinct(outcome.environment for outcome in outcomes),
            recipes=_recipes(outcomes),
            failures=[(_run_label(failure.spec), failure.trace) for failure in failures],
        )
    )


def _chart(figure: Figure, style: Style) -> dict[str, Any]:
    return {**figure.spec, "height": _SLIDE_HEIGHT} if style == "slides" else figure.spec


def _run_label(spec: TrainSpec) -> str:
    return f"{spec.model}, {condition_label(spec)}, seed {spec.seed}"


def _results(table: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """A block a model, in it a row a condition: means over its seeds with their intervals."""
    blocks: dict[str, list[dict[str, Any]]] = {}
    means = ("train_accuracy", "test_accuracy", "generalization_gap", "epochs_to_fit", "steps_to_fit")
    setting, own = ["corruption", "corruption_rate"], ["augmentation", "dropout", "weight_decay"]
    for _, runs in table.groupby(["model", "n_train", *setting, *own], sort=False):
        first = runs.iloc[0]
        seeds = runs["seed"].nunique()
        row = {
            "setting": ", ".join(filter(None, [setting_label(*first[setting]), regularizers(*first[own])])),
            "fitted": int(runs["fitted"].sum()),
            "runs": len(runs),
            "stop": ", ".join(runs["stop_reason"].unique()),
            "failed_checks": "; ".join(sorted(set(runs["failed_checks"]) - {""})),
            **{name: mean_interval(runs[name].to_numpy(np.float64)) for name in means},
        }
        block = f"{first['model']}, n = {first['n_train']:,}, {seeds} seed{'s' if seeds > 1 else ''}"
        blocks.setdefault(block, []).append(row)
    return blocks


def _failed_checks(outcomes: Sequence[TrainOutcome], table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Run, check and detail: the runs' own, then those that the study found by comparing runs."""
    own = [
        (_run_label(outcome.spec), check.name, check.detail) for outcome in outcomes for check in outcome.failed_checks
    ]
    known = {(run, name) for run, name, _ in own}
    runs = {outcome.key: _run_label(outcome.spec) for outcome in outcomes}
    compared = [
        (runs[key], name, "This shows when the runs of the study are compared.")
        for key, names in zip(table["key"], table["failed_checks"], strict=True)
        for name in filter(None, names.split("; "))
        if (runs[key], name) not in known
    ]
    return own + compared


def _passed_checks(outcomes: Sequence[TrainOutcome]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (_run_label(outcome.spec), [(check.name, check.detail) for check in outcome.checks if check.passed])
        for outcome in outcomes
    ]


def _distinct(records: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    return [dict(items) for items in dict.fromkeys(tuple(sorted(record.items())) for record in records)]


def _recipes(outcomes: Sequence[TrainOutcome]) -> list[tuple[str, dict[str, Any]]]:
    """The recipe of each model, without what differs between its runs and what is not set."""
    recipes: dict[str, list[dict[str, Any]]] = {}
    for outcome in outcomes:
        recipe = outcome.spec.model_dump(mode="json", exclude={"model", "corruptions", "seed", "n_train"})
        recipes.setdefault(f"{outcome.spec.model} (n = {outcome.n_train:,})", []).append(recipe)
    return [
        (model, {k: v for k, v in runs[0].items() if v not in (None, []) and all(run[k] == v for run in runs)})
        for model, runs in recipes.items()
    ]


def _notes(study: Study, outcomes: Sequence[TrainOutcome]) -> list[str]:
    seeds = len({outcome.spec.seed for outcome in outcomes})
    data = (
        f"Data: {study.data.label}, {study.data.num_classes} classes, {len(study.data.train):,} training and "
        f"{len(study.data.test):,} test examples. Training sets smaller than that are stratified subsets; "
        "each figure states its n."
    )
    interval = (
        "One seed: no interval. Another seed would give other figures."
        if seeds == 1
        else f"{seeds} seeds; ± and bars are 95% intervals of the mean over seeds (Student's t)."
    )
    fitted = (
        "Fitted means 99% of the training labels right, in evaluation mode on the whole set. Test labels are never "
        "corrupted; corrupted inputs are corrupted in training and test set alike."
    )
    notes = [data, interval, fitted, _stop_note(outcomes)]
    if any("gaussian" in outcome.spec.corruption for outcome in outcomes):
        notes.append("Gaussian inputs are unclamped numbers; the pictures above clip them to what a screen can show.")
    lagging = [outcome for outcome in outcomes if outcome.batch_norm]
    if lagging:
        notes.append(_batch_norm_note(lagging))
    ceiling = min(outcome.ceiling for outcome in outcomes)
    if ceiling < 1:
        notes.append(f"Identical inputs with different labels cap training accuracy, at {ceiling:.2%} or more.")
    diverged = [_run_label(outcome.spec) for outcome in outcomes if outcome.stop_reason == "non-finite loss"]
    if diverged:
        notes.append(f"Stopped because the loss was no longer finite: {'; '.join(diverged)}.")
    return notes


def _stop_note(outcomes: Sequence[TrainOutcome]) -> str:
    rules = {outcome.spec.stop for outcome in outcomes}
    if rules == {"at_interpolation"}:
        return (
            "Runs stop when all training labels are right, or at their limit of epochs; final accuracies are of then."
        )
    if rules == {"at_steps"}:
        return "All runs of a model take the same number of steps; final accuracies are from the last."
    return "Some runs stop at interpolation and some after a number of steps: their final accuracies do not compare."


def _batch_norm_note(outcomes: Sequence[TrainOutcome]) -> str:
    models = ", ".join(dict.fromkeys(outcome.spec.model for outcome in outcomes))
    lags = np.concatenate([outcome.curve["running_accuracy"] - outcome.curve["train_accuracy"] for outcome in outcomes])
    widest = np.nanmax(lags, initial=0.0)
    measured = f" (by up to {percent(widest, 0)} here)" if widest >= 0.01 else ""
    return (
        f"Batch norm ({models}) evaluates with running averages. On few examples they lag behind the weights, so "
        f"accuracy in evaluation mode stays below that in training mode for a while{measured}, and time to fit partly "
        "measures that lag."
    )
