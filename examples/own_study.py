"""A study of your own, from nothing to a page: does a wider network fit random labels in fewer steps?

    byrote run examples/own_study.py:WidthStudy --data digits        (or python examples/own_study.py)

Trains four widths on random labels of 300 digits, with each seed, and writes byrote-widthstudy/report.html with one
figure and one finding: half a minute on two cores. Run it again, and nothing is trained twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import pandas as pd

import byrote

WIDTHS = (16, 32, 64, 128)


@dataclass(frozen=True, eq=False)
class WidthStudy(byrote.Study):
    data: byrote.Dataset
    seeds: int = 3

    name = "widths"
    title = "Width and time to fit"

    def plan(self) -> list[byrote.Planned]:
        noise = (byrote.Corruption(name="random-labels"),)
        recipe = {"corruptions": noise, "n_train": 300, "preprocessing": "standardize", "learning_rate": 0.1}
        return [
            byrote.Planned(byrote.TrainSpec(model=f"mlp-1x{width}", seed=seed, **recipe), labels={"width": width})
            for width in WIDTHS
            for seed in range(self.seeds)
        ]

    def summarise(self, results: Sequence[byrote.TrainOutcome]) -> pd.DataFrame:
        return byrote.tabulate(self.name, results)

    def verdict(self, table: pd.DataFrame) -> list[byrote.Finding]:
        claim = "Wider networks fit random labels in fewer steps"
        steps = table.pivot(index="seed", columns="width", values="steps_to_fit")
        if steps.shape != (self.seeds, len(WIDTHS)) or steps.isna().any(axis=None):
            return [byrote.Finding(claim, "no conclusion", "Some runs are missing or have not fitted.")]
        fewer = (steps.diff(axis=1).iloc[:, 1:] < 0).all(axis=1)
        told = f"With {fewer.sum()} of {self.seeds} seeds, each doubling of the width took fewer steps."
        # Four widths come in one of 24 orders: by chance alone, all of two seeds are in this one once in 576 times.
        decided = "supported" if fewer.all() and self.seeds >= 2 else "no conclusion"
        return [byrote.Finding(claim, decided, told)]

    def page(self, results: byrote.Results, table: pd.DataFrame, findings: list[byrote.Finding]) -> byrote.Presentation:
        data = table[["width", "seed", "steps_to_fit"]].dropna()
        base = alt.Chart().encode(x=alt.X("width:O"), y=alt.Y("steps_to_fit:Q", title="steps to fit"))
        chart = alt.layer(base.mark_point(), base.mark_line().encode(y="mean(steps_to_fit):Q"), data=data)
        figure = byrote.Figure("widths", "Steps to fit", f"n = 300, {self.seeds} seeds", "Line: mean.", data, chart)
        lead = "Each point is a network on random labels, up to the step at which it had fitted 99% of them."
        section = byrote.Section(id="widths", title="Time to fit", lead=lead, figures=[figure])
        return byrote.Presentation(findings[0].statement, [section])


if __name__ == "__main__":
    study = WidthStudy(byrote.load("digits"))
    for finding in byrote.write_report("widths.html", study, byrote.run(study, store="widths.db")):
        print(f"{finding.claim}: {finding.outcome}. {finding.statement}")
