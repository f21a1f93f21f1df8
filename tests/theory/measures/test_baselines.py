import math

import numpy as np

from byrote.theory.measures.baselines import early_training_loss, num_parameters, steps_to_fit


def test_baselines_are_read_off_the_run(unit_net, zeros, two_points, outcome):
    run = outcome()
    args = (unit_net, zeros(unit_net), two_points)
    assert num_parameters(*args, run) == 6
    assert steps_to_fit(*args, run) == 40
    assert early_training_loss(*args, run) == 9  # the tenth of 0, 1, 2, ...


def test_a_run_that_did_not_fit_has_no_time_and_one_that_ended_early_no_early_loss(
    unit_net, zeros, two_points, outcome
):
    run = outcome(steps_to_fit=None, curve={"train_loss": np.array([3.0, 2.0])})
    args = (unit_net, zeros(unit_net), two_points)
    assert math.isnan(steps_to_fit(*args, run))
    assert math.isnan(early_training_loss(*args, run))
