from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from trained_at_once import training_context

from byrote.studies.largest_n.calculations import LargestN, Probe, geometric_grid
from byrote.theory.calculation import Context, compute
from byrote.theory.complexity.bits import memorised_bits
from byrote.training.engine import train
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec


@pytest.mark.parametrize(("least", "most"), [(10, 1437), (2, 12), (10, 10), (10, 7), (1, 2)])
def test_the_grid_is_geometric_and_ends_with_all(least, most):
    grid = geometric_grid(least, most)
    assert grid[-1] == most
    assert grid == sorted(set(grid))
    assert grid[0] >= min(least, most)
    if len(grid) > 1:
        assert grid[0] < 1.2 * least + 1
        assert all(after < 1.3 * before for before, after in pairwise(grid) if before > 5)
    if least >= 10:
        assert all(grid[index] == pytest.approx(2 * grid[index - 4], abs=1.5) for index in range(4, len(grid)))


@pytest.fixture(scope="module")
def outcome(tiny):
    """Of a run of one step, whose figures tests replace."""
    (trained,) = train((TrainSpec(model="mlp-1x2", stop="at_steps", steps=1),), tiny)
    return trained


@pytest.fixture
def capacity(tiny, outcome):
    """A made-up model whose accuracy on n random labels is given: the calculation's result, and what it tried."""

    def make(accuracy, draws=3, **fields):
        tried = []

        def runs(specs, data, *, weights=False, stage=""):
            n = specs[0].n_train
            assert stage == f"n = {n}"
            tried.append((n, [spec.seed for spec in specs], specs[0].epochs))
            right = accuracy(n)
            curve = {"running_accuracy": np.linspace(0, right, 101)}
            stop = "interpolated" if right == 1 else "epochs"
            own = {"train_accuracy": right, "ceiling": 1.0, "curve": curve, "parameters": 100, "stop_reason": stop}
            return (replace(outcome, **own) for _ in specs)

        fields = {"model": "made-up", "recipe": Recipe(epochs=10, batch_size=8), "n_train": 121} | fields
        return compute(LargestN(draws=draws, **fields), tiny, Context(runs=runs)), tried

    return make


@pytest.mark.parametrize("last", range(11, 121, 5))
def test_bisection_finds_the_last_that_fits(capacity, last):
    computed, tried = capacity(lambda n: 1.0 if n <= last else 0.5)
    grid = geometric_grid(10, 121)
    assert computed.values["largest_n"] == max(n for n in grid if n <= last)
    assert computed.values["next_n"] == min(n for n in grid if n > last)
    assert computed.values["next_accuracy"] == 0.5
    assert computed.values["next_stop"] == "epochs"
    assert computed.values["next_gain"] == pytest.approx(0.1)
    assert len(tried) == len({n for n, _, _ in tried}) <= 9
    np.testing.assert_array_equal(computed.arrays["n"], sorted(n for n, _, _ in tried))


def test_every_n_gets_as_many_steps_and_the_same_draws(capacity):
    _, tried = capacity(lambda n: 1.0, seed=2)
    assert {tuple(seeds) for _, seeds, _ in tried} == {(6, 7, 8)}
    assert {n: epochs for n, _, epochs in tried}[121] == 10
    assert all(epochs * -(-n // 8) >= 10 * 15 for n, _, epochs in tried)


def test_if_all_are_fitted_there_is_no_end(capacity):
    computed, _ = capacity(lambda n: 1.0)
    values = computed.values
    assert values["largest_n"] == 121
    assert np.isnan([values["next_n"], values["next_accuracy"], values["bits_growth"]]).all()
    assert values["bits"] == pytest.approx(memorised_bits(121, 0.0, 10))
    assert values["bits_per_parameter"] == pytest.approx(values["bits"] / 100)


def test_if_none_is_fitted_there_is_no_beginning(capacity):
    computed, _ = capacity(lambda n: 0.3)
    assert np.isnan(computed.values["largest_n"])
    assert computed.values["next_n"] == geometric_grid(10, 121)[0]


def test_the_curve_of_bits_goes_on_beyond_the_capacity(capacity):
    """As a memory of 20 labels would have it."""
    computed, _ = capacity(lambda n: min(1.0, 20 / n + 0.1))
    beyond = computed.arrays["n"] > computed.values["next_n"]
    assert beyond.sum() >= 2
    assert computed.values["bits_growth"] < 1.1
    assert computed.values["bits"] == computed.arrays["bits"].max()
    assert computed.values["bits_n"] == computed.arrays["n"][computed.arrays["bits"].argmax()]


def test_fitted_is_a_mean_over_draws_of_what_identical_inputs_leave(outcome):
    def probe(*accuracies, ceiling=1.0):
        runs = [replace(outcome, train_accuracy=right, ceiling=ceiling) for right in accuracies]
        return Probe(50, tuple(runs))

    assert probe(1.0, 0.98).fitted
    assert not probe(1.0, 0.97).fitted
    assert probe(0.96, ceiling=0.96).fitted


def test_a_real_network_ends_somewhere(tiny):
    recipe = Recipe(preprocessing="standardize", learning_rate=0.05, batch_size=64, epochs=40)
    small = LargestN(model="mlp-1x3", recipe=recipe, n_train=60, draws=2)
    computed = compute(small, replace(tiny, title="digits"), training_context())
    values = computed.values
    assert values["next_n"] < 60
    assert values["parameters"] == 65 * 3 + 4 * 10
    assert values["failed_checks"] == ""
    assert computed.arrays["accuracy"].shape == (values["num_probes"], 2)
    assert 0 < values["bits"] < 60 * np.log2(10)
    assert small.label == "mlp-1x3, up to n = 60, seed 0"
