"""Table 4 on a page: random labels with each regulariser beside the paper's, and against weight decay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import altair as alt
import numpy as np
import pandas as pd

from byrote.charts.cells import accuracy_cell
from byrote.charts.figure import Figure, layered, model_label, rounded, seed_sentence, slug
from byrote.charts.marks import bars, by_series, dotted, estimate_tips, points, tip
from byrote.charts.sections import Cell, PageTable, Presentation, Section, Tone, drawn
from byrote.evidence.chance import chance_of
from byrote.evidence.finding import Finding
from byrote.evidence.intervals import mean_interval
from byrote.evidence.words import count_of_seeds, percent
from byrote.studies.paper_numbers import PAPER, is_cifar10
from byrote.studies.study import Results
from byrote.studies.table4.convergence import Ending
from byrote.studies.table4.findings import TOGETHER, ending_of
from byrote.studies.table4.rows import Condition, published_rows, runs_of, words
from byrote.studies.table4.study import Table4Study

_TONES: dict[Ending, Tone] = {"fits": "", "converges without fitting": "unsure", "does not converge": "bad"}
_ENDINGS = (
    "Does not converge: over the last tenth of the steps it was given, the training loss is not finite, or at most 10% "
    "below that of the best constant prediction. Converges without fitting: the loss is lower, but never were 99% of "
    "the labels right. The paper gives no definition. With several seeds the worst of them counts."
)
_CROSS = "M-0.8,-0.8L0.8,0.8M0.8,-0.8L-0.8,0.8"
_PREVENTS = (
    "The strongest weight decay is said to keep a network from fitting within its steps only where no seed of at least "
    "three fits, and the loss has settled (less than 5% lower in the last tenth of the steps than in the tenth before) "
    "after at least twice the steps that the network takes without. That a network cannot fit is never said."
)


def present(study: Table4Study, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """The table beside the paper's, and a figure a model of train accuracy against weight decay."""
    beside = is_cifar10(study.data)
    return Presentation(
        headline=headline(findings),
        sections=[
            Section(
                id="table-4",
                number="Table 4",
                title="Random labels with regularisers",
                lead="Here is train accuracy on random labels, without augmentation when measured: what each network "
                "memorises with each regulariser.",
                table=page_table(study, table),
                note=f"{PAPER}, Table 4, on 50,000 images; its weight decay is not stated. Failed: to converge."
                if beside
                else "",
            ),
            Section(
                id="weight-decay",
                title="How much weight decay it takes",
                lead="Drawn is train accuracy on random labels against weight decay, 0 at the left end: where a "
                "network stops fitting, and where it stops converging.",
                figures=drawn(*(weight_decay_figure(study, model, table) for model in study.model_names)),
            ),
        ],
        notes=[_ENDINGS, _PREVENTS],
    )


def headline(found: Sequence[Finding]) -> str:
    """Whether regularisers of the usual strength keep networks from fitting random labels."""
    claims = [finding.claim for finding in found]
    if TOGETHER not in claims:
        return "No regulariser of the usual strength was tried."
    tried = [finding.outcome for finding in found[: claims.index(TOGETHER)]]
    if fitted := tried.count("supported"):
        return (
            "Explicit regularisers do not keep networks from fitting random labels."
            if fitted == len(tried)
            else f"{fitted} of {len(tried)} regularised networks fit random labels; the others support no conclusion."
        )
    return "No conclusion about regularisers and random labels."


def page_table(study: Table4Study, table: pd.DataFrame) -> PageTable:
    """A block a model, a row each of its regularisers, run or not; means over seeds."""
    beside = is_cifar10(study.data)
    blocks: dict[str, list[list[str | Cell]]] = {}
    for model in study.model_names:
        own = table[table["model"] == model]
        heading = model
        if len(own):
            steps = f"{int(own['steps_run'].max()):,} steps"
            n_train = int(own["n_train"].iloc[0])
            heading = f"{model_label(model, n_train)}, {steps}, {count_of_seeds(len(study.seed_list), '1 seed')}"
        blocks[heading] = [
            _cells(model, condition, runs_of(own, model, condition), beside) for condition in study.conditions(model)
        ]
    return PageTable(
        header=("regulariser", *(("paper", "ours") if beside else ("train accuracy",)), "outcome"),
        blocks=blocks,
    )


def _cells(model: str, condition: Condition, runs: pd.DataFrame, beside: bool) -> list[str | Cell]:
    interval = mean_interval(runs["train_accuracy"].to_numpy(np.float64))
    cells: list[str | Cell] = [words(condition), accuracy_cell(interval, digits=2)]
    if beside:
        published = published_rows().get((model, condition))
        failed = published is not None and np.isnan(published)
        cells.insert(1, Cell("failed" if failed else percent((published or np.nan) / 100, 2), "quiet"))
    if runs.empty:
        return [*cells, Cell("not run", "quiet")]
    ending, is_unsound = ending_of(runs), (runs["failed_checks"] != "").any()
    return [*cells, Cell(ending, _TONES[ending], note="failed a check" if is_unsound else "")]


def weight_decay_figure(study: Table4Study, model: str, table: pd.DataFrame) -> Figure | None:
    """Train accuracy of one model on random labels against weight decay; None without runs."""
    rows = []
    for augmentation, decay in study.conditions(model):
        runs = runs_of(table, model, (augmentation, decay))
        if augmentation == "none" and len(runs):
            interval = mean_interval(runs["train_accuracy"].to_numpy(np.float64))
            rows.append(
                {
                    "model": model,
                    "weight_decay": decay,
                    "train_accuracy": interval.mean,
                    "low": interval.low,
                    "high": interval.high,
                    "seeds": interval.n,
                    "ending": ending_of(runs),
                    "chance": chance_of(runs),
                }
            )
    if not rows:
        return None
    data = rounded(pd.DataFrame(rows))
    positive = data.loc[data["weight_decay"] > 0, "weight_decay"]
    own = table[table["model"] == model]
    looks = by_series("model", study.model_names, ("color", "fill"), legend=None)
    base = alt.Chart().encode(
        x=alt.X(
            "weight_decay:Q",
            title="weight decay",
            # Zero stands left of the weakest by log 3, as a third of that would on a logarithmic axis.
            scale=alt.Scale(type="symlog", constant=positive.min() / 2 if len(positive) else 1, nice=False, padding=10),
            axis=alt.Axis(
                values=data["weight_decay"].tolist(),
                labelExpr="datum.value === 0 ? '0' : format(datum.value, '~e')",
                labelOverlap="greedy",
            ),
        ),
        color=looks.pop("color"),
    )
    y = alt.Y("train_accuracy:Q", title="train accuracy", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%"))
    endings = list(get_args(Ending))
    by_ending = alt.Scale(domain=endings, range=["circle", "circle", _CROSS])
    looks["shape"] = alt.Shape("ending:N", scale=by_ending, legend=None)
    tips = [
        *(tip("weight_decay", "weight decay", "~e"), tip("ending", "outcome")),
        *(*estimate_tips("train_accuracy", "train accuracy", ".2%"), tip("seeds")),
    ]
    layers = [
        dotted(y="mean(chance):Q"),
        base.mark_line().encode(y=y),
        *bars(base, y, data),
        points(base, y, tips, filled=f"datum.ending === '{endings[0]}'", **looks),
    ]
    return Figure(
        name=f"table-4-{slug(model)}",
        title=model,
        subtitle=f"n = {int(own['n_train'].iloc[0]):,}, {int(own['steps_run'].max()):,} steps",
        caption=f"Filled: fits. Hollow: converges without fitting. Cross: does not converge. Dotted: guessing. "
        f"{seed_sentence(own)}",
        data=data,
        chart=layered(*layers, data=data, height=220),
    )
