"""Table 1 on a page: the paper's rows beside ours, as numbers, as distances, and along training."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from byrote.charts.cells import accuracy_cell
from byrote.charts.figure import (
    BANDS_IN_WORDS,
    MOST_LINES,
    Figure,
    accuracy_bands,
    drawn_of,
    layered,
    model_label,
    rounded,
    seed_sentence,
    slug,
    steps_x,
    with_dashes,
)
from byrote.charts.marks import bands, bars, by_series, estimate_tips, points, tip
from byrote.charts.sections import Cell, PageTable, Presentation, Section, drawn
from byrote.evidence.finding import Finding, FitsRandomLabels, Unregularized
from byrote.evidence.intervals import mean_interval
from byrote.evidence.words import count_of_seeds, percent
from byrote.studies.paper_numbers import CIFAR10_TRAIN, PAPER, is_cifar10
from byrote.studies.study import Results
from byrote.studies.table1.findings import runs_of
from byrote.studies.table1.rows import Condition, Table1Row, published_rows
from byrote.studies.table1.study import Table1Study
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec

REGULARIZER_LABELS = {
    Table1Row(True, True): "crop, weight decay",
    Table1Row(True, False): "crop",
    Table1Row(False, True): "weight decay",
    Table1Row(): "none",
    Table1Row(random_labels=True): "random labels",
}
"""What tables and figures call the rows, in the paper's order."""
_ROW_HEIGHT = 21
_DECIDED = (
    "An ordering of two rows is decided by the test examples that only one of the two gets right, of those that "
    "are not in training (McNemar's exact test), and with several seeds by their spread as well (Student's t): by "
    "whichever of the two is less sure. One seed leaves out how much another would change. All orderings are tested "
    "together at the 5% level (Holm)."
)


def present(study: Table1Study, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """The table beside the paper's, the same as a figure, and each model's accuracies along training."""
    beside = is_cifar10(study.data)
    by_model = [[o for o in results.outcomes if o.spec.model == model] for model in study.rows_by_model]
    return Presentation(
        headline=headline(findings),
        sections=[
            Section(
                id="table-1",
                number="Table 1",
                title="Beside the paper" if beside else "With and without regularisers",
                lead="Here are train and test accuracy with each combination of random cropping and weight decay, "
                "and on random labels with neither."
                f"{' Differences are in points, ours minus the paper.' if beside else ''}",
                table=page_table(study, table),
                note=_limits(study, table),
            ),
            Section(
                id="distances",
                title="Row by row",
                lead="The paper's accuracy and ours, joined by a dotted line: look for the order within a model."
                if beside
                else "Look for the order within a model.",
                figures=[rows_figure(study, table)],
            ),
            Section(
                id="along-training",
                title="Along training",
                lead="Here is whether train accuracy reaches the top whatever the regulariser, and where test "
                "accuracies part.",
                figures=drawn(*map(curves_figure, by_model)),
            ),
        ],
        notes=[_DECIDED],
    )


def headline(findings: Sequence[Finding]) -> str:
    """Of how many networks it is shown that regularisers are not necessary, and that they fit random labels."""
    free = [finding for finding in findings if isinstance(finding.reading, Unregularized)]
    rote = [finding.reading.fitted for finding in findings if isinstance(finding.reading, FitsRandomLabels)]
    counts = [sum(finding.outcome == "supported" for finding in free), sum(rote)]
    if counts == [len(free), len(rote)]:
        return "Networks generalise without regularisers, and fit random labels as well."
    if not any(rote) and all(finding.outcome == "no conclusion" for finding in free):
        return "No conclusion about regularisers."
    return (
        f"{counts[0]} of {len(free)} networks generalise without regularisers, {counts[1]} of {len(rote)} fit random "
        "labels."
    )


def page_table(study: Table1Study, table: pd.DataFrame) -> PageTable:
    """A block a model, a row each of its rows, run or not; means over seeds."""
    paper = published_rows() if is_cifar10(study.data) else {}
    blocks: dict[str, list[list[str | Cell]]] = {}
    for model, rows in study.rows_by_model.items():
        own = table[table["model"] == model]
        heading = model
        if len(own):
            heading = (
                f"{model_label(model, int(own['n_train'].iloc[0]))}, {count_of_seeds(len(study.seed_list), '1 seed')}"
            )
        blocks[heading] = [_cells((model, row), runs_of(own, (model, row)), bool(paper)) for row in rows]
    if not paper:
        return PageTable(header=("regularisers", "train", "test"), blocks=blocks)
    return PageTable(
        header=("regularisers", *("paper", "ours", "difference") * 2),
        spans=(("", 1), ("train accuracy", 3), ("test accuracy", 3)),
        blocks=blocks,
    )


def _cells(condition: Condition, runs: pd.DataFrame, beside: bool) -> list[str | Cell]:
    cells: list[str | Cell] = [REGULARIZER_LABELS[condition[1]]]
    published = published_rows().get(condition)
    for split in ("train", "test"):
        interval = mean_interval(runs[f"{split}_accuracy"].to_numpy(np.float64))
        ours = accuracy_cell(interval, _blemish(runs) if split == "train" else "", digits=2)
        if beside:
            theirs = getattr(published, f"{split}_accuracy") if published else np.nan
            difference = runs[f"{split}_difference"].mean()
            signed = "–" if np.isnan(difference) else f"{difference:+.2f}"
            cells += [Cell(percent(theirs / 100, 2), "quiet"), ours, signed]
        else:
            cells.append(ours)
    return cells


def _blemish(runs: pd.DataFrame) -> str:
    if runs.empty:
        return "not run"
    if (runs["failed_checks"] != "").any():
        return "failed a check"
    if (runs["stop_reason"] == "non-finite loss").any():
        return "loss not finite"
    return "" if runs["fitted"].all() else "not fitted"


def _limits(study: Table1Study, table: pd.DataFrame) -> str:
    fewer = sorted(set(table["n_train"]) - {len(study.data.train)})
    words = []
    if is_cifar10(study.data):
        words.append(f"The paper's figures are those of {PAPER}, Table 1, on 50,000 images.")
        if fewer:
            words.append(
                f"Ours on {' and '.join(f'{n:,}' for n in fewer)} cannot reach its level of test accuracy: fewer "
                "examples are easier to fit and harder to generalise from. The order can agree."
            )
    return " ".join([*words, "All rows of a model were trained for the same number of steps."])


def rows_figure(study: Table1Study, table: pd.DataFrame) -> Figure:
    """Test accuracy of every row, the paper's and ours joined by a line; a block a model."""
    paper = published_rows() if is_cifar10(study.data) else {}
    places: list[str] = []
    rows = []
    for model, own in study.rows_by_model.items():
        places.append(model)
        for row in own:
            place = f"{model}: {REGULARIZER_LABELS[row]}"
            places.append(place)
            fields = {"model": model, "row": REGULARIZER_LABELS[row], "place": place}
            if published := paper.get((model, row)):
                theirs = {"source": "paper", "test_accuracy": published.test_accuracy / 100, "n_train": CIFAR10_TRAIN}
                rows.append(fields | theirs)
            runs = runs_of(table, (model, row))
            if len(runs):
                interval = mean_interval(runs["test_accuracy"].to_numpy(np.float64))
                ends = {"low": interval.low, "high": interval.high, "seeds": interval.n}
                ours = {"source": "ours", "test_accuracy": interval.mean, "n_train": int(runs["n_train"].iloc[0])}
                rows.append(fields | ours | ends | {"all_fitted": bool(runs["fitted"].all())})
    data = rounded(pd.DataFrame(rows, columns=[*fields, *ours, *ends, "all_fitted"]))
    sources = [source for source in ("paper", "ours") if source in set(data["source"])]
    is_model = " || ".join(f"datum.value === '{model}'" for model in study.rows_by_model)
    base = alt.Chart().encode(
        y=alt.Y(
            "place:N",
            title=None,
            scale=alt.Scale(domain=places),
            axis=alt.Axis(
                labelExpr="split(datum.value, ': ')[1] || datum.value",
                labelFontWeight=alt.condition(is_model, alt.value("bold"), alt.value("normal")),
                labelLimit=170,
                grid=False,
            ),
        )
    )
    axis = alt.Axis(format=".0%", tickCount=5, grid=True)
    x = alt.X("test_accuracy:Q", title="test accuracy", scale=alt.Scale(domain=[0, 1]), axis=axis)
    joined = (
        base.transform_aggregate(lowest="min(test_accuracy)", highest="max(test_accuracy)", groupby=["place"])
        .mark_rule(strokeDash=[2, 3])
        .encode(x="lowest:Q", x2="highest:Q")
    )
    tips = [tip("place", "row"), tip("source"), *estimate_tips("test_accuracy", "test accuracy", ".2%")]
    ours_and_theirs = points(
        base,
        x,
        [*tips, tip("n_train", "n", ","), tip("seeds")],
        filled="datum.all_fitted !== false",
        **by_series("source", sources),
    )
    layers = [joined, *bars(base, x, data), ours_and_theirs]
    hollow = " Hollow: not fitted." if (data["all_fitted"] == False).any() else ""  # noqa: E712
    sizes = ", ".join(f"{n:,} ({', '.join(own['model'].unique())})" for n, own in table.groupby("n_train"))
    return Figure(
        name="table-1-rows",
        title="Test accuracy",
        subtitle="",
        caption=f"Our n: {sizes}.{hollow} {seed_sentence(table)}",
        data=data,
        chart=layered(*layers, data=data, height=_ROW_HEIGHT * len(places)),
    )


def curves_figure(outcomes: Sequence[TrainOutcome]) -> Figure | None:
    """Train and test accuracy of one model's rows along training, at each full evaluation; None without any."""
    rows, of_how_many = drawn_of([_row_of(outcome.spec) for outcome in outcomes])
    curves = [_curve(outcomes[row]) for row in rows]
    data = rounded(pd.concat(curves, ignore_index=True)) if curves else pd.DataFrame()
    if data.empty:
        return None
    many = max(data.groupby("row")["seed"].nunique()) > MOST_LINES
    seeds = seed_sentence(data)
    if many:
        found = [accuracy_bands(curves, "row", f"{split}_accuracy") for split in ("train", "test")]
        data = found[0][["row", "step", "runs", "train_accuracy"]].merge(found[1], on=["row", "step", "runs"])
    names = [label for label in REGULARIZER_LABELS.values() if label in set(data["row"])]
    encodings = with_dashes("row", list(REGULARIZER_LABELS.values()), names)
    picked = alt.selection_point(fields=["row"], bind="legend", name="picked")
    base = alt.Chart().encode(x=steps_x(), **({} if many else {"detail": "seed:N"}), **encodings)
    train = base.mark_line(strokeWidth=1).encode(
        y=_accuracy("train_accuracy"), opacity=alt.condition(picked, alt.value(0.75), alt.value(0.08))
    )
    test = base.mark_line(strokeWidth=2.6).encode(
        y=_accuracy("test_accuracy"), opacity=alt.condition(picked, alt.value(0.95), alt.value(0.08))
    )
    band = bands(base, _accuracy("test_accuracy"), data) if many else []
    first = outcomes[0]
    return Figure(
        name=f"table-1-{slug(first.spec.model)}",
        title=first.spec.model,
        subtitle=f"n = {first.n_train:,}",
        caption="Thin: train accuracy, on the labels trained on. Thick: test accuracy. They were evaluated after "
        f"{len(curves[0])} of {first.epochs_run:,} epochs. {BANDS_IN_WORDS + ' ' if many else ''}{of_how_many}{seeds}",
        data=data,
        chart=layered(*band, train, test.add_params(picked), data=data, height=260),
        log_steps=True,
    )


def _accuracy(field: str) -> alt.Y:
    scale = alt.Scale(domain=[0, 1])
    return alt.Y(f"{field}:Q", title="accuracy", scale=scale, axis=alt.Axis(format=".0%"))


def _curve(outcome: TrainOutcome) -> pd.DataFrame:
    spec, curve = outcome.spec, outcome.curve
    names = ["step", "train_accuracy", "test_accuracy"]
    evaluated = pd.DataFrame({name: curve[name] for name in names}).dropna()
    return evaluated.assign(row=REGULARIZER_LABELS[_row_of(spec)], seed=spec.seed)[["row", "seed", *names]]


def _row_of(spec: TrainSpec) -> Table1Row:
    return Table1Row(spec.augmentation != "none", spec.weight_decay > 0, spec.label_rate == 1)
