"""The scoreboard shows each measure once, with what is known of it."""

import numpy as np
import pandas as pd
import pytest
from made_up_zoo import MadeUpZoo
from presented import page_of

from byrote.studies.judge.page import cloud, scoreboard
from byrote.studies.judge.study import BASELINES, JudgeStudy, MeasureOfNetworks
from byrote.studies.study import Results
from byrote.theory.calculation import Computed
from byrote.theory.measures.catalog import MEASURES


def make_runs(seeds=3):
    kinds = (("true-labels", 0.0), ("partial-labels", 0.5), ("random-labels", 1.0))
    return pd.DataFrame(
        [
            {
                "key": f"{model}{corruption}{seed}",
                "model": model,
                "corruption": corruption,
                "corruption_rate": rate,
                "seed": seed,
                "n_train": 100,
                "n_test": 10_000,
                "n_test_effective": 10_000.0,
                "num_test_leaked": 0,
                "test_accuracy_unleaked": np.nan,
                "fitted": True,
                "failed_checks": "",
                "test_accuracy": 0.9 - 0.8 * rate,
                "generalization_gap": 0.1 + 0.8 * rate + 0.01 * seed,
                "epochs_run": 10,
            }
            for model in ("mlp-1x8", "mlp-1x16", "mlp-1x32", "mlp-1x64", "mlp-1x128")
            for corruption, rate in kinds
            for seed in range(seeds)
        ]
    )


def presented(tiny, measures, *, seeds=3, missing=""):
    runs = make_runs(seeds)
    generator = np.random.default_rng(0)
    analysis = JudgeStudy(MadeUpZoo(tiny, runs), measures)
    results = [
        Computed(
            "key",
            calculation,
            "tiny",
            {"num_missing": len(missing), "missing": missing},
            {"values": np.exp(3 * runs["corruption_rate"].to_numpy() + generator.normal(size=len(runs)))},
            1.0,
            {},
        )
        for calculation in analysis.tasks()
        if isinstance(calculation, MeasureOfNetworks)
    ]
    table = analysis.summarise(results)
    return page_of(analysis, results, table), table, analysis.values(Results.of(analysis, results))


def test_a_row_a_measure_and_three_figures_each(tiny):
    shown, table, _ = presented(tiny, ["distance", "vc"])
    figure = scoreboard(table)
    assert len(figure.data) == 3 * (2 + len(BASELINES))
    assert set(figure.data["measure"]) == {MEASURES[name].title for name in ("distance", "vc", *BASELINES)}
    assert figure.data["value"].between(-1, 1).all()
    rows = [row for block in shown.sections[0].table.blocks.values() for row in block]
    assert len(rows) == 2 + len(BASELINES)
    assert all(len(row) == len(shown.sections[0].table.header) for row in rows)
    assert shown.headline == "2 of 2 measures tell true labels from random ones."
    assert "VC dimension, Bartlett et al. 2019" in shown.notes[-1]


def test_one_measure_is_the_headline_and_has_its_cloud(tiny):
    shown, _, values = presented(tiny, ["distance"])
    assert shown.headline == "Distance from initialisation tells true labels from random ones."
    (figure,) = shown.sections[1].figures
    assert figure.name == "cloud-distance"
    assert len(figure.data) == len(values)
    assert figure.spec["layer"][0]["encoding"]["x"]["scale"]["type"] == "log"


def test_a_margin_is_shown_as_it_is(tiny):
    """Judged with its sign reversed, drawn without."""
    _, _, values = presented(tiny, ["margin"])
    assert (values["margin"] < 0).all()
    assert (cloud("margin", values).data["value"] > 0).all()


def test_one_seed_is_no_conclusion(tiny):
    shown, _, _ = presented(tiny, ["distance"], seeds=1)
    assert shown.headline.endswith("no conclusion.")


def test_networks_without_a_value_are_named(tiny):
    shown, _, _ = presented(tiny, ["distance"], missing="alexnet: got a layer")
    assert "has no finite value for 20 networks (alexnet: got a layer)" in shown.sections[0].note


def test_many_measures_have_no_clouds(tiny):
    names = [name for name in MEASURES if name not in BASELINES][:8]
    shown, _, _ = presented(tiny, names)
    assert [section.id for section in shown.sections] == ["scoreboard"]


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_page_can_be_drawn(tiny, seeds, tmp_path):
    from byrote.report.rendering import write_figure

    shown, _, _ = presented(tiny, ["distance"], seeds=seeds)
    for figure in shown.figures:
        write_figure(tmp_path, figure, "screen", ("svg",))
    assert {path.suffix for path in tmp_path.iterdir()} == {".svg", ".csv"}
