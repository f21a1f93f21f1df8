import math

import numpy as np
import pytest

from byrote.theory.measures.binary_kl import binary_kl, largest_chance


def test_equal_coins_do_not_differ():
    assert binary_kl(0.3, 0.3) == 0
    assert binary_kl(0.0, 0.0) == 0
    assert binary_kl(0.5, 1.0) == math.inf


def test_without_heads_the_divergence_is_that_of_as_many_tails():
    assert binary_kl(0.0, 0.4) == pytest.approx(-math.log(0.6))


@pytest.mark.parametrize("q", [0.0, 1e-6, 0.03, 0.5, 0.97])
@pytest.mark.parametrize("nats", [1e-6, 0.01, 0.3, 2.0])
def test_the_inverse_undoes_it_from_above(q, nats):
    p = largest_chance(q, nats)
    assert q <= p <= 1
    if p < 1:
        assert binary_kl(q, p) == pytest.approx(nats, rel=1e-5)
        assert binary_kl(q, p) >= nats - 1e-15


@pytest.mark.parametrize(("q", "nats"), [(1.0, 0.1), (0.2, math.inf), (0.2, 1e6), (0.0, 50.0)])
def test_much_room_allows_everything(q, nats):
    assert largest_chance(q, nats) == 1


@pytest.mark.parametrize("chance", [0.02, 0.4])
def test_what_was_seen_bounds_the_chance_as_often_as_it_should(chance):
    """Of 50 coins: too few heads for the chance that they have come up no more often than a risk of 0.1 allows."""
    heads = np.random.default_rng(0).binomial(50, chance, size=4000)
    limits = {h: largest_chance(h / 50, math.log(1 / 0.1) / 50) for h in set(heads.tolist())}
    assert np.mean([limits[h] < chance for h in heads.tolist()]) <= 0.1


def test_no_room_allows_what_was_seen():
    assert largest_chance(0.25, 0.0) == pytest.approx(0.25)
