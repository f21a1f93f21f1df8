import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_iris, load_wine
from sklearn.utils import Bunch
from torch.utils import data as torch_data

from byrote.data import memory
from byrote.data.sources import from_arrays
from byrote.errors import UserError

N = 40
X = np.random.default_rng(0).random((N, 3)).astype(np.float32)
Y = np.arange(N) % 4
PAIRS = torch_data.TensorDataset(torch.tensor(X), torch.tensor(Y))


class Items(torch_data.Dataset):
    """Whatever is given, one by one."""

    def __init__(self, items: list[Any], **attributes: Any) -> None:
        self.items = items
        vars(self).update(attributes)

    def __getitem__(self, row: int) -> Any:
        return self.items[row]

    def __len__(self) -> int:
        return len(self.items)


class ClassLabel:
    """As Hugging Face's."""

    def __init__(self, names: list[str]) -> None:
        self.names = names


class HubData(Items):
    """As a data set of Hugging Face: it has a shape, and gives columns that read their values late."""

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.items), len(self.items[0])

    def column(self, name: str) -> Any:
        return LazyColumn([item[name] for item in self.items], column_name=name, source=self)


class LazyColumn(Items):
    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)


def images(size: int = N) -> list[Image.Image]:
    pixels = np.random.default_rng(1).integers(0, 256, (size, 6, 5, 3), dtype=np.uint8)
    return [Image.fromarray(image) for image in pixels]


ROWS = [{"a": float(x[0]), "b": float(x[1]), "c": float(x[2]), "label": int(y)} for x, y in zip(X, Y, strict=True)]
SAME: dict[str, Any] = {
    "TensorDataset": PAIRS,
    "list of pairs": Items(list(zip(X, Y.tolist(), strict=True))),
    "tensors and numbers": Items(list(zip(torch.tensor(X), Y, strict=True))),
    "tensors twice": Items(list(zip(torch.tensor(X), torch.tensor(Y), strict=True))),
    "concatenation": torch_data.ConcatDataset(
        [torch_data.Subset(PAIRS, range(7)), torch_data.Subset(PAIRS, range(7, N))]
    ),
    "loader": torch_data.DataLoader(PAIRS, batch_size=7),
    "loader that shuffles and drops": torch_data.DataLoader(PAIRS, batch_size=7, shuffle=True, drop_last=True),
    "loader of everything by a subset": torch_data.DataLoader(
        PAIRS, sampler=torch_data.SubsetRandomSampler(range(N - 1, -1, -1))
    ),
    "Bunch": Bunch(data=X, target=Y),
    "Bunch of tables": Bunch(data=pd.DataFrame(X, columns=list("abc")), target=pd.Series(Y)),
    "dictionary": {"data": X, "labels": Y},
    "pair": (X, Y),
    "columns": Items(ROWS),
    "columns of Hugging Face": HubData(ROWS),
    "columns with inputs": Items([{"x": x, "y": y} for x, y in zip(X, Y, strict=True)]),
}


@pytest.mark.parametrize("name", SAME)
def test_one_data_set_in_many_forms(name: str) -> None:
    expected = from_arrays(X, Y)
    found = from_arrays(SAME[name])
    assert found.fingerprint == expected.fingerprint
    np.testing.assert_array_equal(found.train.inputs, X[found.train.sources])
    two = from_arrays(SAME[name], SAME[name])
    np.testing.assert_array_equal(two.test.inputs, X)
    np.testing.assert_array_equal(two.test.labels, Y)


@pytest.mark.parametrize(
    ("given", "test_inputs"),
    [
        ({"x_train": X, "y_train": Y, "x_test": X + 1, "y_test": Y}, X + 1),
        ({"train": (X, Y), "test": (X + 1, Y)}, X + 1),
        ({"train": PAIRS, "val": torch_data.TensorDataset(torch.tensor(X + 1), torch.tensor(Y))}, X + 1),
    ],
)
def test_a_dictionary_of_splits(given: dict[str, Any], test_inputs: np.ndarray) -> None:
    data = from_arrays(given)
    np.testing.assert_array_equal(data.train.inputs, X)
    np.testing.assert_array_equal(data.test.inputs, test_inputs)


def test_splits_without_labels_are_passed_over() -> None:
    rows = Items([{**row, "label": -1} for row in ROWS])
    with pytest.warns(UserWarning, match=r"x_train: all labels of the test split are missing, so that it"):
        data = from_arrays({"train": Items(ROWS), "validation": Items(ROWS[:20]), "test": rows})
    assert len(data.test) == 20
    with pytest.warns(UserWarning, match=r"x_train: the validation split is not used"):
        data = from_arrays({"train": Items(ROWS), "validation": rows, "test": Items(ROWS[:12])})
    assert len(data.test) == 12


def test_a_table_with_its_labels() -> None:
    table = pd.DataFrame(X, columns=list("abc")).assign(kind=np.array(list("wxyz"))[Y])
    data = from_arrays(table, label="kind")
    assert data.class_names == tuple("wxyz")
    np.testing.assert_array_equal(data.train.inputs, X[data.train.sources])
    assert len(from_arrays(table, table[:8], label="kind").test) == 8
    for arguments, message in (
        ((table,), r"x_train has no column 'kid', did you mean 'kind'\? its columns are a, b, c, kind"),
        ((table, table, table), r"got label= and labels besides, expected one or two tables"),
        ((X, Y), r"got label='kid' and arrays without columns: give the labels as y_train"),
    ):
        with pytest.raises(UserError, match=message):
            from_arrays(*arguments, label="kid")


def test_classes_have_the_names_that_the_data_set_has() -> None:
    names = ["cat", "dog", "owl", "yak"]
    for given in (
        Items(list(zip(X, Y, strict=True)), classes=names),
        torch_data.Subset(Items(list(zip(X, Y, strict=True)), classes=names), range(N)),
        Items(ROWS, features={"label": ClassLabel(names), "a": None}),
        Bunch(data=X, target=Y, target_names=np.array(names)),
    ):
        assert from_arrays(given).class_names == tuple(names)
    assert from_arrays(load_iris()).class_names == ("setosa", "versicolor", "virginica")
    assert from_arrays(load_wine(as_frame=True)).input_shape == (13,)


def test_images_of_pillow() -> None:
    pictures = images()
    data = from_arrays(Items(list(zip(pictures, Y, strict=True))))
    assert data.input_shape == (3, 6, 5)
    np.testing.assert_array_equal(data.train.inputs[0].transpose(1, 2, 0), pictures[data.train.sources[0]])
    gray = from_arrays(
        Items([{"image": image.convert("L"), "label": int(y)} for image, y in zip(pictures, Y, strict=True)])
    )
    assert gray.input_shape == (1, 6, 5)
    colours = [image.convert("P") for image in pictures]
    data = from_arrays(Items(list(zip(colours, Y, strict=True))))
    np.testing.assert_array_equal(
        data.train.inputs[0].transpose(1, 2, 0), colours[data.train.sources[0]].convert("RGB")
    )


def test_token_ids_are_known_by_their_name_and_what_is_not_used_is_said() -> None:
    ids = np.random.default_rng(0).integers(0, 99, (N, 5))
    rows = [
        {"text": "a", "input_ids": row.tolist(), "attention_mask": [1] * 5, "label": int(y)}
        for row, y in zip(ids, Y, strict=True)
    ]
    with pytest.warns(UserWarning, match=r"x_train: columns text, attention_mask are not used"):
        data = from_arrays(Items(rows))
    assert data.kind == "tokens"
    np.testing.assert_array_equal(data.train.inputs, ids[data.train.sources])


def test_columns_that_read_late_are_lists() -> None:
    rows = HubData([{"image": image.convert("P"), "label": int(y)} for image, y in zip(images(), Y, strict=True)])
    whole, parts = from_arrays(rows), from_arrays(rows.column("image"), rows.column("label"))
    assert whole.fingerprint == parts.fingerprint
    assert from_arrays([row["image"] for row in rows.items], Y).fingerprint == whole.fingerprint


def test_columns_of_items_are_columns_of_a_table() -> None:
    rows = [{"id": number, "a": number % 3, "label": number % 2} for number in range(N)]
    turned = [dict(reversed(row.items())) for row in rows]
    with pytest.warns(UserWarning, match=r"x_train: column 'id' counts the rows from 0 to 39"):
        data = from_arrays(Items(rows), Items(turned))
    np.testing.assert_array_equal(data.train.inputs, data.test.inputs)


class Stream(torch_data.IterableDataset):
    def __iter__(self) -> Iterator[Any]:
        return iter(PAIRS)


class Flipped(Items):
    def __getitem__(self, row: int) -> Any:
        x, y = self.items[row]
        return (x if random.random() < 0.5 else -x), y


class Broken(Items):
    def __getitem__(self, row: int) -> Any:
        if row == 3:
            raise OSError("no such picture")
        return self.items[row]


LIST = list(zip(X, Y, strict=True))
REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "a stream": ((Stream(),), r"x_train is a Stream, which gives its examples one after the other and has no length"),
    "a loader of a stream": ((torch_data.DataLoader(Stream()),), r"x_train is a Stream, which gives its examples one"),
    "a generator": ((iter(LIST),), r"x_train is a list_iterator, which gives its examples one after the other"),
    "labels besides": ((PAIRS, Y), r"x_train is a TensorDataset and brings its labels, as any Dataset does"),
    "a loader and labels besides": (
        (torch_data.DataLoader(PAIRS, 4), Y),
        r"x_train is a DataLoader and brings its labels, as any Dataset does",
    ),
    "a data set for labels": ((X, PAIRS), r"y_train is a TensorDataset, expected an array as x_train is"),
    "inputs alone": ((X,), r"got x_train or y_train alone, expected inputs and labels both"),
    "half a test split": ((X, Y, X), r"got one of x_test and y_test, expected both"),
    "one tensor": ((torch_data.TensorDataset(torch.tensor(X)),), r"x_train is a TensorDataset of 1 tensors, exp"),
    "inputs without labels": ((Items(list(X)),), r"x_train is an Items whose examples are an ndarray each, exp"),
    "inputs in a tuple": (
        (Items([((x, x), y) for x, y in LIST]),),
        r"x_train, row 0 .*: got a tuple of 2 arrays as the input, .* give several inputs as a dict by name",
    ),
    "inputs of two shapes in a list": (
        (Items([([x, x[:1]], y) for x, y in LIST]),),
        r"got a list of 2 arrays as the input, .* give several inputs as a dict by name",
    ),
    "a tuple and labels besides": (((X, X), Y), r"x_train is a tuple, which .* give several inputs as a dict by name"),
    "three values": ((Items([(x, y, 0) for x, y in LIST]),), r"whose examples are 3 values each, expected two"),
    "no examples": ((Items([]),), r"x_train has no rows, expected at least one example"),
    "a row that cannot be read": (
        (Broken(LIST),),
        r"row 3 \(counting from 0\): Broken.__getitem__ failed: OSError: no such picture \(test_example_sets.py, line",
    ),
    "an augmentation": ((Flipped(LIST),), r"x_train, row \d+ .*, is another each time that it is read, as by"),
    "several shapes": ((Items([*LIST[:-1], (X[0, :2], 1)]),), r"x_train, row 39 .*, has an input of float32 \(2,\)"),
    "a loader with its own batches": (
        (torch_data.DataLoader(PAIRS, collate_fn=lambda rows: rows),),
        r"x_train is a DataLoader with a collate_fn of its own; give its data set as it is to be used: x_train.dataset",
    ),
    "a loader with weights": (
        (torch_data.DataLoader(PAIRS, sampler=torch_data.WeightedRandomSampler([1.0] * N, N)),),
        r"x_train is a DataLoader that draws examples by WeightedRandomSampler; give its data set",
    ),
    "a loader that repeats": (
        (torch_data.DataLoader(PAIRS, sampler=torch_data.RandomSampler(PAIRS, replacement=True)),),
        r"x_train is a DataLoader that draws examples by RandomSampler",
    ),
    "no split to train on": (({"test": PAIRS},), r"x_train has the splits test, expected one called train"),
    "other keys": (({"a": X, "b": Y},), r"x_train is a dict of a, b, expected x_train, y_train, x_test, y_test"),
    "text": ((Items([{"text": "a", "label": 0}, {"text": "b", "label": 1}]),), r"column 'text', holds text"),
    "dates": ((Items([{"at": datetime.now(tz=UTC), "label": 0}]),), r"column 'at', holds values of type datetime, exp"),
    "no label": ((Items([{"a": 1.0, "b": 2.0}]),), r"has the columns a, b, and none of them may be the label"),
    "two labels": ((Items([{"a": 1, "y": 2, "label": 3}]),), r"and y or label may be the label; say which"),
    "an image with transparency": (
        (Items([(image.convert("RGBA"), 0) for image in images(2)]),),
        r"x_train, row 0 .*: an image of mode RGBA, expected L or RGB; convert it",
    ),
    "quantities": ((Bunch(data=X, target=X[:, 0]),), r"y_train, row 0 .*: a label that is neither a whole number"),
    "texts of a Bunch": ((Bunch(data=["a", "b"], target=[0, 1]),), "x_train holds values of type"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_other_objects_are_refused_with_what_to_give(case: str) -> None:
    arguments, message = REFUSED[case]
    with pytest.raises(UserError, match=message):
        from_arrays(*arguments)


def test_too_many_examples_for_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 100)
    with pytest.raises(UserError, match=r"^x_train says that it holds 480 bytes, and 100 bytes of memory are free"):
        from_arrays(Items(LIST))
