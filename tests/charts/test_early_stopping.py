from __future__ import annotations

import numpy as np
import pytest

from byrote.charts.early_stopping import early_stopping_figure
from byrote.charts.early_stopping import evaluated as density
from byrote.charts.figure import MOST_LINES
from byrote.evidence.early_stopping import MOMENTS
from byrote.training.spec import TrainSpec

SPEC = TrainSpec(model="net", validation=0.125)


@pytest.fixture
def figure(evaluated):
    def draw(specs=(SPEC,), **fields):
        runs = [evaluated(spec, **fields) for spec in specs]
        return early_stopping_figure(runs, [f"seed {spec.seed}" for spec in specs])

    return draw


def test_every_evaluation_is_drawn_with_the_best_so_far(figure) -> None:
    drawn = figure(every=3)
    assert drawn.name == "figure-2a-net-56"
    assert drawn.data["epoch"].tolist() == [3, 6, 9, 12]
    assert (drawn.data["best_so_far"] >= drawn.data["test_accuracy"]).all()
    (values,) = drawn.spec["datasets"].values()
    assert len(values) == 4
    assert {layer["encoding"]["x"]["scale"]["type"] for layer in drawn.spec["layer"]} == {"log"}  # the button says so
    assert "Evaluated after 4 of 12 epochs on 64 test examples. One seed: no interval." in drawn.caption


def test_each_run_has_three_moments(figure) -> None:
    data = figure([SPEC, SPEC.model_copy(update={"seed": 1})]).data
    assert data.groupby("seed")[list(MOMENTS)].sum().to_numpy().tolist() == [[1, 1, 1]] * 2
    at = {moment: data.loc[data[moment], "epoch"].iloc[0] for moment in MOMENTS}
    assert at == {"best_on_test": 6, "best_on_validation": 7, "last": 12}


def test_without_validation_two_moments_are_marked(figure) -> None:
    assert "best_on_validation" not in str(figure([TrainSpec(model="net")]).spec["layer"])
    assert "best_on_validation" in str(figure().spec["layer"])


def test_without_evaluations_there_is_nothing_to_draw(evaluated) -> None:
    run = evaluated(SPEC)
    run.curve["test_accuracy"][:] = np.nan
    assert early_stopping_figure([run], ["true labels"]) is None


def test_runs_of_different_density_are_told_apart(evaluated) -> None:
    runs = [evaluated(SPEC), evaluated(SPEC, every=4)]
    assert density(runs) == "Evaluated after 3 of 12 or 12 of 12 epochs on 64 test examples."


def test_of_many_runs_the_mean_is_drawn_with_a_band(evaluated) -> None:
    runs = [evaluated(SPEC.model_copy(update={"seed": seed})) for seed in range(MOST_LINES + 1)]
    drawn = early_stopping_figure(runs, ["true labels"] * len(runs))
    assert drawn.data["runs"].unique().tolist() == [len(runs)]
    assert len(drawn.data) == 12
    assert (drawn.data["low"] <= drawn.data["test_accuracy"]).all()
    assert "means over all runs alike, and the bands of test accuracy span 80% of them" in drawn.caption
    assert "21 seeds." in drawn.caption
