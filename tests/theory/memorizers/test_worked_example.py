import numpy as np
import pytest

from byrote.theory.calculation import compute
from byrote.theory.memorizers.worked_example import WorkedExample


@pytest.fixture(scope="module")
def worked(tiny):
    return compute(WorkedExample(), tiny)


def test_the_matrix_is_triangular_with_a_positive_diagonal(worked):
    matrix = worked.arrays["matrix"]
    assert matrix.shape == (8, 8)
    np.testing.assert_array_equal(matrix, np.tril(matrix))
    assert (np.diag(matrix) > 0).all()


def test_thresholds_and_points_interleave(worked):
    thresholds, z = worked.arrays["thresholds"], worked.arrays["projections"]
    assert (thresholds < z).all()
    assert (z[:-1] <= thresholds[1:] + 1e-12).all()


def test_forward_substitution_gives_the_weights_of_the_network(worked):
    arrays = worked.arrays
    np.testing.assert_allclose(arrays["matrix"] @ arrays["weights"], arrays["targets"], atol=1e-10)
    np.testing.assert_allclose(arrays["outputs"], arrays["targets"], atol=1e-10)
    assert worked.values["solution_difference"] < 1e-10
    assert worked.values["num_weights"] == 2 * 8 + 64


def test_the_function_goes_through_the_targets(worked):
    arrays = worked.arrays
    found = np.interp(arrays["projections"][:-1], arrays["grid"], arrays["function"])
    np.testing.assert_allclose(found, arrays["targets"][:-1], atol=1e-10)


def test_a_single_point_works(tiny):
    assert compute(WorkedExample(num_points=1), tiny).arrays["matrix"].shape == (1, 1)
