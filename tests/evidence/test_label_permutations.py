import numpy as np
import pytest

from byrote.evidence.label_permutations import exchange_of, exchanged_values, share_as_large

LABELS = np.array([0, 0, 1, 1, 0, 0, 1, 1])


def draws(exchange, num=200):
    return exchange.draw(np.random.default_rng(0), num)


def test_rows_alone_are_exchanged_freely():
    exchange = exchange_of(LABELS)
    found = draws(exchange)
    assert exchange.num_units == 8
    assert (np.sort(found, axis=1) == np.sort(LABELS)).all()
    assert len(np.unique(found, axis=0)) > 40


def test_groups_of_one_label_change_places_whole():
    groups = np.array([7, 7, 3, 3, 9, 9, 1, 1])
    exchange = exchange_of(LABELS, groups)
    found = draws(exchange)
    assert exchange.words == "between 4 groups, each of which has one label"
    assert (found[:, ::2] == found[:, 1::2]).all()
    assert len(np.unique(found, axis=0)) == 6


def test_labels_that_differ_in_a_group_stay_in_it():
    groups = np.array([0, 1, 0, 1, 2, 2, 2, 2])
    found = draws(exchange_of(LABELS, groups))
    for group in range(3):
        own = groups == group
        assert (np.sort(found[:, own], axis=1) == np.sort(LABELS[own])).all()
    assert len(np.unique(found, axis=0)) == 2 * 2 * 6


def test_times_are_exchanged_in_blocks():
    labels = np.repeat([0, 1, 0, 1], 4)
    order = np.random.default_rng(0).permutation(16)
    found = draws(exchange_of(labels[order], times=order.astype(float)))
    in_time = found[:, np.argsort(order)].reshape(-1, 4, 4)
    assert (in_time == in_time[:, :, :1]).all()


def test_a_p_value_counts_the_data_and_ties():
    assert share_as_large(np.array([0.1, 0.5, 0.5, np.nan]), 0.5) == pytest.approx(4 / 5)
    assert share_as_large(np.zeros(9999), 1.0) == 1e-4


def test_values_come_in_parts():
    values = exchanged_values(exchange_of(LABELS), lambda labels: labels[:, 0] / 2, 70, 2**16, np.random.default_rng(0))
    assert values.shape == (70,)
    assert 0.1 < values.mean() < 0.4


def test_grouped_nulls_raise_few_alarms():
    grouped = by_rows = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        groups = np.repeat(np.arange(40), 5)
        labels, guess = draw.integers(0, 2, 40)[groups], draw.integers(0, 2, 40)[groups]
        observed = (labels == guess).mean()
        for exchange in (exchange_of(labels, groups), exchange_of(labels)):
            drawn = exchanged_values(exchange, lambda each, guess=guess: (each == guess).mean(axis=1), 399, 200, draw)
            alarm = share_as_large(drawn, observed) <= 0.05
            grouped, by_rows = (grouped + alarm, by_rows) if "groups" in exchange.words else (grouped, by_rows + alarm)
    assert grouped <= 16
    assert by_rows > 30
