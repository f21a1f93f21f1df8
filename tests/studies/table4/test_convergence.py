import numpy as np
import pytest

from byrote.data.corruptions.record import Corruption
from byrote.studies.table4.convergence import convergence_columns
from byrote.training.outcome import CURVE_COLUMNS
from byrote.training.spec import TrainSpec

SPEC = TrainSpec(model="a", corruptions=(Corruption(name="random-labels"),))
LABELS = np.repeat(np.arange(10), 4)
LN10 = np.log(10)


@pytest.fixture
def column(make_outcome):
    """A column for a run with this training loss after each of its epochs."""

    def read(name, losses, **fields):
        losses = np.asarray(losses, dtype=float)
        curve = {column: np.full(len(losses), np.nan) for column in CURVE_COLUMNS}
        curve |= {"step": 10.0 * np.arange(1, len(losses) + 1), "train_loss": losses}
        outcome = make_outcome(SPEC, **({"steps_to_fit": None, "curve": curve} | fields))
        (value,) = convergence_columns([outcome], LABELS, 10)[name]
        return value

    return read


@pytest.mark.parametrize(
    ("last", "fields", "ending"),
    [
        (0.01, {"steps_to_fit": 50}, "fits"),
        (1.0, {}, "converges without fitting"),
        (0.89 * LN10, {}, "converges without fitting"),
        (0.91 * LN10, {}, "does not converge"),
        (50.0, {}, "does not converge"),
        (np.nan, {}, "does not converge"),
        (np.inf, {}, "does not converge"),
        (1.0, {"stop_reason": "non-finite loss"}, "does not converge"),
    ],
)
def test_how_a_run_ends_is_in_its_last_losses(column, last, fields, ending):
    assert column("ending", [LN10] * 18 + [last] * 2, **fields) == ending


def test_the_level_is_that_of_the_labels_trained_on(column, make_outcome):
    assert column("loss_at_chance", [1.0]) == pytest.approx(LN10)
    skewed = np.repeat([0, 1], [36, 4])
    true = make_outcome(TrainSpec(model="a"))
    assert convergence_columns([true], skewed, 10)["loss_at_chance"] == [
        pytest.approx(-0.9 * np.log(0.9) - 0.1 * np.log(0.1))
    ]


@pytest.mark.parametrize(
    ("losses", "settled"),
    [
        ([2.0] * 16 + [1.0, 1.0, 0.96, 0.96], True),
        ([2.0] * 16 + [1.0, 1.0, 0.94, 0.94], False),
        ([2.0] * 16 + [1.0, 1.0, 1.5, 1.5], True),
        ([2.0, 1.0], False),
        ([1.0, 1.0], True),
        ([2.0, np.nan], True),
        ([1.0], False),
    ],
)
def test_a_run_has_settled_once_its_loss_no_longer_falls(column, losses, settled):
    assert column("settled", losses) is settled


def test_the_final_loss_is_the_mean_of_the_last_tenth(column):
    assert column("final_loss", [9.0] * 18 + [1.0, 2.0]) == 1.5
    assert column("final_loss", [9.0, 4.0]) == 4.0
