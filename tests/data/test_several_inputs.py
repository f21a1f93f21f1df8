"""Dicts of arrays: what comes out by name is what went in, and whatever could not be had is refused."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import StackDataset

from byrote.data.dataset import Dataset
from byrote.data.sources import from_arrays
from byrote.errors import UserError

N = 40
DRAW = np.random.default_rng(0)
Y = np.arange(N) % 2
IMAGE = DRAW.integers(0, 256, (N, 5, 4, 3), dtype=np.uint8)
META = DRAW.normal(size=(N, 3))
TOKENS = DRAW.integers(0, 2**24, (N, 6))
MASK = DRAW.random((N, 6)) < 0.5
AGE = DRAW.random(N).astype(np.float32)
ALL = {"image": IMAGE, "meta": META, "tokens": TOKENS, "mask": MASK, "age": AGE, "grid": DRAW.random((N, 2, 3, 2, 2))}


def quiet(*given: Any, **options: Any) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return from_arrays(*given, **options)


def test_each_input_lies_in_its_columns_without_loss() -> None:
    with pytest.warns(UserWarning, match=r"x_train\['tokens'\] holds whole numbers and is taken for token ids"):
        data = from_arrays(ALL, Y, ALL, Y)
    assert data.kind == "dict"
    assert data.train.inputs.dtype == np.float32
    assert {part.name: part.kind for part in data.parts} == {
        "image": "images", "meta": "vectors", "tokens": "tokens", "mask": "tokens", "age": "vectors", "grid": "vectors",
    }  # fmt: skip
    assert [part.dtype for part in data.parts][2:4] == ["int64", "bool"]
    alone = {part.name: data.alone(part).train.inputs for part in data.parts}
    np.testing.assert_array_equal(alone["image"], IMAGE.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(alone["meta"], META.astype(np.float32))
    np.testing.assert_array_equal(alone["tokens"], TOKENS)
    np.testing.assert_array_equal(alone["mask"], MASK)
    np.testing.assert_array_equal(alone["age"], AGE[:, None])
    for part in data.parts:
        np.testing.assert_array_equal(part.packed(alone[part.name]), data.train.inputs[:, part.columns])


def test_token_ids_alone_stay_whole() -> None:
    ids = TOKENS + 2**40
    assert quiet({"a": ids, "b": ids}, Y).train.inputs.dtype == np.int64


def test_names_types_and_shapes_are_part_of_the_identity() -> None:
    first = quiet({"a": META, "b": AGE}, Y)
    assert first.fingerprint == quiet({"a": META, "b": AGE}, Y).fingerprint
    others = ({"a": META, "c": AGE}, {"a": META, "b": AGE[:, None]})
    assert first.fingerprint not in {quiet(x, Y).fingerprint for x in others}


@pytest.mark.parametrize("form", ["data set", "items", "pairs", "splits", "frame"])
def test_other_forms_give_the_same_data(form: str) -> None:
    x = {"image": IMAGE, "meta": META.astype(np.float32)}
    tensors = {name: torch.from_numpy(values) for name, values in x.items()}
    expected = quiet(x, Y, x, Y)
    match form:
        case "data set":
            dataset = StackDataset(StackDataset(**tensors), torch.from_numpy(Y))
            found = quiet(dataset, dataset)
        case "items":
            names = {"eye": tensors["image"], "meta": tensors["meta"]}  # "image" would be taken alone
            dataset = StackDataset(**names, label=torch.from_numpy(Y))
            found = quiet(dataset, dataset)
        case "pairs":
            found = quiet((x, Y), (x, Y))
        case "splits":
            found = quiet({"x_train": x, "y_train": Y, "x_test": x, "y_test": Y})
        case _:
            frame = pd.DataFrame(x["meta"], columns=["a", "b", "c"])
            found = quiet(x | {"meta": frame}, Y, x | {"meta": frame[["c", "a", "b"]]}, Y)
    np.testing.assert_array_equal(found.train.inputs, expected.train.inputs)
    np.testing.assert_array_equal(found.test.inputs, expected.test.inputs)
    assert [part.shape for part in found.parts] == [(5, 4, 3), (3,)]


def test_the_user_says_what_an_input_is() -> None:
    data = quiet({"a": TOKENS, "b": IMAGE}, Y, kind={"a": "vectors", "b": "vectors"})
    assert [part.kind for part in data.parts] == ["vectors", "vectors"]


NAN = META.copy()
NAN[7, 1] = np.nan
REFUSED: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "nothing": (({}, Y), {}, r"x_train is an empty dict, expected arrays by their names"),
    "dicts in a list": (([{"a": 1.0}] * N, Y), {}, r"x_train is a list of dicts, expected one dict of arrays by name"),
    "no values": (({"a": META, "b": META[:, :0]}, Y), {}, r"x_train\['b'\] has shape \(40, 0\), no value for any"),
    "a nested dict": (({"a": {"b": META}}, Y), {}, r"x_train\['a'\] is a dict of b, expected an array"),
    "text": (({"a": META, "b": np.array(["x"] * N)}, Y), {}, r"x_train\['b'\] holds values of type <U1, expected num"),
    "lengths": (({"a": META, "b": AGE[:9]}, Y), {}, r"x_train have different numbers of rows \(a has 40, b has 9\)"),
    "labels": (({"a": META}, Y[:9]), {}, r"got 40 inputs in x_train but 9 labels in y_train"),
    "NaN": (({"a": NAN}, Y), {}, r"x_train\['a'\], row 7 .*, feature 1 .*: no value \(NaN\)"),
    "other names": (({"a": META}, Y, {"b": META}, Y), {}, r"x_train has the inputs a, x_test has b: give both splits"),
    "other shapes": (({"a": META}, Y, {"a": AGE}, Y), {}, r"x_train\['a'\] have shape \(3,\), those of x_test"),
    "one array": (({"a": META}, Y, META, Y), {}, r"x_train, a dict of the inputs a, and x_test, an ndarray"),
    "other types": (({"a": META}, Y, {"a": TOKENS[:, :3]}, Y), {}, r"holds float64, x_test\['a'\] int64: give both"),
    "large ids": (({"a": META, "b": TOKENS + 2**25}, Y), {}, r"x_train\['b'\], row 0 .*: a token id above 16,777,216"),
    "negative ids": (({"a": TOKENS - 2**25}, Y), {}, r"a token id below 0 .* or give kind=\{'a': 'vectors'\}"),
    "no name": (({"a b": META}, Y), {}, r"an input called 'a b', expected a name that an argument of forward can"),
    "channels": (({"a": np.zeros((N, 2, 5, 5))}, Y), {}, r"either axis 1 or axis 3 may hold channels: say which"),
    "one kind": (({"a": META}, Y), {"kind": "vectors"}, r"for several inputs, expected a kind by name"),
    "another's kind": (({"a": META}, Y), {"kind": {"b": "vectors"}}, r"no input is called 'b'"),
    "no precision": (({"a": META + 1e12}, Y), {}, r"x_train\['a'\], feature 0 .*: float32 rounds values by up to"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_had_is_refused_in_a_sentence(case: str) -> None:
    given, options, message = REFUSED[case]
    with pytest.raises(UserError, match=message):
        quiet(*given, **options)
