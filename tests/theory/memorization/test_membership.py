from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from byrote.data.subsets import half_rows
from byrote.theory.memorization.membership import lira, rmia, roc, threshold, told


def drawn(num_networks: int, num_examples: int, effect: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds that rise by `effect` where an example is trained on, and who is."""
    generator = np.random.default_rng(seed)
    inside = np.zeros((num_networks, num_examples), dtype=bool)
    for number in range(num_networks):
        inside[number, half_rows(np.arange(num_examples) % 3, number, seed)[0]] = True
    own = 3 * generator.standard_normal(num_examples)
    return generator.standard_normal((num_networks, num_examples)) + own + effect * inside, inside


def test_lira_is_the_ratio_of_two_normal_laws_of_all_other_pairs() -> None:
    margins, inside = drawn(132, 5, 1.0)
    found = lira(margins, inside)
    for network, example in ((0, 0), (77, 3), (131, 4)):
        others = np.arange(132) // 2 != network // 2
        laws = [margins[others & mask, example] for mask in (inside[:, example], ~inside[:, example])]
        logs = [norm.logpdf(margins[network, example], law.mean(), law.std(ddof=1)) for law in laws]
        assert found[network, example] == pytest.approx(logs[0] - logs[1], rel=1e-4, abs=1e-4)


def test_few_references_share_their_deviation() -> None:
    margins, inside = drawn(16, 400, 2.0)
    found = lira(margins, inside)
    others = np.arange(16) // 2 != 3
    means = [margins[others & mask, 0].mean() for mask in (inside[:, 0], ~inside[:, 0])]
    logs = [norm.logpdf(margins[6, 0], mean, 1.0) for mean in means]
    assert found[6, 0] == pytest.approx(logs[0] - logs[1], rel=0.15)


def test_rmia_is_the_share_of_the_population_that_an_example_dominates() -> None:
    margins, inside = drawn(16, 6, 1.0)
    population = np.random.default_rng(1).standard_normal((16, 50))
    found = rmia(margins, inside, population)
    others = np.arange(16) // 2 != 2
    mean = np.mean([expit(margins[others & mask, 1]).mean() for mask in (inside[:, 1], ~inside[:, 1])])
    own = expit(margins[5, 1]) / mean
    ratios = expit(population[5]) / expit(population[others]).mean(0)
    assert found[5, 1] == pytest.approx((own >= ratios).mean())


def test_networks_that_are_sure_of_what_they_know_give_it_away() -> None:
    margins, inside = drawn(32, 100, 12.0)
    for scores in (lira(margins, inside), rmia(margins, inside, np.random.default_rng(1).standard_normal((32, 50)))):
        assert roc(scores, inside, np.array([0.01])).auc.min() > 0.9


@pytest.mark.parametrize("num_networks", [16, 132])
def test_a_constant_tells_nothing(num_networks: int) -> None:
    _, inside = drawn(num_networks, 30, 0.0)
    constant = np.full((num_networks, 30), 2.5)
    for scores in (lira(constant, inside), rmia(constant, inside, constant[:, :10])):
        assert (roc(scores, inside, np.array([0.1])).auc == 0.5).all()
        assert told(scores, inside, 0.1).share == 0


def test_auc_and_rates_are_those_of_scikit_learn() -> None:
    scores, inside = drawn(4, 500, 1.0)
    scores = scores.round(1).astype(np.float32)  # with ties
    rates = np.array([0.05, 0.2])
    found = roc(scores, inside, rates)
    assert found.auc == pytest.approx([roc_auc_score(own, each) for own, each in zip(inside, scores, strict=True)])
    for rate, share in zip(rates, found.true_positive_rates, strict=True):
        least = threshold(scores, inside, rate)
        assert (scores[~inside] > least).mean() <= rate
        assert (scores[~inside] >= least).mean() > rate
        assert share == pytest.approx((scores[inside] > np.float32(least)).mean())
        assert told(scores, inside, rate).share == pytest.approx(share)
        assert told(scores, inside, rate).by_network.mean() == pytest.approx(share)


def test_where_a_threshold_lies_is_not_known_from_a_few_false_alarms() -> None:
    scores, inside = drawn(4, 50, 1.0)
    assert np.isnan(told(scores.astype(np.float32), inside, 0.01).by_network).all()
