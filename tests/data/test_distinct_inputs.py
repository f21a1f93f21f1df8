import numpy as np

from byrote.data.distinct_inputs import DistinctInputs, num_attainable

INPUTS = np.array([[3, 1], [0, 0], [3, 1], [2, 5], [0, 0], [3, 1]], np.uint8)
LABELS = np.array([1, 0, 1, 2, 2, 0])


def test_each_occurs_once_in_the_order_of_the_first():
    found = DistinctInputs.of(INPUTS)
    assert found.rows.tolist() == [0, 1, 3]
    assert found.places.tolist() == [0, 1, 0, 2, 1, 0]
    assert found.counts.tolist() == [3, 2, 1]


def test_targets_are_means_and_labels_that_contradict_each_other_are_lost():
    found = DistinctInputs.of(INPUTS)
    expected = [[1 / 3, 2 / 3, 0], [0.5, 0, 0.5], [0, 0, 1]]
    np.testing.assert_allclose(found.mean_targets(LABELS, 3), expected, rtol=1e-6)
    assert num_attainable(found.places, LABELS, 3) == 4


def test_zeros_of_either_sign_are_equal_and_images_are_vectors():
    images = np.zeros((2, 1, 2, 2), np.float32)
    images[1] *= -1
    assert DistinctInputs.of(images).counts.tolist() == [2]


def test_least_squares_on_all_is_interpolation_of_the_means():
    generator = np.random.default_rng(0)
    points = generator.standard_normal((6, 3))[[0, 1, 2, 3, 4, 5, 1, 3, 3]]
    labels = generator.integers(0, 4, 9)
    found = DistinctInputs.of(points)

    def kernel(x, y):
        return np.exp(-((x[:, None] - y) ** 2).sum(-1))

    whole = np.linalg.pinv(kernel(points, points)) @ np.eye(4)[labels]
    distinct = points[found.rows]
    alpha = np.linalg.solve(kernel(distinct, distinct), found.mean_targets(labels, 4))
    elsewhere = generator.standard_normal((5, 3))
    np.testing.assert_allclose(kernel(elsewhere, points) @ whole, kernel(elsewhere, distinct) @ alpha, atol=1e-6)
