from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from byrote.data.corruptions.application import corrupt
from byrote.data.dataset import Dataset, Split
from byrote.studies.memorization.calculations import ExampleScores
from byrote.studies.memorization.halves import answers_of
from byrote.theory.calculation import Context, compute
from byrote.theory.memorization.contributions import influences
from byrote.training.engine import train
from byrote.training.recipe import Recipe


@pytest.fixture(scope="module")
def trained():
    digits = load_digits()
    images, labels = digits.images[:, None].astype(np.uint8), digits.target.astype(np.int64)
    parts = (Split.clean(images[part], labels[part]) for part in (slice(60), slice(60, 100)))
    data = corrupt(Dataset("tiny", *parts, tuple("0123456789"), pixel_max=16.0), "partial-labels", rate=0.3)
    recipe = Recipe(learning_rate=0.1, batch_size=15, epochs=60)
    scores = ExampleScores(model="mlp-1x32", recipe=recipe, networks=16, label_rate=0.3, influential=3)
    outcomes = sorted(train(scores.specs, data, device="cpu"), key=lambda outcome: outcome.spec.half)

    def runs(specs, data, *, weights=False, stage=""):
        assert list(specs) == [outcome.spec for outcome in outcomes]
        assert not weights
        return iter(outcomes)

    return data, outcomes, compute(scores, data, Context("cpu", runs=runs))


def test_scores_are_those_of_the_slow_loop(trained):
    data, outcomes, found = trained
    answers = answers_of(outcomes, data)
    for row in (0, 31):
        own, others = answers.inside[:, row], ~answers.inside[:, row]
        assert found.arrays["hits_in"][row] == answers.right[own, row].sum()
        assert found.arrays["hits_out"][row] == answers.right[others, row].sum()
    shares = found.arrays["hits_in"] / found.arrays["num_in"] - found.arrays["hits_out"] / found.arrays["num_out"]
    assert found.values["memorization"] == pytest.approx(shares.mean())
    wrong = data.train.changed_labels
    assert found.values["memorization_wrong"] == pytest.approx(shares[wrong].mean())
    assert found.values["memorization_right"] == pytest.approx(shares[~wrong].mean())
    np.testing.assert_allclose(found.arrays["classes"][3, 0], shares[data.train.labels == 3].mean())
    assert found.values["num_runs"] == found.values["num_fitted"] == 16
    assert found.values["memorization_wrong"] > found.values["memorization_right"]


def test_the_most_influential_are_the_largest_of_all(trained):
    data, outcomes, found = trained
    answers = answers_of(outcomes, data)
    every = influences(answers.test_right, answers.inside)
    rows = found.arrays["influential"]
    assert rows.shape == (40, 3)
    np.testing.assert_allclose(found.arrays["influence"], -np.sort(-every.T, axis=1)[:, :3])
    assert (found.arrays["influence_low"] <= found.arrays["influence"] + 1e-6).all()
    assert (found.arrays["influence_high"] >= found.arrays["influence"] - 1e-6).all()
