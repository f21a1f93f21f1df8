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

    def another(method, made):
        return type("Another", (Smallest,), {method: made})

    def nothing_to_make(data):
        return another("plan", lambda self: [])(data)

    def raising_plan(data):
        return another("plan", lambda self: {}["no plan"])(data)

    def no_plan(data):
        return another("plan", lambda self: None)(data)

    def bare_plan(data):
        return another("plan", lambda self: [planned.task for planned in Smallest.plan(self)])(data)

    def mislabelled(data):
        seventh = {"labels": {"seed": 7}}
        return another("plan", lambda self: [planned._replace(**seventh) for planned in Smallest.plan(self)])(data)

    def raising_verdict(data):
        return another("verdict", lambda self, table: {}["no verdict"])(data)

    def no_table(data):
        return another("summarise", lambda self, results: [])(data)

    def no_verdict(data):
        return another("verdict", lambda self, table: None)(data)

    def odd_verdict(data):
        return another("verdict", lambda self, table: [byrote.Finding("It runs", "maybe", "It ran.")])(data)

    def no_page(data):
        return another("page", lambda self, results, table, findings: "<p>It ran.</p>")(data)

    def drawn(*names, field="row:N"):
        import altair as alt

        def page(self, results, table, findings):
            chart = alt.layer(alt.Chart().mark_point().encode(x=field), data=table)
            figures = [byrote.Figure(name, "", "", "", table, chart) for name in names]
            return byrote.Presentation("", [byrote.Section(id="only", title="", lead="", figures=figures)])
        return page

    def two_alike(data):
        return another("page", drawn("a", "a"))(data)

    def elsewhere(data):
        return another("page", drawn("../a"))(data)

    def of_no_column(data):
        return another("page", drawn("a", field="nowhere"))(data)

    def generated(data):
        return another("plan", lambda self: (planned for planned in Smallest.plan(self)))(data)
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
        ("own.py:nothing_to_make", "got 'own.py:nothing_to_make', whose plan is empty: there is nothing to make"),
        ("own.py:raising_plan", "plan of 'own.py:raising_plan' failed: KeyError: 'no plan' (own.py, line "),
        ("own.py:no_plan", "got NoneType as the plan of smallest, expected a list of byrote.Planned(task, labels)"),
        ("own.py:bare_plan", "got TrainSpec in the plan of smallest, expected byrote.Planned(task, labels)"),
        ("own.py:mislabelled", "got the label seed=7 in the plan of smallest, expected another name: the column seed"),
        ("figure1", "those in the box are made by byrote reproduce"),
        ("nowhere.py:Study", "got nowhere.py, which is not a file"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(words, message, folder, capsys):
    assert main(["run", *words.split(), "--data", "digits"]) == 2
    told = capsys.readouterr().err.strip()
    assert message in told
    assert "Traceback" not in told


def test_what_fails_once_runs_are_stored_is_one_sentence_too(folder, capsys):
    def told(name: str) -> str:
        assert main(["run", f"own.py:{name}", "--data", "digits", "--store", "shared.db", "--out", name]) == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    raised = (
        "byrote: verdict of 'own.py:raising_verdict', called when its runs were stored, failed: KeyError: 'no verdict'"
    )
    assert told("raising_verdict").startswith(f"{raised} (own.py, line ")
    assert told("no_table") == "byrote: got list as the table of smallest, expected a pandas DataFrame"
    assert "got NoneType as the verdict of smallest, expected a list of byrote.Finding" in told("no_verdict")
    assert "got the outcome 'maybe' of the claim 'It runs', expected one of 'supported', 'not s" in told("odd_verdict")
    assert "got str as the page of smallest, expected byrote.Presentation(headline, sections)" in told("no_page")
    assert "got two figures of smallest called 'a', expected a name of its own for each" in told("two_alike")
    assert "got the figure '../a', expected the name of a file" in told("elsewhere")
    assert 'Unable to determine data type for the field "nowhere"' in told("of_no_column")


def test_a_plan_may_be_generated(folder, tiny):
    study = own_study("own.py:generated", tiny)
    assert [len(study.plan()), len(study.plan())] == [1, 1]
    assert repr(study) == f"<Another 'smallest' on {tiny.label}: 1 run>"


def test_a_function_may_take_what_flags_give(folder, tiny):
    (folder / "made.py").write_text(
        "import byrote\n\ndef made(data, seeds=1, models=None):\n"
        "    return byrote.RandomizationStudy(data=data, models=list(models or ['mlp-1x8']), seeds=seeds)\n"
    )
    study = own_study("made.py:made", tiny, seeds=2, models=("mlp-1x4",))
    assert isinstance(study.data, Dataset)
    assert {spec.seed for spec in study.tasks()} == {0, 1}
    assert {spec.model for spec in study.tasks()} == {"mlp-1x4"}
