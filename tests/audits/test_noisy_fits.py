import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.tree import DecisionTreeClassifier

from byrote.audits.estimators import EstimatorSubject
from byrote.audits.networks import NetworkSubject
from byrote.audits.noisy_fits import (
    NOISE_INPUTS,
    condition_of,
    largest_fit,
    longer,
    noise_inputs,
    noisy_fits,
    of_condition,
    redrawn_labels,
)
from byrote.audits.reading import read_material
from byrote.evidence.noise_ladder import HALF, RATES
from byrote.runs.store import Store
from byrote.training.recipe import Recipe


def test_labels_are_redrawn_with_a_chance_and_nested():
    labels = np.arange(4000) % 10
    half, fifth = redrawn_labels(labels, 10, 0.5, 0), redrawn_labels(labels, 10, 0.2, 0)
    assert (redrawn_labels(labels, 10, 0.0, 0) == labels).all()
    assert (half != labels).mean() == pytest.approx(0.45, abs=0.03)
    assert (half[fifth != labels] == fifth[fifth != labels]).all()
    assert (redrawn_labels(labels, 10, 0.5, 1) != half).any()


def test_an_estimator_is_fitted_on_them(tiny):
    material = read_material(tiny)
    fits, why_not = noisy_fits(EstimatorSubject(DecisionTreeClassifier(), material), material, material.train, 2)
    assert why_not == ""
    assert [len(of_condition(fits, condition_of(rate))) for rate in RATES] == [2, 2, 2]
    assert all(fit.is_fitted for fit in fits)
    half = of_condition(fits, condition_of(HALF))[0]
    changed = half.given != half.true
    assert (half.train[changed] == half.given[changed]).all()
    assert len(of_condition(fits, NOISE_INPUTS)) == 1


def test_identical_rows_leave_a_ceiling():
    x, y = np.repeat(np.arange(50.0), 2)[:, None], np.arange(100) % 2
    material = read_material((x, y), test=(x, y))
    fits, _ = noisy_fits(EstimatorSubject(DecisionTreeClassifier(), material), material, material.train, 1)
    true = fits[0]
    assert true.ceiling == 0.5
    assert true.is_fitted


@pytest.fixture(scope="module")
def network(tiny, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("audit") / "runs.db")
    return NetworkSubject("mlp-1x64", read_material(tiny), store, learning_rate=0.1)


@pytest.mark.slow
def test_a_networks_are_runs_of_the_randomisation_test(network, tiny):
    rows = network._material.train
    fits, why_not = noisy_fits(network, network._material, rows, 2)
    assert why_not == ""
    (half, other) = of_condition(fits, condition_of(HALF))
    assert (half.given == redrawn_labels(rows.labels, 10, HALF, 0)).all()
    assert (other.given == redrawn_labels(rows.labels, 10, HALF, 1)).all()
    assert half.accuracy == 1.0
    assert half.steps_to_fit > of_condition(fits, condition_of(0.0))[0].steps_to_fit
    assert of_condition(fits, condition_of(0.0))[0].test.shape == tiny.test.labels.shape


def test_a_network_that_has_not_fitted_says_what_to_try(network):
    short = NetworkSubject("mlp-1x64", network._material, network.store, epochs=1)
    _, why_not = noisy_fits(short, network._material, network._material.train, 2)
    assert why_not.count("try `--epochs 2`") == 1


def test_networks_get_more_epochs_on_random_labels():
    assert longer(Recipe(epochs=10, validation=0.1)) == Recipe(epochs=30)
    assert longer(Recipe(steps=50)) == Recipe(steps=50)


def test_the_largest_n(tiny):
    material = read_material(tiny)
    stump = EstimatorSubject(DecisionTreeClassifier(max_leaf_nodes=12), material)
    found = largest_fit(stump, material, material.train)
    assert 10 <= found.n < 40
    assert found.tried == 121
    assert largest_fit(EstimatorSubject(DummyClassifier(), material), material, material.train).n is None


@pytest.mark.slow
def test_the_largest_n_of_a_network(network):
    small = NetworkSubject("mlp-1x2", network._material, network.store, epochs=20, learning_rate=0.1)
    found = largest_fit(small, network._material, network._material.train)
    assert found.n is None or found.n < 121


def test_noise_inputs_have_the_same_columns_and_no_structure(tiny):
    material = read_material(tiny)
    noise = noise_inputs(material, material.train)
    assert noise.inputs.shape == material.train.inputs.shape
    assert noise.inputs.mean() == pytest.approx(material.train.inputs.mean(), rel=0.05)
    table = pd.DataFrame({"a": np.arange(40.0), "b": list("xy") * 20, "y": [0, 1] * 20})
    material = read_material(table, label="y")
    noise = noise_inputs(material, material.train)
    assert sorted(noise.inputs["a"]) == sorted(material.train.inputs["a"])
    assert (noise.inputs["a"].to_numpy() != material.train.inputs["a"].to_numpy()).any()
    assert list(noise.inputs.dtypes) == list(material.train.inputs.dtypes)
