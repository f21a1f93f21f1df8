import math

import pytest

from byrote.studies.expressivity import memorization_bounds as bounds


def test_counts_of_theorem_1():
    assert bounds.theorem_1(8, 64) == 80


@pytest.mark.parametrize(("n", "d", "weights"), [(64, 64, 4 * 66), (65, 64, 8 * 66), (1000, 10, 400 * 12)])
def test_hyperplanes_take_four_units_for_every_d_points(n, d, weights):
    assert bounds.hyperplanes(n, d) == weights


@pytest.mark.parametrize(("n", "d"), [(1, 3), (100, 5), (1437, 64)])
def test_two_hidden_layers_have_the_widths_with_the_fewest_weights(n, d):
    def dense(p, q):
        return (d + 1) * p + (p + 1) * q + q + 1

    widths = range(4, n + 5, 4)
    enough = [dense(p, q) for p in widths for q in widths if 4 * (p // 4) * (q // 4) >= n]
    assert bounds.two_hidden_layers(n, d) == min(enough)


def test_they_have_about_four_weights_an_example():
    assert bounds.two_hidden_layers(10**6, 64) == pytest.approx(4e6 + 2 * math.sqrt(8e6 * 64), rel=0.01)


def test_labels_have_bits_that_weights_must_hold():
    assert bounds.bit_extraction(1024) == pytest.approx(math.sqrt(10240))
    assert bounds.bits_a_weight(1024, 4, 512.0) == 4
    assert bounds.fewest_float64(1024, 4) == 32
    # 16 blocks of 4 points: positions of 20 bits each.
    assert bounds.bits_of_widest(16, 2, 2.0**-20) == pytest.approx(2 * 20)
