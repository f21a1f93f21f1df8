import numpy as np
import pytest

from byrote.errors import UserError
from byrote.theory.complexity.kernel_class import KernelClass
from byrote.theory.complexity.linear_class import LinearClass
from byrote.theory.complexity.rademacher import all_signs, rademacher_complexity


def test_the_linear_kernel_gives_the_linear_class():
    inputs = np.random.default_rng(0).standard_normal((8, 3))
    linear, kernel = LinearClass(inputs, 0.7), KernelClass(inputs @ inputs.T, 0.7)
    signs = all_signs(8)
    np.testing.assert_allclose(kernel.suprema(signs), linear.suprema(signs))
    np.testing.assert_allclose(kernel.ranges, linear.ranges)
    assert kernel.upper_bound == pytest.approx(linear.upper_bound)


def test_a_kernel_that_tells_all_points_apart_meets_the_bound():
    found = rademacher_complexity(KernelClass(np.eye(9)))
    assert found.value == pytest.approx(1 / 3)
    assert found.value == pytest.approx(found.upper_bound)


def test_a_constant_kernel_sees_one_point():
    found = rademacher_complexity(KernelClass(np.ones((2, 2))))
    assert found.value == pytest.approx(0.5)  # |sum| / 2 is 1, 0, 0, 1


def test_rounding_below_zero_is_zero():
    gram = np.outer([1.0, -1.0], [1.0, -1.0]) - 1e-12 * np.eye(2)
    np.testing.assert_array_equal(KernelClass(gram).suprema(np.ones((1, 2))), [0.0])


@pytest.mark.parametrize(
    ("gram", "norm", "words"),
    [
        (np.eye(2), -1.0, "got norm=-1"),
        (np.array([[1.0, 0.5], [0.0, 1.0]]), 1.0, "expected a Gram matrix"),
        (-np.eye(2), 1.0, "expected a Gram matrix"),
    ],
)
def test_what_is_no_kernel_is_refused(gram, norm, words):
    with pytest.raises(UserError, match=words):
        KernelClass(gram, norm)
