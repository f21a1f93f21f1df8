import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byrote.data.dataset import Dataset, Split
from byrote.data.subsets import half_rows, half_size, held_out_rows, shares, split_rows, stratified_rows, subset
from byrote.errors import UserError
from byrote.randomness import stream

class_sizes = st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(any).map(np.array)
labels = st.lists(st.integers(0, 5), min_size=1, max_size=60).map(lambda values: np.array(values, np.int64))


def make_data(labels: np.ndarray) -> Dataset:
    train = Split.clean(np.arange(len(labels), dtype=np.float32)[:, None], labels)
    return Dataset("numbers", train, train, tuple("012345"))


@given(class_sizes, st.data())
def test_shares_add_up_and_are_proportional(sizes: np.ndarray, data: st.DataObject) -> None:
    size = data.draw(st.integers(0, sizes.sum()))
    counts = shares(sizes, size)
    assert counts.sum() == size
    assert (counts <= sizes).all()
    assert (counts >= 0).all()
    if size >= (sizes > 0).sum():
        assert (counts[sizes > 0] >= 1).all()
    quota = sizes * size / sizes.sum()
    if size == 0 or quota[sizes > 0].min() >= 1:
        assert (abs(counts - quota) < 1).all()


@pytest.mark.parametrize(
    ("sizes", "size", "expected"),
    [
        ([5000] * 10, 1000, [100] * 10),
        ([6, 3, 1], 5, [3, 1, 1]),  # quotas 3, 1.5, .5: one class would be lost
        ([98, 1, 1], 3, [1, 1, 1]),
        ([98, 1, 1], 2, [2, 0, 0]),
        ([50, 30, 20], 7, [4, 2, 1]),  # quotas 3.5, 2.1, 1.4
        ([0, 4, 4], 2, [0, 1, 1]),
        ([2, 2], 4, [2, 2]),
        ([3], 1, [1]),
    ],
)
def test_shares_by_hand(sizes: list[int], size: int, expected: list[int]) -> None:
    assert shares(np.array(sizes), size).tolist() == expected


@given(labels, st.integers(0, 2**32), st.data())
def test_a_subset_is_a_sample_without_replacement_in_order(labels: np.ndarray, seed: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(labels)))
    whole = make_data(labels)
    part = subset(whole, size, seed)
    rows = part.train.inputs[:, 0].astype(int)
    assert len(rows) == size
    assert (np.diff(rows) > 0).all()
    assert (labels[rows] == part.train.labels).all()
    assert (np.bincount(part.train.labels, minlength=6) == shares(np.bincount(labels, minlength=6), size)).all()
    assert part.test is whole.test
    assert subset(whole, size, seed).fingerprint == part.fingerprint


@given(st.integers(1, 20), st.integers(0, 2**32))
def test_subsets_of_one_seed_are_nested(size: int, seed: int) -> None:
    data = make_data(np.arange(120) % 6)
    small, large = (set(subset(data, 6 * n, seed).train.inputs[:, 0]) for n in (size, 20))
    assert small <= large
    smaller = set(subset(data, 6 * max(1, size // 2), seed).train.inputs[:, 0])
    assert smaller <= small


def test_seeds_differ_and_all_rows_occur() -> None:
    data = make_data(np.arange(60) % 6)
    drawn = [frozenset(subset(data, 30, seed).train.inputs[:, 0].tolist()) for seed in range(20)]
    assert len(set(drawn)) == 20
    assert frozenset().union(*drawn) == set(range(60))


def test_none_and_all_keep_everything() -> None:
    data = make_data(np.arange(12) % 6)
    assert subset(data, None, 0) is data
    assert subset(data, 12, 3) is data


def test_strata_are_the_true_classes() -> None:
    train = Split(
        np.zeros((8, 1), np.float32), np.zeros(8, np.int64), np.arange(8, dtype=np.int64) % 2, np.zeros(8, dtype=bool)
    )
    part = subset(Dataset("noisy", train, train, ("a", "b")), 4, 0)
    assert part.train.true_labels.tolist().count(1) == 2


@pytest.mark.parametrize("size", [0, -1, 13])
def test_sizes_that_cannot_be(size: int) -> None:
    message = rf"^got n_train={size} for numbers, which has 12 training examples; choose between 1 and 12, or leave"
    with pytest.raises(UserError, match=message):
        subset(make_data(np.arange(12) % 6), size, 0)


@given(labels, st.integers(0, 2**32))
def test_a_split_is_a_partition_that_trains_on_every_class(labels: np.ndarray, seed: int) -> None:
    train, test = split_rows(labels, seed)
    assert sorted([*train, *test]) == list(range(len(labels)))
    assert len(train) == len(labels) * 4 // 5
    if len(train) >= len(np.unique(labels)):
        assert set(labels[train]) == set(labels)


@given(labels, st.floats(0.01, 0.99), st.integers(0, 2**32))
def test_what_is_held_out_is_a_stratified_share(labels: np.ndarray, share: float, seed: int) -> None:
    size = round(share * len(labels))
    if not 0 < size < len(labels):
        with pytest.raises(UserError, match=rf"^got validation={share:g} for {len(labels)} training examples"):
            held_out_rows(labels, share, seed)
        return
    trained, kept_out = held_out_rows(labels, share, seed)
    assert sorted([*trained, *kept_out]) == list(range(len(labels)))
    assert len(kept_out) == size
    of_class = np.bincount(labels, minlength=6)
    assert (np.bincount(labels[trained], minlength=6) == shares(of_class, len(labels) - size)).all()


def test_without_a_share_nothing_is_held_out() -> None:
    trained, kept_out = held_out_rows(np.arange(7) % 2, 0.0, 3)
    assert (trained.tolist(), len(kept_out)) == (list(range(7)), 0)


def test_the_validation_set_is_no_training_subset() -> None:
    """It has a stream of its own: the same seed draws other examples."""
    labels = np.arange(600, dtype=np.int64) % 6
    trained, _ = held_out_rows(labels, 0.5, 9)
    assert 0.4 < np.isin(trained, stratified_rows(labels, 300, stream(9, "subset"))).mean() < 0.6


def test_no_library_update_changes_the_draw_unseen() -> None:
    rows = stratified_rows(np.arange(1000, dtype=np.int64) % 7, 100, stream(5, "subset"))
    assert hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()[:16] == "5866ec85b2f45a0b"


@given(labels, st.integers(0, 2**32))
def test_two_halves_are_the_parts_of_one_draw(labels: np.ndarray, seed: int) -> None:
    num = len(labels)
    if num < 2:
        with pytest.raises(UserError, match="got 1 training examples to train on a half of"):
            half_rows(labels, 0, seed)
        return
    (first, others), (second, rest) = (half_rows(labels, 4 + part, seed) for part in (0, 1))
    assert len(first) == len(second) == num // 2 == half_size(num)
    assert not set(first) & set(second)
    for rows, left in ((first, others), (second, rest)):
        assert sorted([*rows, *left]) == list(range(num))
        assert (np.diff(rows) > 0).all()
    counts = [np.bincount(labels[rows], minlength=6) for rows in (first, second)]
    assert np.abs(counts[0] - counts[1]).max() <= 2


def test_each_example_is_in_every_other_half_and_in_halves_with_any_other() -> None:
    labels = np.arange(40) % 3
    inside = np.zeros((2000, 40), dtype=bool)
    for number in range(2000):
        inside[number, half_rows(labels, number, 7)[0]] = True
    assert (inside.sum(axis=0) == 1000).all()
    together = inside.T.astype(int) @ inside.astype(int)
    assert together[~np.eye(40, dtype=bool)].min() > 400
