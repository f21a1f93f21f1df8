import math
from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Split
from byrote.theory.calculation import Context, compute
from byrote.theory.memorizers.built_network import BuiltNetwork


@pytest.mark.parametrize(
    ("construction", "weights", "units"),
    [("two-layer", 2 * 100 + 64, 100), ("deep", 2 * 100 + 64 + 5, 105), ("hyperplanes", 4 * 3 * 66, 12)],
)
def test_every_construction_has_all_random_labels_right(construction, weights, units, tiny):
    stages = []
    calculation = BuiltNetwork(construction=construction, n_train=100)
    values = compute(calculation, tiny, Context(on_stage=lambda *stage: stages.append(stage))).values
    assert (values["n"], values["d"], values["num_classes"]) == (100, 64, 10)
    assert values["accuracy"] == 1
    assert values["largest_error"] < 1e-6
    assert values["num_units"] == units or construction == "hyperplanes"
    assert values["num_weights"] == weights or construction == "hyperplanes"
    assert values["num_connections"] >= values["num_weights"]
    assert {stage for stage, _ in stages} == {"building", "forward pass"}
    assert calculation.label == f"{construction}, n = 100, seed 0"


def test_the_dense_form_of_two_layers_copies_the_direction_into_each_unit(tiny):
    values = compute(BuiltNetwork(construction="two-layer", n_train=20), tiny).values
    assert values["num_connections"] == 20 * (64 + 2)


def test_memorised_true_labels_are_tried_on_the_test_set(tiny):
    values = compute(BuiltNetwork(construction="two-layer", n_train=121), tiny).values
    assert 0 <= values["test_accuracy_true_labels"] < 0.6
    assert "test_accuracy_true_labels" not in compute(BuiltNetwork(construction="deep", n_train=20), tiny).values


def test_true_labels_that_contradict_each_other_leave_no_test_accuracy(tiny):
    inputs, labels = tiny.train.inputs[[0, 0, 1]], np.array([1, 2, 3])
    twice = replace(tiny, train=Split.clean(inputs, labels))
    values = compute(BuiltNetwork(construction="two-layer", n_train=3), twice).values
    assert values["n"] == 2
    assert math.isnan(values["test_accuracy_true_labels"])


def test_test_examples_that_were_memorised_do_not_count(tiny):
    """Of a test set that holds the training set too, the others alone do."""
    calculation, name = BuiltNetwork(construction="two-layer", n_train=121), "test_accuracy_true_labels"
    both = [
        np.concatenate([getattr(split, each) for split in (tiny.train, tiny.test)]) for each in ("inputs", "labels")
    ]
    leaked = replace(tiny, test=Split.clean(*both))
    assert compute(calculation, leaked).values[name] == compute(calculation, tiny).values[name]
    assert math.isnan(compute(calculation, replace(tiny, test=tiny.train)).values[name])


def test_one_point_is_a_network_too(tiny):
    for construction in ("two-layer", "deep", "hyperplanes"):
        assert compute(BuiltNetwork(construction=construction, n_train=1), tiny).values["accuracy"] == 1
