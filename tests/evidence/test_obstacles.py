import math

import pandas as pd
import pytest

from byrote.evidence.obstacles import obstacle, remedy, run_label

RUN = {
    "model": "alexnet",
    "corruption": "random-labels",
    "corruption_rate": 1.0,
    "augmentation": "random-crop",
    "dropout": 0.0,
    "weight_decay": 0.0005,
    "seed": 3,
    "failed_checks": "",
    "stop_reason": "steps",
    "fitted": True,
    "train_accuracy": 0.5,
    "steps_run": 1200,
    "epochs_run": 30,
    "stop": "at_steps",
    "learning_rate": 0.02,
    "diverged_at_step": math.nan,
}
LABEL = "alexnet, random labels, random crop, weight decay 0.0005"


def test_a_run_is_called_by_what_makes_it_different():
    assert run_label(RUN) == LABEL
    assert run_label(RUN | {"augmentation": "none", "weight_decay": 0.0}) == "alexnet, random labels"


@pytest.mark.parametrize(
    ("change", "wants", "message"),
    [
        ({}, {}, None),
        ({"failed_checks": "moments; labels fixed"}, {}, r"in 1 of 2 runs \(labels fixed, moments\): nothing follows"),
        ({"stop_reason": "non-finite loss"}, {}, rf"no longer finite in 1 of 2 runs \({LABEL}, seed 3: train accuracy"),
        ({"stop_reason": "non-finite loss"}, {"finite": False}, None),
        ({"stop_reason": "non-finite loss", "diverged_at_step": 12.0}, {}, "in 1 of 2 runs, since step 12 at the"),
        ({"stop_reason": "non-finite loss", "diverged_at_step": 1.0}, {}, "from the very first batch on .* by zero"),
        ({"fitted": False}, {}, None),
        (
            {"fitted": False},
            {"fitted": True},
            r"1 of 2 runs stopped before .* 0\.500 after 1,200 steps\): try `--steps 2400`",
        ),
        (
            {"fitted": False, "stop_reason": "non-finite loss"},
            {"fitted": True, "finite": False},
            r"no longer finite in 1 of 2 runs .* they have diverged, .* try `--learning-rate 0\.002`",
        ),
    ],
)
def test_what_stands_against_a_conclusion(change, wants, message):
    found = obstacle(pd.DataFrame([RUN, RUN | change]), 2, **wants)
    assert (found is None) == (message is None)
    if message:
        assert pd.Series([found]).str.contains(message, regex=True).all(), found


def test_runs_that_are_missing_come_first():
    assert obstacle(pd.DataFrame(), 2) == (
        "2 of 2 runs have not finished, or have failed: the same command, given again, tries those that are missing."
    )
    assert obstacle(pd.DataFrame([RUN | {"failed_checks": "moments"}]), 2).startswith("1 of 2 runs have not finished")


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({}, "`--steps 2400`"),
        ({"stop": "at_interpolation", "stop_reason": "epochs"}, "`--epochs 60`"),
        ({"stop_reason": "non-finite loss"}, "`--learning-rate 0.002`"),
        ({"stop_reason": "non-finite loss", "learning_rate": 1e12}, "`--learning-rate 0.01`, the usual one"),
    ],
)
def test_a_remedy_names_a_flag_and_the_value_to_try_next(change, flag):
    assert flag in remedy(pd.DataFrame([RUN, RUN | change | {"fitted": False}])[1:])
