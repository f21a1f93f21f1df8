import numpy as np
import pandas as pd
import pytest

from byrote.audits.row_likeness import descriptors, likeness, row_vectors


def test_columns_are_standardised_and_texts_are_points():
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0, np.nan], "b": ["x", "y", "x", "z"], "c": [5, 5, 5, 5]})
    found = row_vectors(table)
    assert found[:, 0].mean() == pytest.approx(0, abs=1e-9)
    assert (found[0, 1:5] == found[2, 1:5]).all()
    assert (found[:, -1] == 0).all()


def test_likeness_is_the_logarithm_of_the_distance():
    vectors = np.array([[0.0, 0.0], [0.1, 0.1], [0.0, 0.0]])
    found = likeness(vectors, np.array([0, 0]), np.array([1, 2]))
    assert found == pytest.approx([-np.log(0.1), -np.log(1e-6)])


def test_products_of_descriptors_order_distances():
    vectors = np.random.default_rng(0).standard_normal((20, 3))
    found, asked = descriptors(vectors)
    distance = ((vectors[:, None] - vectors) ** 2).sum(axis=2)
    assert (np.argsort(-(asked @ found.T), axis=1)[:, :3] == np.argsort(distance, axis=1)[:, :3]).mean() > 0.99
