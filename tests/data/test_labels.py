from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from byrote.data.columns import Column
from byrote.data.labels import Numbered, has_no_label, numbered, one_hot_codes
from byrote.errors import UserError


def number(*labels: Any, class_names: tuple[str, ...] | None = None) -> Numbered:
    names = ("y", "y_test")
    columns = [Column(np.asarray(values), name) for values, name in zip(labels, names, strict=False)]
    return numbered(columns, class_names)


@pytest.mark.parametrize(
    ("labels", "class_names", "codes"),
    [
        ([3, 1, 7], ("1", "3", "7"), [1, 0, 2]),
        ([-1, 1, 1], ("-1", "1"), [0, 1, 1]),
        ([-2, -1, 0], ("-2", "-1", "0"), [0, 1, 2]),
        ([1.0, 0.0, 1.0], ("0", "1"), [1, 0, 1]),
        (np.array([1, 0, 1], np.float16), ("0", "1"), [1, 0, 1]),
        ([2**53 + 1, 2**53, 2**53], (str(2**53), str(2**53 + 1)), [1, 0, 0]),
        (np.array([2**53 + 1, 2**53, 2**53], object), (str(2**53), str(2**53 + 1)), [1, 0, 0]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
        (np.array([True, False, np.True_], object), ("False", "True"), [1, 0, 1]),
        (pd.array([True, False, True]), ("False", "True"), [1, 0, 1]),
        (["b", "a", "c"], ("a", "b", "c"), [1, 0, 2]),
        (["10", "9", "2"], ("2", "9", "10"), [2, 1, 0]),
        (["-1", "0", "1"], ("-1", "0", "1"), [0, 1, 2]),
        ([b"b", b"a", b"a"], ("a", "b"), [1, 0, 0]),
        (np.array([b"b", b"a", "a"], object), ("a", "b"), [1, 0, 0]),
        (["\u00fc".encode(), b"a", b"a"], ("a", "\u00fc"), [1, 0, 0]),
        (np.array(["b", "a", "a"], object), ("a", "b"), [1, 0, 0]),
        (np.array([2, 5, 5], object), ("2", "5"), [0, 1, 1]),
        (np.array([2, 5.0, np.int8(5)], object), ("2", "5"), [0, 1, 1]),
        (np.array(["b", "a", "a"], np.dtypes.StringDType()), ("a", "b"), [1, 0, 0]),
        (pd.Series(["b", "a", "a"], dtype="category"), ("a", "b"), [1, 0, 0]),
        (pd.Series([4, 2, 2], dtype="category"), ("2", "4"), [1, 0, 0]),
        (pd.Series([4, 2, 2], dtype="Int64"), ("2", "4"), [1, 0, 0]),
        ([[1], [0], [1]], ("0", "1"), [1, 0, 1]),
        ([[0, 1, 0], [1, 0, 0], [0, 0, 1]], ("0", "1", "2"), [1, 0, 2]),
        ([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], ("0", "1"), [1, 0, 1]),
        ([[False, True], [True, False], [False, True]], ("0", "1"), [1, 0, 1]),
        (np.array([0, 200, 0], np.uint8), ("0", "200"), [0, 1, 0]),
        (np.array([0, 255, 0], np.uint8), ("0", "255"), [0, 1, 0]),
    ],
)
def test_classes_are_numbered(labels: Any, class_names: tuple[str, ...], codes: list[int]) -> None:
    found = number(labels)
    assert found.class_names == class_names
    assert found.codes[0].tolist() == codes
    assert found.codes[0].dtype == np.int64
    assert found.notes == ()


@pytest.mark.parametrize(
    ("labels", "codes"), [([2, 0, 2], [2, 0, 2]), (["bird", "cat", "bird"], [2, 0, 2]), ([0.0, 2.0, 2.0], [0, 2, 2])]
)
def test_given_class_names_fix_the_numbers(labels: Any, codes: list[int]) -> None:
    found = number(labels, class_names=("cat", "dog", "bird"))
    assert found.class_names == ("cat", "dog", "bird")
    assert found.codes[0].tolist() == codes


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=2, max_size=5, unique=True), st.data())
def test_any_names_round_trip(names: list[str], data: st.DataObject) -> None:
    # NumPy's fixed-width text drops trailing NULs.
    names = list(dict.fromkeys(name.rstrip("\0") or "x" for name in names))
    assume(len({" ".join(name.split()) for name in names}) == len(names))
    rows = [*names, *data.draw(st.lists(st.sampled_from(names)))]
    found = number([*rows, "any"])
    assert [found.class_names[code] for code in found.codes[0]] == [*rows, "any"]


@pytest.mark.parametrize(
    ("labels", "notes"),
    [
        (["cat", "Cat", "dog"], ["y: 'Cat' and 'cat' are taken as two classes"]),
        (["caf\u00e9", "cafe\u0301"], ["are taken as two classes"]),
        (["NA", "EU", "SA"], ["y: 'NA' is taken as a class, not as a missing label"]),
        (["None", "mild", "?"], ["y: '\\?' is taken", "y: 'None' is taken"]),
    ],
)
def test_doubtful_names_are_said(labels: list[str], notes: list[str]) -> None:
    found = number(labels)
    assert len(found.class_names) == len(set(labels))
    assert len(found.notes) == len(notes)
    for note, expected in zip(found.notes, notes, strict=True):
        with pytest.raises(UserError, match=expected):
            raise UserError(note)


HOLE = np.array(["a", None, "b"], object)
ABC = ("a", "b", "c")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 0.5],), r"^y, row 1 .*: a label that is neither a whole number nor a name .*; byrote classifies"),
        (([0, 1e300],), r"^y, row 1 .*: a label that is neither a whole number nor a name"),
        (([0, np.inf],), r"^y, row 1 .*: a label that is neither a whole number nor a name"),
        ((np.array([0, 2**80], object),), r"^y, row 1 .*: a label that is neither a whole number nor a name"),
        ((np.array([0, 2**63], np.uint64),), r"^y, row 1 .*: a label beyond 64 signed bits"),
        (([0, np.nan],), r"^y, row 1 .*: a label that is missing \(nan\) \(1 such rows\); give each example its class"),
        ((HOLE,), "^y, row 1 .*: a label that is missing"),
        ((np.array(["a", np.nan], object),), "^y, row 1 .*: a label that is missing"),
        ((np.array(["a", np.ma.masked], object),), "^y, row 1 .*: a label that is missing"),
        ((np.array([1, pd.NA], object),), "^y, row 1 .*: a label that is missing"),
        ((pd.Series(["a", None], dtype="category"),), "^y, row 1 .*: a label that is missing"),
        ((pd.Series([3, None], dtype="category"),), "^y, row 1 .*: a label that is missing"),
        ((np.array(["a", "b", np.nan], np.dtypes.StringDType(na_object=np.nan)),), "^y, row 2 .*: a label that is mis"),
        ((["a", " "],), "^y, row 1 .*: an empty label"),
        ((["a", "nan"],), "^y, row 1 .*: the label 'nan', which says that there is none"),
        ((["0", "1", "NA"],), "^y, row 2 .*: the label 'NA', which says that there is none"),
        ((["1.5", "1", "?"],), "^y, row 2 .*: the label '\\?', which says that there is none"),
        ((["cat", "cat "],), "^labels 'cat' and 'cat ' of y differ in blanks alone: strip the blanks"),
        ((np.array(["a", 1], object),), "^y, row 1 .*: a label of another kind among names .*; use names throughout"),
        ((np.array([True, 2], object),), "^y, row 1 .*: a label of another kind among True and False"),
        ((np.array([1, 1j], object),), "^y, row 1 .*: a label that is neither a whole number nor a name"),
        ((np.array([1, {}], object),), "^y, row 1 .*: a label that is neither a whole number nor a name"),
        (([b"a", b"\xff"],), "^y, row 1 .*: got the label .*, expected text in UTF-8"),
        (([1j, 0],), "^labels of y are of type complex128, expected whole numbers or names$"),
        ((np.array([0, 1], "M8[s]"),), "^labels of y are of type datetime64"),
        (([0, 1, 2, -1, 1],), r"^y, row 3 .*: the label -1 beside 0, 1, 2, as examples without a label have it \(1 su"),
        (([-1, 0, 1],), "^y, row 0 .*: the label -1 beside 0, 1, as examples without a label"),
        (([-1, 0, 0],), "^y, row 0 .*: the label -1 beside 0,"),
        (([-100, 1, 2.0],), "^y, row 0 .*: the label -100 beside 1, 2, .*or, if it is a class, give the classes names"),
        (([0, 1, 2], [0, -1, 1]), "^y_test, row 1 .*: the label -1 beside 0, 1, 2"),
        ((np.array([0, 1, 2, 255], np.uint8),), "^y, row 3 .*: the label 255 of type uint8, which -1, without a label"),
        (([0, 1], [0, 2]), "^y_test, row 1 .*: class 2 is not among the 2 classes of the training split .0, 1.;"),
        ((["cat", "dog"], ["dog", "Cat "]), r"class 'Cat ' is not among .* \(cat, dog\), did you mean 'cat'\? correct"),
        (([0, 1], ["a", "b"]), "^labels of y and y_test mix names and numbers: use one kind in both"),
        ((np.eye(2), np.eye(3)), "^one-hot labels of y and y_test have 2 and 3 columns: give both splits the same"),
        (([[1, 1, 0], [0, 1, 0]],), r"^labels of y have shape \(2, 3\), and y, row 0 .*, has 2 classes: byrote trains"),
        (([[1, 0], [0, 0]],), r"^labels of y have shape \(2, 2\), and y, row 1 .*, has 0 classes"),
        (([[0.4, 0.6], [0, 1]],), r"^labels of y have shape \(2, 2\), shares of classes that add up to 1"),
        (([[3, 5], [4, 4]],), r"^labels of y have shape \(2, 2\), expected one whole number or name per example; give"),
        (([["a", "b"]],), r"^labels of y have shape \(1, 2\), expected one whole number or name per example; give the"),
        ((np.zeros((2, 3, 3)),), r"^labels of y have shape \(2, 3, 3\), expected one whole number or name per example"),
        ((np.arange(50), [50]), r"\(0, 1, 2, 3, 4, 5, 6, 7, …, 49\)"),
    ],
)
def test_what_is_no_label_gets_one_sentence(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        number(*arguments)
    assert "argmax" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "class_names", "message"),
    [
        ([0, 3], ABC, r"^y, row 1 .*: class 3 is not among the 3 classes \(0, 1, 2\); correct the label"),
        ([1, -1], ("a", "b"), r"class -1 is not among the 2 classes \(0, 1\): it marks an example without a label"),
        ([0, -1], ("a", "b"), r"the label -1 beside 0, as examples without a label have it"),
        (["a", "x"], ("a", "b"), r"^y, row 1 .*: class 'x' is not among .* \(a, b\); correct"),
        ([0, 1], ("a", "a"), "^got class names a, a for y: each may occur once$"),
    ],
)
def test_labels_that_do_not_fit_the_class_names(labels: Any, class_names: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        number(labels, class_names=class_names)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([-1, -1], True),
        ([-1, 0], False),
        ([np.nan, -1.0], True),
        ([[-1], [-1]], True),
        ([None, np.nan], True),
        (["", "nan"], True),
        (["", "a"], False),
        ([1, 1], False),
        ([[], []], True),
    ],
)
def test_a_split_without_labels(labels: Any, expected: bool) -> None:
    assert has_no_label(Column(np.asarray(labels), "y")) is expected


def test_one_hot_rows() -> None:
    assert one_hot_codes(np.eye(3)[[2, 0, 1]]).tolist() == [2, 0, 1]
    for other in (np.ones((2, 2)), np.zeros((2, 2)), np.eye(2) / 2, np.eye(1), np.arange(2), np.array([["a", "b"]])):
        assert one_hot_codes(other) is None
