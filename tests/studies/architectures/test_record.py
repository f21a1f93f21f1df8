from __future__ import annotations

import numpy as np
import pytest

from byrote.studies.architectures.record import ArchitectureRecord, record
from byrote.studies.architectures.study import ArchitectureStudy

MLP = "mlp-3x{width}"


@pytest.fixture
def found(data, make_outcome):
    """The record of an architecture that fits up to `largest` of 5, 10, 20 and 40 random labels."""

    def give(largest=40, *, seeds=1, drop=(), failed=None, unfitted_true=False):
        study = ArchitectureStudy(data=data, models=[MLP], parameters=2000, n_train=20, switches=[], seeds=seeds)
        outcomes = []
        for spec in study.tasks():
            true = spec.corruption == "true-labels"
            own = "dropout" if spec.dropout else spec.augmentation.removeprefix("none")
            kind = own if true else "random"
            if kind in drop:
                continue
            fits = not unfitted_true if true else spec.n_train <= largest
            accuracy = 0.5 + 0.01 * spec.seed + (0.1 if kind == "random-crop" else -0.1 if kind == "dropout" else 0)
            outcomes.append(
                make_outcome(
                    spec,
                    steps_to_fit=(50 if true else 100 + 10 * spec.seed) if fits else None,
                    test_accuracy=accuracy,
                    failed=("rate",) if failed is not None and kind == failed else (),
                    parameters=2017,
                )
            )
        (planned,) = study.ladders
        return record(planned, study.summarise(outcomes), seeds)

    return give


def test_what_an_architecture_comes_to(found):
    one = found(20)
    assert (one.parameters, one.tested, one.num_classes) == (2017, "1,000 test examples", 10)
    assert (one.largest_fitted, one.smallest_unfitted) == (20, 40)
    assert (one.steps_true, one.steps_random, one.relative_time_to_fit.mean) == (50, 100, 2)
    assert one.test_accuracy.mean == 0.5
    assert 0.46 < one.test_accuracy.low < 0.5 < one.test_accuracy.high < 0.54
    gains = {name: gain.mean for name, gain in one.gains.items()}
    assert gains == {
        "augmentation": pytest.approx(0.1),
        "dropout": pytest.approx(-0.1),
        "weight_decay": pytest.approx(0),
    }


def test_seeds_have_intervals_and_are_compared_one_by_one(found):
    one = found(seeds=3)
    assert one.test_accuracy.mean == pytest.approx(0.51)
    assert one.test_accuracy.n == one.relative_time_to_fit.n == 3
    assert one.relative_time_to_fit.mean == pytest.approx(2.2)
    assert one.gains["dropout"].low == pytest.approx(-0.1)


@pytest.mark.parametrize(("largest", "last", "after"), [(40, 40, None), (10, 10, 20), (3, 0, 5)])
def test_capacity_is_read_off_the_ladder(found, largest, last, after):
    one = found(largest)
    assert (one.largest_fitted, one.smallest_unfitted) == (last, after)


@pytest.mark.parametrize(("largest", "unfitted_true"), [(10, False), (40, True)])
def test_what_has_not_fitted_has_no_time(found, largest, unfitted_true):
    one = found(largest, unfitted_true=unfitted_true)
    assert np.isnan(one.relative_time_to_fit.mean)
    assert isinstance(one, ArchitectureRecord)


def test_missing_and_failed_runs_make_no_record(found):
    assert found(drop=("random",)).startswith("4 of 5 runs have not finished")
    assert "A self-check failed in 4 of 5 runs" in found(failed="random")


def test_a_regulariser_whose_runs_do_not_tell_has_no_gain(found):
    assert np.isnan(found(drop=("random-crop",)).gains["augmentation"].mean)
    assert np.isnan(found(failed="dropout").gains["dropout"].mean)


def test_without_any_run_there_is_no_record(data):
    study = ArchitectureStudy(data=data, models=[MLP], parameters=2000, switches=[])
    assert record(study.ladders[0], study.summarise([]), 1).startswith("4 of 4 runs have not finished")
