import json
import re

import numpy as np
import pandas as pd
import pytest
import torch

import byrote
from byrote.audits.stages import STAGES
from byrote.cli import main
from byrote.cli.auditing import make_audit
from byrote.cli.parsing import parse

FILE = """
from sklearn.tree import DecisionTreeClassifier


class Broken(DecisionTreeClassifier):
    def fit(self, x, y):
        raise ValueError("too hot")
"""


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    given = pd.DataFrame(draw.standard_normal((150, 5)), columns=list("abcde"))
    given["y"] = np.where(given["a"] > 0, "yes", "no")
    given["split"] = ["train"] * 100 + ["test"] * 50
    given.iloc[100:120, :6] = given.iloc[:20, :6].to_numpy()
    given.to_csv("t.csv", index=False)
    (tmp_path / "own.py").write_text(FILE)
    return tmp_path


TREE = "audit sklearn.tree:DecisionTreeClassifier --data csv:t.csv --label y"


def test_an_audit_writes_its_folder_and_nothing_else(table, capsys):
    assert main(f"{TREE} --out found".split()) == 0
    assert sorted(path.name for path in table.iterdir()) == ["found", "own.py", "t.csv"]
    said = capsys.readouterr().out
    assert "without 20 rows known from training" in said
    assert json.loads((table / "found" / "audit.json").read_text())["alarms"]["leakage"] == 1.0


def test_fail_on(table, capsys):
    assert main(f"{TREE} --fail-on leakage,no-signal".split()) == 4
    assert "--fail-on leakage: found" in capsys.readouterr().err
    assert main(f"{TREE} --fail-on no-signal".split()) == 0
    capsys.readouterr()
    assert main(f"{TREE} --stages data --fail-on no-signal".split()) == 4
    assert "--fail-on no-signal: not known" in capsys.readouterr().err


def test_a_crash_shows_the_users_trace(table, capsys):
    assert main(["audit", "own.py:Broken", "--data", "csv:t.csv", "--label", "y"]) == 3
    assert 'raise ValueError("too hot")' in capsys.readouterr().err


def test_a_dry_run_writes_nothing(table, capsys):
    assert main(f"{TREE} --dry-run --budget 10min".split()) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:-1]] == list(STAGES)
    assert not (table / "byrote-audit").exists()


def test_predictions_need_no_model(table):
    pd.DataFrame({"prediction": ["yes"] * 50}).to_csv("p.csv", index=False)
    assert main(["audit", "--predictions", "p.csv", "--data", "csv:t.csv", "--label", "y", "--stages", "signal"]) == 0


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("--metric acuracy", "got --metric acuracy"),
        ("--stages sgnal", "got the stage 'sgnal'"),
        ("--fail-on leeks", "got --fail-on leeks"),
        ("--groups z", "got --groups z, which is no column"),
        ("--learning-rate 0.1", "got --learning-rate, which an estimator of scikit-learn has no use for"),
    ],
)
def test_wrong_input_is_one_sentence(table, capsys, more, sentence):
    assert main(f"{TREE} {more}".split()) == 2
    assert sentence in capsys.readouterr().err


def test_the_command_is_parsed():
    assert parse(["audit", "net.py:Net", "--data", "digits", "--steps", "5"]).recipe == {"steps": 5}
    assert callable(make_audit)


@pytest.fixture
def mislabelled(tmp_path, monkeypatch):
    """A table of two classes that lie apart, with 8% of the labels exchanged, and which."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(1)
    truth = np.arange(400) % 2
    wrong = draw.random(400) < 0.08
    given = pd.DataFrame(draw.standard_normal((400, 4)) + 6 * truth[:, None], columns=list("abcd"))
    given["y"] = np.where(truth ^ wrong, "yes", "no")
    given.to_csv("t.csv", index=False)
    return set(np.flatnonzero(wrong))


def test_wrong_labels_are_fixed_in_a_file_of_their_own(mislabelled, capsys, tmp_path):
    before = (tmp_path / "t.csv").read_bytes()
    command = f"{TREE} --stages labels --fail-on wrong-labels>1%".split()
    assert main([*command, "--fix", "fixes/labels.csv"]) == 4
    said = capsys.readouterr()
    assert "--fail-on wrong-labels: " in said.err
    assert "corrected labels to confirm; the data are as they were" in said.out
    fixes = pd.read_csv("fixes/labels.csv")
    rows = {int(re.search(r"row (\d+)", place)[1]) for place in fixes["place"]}
    assert len(rows & mislabelled) >= 0.8 * len(mislabelled)
    assert set(fixes["label"]) == {"yes", "no"}
    assert fixes["confirmed"].isna().all()
    assert (tmp_path / "t.csv").read_bytes() == before
    assert main([*command, "--fix", "fixes/labels.csv"]) == 2
    assert "which is there already" in capsys.readouterr().err
    assert main(f"{TREE} --stages labels --fail-on wrong-labels>30% --fix again.csv".split()) == 0
    assert pd.read_csv("again.csv").equals(fixes)
    assert main(f"{TREE} --stages data --fix other.csv".split()) == 2
    assert "without the stage labels" in capsys.readouterr().err


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """The record of a run on 800 labels, 10% of them planted, that never learns a planted one."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(2)
    truth = np.arange(800) % 4
    recorder = byrote.Recorder(num_examples=800, folder=tmp_path / "record")
    labels = recorder.plant(truth, rate=0.1)
    for _ in range(3):
        order = draw.permutation(800)
        logits = 6.0 * np.eye(4)[truth[order]] + draw.standard_normal((800, 4))
        recorder.record(order, torch.from_numpy(logits), labels[order])
    return tmp_path


def test_a_record_is_audited(recorded, capsys):
    assert main(["audit", "--record", "record", "--out", "found", "--fail-on", "wrong-labels>1%"]) == 0
    assert "Fewer than 1% of the labels are wrong" in capsys.readouterr().out
    assert json.loads((recorded / "found" / "audit.json").read_text())["stages"]["labels"]["status"] == "done"
    assert (recorded / "found" / "report.html").exists()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("mlp-1x512", "got a model with --record"),
        ("--stages labels --seeds 2", "got --stages, --seeds with --record"),
        ("--data digits", "got data with 1,437 training examples for a record of 800"),
        ("--steps 5", "got --recipe with --record"),
    ],
)
def test_a_record_has_no_use_for_what_is_fitted(recorded, capsys, more, sentence):
    assert main(f"audit --record record {more}".split()) == 2
    assert sentence in capsys.readouterr().err
