"""What is said of a measure, from tables where it is known."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_zoo import MadeUpZoo

from byrote.errors import UserError
from byrote.studies.judge.study import BASELINES, JudgeStudy, MeasureOfNetworks, find_measure
from byrote.theory.calculation import Computed
from byrote.theory.measures.measure import Measure
from byrote.training.spec import TrainSpec

MODELS = ("mlp-1x8", "mlp-1x16", "mlp-1x32", "mlp-1x64", "mlp-1x128")


def make_runs(seeds=3, fitted=True):
    rows = [
        {
            "key": f"{model}{corruption}{seed}",
            "model": model,
            "corruption": corruption,
            "corruption_rate": float(corruption == "random-labels"),
            "seed": seed,
            "n_train": 100,
            "n_test": 10_000,
            "n_test_effective": 10_000.0,
            "num_test_leaked": 0,
            "test_accuracy_unleaked": np.nan,
            "fitted": fitted,
            "failed_checks": "",
            "test_accuracy": 0.9 - 0.8 * (corruption == "random-labels") - 0.05 * (model == "mlp-1x8"),
            "generalization_gap": 0.1 + 0.8 * (corruption == "random-labels") + 0.05 * (model == "mlp-1x8"),
            "epochs_run": 10,
            "stop": "at_interpolation",
            "stop_reason": "interpolated" if fitted else "epochs",
            "learning_rate": 0.01,
        }
        for model in MODELS
        for corruption in ("true-labels", "random-labels")
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


def judged(tiny, values, measure="distance", runs=None):
    runs = make_runs() if runs is None else runs
    analysis = JudgeStudy(MadeUpZoo(tiny, runs), [measure])
    constant = {name: np.ones(len(runs)) for name in BASELINES}
    results = [
        Computed(
            "key",
            c,
            "tiny",
            {"num_missing": 0, "missing": ""},
            {"values": (constant | {measure: values})[c.measure]},
            1.0,
            {},
        )
        for c in analysis.tasks()
        if isinstance(c, MeasureOfNetworks)
    ]
    return analysis, results


def test_baselines_are_always_compared_with(tiny):
    zoo = MadeUpZoo(tiny, make_runs())
    tasks = JudgeStudy(zoo, ["vc"]).tasks()
    assert tasks[:30] == zoo.tasks()
    plan = tasks[30:]
    assert all(calculation.reads == tuple(zoo.tasks()) for calculation in plan)
    assert [calculation.measure for calculation in plan] == ["vc", *BASELINES]
    assert len({calculation.key(tiny) for calculation in plan}) == len(plan)


def test_the_key_is_that_of_the_networks(tiny):
    one, other = (MeasureOfNetworks.of("vc", [TrainSpec(model=name) for name in names]) for names in ("ab", "ac"))
    assert one.key(tiny) != other.key(tiny)


def test_a_measure_that_grows_with_the_gap_is_supported(tiny):
    analysis, results = judged(tiny, make_runs()["generalization_gap"].to_numpy())
    (finding,) = analysis.verdict(analysis.summarise(results))
    assert finding.outcome == "supported"
    assert (
        "Of 15 pairs that differ in their labels alone, both fitted, it is larger on random labels in 100%"
        in finding.statement
    )
    assert "(95% interval over 5 configurations and 3 seeds, of this measure by itself: +0.7" in finding.statement
    assert "Kendall's tau +1.00" in finding.statement


def test_networks_are_ranked_by_their_gap_on_unseen_examples(tiny):
    runs = make_runs()
    gaps = runs["generalization_gap"].to_numpy()
    before, leaking = (
        JudgeStudy.summarise(*judged(tiny, gaps, runs=each))
        for each in (
            runs,
            # As many again are in training, and right where the others are wrong.
            runs.assign(
                num_test_leaked=10_000,
                n_test=20_000,
                n_test_effective=20_000.0,
                test_accuracy_unleaked=runs["test_accuracy"],
                test_accuracy=0.5,
                generalization_gap=runs["test_accuracy"] + gaps - 0.5,
            ),
        )
    )
    assert (before["tau"][0], before["granulated"][0]) == pytest.approx((1, 1))
    pd.testing.assert_frame_equal(before, leaking)


def test_one_that_does_not_is_not_supported(tiny):
    analysis, results = judged(tiny, np.ones(30))
    (finding,) = analysis.verdict(analysis.summarise(results))
    assert finding.outcome == "not supported"
    assert "It is the same for all networks" in finding.statement


def test_margins_are_turned_round(tiny):
    analysis, results = judged(tiny, -make_runs()["generalization_gap"].to_numpy(), "margin")
    (finding,) = analysis.verdict(analysis.summarise(results))
    assert finding.outcome == "supported"


@pytest.mark.parametrize(
    ("runs", "why"),
    [(make_runs(1), "Three seeds would tell."), (make_runs(fitted=False), "count once they do: try `--epochs 20`")],
)
def test_too_little_is_no_conclusion(tiny, runs, why):
    analysis, results = judged(tiny, np.arange(len(runs), dtype=float), runs=runs)
    (finding,) = analysis.verdict(analysis.summarise(results))
    assert finding.outcome == "no conclusion"
    assert why in finding.statement


def test_the_users_measure_is_found_or_refused(tmp_path):
    source = tmp_path / "own.py"
    source.write_text("def my_norm(model, initial_state, data, outcome):\n    return 1.0\n\nLIST = []\n")
    found = find_measure(f"{source}:my_norm")
    assert isinstance(found, Measure)
    assert found.title == "my norm"
    with pytest.raises(UserError, match=r"expected a function \(model, initial_state, data, outcome\)"):
        find_measure(f"{source}:LIST")


@pytest.mark.parametrize(
    "takes", ["model", "model, initial_state, data", "model, initial_state, data, outcome, extra", "*, model"]
)
def test_a_measure_that_takes_other_arguments_is_refused_by_name(takes, tmp_path):
    source = tmp_path / "mine.py"
    source.write_text(f"def mine({takes}):\n    return 1.0\n")
    with pytest.raises(
        UserError, match=r"mine\.py:mine', which takes \(.*expected a function .model, initial_state, data"
    ):
        find_measure(f"{source}:mine")


@pytest.mark.parametrize("takes", ["*given", "model, initial_state, data, outcome, extra=1", "a, b, c, d, **more"])
def test_a_measure_that_takes_more_than_it_must_is_one(takes, tmp_path):
    source = tmp_path / "mine.py"
    source.write_text(f"def mine({takes}):\n    return 1.0\n")
    assert find_measure(f"{source}:mine").function


@pytest.mark.parametrize("takes", ["outcome, data, initial_state, model", "net, data, initial_state, outcome"])
def test_a_measure_that_takes_them_in_another_order_is_refused(takes, tmp_path):
    source = tmp_path / "mine.py"
    source.write_text(f"def mine({takes}):\n    return 1.0\n")
    with pytest.raises(
        UserError, match=r"expected these arguments in the order \(model, initial_state, data, outcome\)"
    ):
        find_measure(f"{source}:mine")


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("return 'large'", "mine gave 'large' for mlp-1x8 on true-labels, seed 0, expected a real number"),
        (
            "return undefined_name",
            r"measuring '.*mine' .* failed: NameError: name 'undefined_name' .*line 3",
        ),
        ("return outcome.steps_to_fit / 2 + data.labels.sum()", None),
        ("return (outcome.test_accuracy - 2) ** 0.5 if outcome.steps_run > 1 else math.sqrt(-1)", None),
    ],
)
def test_what_gives_no_number_is_found_before_anything_is_trained(does, told, tiny, tmp_path):
    """What it makes of a network of one step, taken for one that has fitted; numbers out of range may pass later."""
    source = tmp_path / "own.py"
    source.write_text(f"import math\ndef mine(model, initial_state, data, outcome):\n    {does}\n")
    measuring = MeasureOfNetworks.of(f"{source}:mine", [TrainSpec(model="mlp-1x8")])
    with pytest.raises(UserError, match=told) if told else nullcontext():
        measuring.refuse(tiny, "cpu")


def test_networks_that_are_left_out_are_told_where_there_is_a_conclusion_too(tiny):
    runs = make_runs()
    values = runs["generalization_gap"].to_numpy().copy()
    values[0] = np.inf
    analysis, results = judged(tiny, values, runs=runs)
    results[0] = replace(results[0], values={"num_missing": 1, "missing": "mlp-1x8: it gave inf"})
    (finding,) = analysis.verdict(analysis.summarise(results))
    assert finding.outcome == "supported"
    assert "It has no finite value for 1 network (mlp-1x8: it gave inf)." in finding.statement
