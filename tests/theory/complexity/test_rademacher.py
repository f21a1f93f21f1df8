from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest

from byrote.theory.complexity.rademacher import (
    HypothesisClass,
    all_signs,
    deviation,
    draw_signs,
    generalization_bound,
    massart_bound,
    rademacher_complexity,
)
from byrote.theory.complexity.stumps import Stumps


@dataclass(frozen=True, eq=False)
class LinearClass(HypothesisClass):
    """x -> w.x with |w| at most `norm`, whose suprema have a closed form (Mohri et al., 2018, theorem 5.10)."""

    inputs: np.ndarray
    norm: float = 1.0

    @property
    def ranges(self):
        return self.norm * np.linalg.norm(self.inputs, axis=1)

    def suprema(self, signs):
        return self.norm * np.linalg.norm(signs @ self.inputs, axis=1) / len(self.inputs)

    @property
    def upper_bound(self):
        return self.norm * np.linalg.norm(self.inputs) / len(self.inputs)


def points(n, d=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def test_all_sign_vectors_are_there_once_in_binary_order():
    signs = all_signs(5)
    assert {tuple(row) for row in signs} == set(product((-1.0, 1.0), repeat=5))
    assert signs[0b00110].tolist() == [-1, 1, 1, -1, -1]


def test_drawn_signs_are_fair_and_of_their_seed():
    signs = draw_signs(400, 50, seed=3)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) < 4 / np.sqrt(signs.size)
    np.testing.assert_array_equal(signs, draw_signs(400, 50, seed=3))
    assert not np.array_equal(signs, draw_signs(400, 50, seed=4))


@pytest.mark.parametrize("n", [1, 2, 7, 16])
def test_few_points_are_enumerated(n):
    hypotheses = LinearClass(points(n), norm=2.0)
    found = rademacher_complexity(hypotheses)
    assert found.is_exact
    assert found.num_draws == 2**n
    assert found.low == found.value == found.high
    if n <= 7:
        each = [2 * np.linalg.norm(np.array(signs) @ hypotheses.inputs) / n for signs in product((-1, 1), repeat=n)]
        assert found.value == pytest.approx(np.mean(each), rel=1e-12)
    assert found.value <= found.upper_bound


def test_more_are_drawn_and_the_interval_holds_what_enumeration_gives():
    inputs = np.concatenate([points(12), np.zeros((8, 3))])  # the zeros add to n alone
    exact = rademacher_complexity(LinearClass(inputs[:12])).value * 12 / 20
    drawn = [rademacher_complexity(LinearClass(inputs), draws=200, seed=seed) for seed in range(20)]
    assert not any(found.is_exact for found in drawn)
    assert all(found.low <= exact <= found.high for found in drawn)
    assert np.mean([found.value for found in drawn]) == pytest.approx(exact, rel=0.03)
    more = rademacher_complexity(LinearClass(inputs), draws=3200)
    assert more.high - more.low == pytest.approx((drawn[0].high - drawn[0].low) / 4)


def test_an_interval_stays_between_nothing_and_everything():
    fitted = rademacher_complexity(Stumps(np.arange(17.0)[:, None]), draws=1)
    assert 0 <= fitted.low < fitted.value < fitted.high <= 1


def test_the_deviation_of_one_draw_of_signs_is_known():
    # n signs, each of which moves the supremum by 2/n: exp(-2 t^2 / (4/n)) = risk
    assert deviation(np.ones(50), 1, 0.05) == pytest.approx(np.sqrt(2 * np.log(20) / 50))
    assert deviation(np.ones(50), 4, 0.05) == pytest.approx(deviation(np.ones(50), 1, 0.05) / 2)
    # The supremum over {h, -h} is |sum of signs| / n, and how far it goes is known.
    means = np.abs(draw_signs(4000, 50, 0).mean(axis=1))
    assert (means < means.mean() - deviation(np.ones(50), 1, 0.05)).mean() <= 0.05


def test_massart_bounds_what_all_labelings_reach():
    assert massart_bound(2**10, 10) == pytest.approx(np.sqrt(2 * np.log(2)))  # above their 1
    assert massart_bound(1, 10) == 0


def test_the_bound_has_the_constants_of_its_theorem():
    assert generalization_bound(0.1, 0.3, 200, risk=0.05) == pytest.approx(0.4 + 3 * np.sqrt(np.log(40) / 400))
    assert generalization_bound(0.0, 1.0, 10**9) > 1


def test_the_bound_holds_for_thresholds_on_random_labels():
    """Labels that are coin flips: the best threshold on n points has a true error of 1/2, and a training error of
    (1 - its supremum) / 2."""
    n, violations = 200, 0
    inputs = points(n, 1)
    complexity = rademacher_complexity(Stumps(inputs), draws=200).value
    suprema = Stumps(inputs).suprema(draw_signs(200, n, seed=9))
    violations = sum(generalization_bound((1 - s) / 2, complexity, n) < 0.5 for s in suprema)
    assert violations <= 0.05 * 200
