import numpy as np

from byrote.audits.neighbours import nearest, threaded


def test_the_nearest_are_those_of_a_plain_search():
    draw = np.random.default_rng(0)
    even, odd = (draw.standard_normal((700, size)).astype(np.float32) for size in (5, 3))
    similar = even @ even.T + np.abs(odd @ odd.T)
    np.fill_diagonal(similar, -np.inf)
    expected = np.argsort(-similar, axis=1)[:, :4]
    assert (np.sort(nearest(even, odd, 4), axis=1) == np.sort(expected, axis=1)).all()


def test_what_asks_may_differ_from_what_is_found():
    rows = np.random.default_rng(1).standard_normal((90, 3))
    found = np.column_stack([rows, -(rows**2).sum(axis=1) / 2]).astype(np.float32)
    asked = np.column_stack([rows, np.ones(90)]).astype(np.float32)
    distance = ((rows[:, None] - rows) ** 2).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (nearest(found, None, 1, asked=asked)[:, 0] == distance.argmin(axis=1)).all()


def test_few_rows_have_few_neighbours():
    assert nearest(np.eye(3, dtype=np.float32), None, 6).shape == (3, 2)


def test_work_comes_back_in_order():
    assert [int(part[0]) for part in threaded(lambda start: np.array([start]), range(0, 9, 3))] == [0, 3, 6]
