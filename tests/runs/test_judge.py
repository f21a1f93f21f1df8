"""Measures against a small zoo of real networks."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

from byrote.errors import UserError
from byrote.runs.judge import judge
from byrote.runs.run import RunsFailed, run
from byrote.runs.store import Store
from byrote.studies.judge.zoo import CONDITIONS, ZooStudy
from byrote.training.recipe import Recipe

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


def one(value):
    def measure(model, initial_state, data, outcome):
        return value

    measure.__qualname__ = measure.__name__ = f"gives_{type(value).__name__}_{len(repr(value))}"
    return measure


def writes_to_what_it_gets(model, initial_state, data, outcome):
    total = float(data.inputs.abs().sum())
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    for tensor in (data.inputs, data.labels, *model.state_dict().values(), *initial_state.values()):
        tensor.zero_()
    return total + float(torch.rand(()) > 1)


def fails_once(model, initial_state, data, outcome):
    if outcome.spec.seed == 1 and outcome.spec.corruption == "random-labels":
        raise ValueError("not this one")
    return 1.0


@pytest.fixture(scope="module")
def zoo(tiny):
    return ZooStudy(
        data=tiny,
        models=[f"mlp-1x{width}" for width in (16, 20, 24, 28, 32)],
        n_train=60,
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


@pytest.fixture(scope="module")
def few(zoo):
    """Two of the networks that `trained` holds."""
    return ZooStudy(
        data=zoo.data,
        models=list(zoo.models[:1]),
        seeds=1,
        n_train=60,
        recipe=zoo.recipe,
        conditions=CONDITIONS[:2],
        grid={},
    )


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


def test_wrong_measures_are_named(zoo, trained):
    with pytest.raises(UserError, match=r"got the measure 'colour', expected FILE\.py:NAME or one of vc"):
        judge("colour", zoo, trained)
    with pytest.raises(UserError, match="expected different ones"):
        judge(["vc", "vc"], zoo, trained)
    with pytest.raises(UserError, match="gave 'large' for mlp-1x16 on true-labels, seed 0, expected a real"):
        judge(is_no_number, zoo, trained)


@pytest.mark.parametrize("value", [True, np.float32(1), np.array([[1]]), torch.ones(1, requires_grad=True)], ids=repr)
def test_a_number_may_come_in_an_array(value, few, trained):
    assert judge(one(value), few, trained).iloc[0]["num_missing"] == 0


@pytest.mark.parametrize(
    "value", [None, "3.5", 1j, np.complex64(1), torch.ones(2), torch.tensor(1j), 10**400], ids=repr
)
def test_what_is_no_real_number_is_refused(value, few, trained):
    with pytest.raises(UserError, match=r"gave .* for mlp-1x16 on true-labels, seed 0, expected a real number"):
        judge(one(value), few, trained)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_networks_without_a_finite_value_are_counted(value, few, trained):
    row = judge(one(value), few, trained).iloc[0]
    assert (row["num_missing"], row["missing"]) == (len(few.tasks()), f"mlp-1x16: it gave {value}")


def test_a_measure_that_writes_to_what_it_gets_harms_nobody(zoo, trained):
    before = judge("distance", zoo, Store(trained.name)).iloc[0]
    trained_on = zoo.data.train.inputs.copy()
    row = judge(writes_to_what_it_gets, zoo, trained).iloc[0]
    assert row["share_larger"] == 0  # labels differ, inputs do not
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32
    assert (zoo.data.train.inputs == trained_on).all()
    assert judge("distance", zoo, trained).iloc[0]["difference"] == before["difference"]


def test_a_measure_that_fails_says_for_which_network_and_where(zoo, trained):
    with pytest.raises(RunsFailed) as caught:
        judge(fails_once, zoo, trained)
    assert re.search(
        r": measuring '.*:fails_once' of mlp-1x16 on random-labels, seed 1 failed: ValueError: not this one "
        r"\(test_judge\.py, line \d+, in fails_once\)$",
        str(caught.value),
    )
