import numpy as np
import pandas as pd
import pytest

from byrote.audits.identical_rows import identical_rows


def test_every_identical_image_is_a_copy():
    images = np.random.default_rng(0).integers(0, 256, (300, 1, 6, 6)).astype(np.uint8)
    images[[200, 250]] = images[[3, 3]]
    found = identical_rows(images, "images")
    assert found.num_pairs == 3
    assert found.ids[[3, 200, 250]].tolist() == [3, 3, 3]
    assert found.p_value == 0.0


def test_rows_of_quantities_are_equal_but_for_rounding():
    rows = np.random.default_rng(0).standard_normal((300, 4)) * 1000
    rows[7] = rows[100] * (1 + 1e-9)
    found = identical_rows(rows, "vectors")
    assert found.num_pairs == 1
    assert found.p_value < 1e-3


@pytest.mark.parametrize("seed", range(10))
def test_columns_of_few_values_agree_by_chance(seed):
    draw = np.random.default_rng(seed)
    table = pd.DataFrame({name: draw.choice(list("abc"), 400) for name in "pqrst"})
    found = identical_rows(table, "table")
    assert found.num_pairs > 100
    assert found.p_value > 0.05


def test_copies_stand_out_of_agreement_by_chance():
    draw = np.random.default_rng(0)
    table = pd.DataFrame({f"c{place}": draw.integers(0, 4, 400) for place in range(10)})
    table.iloc[300:340] = table.iloc[:40].to_numpy()
    assert identical_rows(table, "table").p_value < 1e-3


def test_nothing_is_identical():
    found = identical_rows(np.arange(20.0).reshape(10, 2), "vectors")
    assert (found.num_pairs, found.p_value) == (0, 1.0)
