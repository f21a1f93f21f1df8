"""Measures against a small zoo of real networks."""

from __future__ import annotations

import pytest
import torch

from byrote.errors import UserError
from byrote.runs.calculate import CalculationsFailed
from byrote.runs.judge import StoredNetworks, judge
from byrote.runs.run import run
from byrote.runs.store import Store
from byrote.studies.judge.zoo import CONDITIONS, ZooStudy
from byrote.training.spec import Recipe

calls: list[str] = []


def knows_the_labels(model, initial_state, data, outcome):
    """Larger on random labels, by looking at the answer."""
    calls.append(outcome.key)
    assert set(initial_state) == set(model.state_dict())
    assert not model.training
    assert model(data.inputs).argmax(1).eq(data.labels).double().mean().item() == pytest.approx(outcome.train_accuracy)
    return float(outcome.spec.label_rate) + 0.001 * outcome.spec.seed


def is_no_number(model, initial_state, data, outcome):
    return "large"


@pytest.fixture(scope="module")
def zoo(tiny):
    return ZooStudy(
        data=tiny,
        models=[f"mlp-1x{width}" for width in (16, 20, 24, 28, 32)],
        seeds=3,
        recipe=Recipe(epochs=200, learning_rate=0.05, batch_size=16, preprocessing="standardize"),
        conditions=CONDITIONS[:3],
        grid={},
    )


@pytest.fixture(scope="module")
def trained(zoo, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("zoo") / "runs.db")
    run(zoo, store, keep_weights=True)
    return store


def test_functions_and_names_are_judged_by_the_same_code(zoo, trained):
    table = judge([knows_the_labels, "parameters", "distance"], zoo, trained).set_index("measure")
    own = next(name for name in table.index if name.endswith(":knows_the_labels"))
    assert table.loc[own, "tells"] is True or table.loc[own, "tells"] == True  # noqa: E712
    assert not table.loc["parameters", "tells"]
    assert table.loc["distance", "tells"]
    assert {"steps-to-fit", "early-loss"} <= set(table.index)
    assert table.loc[own, "num_pairs"] == 15


def test_a_measure_that_was_judged_is_not_computed_again(zoo, trained):
    judge(knows_the_labels, zoo, trained)
    calls.clear()
    judge([knows_the_labels], zoo, trained)
    assert calls == []


def test_networks_come_with_the_weights_they_had(zoo, trained):
    outcomes = run(zoo, trained, keep_weights=True)
    (network,) = StoredNetworks(trained, (outcomes[0].key,))()
    assert network.key == outcomes[0].key
    assert network.initial_state is not None
    assert network.final_state is not None
    assert set(network.initial_state) == set(network.final_state)
    assert any(not torch.equal(weights, network.final_state[name]) for name, weights in network.initial_state.items())


def test_wrong_measures_are_named(zoo, trained):
    with pytest.raises(UserError, match=r"got the measure 'colour', expected FILE\.py:NAME or one of vc"):
        judge("colour", zoo, trained)
    with pytest.raises(UserError, match="expected different ones"):
        judge(["vc", "vc"], zoo, trained)
    with pytest.raises(CalculationsFailed, match="gave 'large' for mlp-1x16 on true-labels, expected a number"):
        judge(is_no_number, zoo, trained)
