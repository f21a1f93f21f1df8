"""Table 2 on a page: regularisers, random labels and early stopping at the scale of ImageNet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from byrote.charts.cells import accuracy_cell
from byrote.charts.early_stopping import early_stopping_figure, evaluated
from byrote.charts.figure import model_label
from byrote.charts.sections import Cell, PageTable, Presentation, Section, drawn
from byrote.evidence.finding import Finding
from byrote.evidence.intervals import mean_interval
from byrote.evidence.learning import top_guessing
from byrote.evidence.words import percent
from byrote.models.catalog import takes_dropout
from byrote.studies.paper_numbers import PAPER, is_imagenet
from byrote.studies.study import Results, Study
from byrote.studies.table2.findings import ShareOfRandomLabels
from byrote.studies.table2.rows import MEASURES, TOP, Table2Row, published_rows
from byrote.training.outcome import TrainOutcome

_HEADINGS = ("train top-1", "train top-5", "test top-1", "test top-5", "best test top-1")
_BEST = (
    "Best is the highest top-1 accuracy on the test set at any evaluation along training. It is chosen by the test set "
    "itself, so it bounds from above what early stopping gains"
)


def present(study: Study, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """The table, beside the paper's on ImageNet and above it on other data, and test accuracy along training."""
    beside = is_imagenet(study.data)
    true: dict[tuple[str, int], list[TrainOutcome]] = {}
    for outcome in results.outcomes:
        if outcome.spec.label_rate == 0:
            true.setdefault((outcome.spec.model, outcome.n_train), []).append(outcome)
    guess = (
        "Always naming the largest class, or the five largest, gives "
        f"{_short(top_guessing(study.data.test, 1))} top-1 and {_short(top_guessing(study.data.test, TOP))} top-5 on "
        "the test set."
    )
    sections = [
        Section(
            id="table-2",
            number="Table 2",
            title="Regularisers and random labels",
            lead=f"The network is trained with and without each regulariser. {guess}",
            table=our_table(table, beside=beside),
            note=f"{_BEST}. {evaluated(results.outcomes)}" + (f" {_PAPER_NOTE}" if beside else ""),
        ),
        Section(
            id="along-training",
            number="Figure 2a",
            title="Test accuracy along training",
            lead="Labels are true, and each line is a combination of regularisers. A wide band at the end is what "
            "stopping early could have saved.",
            figures=drawn(
                *(early_stopping_figure(runs, [_regularizers(run) for run in runs]) for runs in true.values())
            ),
        ),
    ]
    if not beside:
        sections.append(
            Section(
                id="paper",
                title="The paper's Table 2",
                lead="It is there for context alone, being of another network on other data.",
                table=paper_table(),
                note=_PAPER_NOTE,
            )
        )
    return Presentation(
        headline=headline(findings),
        sections=[section for section in sections if section.figures or section.table],
        notes=[
            f"{model} takes no rate of dropout: the rows that have it are left out, and the most regularised of the "
            "others is what the network without regularisers is compared with."
            for model in table["model"].unique()
            if not takes_dropout(model)
        ],
    )


_PAPER_NOTE = (
    f"The paper's figures are those of {PAPER}, Table 2, of Inception V3 on the 1.28 million images and 1,000 classes "
    "of ImageNet."
)


def headline(findings: Sequence[Finding]) -> str:
    """How many of the random labels are fitted without regularisers; only unblemished runs say."""
    found = [finding.reading for finding in findings if isinstance(finding.reading, ShareOfRandomLabels)]
    if not found:
        return "No conclusion about random labels."
    return "; ".join(map(_fitted, found)) + "."


def _fitted(share: ShareOfRandomLabels) -> str:
    fitted = f"{share.model} fits {percent(share.train_accuracy)} of random labels"
    if share.is_far_above_chance:
        return fitted
    return f"{fitted} in {share.steps:,} steps, where guessing gets {percent(share.chance)}"


def our_table(table: pd.DataFrame, *, beside: bool) -> PageTable:
    """A block a model and kind of labels, a row a combination of regularisers; means over seeds.

    Args:
        beside: whether each accuracy has the paper's to its left.
    """
    blocks: dict[str, list[list[str | Cell]]] = {}
    by = ["model", "n_train", "corruption", "augmentation", "dropout", "weight_decay"]
    for _, runs in table.groupby(by, sort=False):
        first = runs.iloc[0]
        row = Table2Row.of(first["augmentation"], first["dropout"], first["weight_decay"])
        cells: list[str | Cell] = [row.regularizers]
        for measure in MEASURES:
            if beside:
                cells.append(Cell(percent(runs[f"paper_{measure}"].iloc[0], 2), "quiet"))
            interval = mean_interval(runs[measure].to_numpy(np.float64))
            cells.append(accuracy_cell(interval, _blemish(runs) if measure == "train_accuracy" else "", digits=2))
        label = f"{model_label(first['model'], int(first['n_train']))}, {first['corruption'].replace('-', ' ')}"
        blocks.setdefault(label, []).append([*cells, str(len(runs))])
    if not beside:
        return PageTable(header=("regularisers", *_HEADINGS, "seeds"), blocks=blocks)
    return PageTable(
        header=("regularisers", *("paper", "ours") * len(_HEADINGS), "seeds"),
        spans=(("", 1), *((heading, 2) for heading in _HEADINGS), ("", 1)),
        blocks=blocks,
    )


def paper_table() -> PageTable:
    """The paper's own figures."""
    blocks: dict[str, list[list[str | Cell]]] = {}
    for row, accuracies in published_rows().items():
        label = "random labels" if row.random_labels else "true labels"
        blocks.setdefault(label, []).append(
            [row.regularizers, *(percent(accuracies[measure], 2) for measure in MEASURES)]
        )
    return PageTable(header=("regularisers", *_HEADINGS), blocks=blocks)


def _regularizers(outcome: TrainOutcome) -> str:
    spec = outcome.spec
    return Table2Row.of(spec.augmentation, spec.dropout, spec.weight_decay).regularizers


def _blemish(runs: pd.DataFrame) -> str:
    lost = (runs["stop_reason"] == "non-finite loss").any()
    return "loss not finite" if lost else "" if runs["fitted"].all() else "not all fitted"


def _short(fraction: float) -> str:
    return f"{100 * fraction:.3g}%"
