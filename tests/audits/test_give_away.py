import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_iris

from byrote.audits.give_away import best_column
from byrote.audits.material import Material, Rows
from byrote.audits.reading import read_material


def test_a_copy_of_the_label_is_named():
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, 400)
    table = pd.DataFrame(draw.standard_normal((400, 5)), columns=list("abcde"))
    table["code"] = labels * 10 + draw.normal(0, 0.1, 400)
    found = best_column(read_material((table, labels)))
    assert found.column == "code"
    assert found.gives_away
    assert found.may_give_away
    assert found.p_value == 1 / 200


def test_good_measurements_are_no_leaks():
    for load in (load_breast_cancer, load_iris):
        found = best_column(read_material(load(return_X_y=True)))
        assert found.removed > 0.5
        assert not found.gives_away
        assert found.p_value == 1.0


def test_what_is_missing_may_tell():
    draw = np.random.default_rng(1)
    labels = draw.integers(0, 2, 300)
    table = pd.DataFrame({"a": draw.standard_normal(300), "b": np.where(labels == 1, np.nan, 1.0)})
    assert best_column(read_material((table, labels))).column == "b"


def test_images_have_no_columns():
    rows = Rows(np.zeros((10, 1, 4, 4), np.uint8), np.arange(10) % 2, np.arange(10))
    assert best_column(Material("i", "I", "images", rows, rows, ("a", "b"))) is None
