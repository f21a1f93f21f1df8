from __future__ import annotations

import numpy as np
import pytest
from made_up import counted, failed, labelled, sound, with_labels
from scipy import stats

from byrote.data.corruptions.application import corrupt
from byrote.data.corruptions.asymmetric_labels import AsymmetricLabels


def test_each_class_is_mistaken_for_the_next() -> None:
    data = counted(20_000, (1,), 5)
    noisy = corrupt(data, "asymmetric-labels", rate=0.3, seed=1).train
    changed = noisy.changed_labels
    np.testing.assert_array_equal(noisy.labels[changed], (noisy.true_labels[changed] + 1) % 5)
    assert stats.binomtest(int(changed.sum()), 20_000, 0.3).pvalue > 1e-4


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_its_checks_pass_on_what_it_draws_and_on_nothing_else(rate: float) -> None:
    data = labelled(np.repeat(np.arange(4), [40, 7, 90, 0]), 4)
    assert sound(data, "asymmetric-labels", rate)
    wrong = with_labels(data, np.random.default_rng(0).integers(0, 4, len(data.train)))
    assert "changed labels independent" in failed(data, wrong, "asymmetric-labels", rate)
    other = corrupt(data, "asymmetric-labels", rate=0.7)
    assert failed(data, other, "asymmetric-labels", rate) != []


def test_a_matrix_of_ones_own() -> None:
    """Class 0 is mistaken for both others, the others never."""
    method = AsymmetricLabels(np.array([[0, 0.75, 0.25], [0, 1, 0], [0, 0, 1]]))
    data = labelled(np.repeat(np.arange(3), [8000, 1000, 1000]), 3)
    noisy = corrupt(data, method, rate=0.5, seed=2).train
    table = np.bincount(noisy.true_labels * 3 + noisy.labels, minlength=9).reshape(3, 3)
    assert stats.chisquare(table[0], 8000 * np.array([0.5, 0.375, 0.125])).pvalue > 1e-4
    np.testing.assert_array_equal(table[1:], [[0, 1000, 0], [0, 0, 1000]])
    assert sound(data, method, 0.5)


def test_a_class_tells_all_of_a_renaming_and_less_of_a_mixture() -> None:
    sizes = np.array([3, 4, 5])
    assert [AsymmetricLabels().predictable(rate, sizes) for rate in (0.0, 0.4, 0.5, 1.0)] == [1, 0.6, 0.5, 1]
