"""Packed rows: what lies where, and what networks get of it."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from byrote.input_parts import PackedShape, Part, as_networks_get_it, first_images, names_in_words

PARTS = (
    Part("age", "vectors", (), 0, "float32"),
    Part("scan", "images", (2, 3, 1), 1, "float32", "last", 255.0, is_scaled=True),
    Part("ids", "tokens", (4,), 7, "int64"),
)
ROWS = np.arange(22, dtype=np.float32).reshape(2, 11)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_part_comes_out_as_it_is_alone_and_goes_back(part: Part) -> None:
    shapes = {"age": (2, 1), "scan": (2, 1, 2, 3), "ids": (2, 4)}
    alone = part.alone(ROWS)
    assert alone.shape == shapes[part.name]
    assert (alone.dtype == np.int64) == (part.kind == "tokens")
    np.testing.assert_array_equal(part.packed(alone), ROWS[:, part.columns])


def test_networks_get_8_bit_pixels_between_0_and_1() -> None:
    found = as_networks_get_it(ROWS, PARTS)
    np.testing.assert_array_equal(found[:, 1:7], ROWS[:, 1:7] * np.float32(1 / 255))
    np.testing.assert_array_equal(np.delete(found, range(1, 7), axis=1), np.delete(ROWS, range(1, 7), axis=1))
    assert as_networks_get_it(ROWS, PARTS[:1]) is ROWS


def test_the_packed_shape_knows_its_parts() -> None:
    shape = PackedShape(PARTS)
    assert shape == PackedShape(PARTS)
    assert shape != PackedShape(PARTS[:2])
    assert shape != (11,)
    assert tuple(shape) == (11,)
    for other in (copy.deepcopy(shape), pickle.loads(pickle.dumps(shape))):
        assert other == shape
        assert hash(other) == hash(shape)
    assert str(shape) == "{'age': (), 'scan': (2, 3, 1), 'ids': (4,)}"


def test_what_is_said_of_parts() -> None:
    assert first_images(PARTS) is PARTS[1]
    assert first_images(PARTS[:1]) is None
    assert names_in_words(PARTS) == "age, scan and ids"
    assert [part.num_places for part in PARTS] == [1, 6, 4]
