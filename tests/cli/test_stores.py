import re
import shutil
import sqlite3
from contextlib import closing

import pandas as pd
import pytest

from byrote.cli import main

QUICK = ["--n-train", "40", "--stop", "at_steps", "--steps", "2", "--device", "cpu"]


@pytest.fixture
def out(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(finished, tmp_path / "out")


def change(path, statement):
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)


def test_halves_are_merged_into_one_that_reports(out, capsys):
    shutil.copy(out / "runs.db", "half.db")
    change("half.db", "DELETE FROM byrote_runs WHERE seed = 0 AND corruption <> 'true-labels'")
    change(out / "runs.db", "DELETE FROM byrote_runs WHERE corruption = 'true-labels'")
    capsys.readouterr()
    assert main(["merge", str(out), "half.db"]) == 0
    assert "merged.db has 16 runs and calculations." in capsys.readouterr().out
    assert main(["demo", "--out", "again", "--store", "merged.db", *QUICK]) == 0
    assert "16 of 16 runs are in the store already" in capsys.readouterr().err


@pytest.mark.slow
def test_a_conflict_is_named_and_the_first_stays(out, capsys):
    assert main(["demo", "--out", "other", *QUICK, "--learning-rate", "0.06"]) == 0
    for store in ("one.db", "two.db"):
        shutil.copy("other/runs.db", store)
    from byrote.runs.codec import _sealed
    from byrote.runs.store import Store
    from byrote.runs.tables import RUNS

    store = Store("two.db")
    row = next(store.rows(RUNS))
    store.insert(RUNS, [_sealed(row | {"test_loss": 9.0})], replacing=True)
    capsys.readouterr()
    assert main(["merge", "one.db", "two.db", "--into", "three.db"]) == 3
    told = capsys.readouterr().err
    assert "one.db: 16 added, 0 there already" in told
    assert "two.db: 0 added, 15 there already" in told
    assert "three.db has other numbers for them, which stay:" in told
    assert row["key"][:12] in told


def test_runs_are_listed_exported_and_pruned(out, capsys):
    assert main(["runs", "out", "--corruption", "true-labels"]) == 0
    told = capsys.readouterr().out
    assert "mlp-1x512, true-labels, seed 0" in told
    assert re.search(r"2 runs and 0 calculations, \d+ kB, of 16 in all\.", told)
    key = told.splitlines()[3].split()[0]
    assert main(["runs", "out", "--export", "runs.parquet", "--model", "conv-small"]) == 0
    assert main(["runs", "out", "--export", "runs.csv"]) == 0
    table = pd.read_parquet("runs.parquet")
    assert (len(table), set(table["model"])) == (8, {"conv-small"})
    results = pd.read_csv("out/results.csv").set_index("key")
    exported = pd.read_csv("runs.csv").set_index("key").loc[results.index]
    own = ["study", "n_test_effective"]
    pd.testing.assert_frame_equal(exported.drop(columns=own), results[exported.columns].drop(columns=own))
    assert main(["runs", "out", "--key", key, "--prune"]) == 0
    assert "Nothing was removed: --yes removes these for good." in capsys.readouterr().out
    assert main(["runs", "out", "--key", key, "--prune", "--yes"]) == 0
    assert main(["runs", "out"]) == 0
    told = capsys.readouterr().out
    assert "15 runs and 0 calculations" in told
    assert key not in told.partition("These were removed.")[2]


def test_what_is_damaged_is_found_told_and_removed(out, capsys):
    change("out/runs.db", "UPDATE byrote_runs SET test_loss = 9 WHERE model = 'conv-small' AND corruption = 'gaussian'")
    assert main(["runs", "out", "--export", "runs.csv"]) == 3
    assert "1 runs cannot be read: --unreadable lists them" in capsys.readouterr().err
    assert main(["runs", "out", "--unreadable", "--prune", "--yes"]) == 0
    assert "conv-small, gaussian, seed 0" in capsys.readouterr().out
    assert main(["runs", "out", "--unreadable"]) == 0
    assert "0 runs and 0 calculations, of 15 in all." in capsys.readouterr().out


@pytest.mark.parametrize("column", ["key", "model", "corruption", "corruption_rate", "test_accuracy", "created"])
def test_a_value_of_another_type_is_damage_too(out, capsys, column):
    change("out/runs.db", f"UPDATE byrote_runs SET {column} = x'00ff' WHERE rowid = 3")
    for words in ("runs out", "runs out --unreadable --prune --yes"):
        assert main(words.split()) == 0
    assert "1 run and 0 calculations" in capsys.readouterr().out
    assert main(["runs", "out"]) == 0
    assert "15 runs and 0 calculations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("runs out --export runs.xlsx", r"got --export runs.xlsx, expected a file that ends in .parquet or .csv"),
        ("runs out --prune", "got --prune without anything that says what is to be removed: give --model"),
        ("runs out --yes", "got --yes without --prune"),
        ("runs out --before tomorrow", "got the date 'tomorrow', expected one such as 2026-03-31"),
        ("merge", "got no store to merge, expected some"),
        ("merge out/runs.db --into out/runs.db", "got .*runs.db as what is merged and as the store of the result"),
        ("merge nowhere.db", "got nowhere.db, where there is no store"),
        ("merge . ", "got ., a folder without runs.db"),
        ("merge postgresql://me:secret@127.0.0.1:1/db", r"postgresql\+?\w*://me:\*\*\*@127.0.0.1:1/db"),
    ],
)
def test_wrong_input_is_one_sentence(words, sentence, out, capsys):
    assert main(words.split()) == 2
    told = capsys.readouterr().err
    assert re.search(sentence, told)
    assert told.count("\n") == 1
    assert "secret" not in told
