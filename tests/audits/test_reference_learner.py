import numpy as np
import pandas as pd

from byrote.audits.reading import read_material
from byrote.audits.reference_learner import reference


def test_it_learns_where_there_is_something(tiny):
    material = read_material(tiny)
    found = reference(material, material.train, material.test)
    assert found.score.low < found.score.mean < found.score.high
    assert found.score.mean > 0.7
    assert found.p_value == 1e-4


def test_it_finds_nothing_in_noise():
    draw = np.random.default_rng(0)
    table = pd.DataFrame({"a": draw.standard_normal(200), "b": list("pq") * 100, "y": draw.integers(0, 2, 200)})
    material = read_material(table, label="y")
    assert reference(material, material.train, material.test).p_value > 0.01
