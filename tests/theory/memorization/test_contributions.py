from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.datasets import load_digits

from byrote.data.subsets import half_rows
from byrote.theory.memorization.contributions import gaps, influences, means_in_and_out


def halves(num_networks: int, num_examples: int) -> np.ndarray:
    inside = np.zeros((num_networks, num_examples), dtype=bool)
    for number in range(num_networks):
        inside[number, half_rows(np.arange(num_examples) % 3, number, 0)[0]] = True
    return inside


def test_means_by_hand() -> None:
    values = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 0], [1, 0, 0]])
    inside = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]], dtype=bool)
    found = means_in_and_out(values, inside)
    np.testing.assert_allclose(found.inside, [1, 0, np.nan])
    np.testing.assert_allclose(found.outside, [0, 0.5, 0.5])
    np.testing.assert_allclose(found.difference, [1, -0.5, np.nan])
    assert found.num_inside.tolist() == [3, 2, 0]
    assert found.num_outside.tolist() == [1, 2, 4]


@pytest.mark.parametrize("num_examples", [20, 21])
def test_gaps_of_pairs_are_the_mean_memorization(num_examples: int) -> None:
    """Exactly, where no example is left out of both parts."""
    inside = halves(40, num_examples)
    values = np.random.default_rng(0).random((40, num_examples)) + inside
    found, means = gaps(values, inside), means_in_and_out(values, inside)
    assert found.shape == (20,)
    tolerance = 1e-12 if num_examples == 20 else 0.01
    assert found.mean() == pytest.approx(np.nanmean(means.difference), abs=tolerance)
    trained, others = (np.where(mask[0::2] | mask[1::2], 1, np.nan) for mask in (inside, ~inside))
    assert np.nanmax(trained) == np.nanmax(others) == 1
    first, second = (values[part::2] * np.where(inside[part::2], 1, -1) for part in (0, 1))
    counted = inside[0::2] | inside[1::2]
    slow = [((a + b)[mask]).mean() for a, b, mask in zip(first, second, counted, strict=True)]
    np.testing.assert_allclose(found, slow)


def test_influences_are_differences_of_means_for_each_pair() -> None:
    inside, values = halves(16, 9), np.random.default_rng(1).integers(0, 2, (16, 4))
    found = influences(values, inside)
    for row in range(9):
        mask = inside[:, row]
        np.testing.assert_allclose(found[row], values[mask].mean(0) - values[~mask].mean(0), atol=1e-6)


@pytest.mark.parametrize("strength", [1.0, 10.0])
def test_scores_of_ridge_regression_rank_examples_as_leaving_them_out_does(strength: float) -> None:
    """Exact leave-one-out, of y f(x): by closed form, with the penalty in proportion to the number of examples."""
    digits = load_digits()
    inputs = digits.data[:200] - digits.data[:200].mean(0)
    inputs /= inputs.std(0) + 1e-9
    labels = np.where(digits.target[:200] >= 5, 1.0, -1.0)

    def weights(rows: np.ndarray, penalty: float) -> np.ndarray:
        own = inputs[rows]
        return np.linalg.solve(own.T @ own + penalty * np.eye(64), own.T @ labels[rows])

    hat = inputs @ np.linalg.solve(inputs.T @ inputs + strength * np.eye(64), inputs.T)
    left_out = (hat @ labels - np.diag(hat) * labels) / (1 - np.diag(hat))
    exact = labels * (hat @ labels - left_out)
    inside = halves(1000, 200)
    values = np.stack([labels * (inputs @ weights(np.flatnonzero(own), strength / 2)) for own in inside])
    assert spearmanr(means_in_and_out(values, inside).difference, exact)[0] >= 0.95
