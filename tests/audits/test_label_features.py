import numpy as np
import pandas as pd
import pytest

from byrote.audits.label_features import COMPONENTS, gradient_histograms, label_features
from byrote.audits.material import Material, Rows
from byrote.audits.reading import read_material


def material(inputs, kind):
    rows = Rows(inputs, np.arange(len(inputs)) % 2, np.arange(len(inputs)))
    return Material("m", "M", kind, rows, rows, ("a", "b"), group_column="who"), rows


def test_strokes_count_by_their_direction_not_by_light():
    images = np.zeros((4, 1, 16, 16), np.uint8)
    images[0, 0, :, 8] = images[1, 0, :, 9] = 200
    images[2, 0, :, 8] = 90
    images[3, 0, 8, :] = 200
    found = gradient_histograms(images)
    alike = found @ found.T
    np.testing.assert_allclose(alike[0, 2], 1, atol=1e-4)
    assert alike[0, 1] > 0.8
    assert alike[0, 3] < 0.6


def test_colours_are_told_apart():
    images = np.zeros((2, 3, 16, 16), np.uint8)
    images[0, 0], images[1, 2] = 200, 200
    assert np.abs(np.diff(gradient_histograms(images), axis=0)).max() > 0.5


def test_odd_and_small_images_have_features():
    draw = np.random.default_rng(0)
    for shape in ((5, 1, 8, 8), (5, 3, 33, 70), (5, 2, 3, 2)):
        found = label_features(*material(draw.integers(0, 256, shape).astype(np.uint8), "images"))
        assert len(found) == 5
        assert np.isfinite(found).all()


def test_tables_vectors_and_tokens():
    draw = np.random.default_rng(0)
    table = pd.DataFrame({"x": draw.standard_normal(9), "t": list("abcabcabc"), "who": range(9)})
    assert label_features(*material(table, "table")).shape == (9, 5)
    assert label_features(*material(draw.standard_normal((300, 250)), "vectors")).shape == (300, COMPONENTS)
    assert label_features(*material(np.zeros((9, 4), np.int64), "tokens")) is None


def test_each_of_several_inputs_counts_as_much_as_another():
    draw = np.random.default_rng(0)
    inputs = {
        "image": draw.integers(0, 256, (40, 8, 8), dtype=np.uint8),
        "meta": 1000 * draw.normal(size=(40, 2)),
        "mask": draw.random((40, 3)) < 0.5,
    }
    several = read_material(((inputs, np.arange(40) % 2), (inputs, np.arange(40) % 2)))
    found = label_features(several, several.train)
    assert (found**2).sum() / 40 == pytest.approx(2, rel=0.05)
