"""A study of the user's own goes all the way: runs, table, verdict, and its own page."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pandas as pd
import pytest

from byrote.cli import main
from byrote.cli.own_study import own_study
from byrote.data.dataset import Dataset

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_study.py"
SMALLEST = """
    from dataclasses import dataclass
    import byrote

    @dataclass(frozen=True, eq=False)
    class Smallest(byrote.Study):
        data: byrote.Dataset
        name = "smallest"
        title = "The smallest study"

        def plan(self):
            return [byrote.Planned(byrote.TrainSpec(model="mlp-1x4", steps=2, n_train=20), {"row": "only"})]

        def summarise(self, results):
            return byrote.tabulate(self.name, results)

        def verdict(self, table):
            return [byrote.Finding("It runs", "supported", "It ran.")]

    class Half(byrote.Study):
        def plan(self):
            return []

    def none_at_all(data):
        return 3

    def raises(data):
        return {}["nothing"]

    def without():
        return 3

    a_number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own.py").write_text(textwrap.dedent(SMALLEST))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_example_goes_from_nothing_to_a_page(tmp_path, capsys):
    fewer = tmp_path / "own_study.py"
    fewer.write_text(EXAMPLE.read_text().replace('"n_train": 300', '"n_train": 60'))
    arguments = ["run", f"{fewer}:WidthStudy", "--data", "digits", "--seeds", "2", "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert "Wider networks fit random labels in fewer steps: " in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "results.csv")
    assert list(table["width"]) == [16, 16, 32, 32, 64, 64, 128, 128]
    page = (tmp_path / "report.html").read_text()
    assert "Time to fit" in page
    assert "What the networks were shown" in page
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"widths.svg", "widths.csv"}
    assert main(["report", str(tmp_path)]) == 0
    assert main(arguments) == 0
    assert "8 of 8 runs are in the store already" in capsys.readouterr().err


def test_a_study_without_a_page_shows_its_verdict_and_its_runs(folder, capsys):
    assert main(["run", "own.py:Smallest", "--data", "digits"]) == 0
    assert "It runs: supported" in capsys.readouterr().out
    page = (folder / "byrote-smallest" / "report.html").read_text()
    assert "The smallest study" in page
    assert "It ran." in page
    assert list(pd.read_csv(folder / "byrote-smallest" / "results.csv")["row"]) == ["only"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("own.py:Smallest --seeds 3", "got --seeds, which own.py:Smallest does not take: leave it out"),
        ("own.py:Smallest --models mlp-1x8", "got --models, which own.py:Smallest does not take"),
        ("own.py:Smallest --n-train 30", "got --n-train, which smallest has no use for"),
        ("own.py:Smallest --learning-rate 1", "got --learning-rate, which smallest has no use for"),
        ("own.py:Smalest", "did you mean 'Smallest'"),
        ("own.py:Half", "which lacks summarise, verdict: a study has plan, summarise and verdict"),
        ("own.py:none_at_all", "which gave int, expected a byrote.Study"),
        ("own.py:raises", "KeyError"),
        ("own.py:without", "which takes (), expected an argument called data"),
        ("own.py:a_number", "which is 3, expected a subclass of byrote.Study or a function of data"),
        ("figure1", "those in the box are made by byrote reproduce"),
        ("nowhere.py:Study", "got nowhere.py, which is not a file"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(words, message, folder, capsys):
    assert main(["run", *words.split(), "--data", "digits"]) == 2
    told = capsys.readouterr().err.strip()
    assert message in told
    assert "Traceback" not in told


def test_a_function_may_take_what_flags_give(folder, tiny):
    (folder / "made.py").write_text(
        "import byrote\n\ndef made(data, seeds=1, models=None):\n"
        "    return byrote.RandomizationStudy(data=data, models=list(models or ['mlp-1x8']), seeds=seeds)\n"
    )
    study = own_study("made.py:made", tiny, seeds=2, models=("mlp-1x4",))
    assert isinstance(study.data, Dataset)
    assert {spec.seed for spec in study.tasks()} == {0, 1}
    assert {spec.model for spec in study.tasks()} == {"mlp-1x4"}
