"""What `benchmarks/datamodels.py` scores: lies beside it, as nothing in the package uses it."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
from scipy.stats import spearmanr

from byrote.data.subsets import half_rows

_FILE = run_path(str(Path(__file__).parents[1] / "benchmarks" / "linear_datamodels.py"), run_name="linear_datamodels")
datamodels, surprise = _FILE["datamodels"], _FILE["surprise"]
linear_datamodelling_score = _FILE["linear_datamodelling_score"]


def halves(first: int, num: int, num_examples: int) -> np.ndarray:
    inside = np.zeros((num, num_examples), dtype=bool)
    for place in range(num):
        inside[place, half_rows(np.zeros(num_examples, dtype=np.int64), first + place, 0)[0]] = True
    return inside


def test_a_linear_value_is_foretold_once_there_are_enough_networks() -> None:
    weights = np.random.default_rng(0).standard_normal((20, 3))
    inside, others = halves(0, 200, 20), halves(1000, 50, 20)
    found = datamodels(inside, inside @ weights)
    assert linear_datamodelling_score(found.foretell(others), others @ weights).min() > 0.99
    np.testing.assert_allclose(found.foretell(others), others @ weights, atol=0.2)


def test_what_resembles_a_test_example_is_looked_at_first() -> None:
    """Of 400 examples five decide each test example, those that are nearest: forty networks tell as much by them."""
    generator = np.random.default_rng(1)
    train, test = generator.standard_normal((400, 3)), generator.standard_normal((6, 3))
    distances = ((train[:, None] - test) ** 2).sum(-1)
    weights = np.zeros((400, 6))
    for column, own in enumerate(np.argsort(distances, axis=0)[:5].T):
        weights[own, column] = 1.0
    inside, others = halves(0, 40, 400), halves(1000, 60, 400)
    plain, near = datamodels(inside, inside @ weights), datamodels(inside, inside @ weights, distances)
    scores = [linear_datamodelling_score(each.foretell(others), others @ weights).mean() for each in (plain, near)]
    assert near.scale is not None
    assert scores[1] > max(scores[0] + 0.2, 0.6)


def test_what_surprises_is_looked_at_first() -> None:
    """Of 400 examples twenty decide, which networks get wrong that are not trained on them."""
    generator = np.random.default_rng(3)
    weights = np.zeros((400, 6))
    weights[::20] = generator.standard_normal((20, 6))
    inside, others = halves(0, 40, 400), halves(1000, 60, 400)
    surprises = np.where(np.arange(400) % 20, 0.01, 0.9)
    plain, told = datamodels(inside, inside @ weights), datamodels(inside, inside @ weights, surprises=surprises)
    scores = [linear_datamodelling_score(each.foretell(others), others @ weights).mean() for each in (plain, told)]
    assert scores[1] > max(scores[0] + 0.2, 0.6)


def test_surprise_is_of_networks_that_are_not_trained_on_it() -> None:
    inside = np.array([[True, False, True], [False, True, True], [False, True, True]])
    margins = np.array([[9, 0, 9], [0, 9, 9], [np.log(3), 9, 9]])
    np.testing.assert_allclose(surprise(margins, inside), [(0.5 + 0.25) / 2, 0.5, 1])


def test_the_score_is_spearmans_with_ties() -> None:
    generator = np.random.default_rng(2)
    first, second = generator.integers(0, 5, (2, 30, 4)).astype(float)
    second[:, 3] = 1.0
    found = linear_datamodelling_score(first, second)
    assert found[:3] == pytest.approx([spearmanr(first[:, each], second[:, each])[0] for each in range(3)])
    assert np.isnan(found[3])
