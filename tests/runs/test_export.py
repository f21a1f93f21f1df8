from dataclasses import replace

import pandas as pd
import pytest
from fake_engine import make_outcome

import byrote.runs.export
from byrote.errors import UserError
from byrote.runs.export import export
from byrote.runs.store import Store
from byrote.studies.columns import OF_RUNS
from byrote.training.spec import TrainSpec


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_runs_come_in_order_with_the_declared_columns_a_few_at_a_time(ending, tmp_path, monkeypatch):
    monkeypatch.setattr(byrote.runs.export, "_AT_ONCE", 2)
    store = Store(tmp_path / "runs.db")
    outcomes = [make_outcome(TrainSpec(model="=mlp.py:Net" if seed else "mlp-1x8", seed=seed)) for seed in range(5)]
    for outcome in outcomes:
        store.put(replace(outcome, data="=cmd()"))
    path = tmp_path / f"runs.{ending}"
    assert export(store, [outcome.key for outcome in outcomes[::-1]], path) == 0
    table = (pd.read_parquet if ending == "parquet" else pd.read_csv)(path)
    assert list(table) == [column.name for column in OF_RUNS]
    assert list(table["seed"]) == [4, 3, 2, 1, 0]
    assert table["data"][0] == ("=cmd()" if ending == "parquet" else "'=cmd()")


def test_another_format_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"got --export .*xlsx, expected a file that ends in \.parquet or \.csv"):
        export(Store(tmp_path / "runs.db"), [], tmp_path / "runs.xlsx")
