from __future__ import annotations

import numpy as np
import pytest

from byrote.data.corruptions.application import corrupt
from byrote.data.subsets import half_rows
from byrote.errors import UserError
from byrote.evidence.intervals import newcombe
from byrote.studies.memorization.halves import (
    STACK,
    answers_of,
    networks_for_width,
    refuse_networks,
    spec_of_half,
    widest_interval,
)
from byrote.training.engine import train
from byrote.training.recipe import Recipe


@pytest.mark.parametrize("networks", [0, 8, 17])
def test_networks_come_in_whole_stacks(networks):
    with pytest.raises(UserError, match=f"got networks={networks}, expected a multiple of 16"):
        refuse_networks(networks)


def test_no_interval_is_wider_than_asked_for():
    for width in (0.5, 0.2, 0.1):
        networks = networks_for_width(width)
        each = np.full(networks // 2 + 1, networks / 2)
        hits = np.arange(networks // 2 + 1)
        for other in (0, networks // 4, networks // 2):
            low, high = newcombe(hits, each, np.full_like(each, other), each)
            assert (high - low).max() <= width
        assert widest_interval(networks - STACK) > width
    assert networks_for_width(0.1) == 1536


@pytest.mark.parametrize("width", [0.0, -1.0, 1.5])
def test_a_width_is_a_share(width):
    with pytest.raises(UserError, match=f"got width={width:g}, expected how wide"):
        networks_for_width(width)


def test_what_networks_say_is_put_where_its_examples_are(tiny):
    noisy = corrupt(tiny, "partial-labels", rate=0.5)
    recipe = Recipe(steps=5, learning_rate=0.1)
    outcomes = list(train([spec_of_half(recipe, "mlp-1x8", each, 3) for each in range(4)], noisy, device="cpu"))
    by_number = sorted(outcomes, key=lambda outcome: outcome.spec.half)
    found = answers_of(by_number, noisy)
    assert found.inside.sum(axis=1).tolist() == [60] * 4
    for place, outcome in enumerate(by_number):
        trained, others = half_rows(noisy.train.labels, place, 3)
        assert found.inside[place, trained].all()
        right = outcome.left_out_predictions == noisy.train.labels[others]
        np.testing.assert_array_equal(found.right[place, others], right)
        np.testing.assert_array_equal(found.margins[place, trained], outcome.train_margins)
        np.testing.assert_array_equal(found.margins[place, others], outcome.left_out_margins)
        assert right[outcome.left_out_margins > 0].all()
        assert found.right[place, trained].mean() == outcome.train_accuracy
        assert found.test_right[place].mean() == outcome.test_accuracy


def test_a_pair_is_left_out_where_a_loss_blew_up(tiny):
    recipe = Recipe(steps=5, learning_rate=0.1)
    specs = [spec_of_half(recipe, "mlp-1x8", each, 0) for each in range(4)]
    specs[1] = specs[1].model_copy(update={"learning_rate": 1e30})
    outcomes = sorted(train(specs, tiny, device="cpu"), key=lambda outcome: outcome.spec.half)
    assert outcomes[1].stop_reason == "non-finite loss"
    assert len(answers_of(outcomes, tiny).inside) == 2
