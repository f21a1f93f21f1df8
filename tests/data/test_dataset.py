"""The form in which data travels, and its fingerprint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from byrote.data.corruptions.application import apply_corruptions
from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, Split, moments, require_dataset
from byrote.data.subsets import subset
from byrote.errors import UserError


def test_what_a_split_says_of_itself() -> None:
    split = Split(
        np.zeros((3, 2), np.float32), np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([False, False, True])
    )
    np.testing.assert_array_equal(split.changed_labels, [False, True, False])
    np.testing.assert_array_equal(split.changed, [False, True, True])
    part = split.take(np.array([2, 1]))
    assert len(part) == 2
    np.testing.assert_array_equal(part.labels, [1, 1])
    np.testing.assert_array_equal(part.true_labels, [1, 0])
    np.testing.assert_array_equal(part.changed_inputs, [True, False])
    assert [part.place(row) for row in range(2)] == ["row 2", "row 1"]


def test_every_example_keeps_the_place_that_it_came_from(tiny: Dataset) -> None:
    files = np.array([f"cat/{{}}{number}.png" for number in range(121)])
    split = replace(tiny.train, sources=files, origin="{}")
    assert split.take(np.array([5, 3])).take(np.array([1])).place(0) == "cat/{}3.png"
    data = replace(tiny, train=split)
    assert data.fingerprint == tiny.fingerprint
    assert subset(data, 30, 0).train.place(0) in files
    noisy = apply_corruptions(data, (Corruption(name="random-labels"), Corruption(name="gaussian")), 0)
    np.testing.assert_array_equal(noisy.train.sources, files)


def test_clean_data_have_nothing_changed(tiny: Dataset) -> None:
    assert not tiny.train.changed.any()
    assert (tiny.num_classes, tiny.input_shape, tiny.is_images, tiny.label) == (10, (1, 8, 8), True, "tiny")
    assert replace(tiny, title="Tiny digits").label == "Tiny digits"


def test_vectors_are_no_images(tiny: Dataset) -> None:
    split = Split.clean(np.zeros((4, 9), np.float32), np.arange(4))
    assert replace(tiny, train=split).kind == "vectors"
    assert not replace(tiny, train=split).is_images
    assert tiny.kind == "images"
    assert replace(tiny, train=replace(split, inputs=split.inputs.astype(np.int64))).kind == "tokens"


def change_one_pixel(split: Split) -> Split:
    inputs = split.inputs.copy()
    inputs[-1, 0, 3, 3] += 1
    return replace(split, inputs=inputs)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: replace(data, train=change_one_pixel(data.train)),
        lambda data: replace(data, test=change_one_pixel(data.test)),
        lambda data: replace(data, train=replace(data.train, labels=data.train.labels[::-1].copy())),
        lambda data: replace(data, train=replace(data.train, inputs=data.train.inputs.astype(np.float32))),
        lambda data: replace(data, train=replace(data.train, inputs=data.train.inputs.reshape(-1, 1, 4, 16))),
        lambda data: replace(data, train=data.train.take(np.arange(120))),
        lambda data: replace(data, train=data.test, test=data.train),
        lambda data: replace(data, pixel_max=255.0),
        lambda data: replace(data, class_names=tuple("abcdefghij")),
    ],
)
def test_the_fingerprint_follows_the_content(tiny: Dataset, change) -> None:
    assert change(tiny).fingerprint != tiny.fingerprint


def test_the_fingerprint_is_of_values_and_not_of_names_or_memory(tiny: Dataset) -> None:
    fortran = replace(tiny.train, inputs=np.asfortranarray(tiny.train.inputs))
    assert replace(tiny, name="other", title="Other", train=fortran).fingerprint == tiny.fingerprint


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (2500, 2, 1, 3), (1030, 6), (1, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_moments_are_numpys(shape: tuple[int, ...], dtype: type) -> None:
    inputs = (1e3 + 20 * np.random.default_rng(0).random(shape)).astype(dtype)
    axes = (0, 2, 3) if len(shape) == 4 else (0,)
    mean, deviation = moments(inputs)
    np.testing.assert_allclose(mean, inputs.mean(axes, np.float64, keepdims=True)[0], rtol=1e-12)
    np.testing.assert_allclose(deviation, inputs.std(axes, np.float64, keepdims=True)[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("value", [0.1, 1e30, 16_777_217.0])
def test_what_never_varies_has_no_deviation(value: float) -> None:
    assert moments(np.full((1437, 2), value, np.float32))[1].tolist() == [0, 0]


def test_data_that_are_none_are_refused_with_what_makes_some() -> None:
    for data in ((np.eye(2), [0, 1]), None, "digits"):
        with pytest.raises(UserError, match=r"^got data of type \w+, expected a byrote.Dataset; byrote.from_arrays"):
            require_dataset(data)
