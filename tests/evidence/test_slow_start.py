from functools import partial

import numpy as np
import pytest

from byrote.data.corruptions.record import Corruption
from byrote.evidence.slow_start import FALL, WINDOW, slow_start_columns
from byrote.training.spec import TrainSpec

LABELS = np.repeat(np.arange(10), 4)
CHANCE = np.log(10)
RANDOM = (Corruption(name="random-labels"),)


@pytest.fixture
def unfitted(make_outcome):
    """Outcomes of networks whose losses alone tell when they have started."""
    return partial(make_outcome, steps_to_fit=None)


def columns(outcomes, labels=LABELS):
    return slow_start_columns(outcomes, labels, 10)


@pytest.mark.parametrize("waiting", [0, 7, 30])
def test_a_loss_starts_to_fall_when_its_mean_over_the_window_has_fallen(unfitted, waiting):
    losses = np.concatenate([np.full(waiting, CHANCE), np.zeros(60)])
    # From `waiting` on, each step takes 1/WINDOW of the level off the mean.
    expected = max(WINDOW, waiting + np.ceil(FALL * WINDOW))
    assert columns([unfitted(TrainSpec(model="m"), losses=losses)])["steps_to_start"] == [expected]


def test_the_window_counts_steps_not_rows(unfitted):
    outcome = unfitted(TrainSpec(model="m"), losses=np.r_[np.full(6, CHANCE), np.zeros(4)])
    outcome.early["step"][:] = np.arange(10, 110, 10)
    assert columns([outcome])["steps_to_start"] == [70]


def test_the_curve_continues_where_the_early_record_ends(unfitted):
    outcome = unfitted(TrainSpec(model="m"), losses=np.full(50, CHANCE))
    outcome.curve["step"][:] = 400
    assert columns([outcome])["steps_to_start"] == [400]


@pytest.mark.parametrize("loss", [CHANCE, 5.0, np.nan])
def test_a_loss_that_does_not_fall_below_chance_never_starts(unfitted, loss):
    outcome = unfitted(TrainSpec(model="m"), losses=np.r_[9.0, np.full(49, loss)])
    outcome.curve["train_loss"][:] = loss
    assert np.isnan(columns([outcome])["steps_to_start"]).all()


def test_learning_class_frequencies_is_no_start(unfitted):
    labels = np.r_[np.zeros(91, dtype=np.int64), np.arange(1, 10)]
    entropy = -0.91 * np.log(0.91) - 0.09 * np.log(0.01)
    true = unfitted(TrainSpec(model="m"), losses=np.full(50, entropy))
    true.curve["train_loss"][:] = entropy
    random = unfitted(TrainSpec(model="m", corruptions=RANDOM), losses=np.full(50, entropy))
    starts = columns([true, random], labels)["steps_to_start"]
    assert np.isnan(starts[0])
    assert starts[1] == WINDOW


def test_squared_error_has_its_own_level(unfitted):
    spec = TrainSpec(model="m", loss="squared-error")
    levels = {loss: unfitted(spec, losses=np.full(50, loss)) for loss in (0.80, 0.82)}
    for outcome in levels.values():
        outcome.curve["train_loss"][:] = 0.9  # of the level 1 - sum p² = 0.9
    starts = columns(list(levels.values()))["steps_to_start"]
    assert starts[0] == WINDOW
    assert np.isnan(starts[1])


def test_gradients_are_compared_over_the_steps_before_random_labels_start(unfitted):
    true = unfitted(TrainSpec(model="m"), losses=np.full(50, 0.1))
    true.early["gradient_norm"][:] = np.arange(1, 51)
    random = unfitted(TrainSpec(model="m", corruptions=RANDOM), losses=np.r_[np.full(28, CHANCE), np.zeros(22)])
    other_seed = unfitted(TrainSpec(model="m", seed=1))
    found = columns([true, random, other_seed])
    assert found["steps_to_start"][1] == 30
    assert found["early_gradient_norm"][:2] == [np.mean(np.arange(1, 31)), 1.0]
    assert found["initial_gradient_norm"][0] == np.mean(np.arange(1, WINDOW + 1))
    assert found["early_gradient_cosine"][0] == pytest.approx(0.5)
    assert np.isnan(found["early_gradient_norm"][2])


def test_a_row_weighs_as_many_steps_as_it_stands_for(unfitted):
    outcome = unfitted(TrainSpec(model="m", corruptions=RANDOM), losses=np.full(3, CHANCE))
    outcome.early["step"][:] = [1, 10, 20]
    outcome.early["gradient_norm"][:] = [0.0, 1.0, 2.0]
    assert columns([outcome])["early_gradient_norm"] == [pytest.approx((9 * 1 + 10 * 2) / 20)]


def test_no_early_record_leaves_the_curve(unfitted):
    found = columns([unfitted(TrainSpec(model="m", dense_steps=0), losses=np.zeros(0))])
    assert found["steps_to_start"] == [50]
    assert np.isnan(found["initial_gradient_norm"]).all()


@pytest.mark.parametrize("steps", [1, 3])
def test_a_run_shorter_than_the_window_starts_with_an_epoch(make_outcome, steps):
    """Two steps an epoch, say, and fitted after eighteen: no window is ever full."""
    outcome = make_outcome(TrainSpec(model="m"), losses=np.linspace(CHANCE, 0.1, 18), steps_to_fit=18)
    ends = np.arange(steps, 19, steps)
    outcome.curve["step"], outcome.curve["train_loss"] = ends.astype(float), np.linspace(CHANCE, 0.1, 18)[ends - 1]
    (start,) = columns([outcome])["steps_to_start"]
    assert start == ends[outcome.curve["train_loss"] <= (1 - FALL) * CHANCE][0] <= 6


def test_a_network_that_has_fitted_has_started(make_outcome):
    """Dropout keeps the loss in train mode where it is."""
    outcome = make_outcome(TrainSpec(model="m"), losses=np.full(50, CHANCE), steps_to_fit=70)
    outcome.curve["train_loss"][:] = CHANCE
    assert columns([outcome])["steps_to_start"] == [70]
