import numpy as np
import pytest

from byrote.evidence.label_permutations import chance_beyond_trend, exchange_of, exchanged_values, share_as_large

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


def test_copies_take_their_labels_along():
    copies = np.array([5, 5, 1, 1, 2, 3, 4, 0])
    labels = np.array([0, 1, 1, 1, 0, 0, 1, 1])  # the first two are copies that disagree
    exchange = exchange_of(labels, copies=copies)
    found = draws(exchange)
    assert exchange.num_units == 6
    assert {tuple(pair) for pair in found[:, :2]} == {(0, 1), (1, 1)}
    assert (np.sort(found[:, 4:], axis=1) == [0, 0, 1, 1]).all()
    assert len(np.unique(found, axis=0)) == 2 * 6


def test_nulls_with_copies_raise_few_alarms():
    alarms = {True: 0, False: 0}
    copies = np.repeat(np.arange(40), 5)
    for seed in range(200):
        draw = np.random.default_rng(seed)
        labels, says = draw.integers(0, 2, 40)[copies], draw.integers(0, 2, 40)[copies]
        observed = (labels == says).mean()
        for known in alarms:
            exchange = exchange_of(labels, copies=copies if known else None)
            found = (exchange.draw(draw, 99) == says).mean(axis=1)
            alarms[known] += share_as_large(found, observed) <= 0.05
    assert alarms[True] <= 16
    assert alarms[False] >= 30


def test_labels_in_time_are_moved_along_it_together():
    labels = np.array([0, 0, 0, 1, 0, 2, 2])
    order = np.random.default_rng(0).permutation(7)
    exchange = exchange_of(labels[order], times=order.astype(float))
    in_time = draws(exchange)[:, np.argsort(order)]
    ways = {tuple(np.roll(labels, by)) for by in range(7)}
    assert {tuple(each) for each in in_time} == ways
    assert (exchange.num_units, exchange.least_p) == (7, 1 / 7)


def test_quantities_in_time_go_there_and_back():
    targets = np.array([3.0, 1.0, 2.0, 2.5, 9.0])
    exchange = exchange_of(targets, times=np.arange(5.0), of_quantities=True)
    found = draws(exchange)
    assert (np.sort(found, axis=1) == np.sort(targets)).all()
    # Going on for two: 2, 2.5, 9, 9, 2.5, by whose ranks all targets are given.
    assert {(1.0, 2.0, 3.0, 9.0, 2.5), tuple(targets), tuple(targets[::-1])} <= {tuple(each) for each in found}
    assert len(np.unique(found, axis=0)) == exchange.num_units == 10


def test_rows_of_one_time_stay_together():
    labels = np.array([0, 1, 2, 3, 4, 5])
    exchange = exchange_of(labels, times=np.array([3.0, 3.0, 1.0, 1.0, np.nan, np.nan]))
    found = {tuple(each) for each in draws(exchange)}
    assert found == {
        tuple(np.concatenate([np.roll(pair, turn) for pair in np.roll(labels.reshape(3, 2), by, axis=0)]))
        for by in range(3)
        for turn in range(2)
    }
    assert exchange.num_units == len(found)


def test_each_group_in_time_is_moved_by_itself():
    labels, groups = np.array([0, 1, 2, 3, 4, 5]), np.array([0, 0, 0, 1, 1, 1])
    times = np.array([3.0, 2.0, 1.0, 1.0, 2.0, 3.0])
    found = {tuple(each) for each in draws(exchange_of(labels, groups, times))}
    assert found == {
        (*np.roll([0, 1, 2], first), *np.roll([3, 4, 5], other)) for first in range(3) for other in range(3)
    }
    whole = draws(exchange_of(labels.astype(float), groups, times, of_quantities=True))
    assert (5.0, 4.0, 3.0, 2.0, 1.0, 0.0) in {tuple(each) for each in whole}  # the later ones stay the later ones
    assert {frozenset(each[:3]) for each in whole.tolist()} == {frozenset([0.0, 1.0, 2.0]), frozenset([3.0, 4.0, 5.0])}


@pytest.mark.parametrize("memory", [0.0, 0.95, 0.99])
def test_nulls_with_memory_raise_few_alarms(memory):
    draw, num, length = np.random.default_rng(0), 200, 300
    walks = np.empty((length, 2, num))
    walks[0] = draw.standard_normal((2, num))
    for step in range(1, length):
        walks[step] = memory * walks[step - 1] + np.sqrt(1 - memory**2) * draw.standard_normal((2, num))
    alarms = 0
    for answers, labels in (walks.transpose(2, 1, 0) > 0.2).astype(int):
        found = (draws(exchange_of(labels, times=np.arange(float(length))), 199) == answers).mean(axis=1)
        alarms += share_as_large(found, (answers == labels).mean()) <= 0.05
    assert alarms <= 16


def memory_alarms(memory, length, num, groups=None, of_time=True):
    """Of series of quantities that know nothing of each other, how many alarms at 5% a squared error raises."""
    draw = np.random.default_rng(0)
    shape = (num, 2, length) if groups is None else (num, 2, groups, length)
    noise = draw.standard_normal(shape)
    series = np.empty(shape)
    series[..., 0] = noise[..., 0] / np.sqrt(1 - memory**2) if memory < 1 else noise[..., 0]
    for step in range(1, length):
        series[..., step] = memory * series[..., step - 1] + noise[..., step]
    times = np.tile(np.arange(float(length)), groups or 1)
    own = None if groups is None else np.repeat(np.arange(groups), length)
    alarms = 0
    for targets, says in series.reshape(num, 2, -1):
        exchange = exchange_of(targets, own, times if of_time else None, of_quantities=True)
        found = draws(exchange, 199) @ says  # with the targets the same, as good as a squared error
        alarms += share_as_large(found, float(targets @ says)) <= 0.05
    return alarms


@pytest.mark.parametrize(("memory", "length"), [(0.9, 40), (0.99, 100), (1.0, 100)])
def test_quantities_with_memory_raise_few_alarms(memory, length):
    assert memory_alarms(memory, length, 300) <= 30  # going round: 31, 40, 48


@pytest.mark.slow
def test_groups_with_memory_raise_few_alarms():
    assert memory_alarms(0.95, 60, 200, groups=3) <= 16
    assert memory_alarms(0.95, 60, 200, groups=3, of_time=False) >= 20


def trending(draw, kind):
    """Two series that know nothing of each other, and their groups and times."""
    places = np.arange(40.0) / 40
    if kind == "one season":
        waves = [np.sin(10 * np.pi * places + 6.3 * draw.random()) for _ in range(2)]
        return [1.4 * wave + draw.standard_normal(40) for wave in waves], None, places
    lines = [draw.choice([-1, 1]) * 3.5 * places for _ in range(2)]
    if kind == "trends":
        return [line + draw.standard_normal(40) for line in lines], None, places
    if kind == "trends of groups with one label":
        both = [np.repeat(line + draw.standard_normal(40), 3) for line in lines]
        return both, np.repeat(np.arange(40), 3), np.arange(120.0)
    groups = np.repeat(np.arange(20), 2)
    return (
        [
            np.repeat(draw.standard_normal(20), 2) + np.tile([0, 2 * np.sign(line[-1])], 20) + draw.standard_normal(40)
            for line in lines
        ],
        groups,
        np.tile([0.0, 1.0], 20),
    )


OTHER_TRENDS = [("one season", 0), ("trends of groups with one label", 20), ("trends within groups", 20)]


@pytest.mark.parametrize("of_quantities", [True, False])
@pytest.mark.parametrize(
    ("kind", "least"), [("trends", 6), *(pytest.param(*other, marks=pytest.mark.slow) for other in OTHER_TRENDS)]
)
def test_what_trends_have_in_common_raises_few_alarms(kind, least, of_quantities):
    alarms = beyond = known = 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        (targets, says), groups, times = trending(draw, kind)
        knowing = targets + 0.5 * draw.standard_normal(len(targets))
        if not of_quantities:
            targets, says, knowing = (1 * (each > np.median(each)) for each in (targets, says, knowing))
        found = draws(exchange_of(targets, groups, times, of_quantities=of_quantities), 99) @ (says * 1.0)
        p = share_as_large(found, float(targets @ says))
        others = [each[:, None] if of_quantities else np.eye(2)[each] for each in (says, knowing)]
        without, of_knowing = (
            chance_beyond_trend(targets, each, groups, times, 99, draw, of_quantities=of_quantities) for each in others
        )
        alarms, beyond = alarms + (p <= 0.05), beyond + (max(p, without) <= 0.05)
        known += of_knowing <= 0.05
    assert alarms >= least
    assert beyond <= 12
    assert known >= 50


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


def test_quantities_change_places_within_groups_and_between_those_of_one_size():
    groups = np.array([0, 0, 1, 1, 2, 2, 2])
    targets = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    exchange = exchange_of(targets, groups, of_quantities=True)
    assert exchange.words == "within 3 groups, of which 3 have several targets, and between groups of the same size"
    drawn = exchange.draw(np.random.default_rng(0), 500)
    assert drawn.dtype == np.float64
    assert (np.sort(drawn[:, 4:], axis=1) == [5, 6, 7]).all()
    pairs = {tuple(sorted(each)) for each in drawn[:, :2].tolist()}
    assert pairs == {(1.0, 2.0), (3.0, 4.0)}
    assert len({tuple(each) for each in drawn.tolist()}) == 2 * 2 * 2 * 6
