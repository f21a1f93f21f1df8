from __future__ import annotations

import pytest
from made_up_runs import data, outcome  # noqa: F401  (fixtures)

from byrote.studies.randomization.paper import beside
from byrote.studies.study import tabulate


@pytest.mark.parametrize(
    ("corruption", "train", "test"), [("true-labels", 1.0, 0.5051), ("random-labels", 0.9934, 0.1061)]
)
def test_the_matching_row_stands_beside_ours(data, outcome, corruption, train, test) -> None:
    runs = [outcome(corruption, seed=seed, test_accuracy=0.1 + 0.2 * seed, n_train=2000) for seed in range(2)]
    (row,) = beside(tabulate("randomization", runs), data(name="cifar10:/data")).to_dict("records")
    assert (row["paper_train"], row["paper_test"]) == pytest.approx((train, test))
    assert row["test_accuracy"] == pytest.approx(0.2)
    assert (row["n_train"], row["seeds"], row["labels"]) == (2000, 2, corruption.replace("-", " "))


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "digits"),
        ({"parameters": 55}, "cifar10:/data"),
        ({"model": "conv-small"}, "cifar10:/data"),
        ({"corruption": "gaussian"}, "cifar10:/data"),
        ({"corruption": "partial-labels", "rate": 0.5}, "cifar10:/data"),
    ],
)
def test_other_settings_have_no_counterpart(data, outcome, fields, name) -> None:
    assert beside(tabulate("randomization", [outcome(**fields)]), data(name=name)).empty
