from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import counted, failed, labelled, sound, with_labels

from byrote.data.corruptions.application import corrupt
from byrote.data.corruptions.swapped_labels import SwappedLabels, num_pairs, random_pairs


@settings(max_examples=60)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.floats(0, 1), st.integers(0, 2**62))
def test_exactly_so_many_change_and_classes_keep_their_sizes(sizes: list[int], rate: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    if not len(labels):
        return
    data = labelled(labels, len(sizes))
    noisy = corrupt(data, "swapped-labels", rate=rate, seed=seed)
    np.testing.assert_array_equal(np.bincount(noisy.train.labels, minlength=len(sizes)), sizes)
    most = min(len(labels) // 2, len(labels) - max(sizes))
    assert noisy.train.changed_labels.sum() == 2 * min(round(rate * len(labels) / 2), most)
    assert failed(data, noisy, "swapped-labels", rate) == []


def test_pairs_are_as_good_as_any() -> None:
    """Of three classes of equal size, each is paired with either other one alike."""
    labels = np.repeat(np.arange(3), 4000)
    pairs = random_pairs(labels, np.random.Generator(np.random.Philox(0)))
    assert len(pairs) == num_pairs(1.0, np.array([4000] * 3)) == 6000
    assert len(np.unique(pairs)) == 12_000
    law = SwappedLabels().law(1.0, np.array([4000] * 3))
    np.testing.assert_allclose(law, [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]], atol=0.05)


def test_what_the_class_tells() -> None:
    assert SwappedLabels().predictable(1.0, np.array([50, 50])) == 1  # each is the other one
    assert SwappedLabels().predictable(0.4, np.array([50, 50])) == pytest.approx(0.6)
    assert SwappedLabels().predictable(1.0, np.full(10, 500)) < 0.15
    assert SwappedLabels().predictable(0.5, np.array([0, 5])) == 1  # nothing to swap with


def test_its_check() -> None:
    data = counted(60, (1,), 3)
    assert sound(data, "swapped-labels", 0.5)
    wrong = corrupt(data, "partial-labels", rate=0.5)
    assert failed(data, wrong, "swapped-labels", 0.5) == ["number of swapped labels"]
    assert failed(data, with_labels(data, (data.train.labels + 1) % 3), "swapped-labels", 0.5) != []
