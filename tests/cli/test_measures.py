import json
import re

import numpy as np
import pandas as pd
import pytest

from byrote.cli import main
from byrote.cli.measures import MEASUREMENTS
from byrote.cli.parsing import parse

FAST = ["--data", "digits", "--device", "cpu", "--learning-rate", "0.1", "--epochs", "60"]


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_every_measure_is_listed_and_its_flags_are_those_of_its_builder(name, capsys):
    assert main(["list", "measurements"]) == 0
    assert name in capsys.readouterr().out
    command = parse(["measure", name, "--data", "digits"])
    assert command.name == name
    assert MEASUREMENTS[name].description
    assert MEASUREMENTS[name].build.__name__.lower().endswith("study")


@pytest.mark.parametrize(
    ("words", "rows", "told"),
    [
        (
            "rademacher --models mlp-1x16 --draws 2 --n-train 16",
            10,
            "fits coin flips: its Rademacher complexity is near 1: ",
        ),
        ("rademacher --models mlp-1x32 --exhaustive --n-train 3", 1, "shatters these 3 examples: supported"),
        ("largest-n --models mlp-1x32 --draws 2 --n-train 12", 1, "The random labels of all 12 examples are fitted"),
    ],
)
def test_a_measure_leaves_store_table_and_report_and_makes_nothing_twice(words, rows, told, tmp_path, capsys):
    arguments = ["measure", *words.split(), *FAST, "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert told in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "results.csv")) == rows
    assert "byrote measure" in (tmp_path / "report.html").read_text()
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".svg", ".csv"}
    assert main(arguments) == 0
    assert re.search(r"(\d+) of \1 .* (is|are) in the store already", capsys.readouterr().err)
    assert main(["report", str(tmp_path)]) == 0


def test_what_was_measured_stands_in_study_json(tmp_path):
    words = ["rademacher", "--models", "mlp-1x8", "--exhaustive", "--n-train", "1"]
    assert main(["measure", *words, *FAST, "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "study.json").read_text())["arguments"][:2] == ["measure", "rademacher"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("rademacher --exhaustive --n-train 13", r"got n_train=13 with exhaustive, which would train 2\^13 networks"),
        ("rademacher --draws 0", "got draws=0, expected a number of draws, at least 1"),
        ("rademacher --models nonsense", "got model 'nonsense'"),
        ("rademacher --seeds 0", "got seeds=0"),
        ("rademacher --n-train 100000", "got n_train=100000 for digits"),
        ("rademacher --validation 0.1", "got validation=0.1"),
        ("largest-n --draws -1", "got draws=-1"),
        ("stability --replacements 0", "got replacements=0 for n = 1293 training examples, expected from 1 to 1293"),
        ("stability --n-train 20 --replacements 21", "got replacements=21 for n = 20 training examples"),
        ("stability --n-train 1", "got n_train=1 of 1437 training examples of digits, expected at least 2"),
        ("stability --data npz:one.npz", "have one class|with one class"),
        ("largest-n --models nowhere.py:Net", "got nowhere.py, which is not a file"),
        ("largest-n --data npz:one.npz", "have one class"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).integers(0, 255, (20, 4, 4), dtype=np.uint8)
    np.savez("one.npz", x_train=x, y_train=np.zeros(20, dtype=np.int64), x_test=x, y_test=np.zeros(20, dtype=np.int64))
    source = [] if "--data" in words else ["--data", "digits"]
    assert main(["measure", *words.split(), *source]) == 2
    told = capsys.readouterr().err.strip()
    assert re.search(message, told), told
    assert len(told.splitlines()) == 1
