from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byrote.data.assembly import Examples, Unassembled, assemble, refuse_unknown_kind, split_labels
from byrote.data.columns import Column
from byrote.data.dataset import Dataset
from byrote.data.sources import from_arrays
from byrote.errors import UserError


def build(
    x: Any,
    y: Any,
    x_test: Any = None,
    y_test: Any = None,
    class_names: tuple[str, ...] | None = None,
    channels: Any = None,
) -> Dataset:
    splits = [Examples(Column(np.asarray(x), "x"), Column(np.asarray(y), "y"))]
    if x_test is not None:
        splits.append(Examples(Column(np.asarray(x_test), "x_test"), Column(np.asarray(y_test), "y_test")))
    return assemble(Unassembled(tuple(splits), class_names, channels=channels), name="mine")


def twice(x: Any, y: Any, **options: Any) -> Dataset:
    """The same examples for training and test, so that their order stays."""
    return build(x, y, x, y, **options)


PAIR = np.eye(2)
LABELS = np.arange(2)


@pytest.mark.parametrize(
    ("shape", "channels", "expected"),
    [
        ((2, 5), None, (5,)),
        ((2, 5, 4), None, (1, 5, 4)),
        ((2, 3, 5, 4), None, (3, 5, 4)),
        ((2, 5, 4, 3), None, (3, 5, 4)),
        ((2, 1, 5, 4), None, (1, 5, 4)),
        ((2, 5, 4, 1), None, (1, 5, 4)),
        ((2, 3, 5, 3), "first", (3, 5, 3)),
        ((2, 3, 5, 3), "last", (3, 3, 5)),
        ((2, 4, 5, 7), "first", (4, 5, 7)),
        ((2, 3, 5, 4), "last", (4, 3, 5)),
    ],
)
def test_shapes(shape: tuple[int, ...], channels: Any, expected: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    data = twice(x, LABELS, channels=channels)
    assert data.input_shape == expected
    last = len(shape) == 4 and (channels == "last" or (channels is None and shape[3] in (1, 3)))
    np.testing.assert_array_equal(data.train.inputs.squeeze(), (np.moveaxis(x, 3, 1) if last else x).squeeze())


@pytest.mark.parametrize(
    ("pixels", "dtype", "pixel_max"),
    [
        (np.array([0, 16], np.uint8), np.uint8, 255),
        (np.array([0, 255], np.int64), np.uint8, 255),
        (np.array([False, True]), np.uint8, 1),
        (np.array([0.0, 1.0]), np.float32, 1),
        (np.array([0.0, 254.5], np.float16), np.float32, 255),
        (np.array([-2.0, 2.0]), np.float32, 1),
        (np.array([0.0, 1000.0]), np.float32, 1),
    ],
)
def test_pixels_keep_eight_bits_and_know_their_scale(pixels: np.ndarray, dtype: type, pixel_max: float) -> None:
    data = twice(pixels.reshape(2, 1, 1), LABELS)
    assert data.train.inputs.dtype == dtype
    assert data.train.inputs.ravel().tolist() == pixels.tolist()
    assert data.pixel_max == pixel_max


def test_mapped_inputs_stay_what_they_are() -> None:
    images = np.arange(96, dtype=np.uint8).reshape(8, 2, 2, 3).transpose(0, 3, 1, 2)
    images.flags.writeable = False
    parts = [Examples(Column(images[rows], "x"), Column(np.arange(4) % 2, "y")) for rows in (slice(4), slice(4, 8))]
    data = assemble(Unassembled(tuple(parts), mapped=True), name="x")
    assert np.shares_memory(data.train.inputs, images)
    assert data.test.inputs.strides == images.strides
    assert data.pixel_max == 255


def test_arrays_are_shared_where_possible_and_always_writable() -> None:
    x = np.zeros((2, 1, 2, 2), np.uint8)
    assert np.shares_memory(twice(x, LABELS).train.inputs, x)
    x.flags.writeable = False
    assert twice(x, LABELS).train.inputs.flags.writeable


NAN = np.array([[0, 1], [np.nan, 0], [0, np.inf]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((0, 2)), []), "^x has no rows, expected at least one example$"),
        ((np.array(["a", "b"]), LABELS), "^x holds values of type <U1, expected numbers$"),
        ((np.zeros(2), LABELS), r"^inputs of x have shape \(2,\), expected vectors \[N, D\] or images"),
        ((np.zeros((2, 0)), LABELS), r"^inputs of x have shape \(2, 0\)"),
        (
            (np.zeros((2, 3, 5, 3)), LABELS),
            r"^images of x have shape \(2, 3, 5, 3\), and either axis 1 or axis 3 .*say",
        ),
        ((np.zeros((2, 4, 5, 8)), LABELS), r"byrote.from_arrays\(..., channels=\"first\"\) or channels=\"last\"$"),
        (
            (NAN, [0, 1, 1]),
            r"^x, row 1 \(counting from 0\), feature 0 \(counting from 0\): no value \(NaN\) \(2 rows have NaN or inf",
        ),
        ((np.array([[0], [1e300]]), LABELS), "^x, row 1 .*: a value beyond 3.4e38, the largest of float32"),
        (
            (np.array([[0, 1], [0, np.inf]]), LABELS),
            "^x, row 1 .*, feature 1 .*: an infinite value .1 rows have NaN or",
        ),
        (
            (np.array([[0, np.nan], [1, np.nan]]), LABELS),
            "^x, feature 1 .counting from 0., has no value in any row; drop",
        ),
        (
            (2e9 + PAIR, LABELS),
            "^x, feature 0 .*: float32 rounds values by up to 1, and they spread by 0.5 .*subtract the",
        ),
        (
            (2**31 + PAIR.astype(int), LABELS),
            "^x, feature 0 .*: float32 rounds values by up to 1, and they spread by 0.5",
        ),
        ((np.array([[[0]], [[256]]]), LABELS), "^x, row 1 .*: a pixel outside 0 to 255 .*; rescale it, or pass floats"),
        ((np.array([[[0]], [[-1]]]), LABELS), "^x, row 1 .*: a pixel outside 0 to 255"),
        ((PAIR, [0, 1, 1]), "^got 2 inputs in x but 3 labels in y, expected one label for each input$"),
        ((PAIR, [1, 1], PAIR, [1, 1]), "^all training examples of y have one class, '1'; expected at least two"),
        ((PAIR, [1, 1]), "^all training examples of y have one class, '1'; expected at least two classes$"),
        ((PAIR, LABELS), "^class '[01]' of y has 1 of 2 examples: once a fifth .* or give a test set besides$"),
        ((PAIR, LABELS, np.eye(3), [0, 1, 1]), r"^inputs of x have shape \(2,\), those of x_test \(3,\): give both"),
        ((np.zeros((2, 2, 2)), LABELS, np.zeros((2, 2, 2), int), LABELS), "^x holds float32, x_test uint8: give both"),
        ((PAIR, LABELS, np.zeros((0, 2)), []), "^x_test has no rows"),
        ((PAIR, [0, 1], PAIR, [0, 2], ("a", "b", "c")), "^class 'c' is in the test split of y_test but not in"),
    ],
)
def test_wrong_content_gets_one_sentence(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(*arguments)


@given(st.integers(2, 5), st.integers(10, 60))
def test_without_a_test_split_a_fifth_is_split_off(num_classes: int, size: int) -> None:
    x, y = np.arange(size)[:, None], np.arange(size) % num_classes
    data = build(x, y)
    found = np.concatenate([data.train.inputs, data.test.inputs]).ravel()
    assert sorted(found) == list(range(size))
    assert len(data.test) == -(-size // 5)
    for split in (data.train, data.test):
        assert (split.labels == split.inputs.ravel() % num_classes).all()


def test_labels_are_split_as_the_examples_are() -> None:
    labels = Column(np.random.default_rng(0).permutation(np.repeat(["b", "a", "10"], [5, 20, 40])), "y")
    data = assemble(Unassembled((Examples(Column(np.arange(65.0)[:, None], "x"), labels),)), name="x")
    train, test = split_labels(labels, None)
    assert data.train.inputs[:, 0].tolist() == train.tolist()
    assert data.test.inputs[:, 0].tolist() == test.tolist()


def test_a_kind_that_there_is_not_is_refused() -> None:
    assert refuse_unknown_kind("tokens") == "tokens"
    with pytest.raises(UserError, match="got kind='token', expected one of images, vectors, tokens"):
        refuse_unknown_kind("token")


def test_whole_numbers_that_float32_rounds_are_said() -> None:
    x = np.array([[2**24 + 1, 1], [3, 2**24]])
    with pytest.warns(
        UserWarning, match=r"^x, row 0 .*, feature 0 .*: 16777217 is rounded to 16777216 in float32"
    ) as said:
        assert twice(x, LABELS).train.inputs[0, 0] == 2**24
    assert len(said) == 2  # in both splits


def test_token_ids_beyond_64_signed_bits_are_refused() -> None:
    ids = np.arange(8, dtype=np.uint64).reshape(4, 2) + np.uint64(2**63)
    with pytest.raises(UserError, match=r"x_train, row 0 .*: a token id beyond 64 signed bits"):
        from_arrays(ids, [0, 1, 0, 1], ids, [0, 1, 0, 1], kind="tokens")


def test_features_that_float32_takes_for_0_are_to_be_multiplied() -> None:
    with pytest.raises(UserError, match=r"multiply it by a large number, or drop it$"):
        from_arrays(np.arange(1, 9.0)[:, None] * 1e-50, np.arange(8) % 2)
