from __future__ import annotations

import numpy as np

from byrote.evidence.known_by_rote import ROTE, Counts, chance_of_no_rote, ends_at_once


def counts(share, other, size=64, num=50, seed=0):
    generator, sizes = np.random.default_rng(seed), np.full(num, size)
    return Counts(generator.binomial(sizes, share), sizes, generator.binomial(sizes, other), sizes)


def test_ends_hold_all_at_once():
    held = 0
    for seed in range(200):
        low, high = ends_at_once(counts(0.9, 0.4, seed=seed))
        held += bool(((low <= 0.5) & (high >= 0.5)).all())
    assert held >= 190


def test_the_p_value_is_the_level_at_which_an_end_passes_one_half():
    found = counts(np.r_[1.0, np.full(49, 0.9)], np.r_[0.0, np.full(49, 0.8)])
    p_value = chance_of_no_rote(found)
    assert 1e-12 < p_value < 1e-5
    assert (ends_at_once(found, significance=p_value)[0] > ROTE).any()
    assert not (ends_at_once(found, significance=p_value / 1.2)[0] > ROTE).any()


def test_nothing_is_found_where_all_differences_are_one_half():
    alarms = sum(chance_of_no_rote(counts(1.0, 0.5, seed=seed)) <= 0.05 for seed in range(200))
    assert alarms <= 10
    assert chance_of_no_rote(counts(0.5, 0.5)) == 1.0
    assert chance_of_no_rote(Counts(*(np.zeros(0),) * 4)) == 1.0
