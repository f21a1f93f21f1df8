import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_iris

from byrote.audits.give_away import best_column
from byrote.audits.material import Material, Rows
from byrote.audits.reading import read_material
from byrote.data.sources import from_arrays


def told(material):
    return best_column(material, np.arange(len(material.train)))


def test_a_copy_of_the_label_is_named():
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, 200)
    table = pd.DataFrame({"a": draw.standard_normal(200), "code": labels * 10 + draw.normal(0, 0.1, 200)})
    found = told(read_material((table, labels)))
    assert found.column == "code"
    assert found.gives_away
    assert found.may_give_away
    assert found.p_value == 1 / 200


def test_of_several_inputs_ids_and_bools_are_columns_too_and_pixels_are_none():
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 300)
    image = np.repeat(labels[:, None, None].astype(np.uint8), 9, axis=1).reshape(300, 3, 3)
    noise = draw.normal(size=(300, 2))
    ids = np.stack([draw.integers(0, 9, 300), 7 - 3 * labels], axis=1)
    for other, name, num in (({"seen": labels == 1}, "seen", 3), ({"ids": ids}, "ids[1]", 4)):
        kind = {"ids": "tokens"} if "ids" in other else None
        found = told(read_material(from_arrays({"image": image, "noise": noise, **other}, labels, kind=kind)))
        assert (found.column, found.gives_away, found.num_columns) == (name, True, num)
    assert told(read_material(({"image": image}, labels))) is None


def test_good_measurements_are_no_leaks():
    for load in (load_breast_cancer, load_iris):
        found = told(read_material(load(return_X_y=True)))
        assert found.removed > 0.5
        assert not found.gives_away
        assert found.p_value == 1.0


def test_the_best_of_many_columns_is_not_surely_so_good(monkeypatch):
    """Forty columns that each remove just what is asked for: one of them does so surely, by its own interval, oftener
    than not."""
    monkeypatch.setattr("byrote.audits.give_away._SHUFFLES", 1)
    named = 0
    for seed in range(20):
        draw = np.random.default_rng(seed)
        labels = draw.integers(0, 2, 400)
        wrong = draw.random((400, 40)) < 0.025
        columns = np.where(wrong, 1 - labels[:, None], labels[:, None]) + 0.01 * draw.standard_normal((400, 40))
        found = told(read_material((columns, labels)))
        named += found.gives_away
        assert found.may_give_away
    assert named <= 2


def test_what_is_missing_may_tell():
    draw = np.random.default_rng(1)
    labels = draw.integers(0, 2, 300)
    table = pd.DataFrame({"a": draw.standard_normal(300), "b": np.where(labels == 1, np.nan, 1.0)})
    assert told(read_material((table, labels))).column == "b"


def test_images_have_no_columns():
    rows = Rows(np.zeros((10, 1, 4, 4), np.uint8), np.arange(10) % 2, np.arange(10))
    assert told(Material("i", "I", "images", rows, rows, ("a", "b"))) is None
