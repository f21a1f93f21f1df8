import numpy as np
import pandas as pd
import pytest

from byrote.audits.material import Material, Rows
from byrote.audits.reading import read_material
from byrote.errors import UserError


def rows_of(inputs, labels=None):
    labels = np.arange(len(inputs)) % 2 if labels is None else labels
    return Rows(inputs, labels, np.arange(len(inputs)), "row {} of t.csv", groups=np.arange(len(inputs)) // 2)


def table_material(table):
    return Material("t", "T", "table", rows_of(table), rows_of(table), ("no", "yes"), 1.0, group_column="who")


def test_rows_are_taken_with_all_that_belongs_to_them():
    rows = rows_of(pd.DataFrame({"a": [1, 2, 3, 4]})).take(np.array([3, 1]))
    assert rows.inputs["a"].tolist() == [4, 2]
    assert rows.groups.tolist() == [1, 0]
    assert rows.place(0) == "row 3 of t.csv"
    assert rows.relabelled(np.array([1, 1])).labels.tolist() == [1, 1]


def test_networks_get_numbers_without_the_groups():
    material = table_material(pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.5], "who": list("abcd")}))
    data = material.dataset(material.train, material.test)
    assert data.kind == "vectors"
    assert data.train.inputs.tolist() == [[1.0], [2.0], [3.0], [4.5]]


def test_networks_take_no_text():
    material = table_material(pd.DataFrame({"a": ["x", "y", "x", "y"]}))
    with pytest.raises(UserError, match="column 'a': got 'x', expected a number"):
        material.dataset(material.train, material.test)


def test_the_fingerprint_is_of_everything():
    first = table_material(pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0]}))
    same = table_material(pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0]}))
    other = table_material(pd.DataFrame({"a": [1.0, 2.0, 3.0, 5.0]}))
    assert first.fingerprint == same.fingerprint != other.fingerprint


def test_of_several_inputs_one_is_looked_at_and_pages_say_which():
    draw = np.random.default_rng(0)
    image = draw.integers(0, 256, (60, 6, 6), dtype=np.uint8)
    meta, ids = draw.normal(size=(60, 3)), draw.integers(0, 9, (60, 4))
    labels = np.arange(60) % 2

    def material(**inputs):
        return read_material(((inputs, labels), (inputs, labels)), title="several")

    with pytest.warns(UserWarning, match="is taken for token ids"):
        whole, rows, names, renamed = (
            material(**inputs)
            for inputs in (
                {"image": image, "meta": meta, "ids": ids},
                {"meta": meta, "ids": ids},
                {"ids": ids},
                {"image": image, "beta": meta, "ids": ids},
            )
        )
    assert [each.look.kind for each in (whole, rows, names)] == ["images", "vectors", "tokens"]
    assert [each.look.in_words for each in (whole, rows, names)] == ["the pixels of image", "meta", ""]
    np.testing.assert_array_equal(whole.look.take(whole.train.inputs)[:, 0], image)
    np.testing.assert_array_equal(rows.look.take(rows.train.inputs), meta.astype(np.float32))
    assert whole.names_of_quantities == ["meta[0]", "meta[1]", "meta[2]"]
    assert len({each.fingerprint for each in (whole, rows, names, renamed)}) == 4
    assert whole.dataset(whole.train, whole.test).parts == whole.parts
