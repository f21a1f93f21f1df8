"""Implicit regularisers on a page: the paper's Figure 2, early stopping and batch norm."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from byrote.charts.cells import accuracy_cell, half_width, points_cell, steps_cell
from byrote.charts.early_stopping import early_stopping_figure
from byrote.charts.figure import (
    MOST_POINTS,
    Figure,
    binned,
    drawn_of,
    layered,
    model_label,
    over_seeds,
    seed_sentence,
    slug,
    steps_x,
    with_dashes,
)
from byrote.charts.marks import bands
from byrote.charts.sections import Cell, PageTable, Presentation, Section, drawn
from byrote.charts.theme import DASHES
from byrote.data.corruptions.record import corruption_words
from byrote.data.dataset import Dataset
from byrote.evidence.finding import Finding
from byrote.evidence.intervals import Interval, mean_interval
from byrote.evidence.words import percent
from byrote.studies.implicit.batch_norm import LEVELS, batch_norm_pairs, steps_column
from byrote.studies.implicit.findings import Gain, Regularizer, paper_pair, runs_of
from byrote.studies.paper_numbers import is_cifar10
from byrote.studies.study import Results, Study
from byrote.training.outcome import TrainOutcome

_NORMS = ("with batch norm", "without")
_MODES = ("evaluation mode", "train mode")


def present(study: Study, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """Early stopping for each model, and batch norm for each model that has a twin without it."""
    models: dict[tuple[str, int], list[TrainOutcome]] = {}
    for outcome in results.outcomes:
        models.setdefault((outcome.spec.model, outcome.n_train), []).append(outcome)
    sections = [
        Section(
            id="early-stopping",
            number="Figure 2a",
            title="Early stopping",
            lead="Here is how much better a network would have tested had training stopped sooner. Its best on the "
            "test set is what one could hope for; what stopping early really gives is its test accuracy where it was "
            "best on validation examples.",
            figures=drawn(
                *(early_stopping_figure(runs, [run.spec.setting for run in runs]) for runs in models.values())
            ),
            table=stopping_table(table),
            note="Gain: test accuracy where validation was best, minus that of the last step. Optimism: what choosing "
            "by the test set itself would have added. Both are in points. Validation examples are a stratified part of "
            "the training set that is not trained on; their labels are true. The first of equally good moments counts.",
        )
    ]
    pairs = _pairs(table)
    if pairs:
        sections.append(
            Section(
                id="batch-norm",
                number="Figure 2b",
                title="Batch norm",
                lead="The same network is trained with and without it, for the same steps on the same batches.",
                figures=[figure for pair in pairs for figure in batch_norm_figures(results.outcomes, *pair)],
                table=batch_norm_table(table, study.data),
                note="Steps are counted until accuracy over an epoch's training batches, in train mode, had reached "
                "that; they are exact to one epoch. In evaluation mode batch norm uses running averages. On few "
                "examples they lag behind the weights, and training accuracy is then lower than in train mode.",
            )
        )
    return Presentation(headline=headline(findings), sections=sections)


def headline(findings: Sequence[Finding]) -> str:
    """What both give on the cleanest labels, in points, from runs that fitted and failed no check."""
    gains = [finding.reading for finding in findings if isinstance(finding.reading, Gain)]
    cleanest = min((gain.label_rate for gain in gains), default=0.0)
    known: dict[Regularizer, list[float]] = {"batch norm": [], "early stopping": []}
    for gain in gains:
        if gain.label_rate == cleanest and gain.mean is not None:
            known[gain.regularizer].append(gain.mean)
    parts = [f"{name} {_points_between(values)}" for name, values in known.items() if values]
    return f"Points of test accuracy: {', '.join(parts)}." if parts else "No conclusion about implicit regularisers."


def stopping_table(table: pd.DataFrame) -> PageTable:
    """A block a model, a row a rate of label corruption; means over seeds."""
    blocks: dict[str, list[list[str | Cell]]] = {}
    for _, runs in table.groupby(["model", "n_train", "corruption", "corruption_rate"], sort=False):
        first = runs.iloc[0]
        label = corruption_words(first["corruption"], first["corruption_rate"])
        intervals = {name: mean_interval(runs[name].to_numpy(np.float64)) for name in _STOPPING}
        row: list[str | Cell] = [
            Cell(label, note="" if runs["fitted"].all() else "not fitted"),
            *(accuracy_cell(intervals[name]) for name in _STOPPING[:3]),
            *(points_cell(intervals[name]) for name in _STOPPING[3:]),
            f"{first['num_validation']:,}",
            str(len(runs)),
        ]
        blocks.setdefault(model_label(first["model"], int(first["n_train"])), []).append(row)
    return PageTable(
        header=("labels", "last", "best on validation", "best on test", "gain", "optimism", "validation", "seeds"),
        spans=(("", 1), ("test accuracy", 3), ("points", 2), ("examples", 1), ("", 1)),
        blocks=blocks,
    )


_STOPPING = ("test_accuracy", "best_on_validation", "best_on_test", "early_stopping_gain", "optimism")


def batch_norm_table(table: pd.DataFrame, data: Dataset) -> PageTable:
    """A block a model and rate; accuracies and steps with and without batch norm, and the difference or ratio."""
    blocks: dict[str, list[list[str | Cell]]] = {}
    for model, twin, rate in _pairs(table):
        own, other = (runs_of(table, name, rate).set_index("seed") for name in (model, twin))
        rows: list[list[str | Cell]] = []
        for name, words in (("test_accuracy", "test accuracy"), ("train_accuracy", "train accuracy")):
            rows.append([words, *(accuracy_cell(_mean(runs, name)) for runs in (own, other))])
            rows[-1].append(
                points_cell(mean_interval((own[name] - other[name]).dropna().to_numpy(np.float64)), " points")
            )
        paper = paper_pair(model, twin) if rate == 0 and is_cifar10(data) else None
        if paper is not None:
            cells = (percent(paper[0], 2), percent(paper[1], 2), f"{100 * (paper[0] - paper[1]):+.2f} points")
            rows.insert(1, [Cell("the paper's", "quiet", "n = 50,000"), *(Cell(text, "quiet") for text in cells)])
        for level in LEVELS:
            name = steps_column(level)
            ratio = mean_interval((own[name] / other[name]).to_numpy(np.float64))
            rows.append(
                [
                    f"steps to {level:.0%} train accuracy",
                    *(steps_cell(_mean(runs, name), "not reached") for runs in (own, other)),
                    "–" if np.isnan(ratio.mean) else Cell(f"× {ratio.mean:.2f}", note=half_width(ratio, 1, 2)),
                ]
            )
        lags = [_mean(runs, "evaluation_lag") for runs in (own, other)]
        rows.append(["evaluation mode behind by up to", *(points_cell(lag, " points") for lag in lags), ""])
        label = model_label(model, int(own["n_train"].iloc[0]))
        blocks[label if rate == 0 else f"{label}, {corruption_words('partial-labels', rate)}"] = rows
    return PageTable(header=("", *_NORMS, "difference"), blocks=blocks)


def batch_norm_figures(outcomes: Sequence[TrainOutcome], model: str, twin: str, rate: float) -> list[Figure]:
    """Training accuracy in both modes, and test accuracy, against steps; means over seeds with their interval."""
    every = [
        (norm, outcome)
        for norm, name in zip(_NORMS, (model, twin), strict=True)
        for outcome in outcomes
        if outcome.spec.model == name and outcome.spec.label_rate == rate
    ]
    rows, of_how_many = drawn_of([norm for norm, _ in every])
    runs = [every[row] for row in rows]
    training = pd.concat(
        [
            curve.assign(norm=norm, mode=mode, seed=outcome.spec.seed)
            for norm, outcome in runs
            for mode, curve in zip(_MODES, (_evaluated(outcome, "train_accuracy"), _running(outcome)), strict=True)
        ],
        ignore_index=True,
    )
    testing = pd.concat(
        [_evaluated(outcome, "test_accuracy").assign(norm=norm, seed=outcome.spec.seed) for norm, outcome in runs],
        ignore_index=True,
    )
    first = runs[0][1]
    setting = "" if rate == 0 else f", {corruption_words('partial-labels', rate)}"
    stem = slug(f"{model}-{first.n_train}{setting}")
    seeds = seed_sentence(testing)
    subtitle = model_label(model, first.n_train) + setting
    train = over_seeds(training, ["norm", "mode", "step"], "accuracy", "accuracy")
    test = over_seeds(testing, ["norm", "step"], "accuracy", "accuracy")
    color = with_dashes("norm", _NORMS, _NORMS)["color"]
    return [
        Figure(
            name=f"figure-2b-train-{stem}",
            title="Training accuracy",
            caption="Train mode: over the batches of each epoch, while weights move. Evaluation mode, with the "
            f"interval if there is one: on the whole training set. {of_how_many}{seeds}",
            data=train,
            chart=_accuracy_chart(train, color, _mode_dash()),
            subtitle=subtitle,
            log_steps=True,
        ),
        Figure(
            name=f"figure-2b-test-{stem}",
            title="Test accuracy",
            caption=f"On {first.n_test:,} test examples, in evaluation mode. {of_how_many}{seeds}",
            data=test,
            chart=_accuracy_chart(test, color, with_dashes("norm", _NORMS, _NORMS)["strokeDash"]),
            subtitle=subtitle,
            log_steps=True,
        ),
    ]


def _accuracy_chart(data: pd.DataFrame, color: alt.Color, dash: alt.StrokeDash) -> alt.LayerChart:
    base = alt.Chart().encode(x=steps_x(), color=color)
    scale = alt.Scale(domain=[0, 1])  # the interval of few seeds may reach beyond
    y = alt.Y("accuracy:Q", title="accuracy", axis=alt.Axis(format=".0%"), scale=scale)
    line = base.mark_line().encode(y=y, strokeDash=dash)
    evaluated = base.transform_filter(f"datum.mode !== '{_MODES[1]}'")
    return layered(line, *bands(evaluated, y, data), data=data, height=240)


def _mode_dash() -> alt.StrokeDash:
    scale = alt.Scale(domain=_MODES, range=[DASHES[0], DASHES[2]])
    return alt.StrokeDash("mode:N", scale=scale, legend=alt.Legend(orient="bottom", symbolType="stroke"))


def _evaluated(outcome: TrainOutcome, column: str) -> pd.DataFrame:
    """Where the test set was evaluated, which runs of one study share: [step, accuracy]."""
    curve = outcome.curve
    rows = pd.DataFrame({"step": curve["step"], "accuracy": curve[column]})
    return rows[~np.isnan(curve["test_accuracy"])]


def _running(outcome: TrainOutcome) -> pd.DataFrame:
    curve = outcome.curve
    points = binned(curve["step"], curve["running_accuracy"], outcome.steps_run, MOST_POINTS)
    return pd.DataFrame(points, columns=["step", "accuracy"])


def _pairs(table: pd.DataFrame) -> list[tuple[str, str, float]]:
    """Models with their twins, and the rates that runs of both have."""
    rates = table.groupby("model", sort=False)["label_rate"].unique()
    pairs = batch_norm_pairs(list(rates.index))
    return [(first, second, float(rate)) for first, second in pairs for rate in rates[first] if rate in rates[second]]


def _mean(runs: pd.DataFrame, name: str) -> Interval:
    return mean_interval(runs[name].to_numpy(np.float64))


def _points_between(values: Sequence[float]) -> str:
    """ "+1.2", or "+0.3 to +1.2" of several."""
    ends = dict.fromkeys(f"{100 * value:+.1f}" for value in (min(values), max(values)))
    return " to ".join(ends)
