from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from byrote.charts.examples import example_rows
from byrote.data.corruptions.application import corrupt


def pixels(example) -> np.ndarray:
    encoded = example.picture.removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))


def test_rows_show_what_the_run_was_trained_on(data, outcomes) -> None:
    clean = data()
    rows = example_rows(clean, [outcome.spec for outcome in outcomes(n_train=64)])
    assert [row.setting for row in rows] == [
        "true labels",
        "random labels",
        "shuffled pixels",
        "random pixels",
        "Gaussian inputs",
        "partial labels 50%",
    ]
    assert {len(row.examples) for row in rows} == {8}
    assert [example.place for example in rows[4].examples] == [f"row {number}" for number in clean.train.sources[:8]]
    random = corrupt(clean, "random-labels", seed=0).train
    for i, example in enumerate(rows[1].examples):
        assert example.label == str(random.labels[i])
        assert example.true_label == str(clean.train.labels[i])
        assert example.changed_label == (example.label != example.true_label)
        np.testing.assert_array_equal(pixels(example), clean.train.inputs[i, 0])
    shuffled = corrupt(clean, "shuffled-pixels", seed=0).train
    assert all(example.changed_input and not example.changed_label for example in rows[2].examples)
    np.testing.assert_array_equal(pixels(rows[2].examples[3]), shuffled.inputs[3, 0])


def test_examples_cover_the_classes_first(data, outcome) -> None:
    (row,) = example_rows(data(num_classes=3), [outcome().spec])
    assert [example.label for example in row.examples] == ["0", "1", "2", "0", "1", "2", "0", "1"]


@pytest.mark.parametrize(
    ("shape", "drawn"), [((1, 5, 4), (5, 4)), ((3, 5, 4), (5, 4, 3)), ((4, 5, 4), (5, 4, 3)), ((2, 5, 4), (5, 4))]
)
def test_any_number_of_channels_has_a_picture(data, outcome, shape, drawn) -> None:
    (row,) = example_rows(data(shape=shape), [outcome().spec])
    assert pixels(row.examples[0]).shape == drawn


@pytest.mark.parametrize(("features", "drawn"), [(1, (1, 1)), (2, (1, 2)), (10, (3, 4)), (64, (8, 8))])
def test_vectors_become_squares(data, outcome, features, drawn) -> None:
    clean = data(shape=(features,))
    (row,) = example_rows(clean, [outcome().spec])
    found = pixels(row.examples[0])
    assert found.shape == drawn
    low, high = clean.train.inputs.min(axis=0), clean.train.inputs.max(axis=0)
    expected = np.round(255 * (clean.train.inputs[0].astype(np.float64) - low) / (high - low))
    np.testing.assert_array_equal(found.ravel()[:features], expected)


def test_few_examples_are_all_shown(data, outcome) -> None:
    (row,) = example_rows(data(n=2, num_classes=2), [outcome(n_train=2).spec])
    assert len(row.examples) == 2
