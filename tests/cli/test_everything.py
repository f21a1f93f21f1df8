import re
import shutil
import sqlite3
from contextlib import closing, redirect_stderr, redirect_stdout
from io import StringIO

import pandas as pd
import pytest

from byrote.cli import main, training
from byrote.runs.run import Failure
from byrote.studies.registry import STUDIES, reproductions

QUICK = ["--n-train", "100", "--stop", "at_steps", "--steps", "20", "--device", "cpu", "--precision", "float32"]
ALL = reproductions()
SMALL = ["--models", "mlp-1x8", "--data", "digits"]


@pytest.fixture(scope="module", autouse=True)
def few():
    """Two studies that share a run, and between them one that refuses so few examples."""
    whole = dict(STUDIES)
    for name in set(reproductions()) - {"table1", "table4", "strengths"}:
        del STUDIES[name]
    yield
    STUDIES.clear()
    STUDIES.update(whole)  # in their order, which later tests may ask for


def everything(out, *flags):
    return main(["reproduce", "all", *SMALL, *QUICK, "--out", str(out), *flags])


def links(out):
    return re.findall(r'href="([^"]*report\.html)"', (out / "index.html").read_text())


@pytest.fixture(scope="module")
def finished(few, tmp_path_factory):
    """Its folder, and what it said on standard output and on standard error."""
    out = tmp_path_factory.mktemp("everything") / "out"
    said, told = StringIO(), StringIO()
    with redirect_stdout(said), redirect_stderr(told):
        assert everything(out) == 0
    return out, said.getvalue(), told.getvalue()


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished[0], tmp_path / "copy")


def test_all_studies_are_run_into_one_store_and_linked_by_an_index(finished):
    out, said, told = finished
    assert "byrote: strengths is not run: got sizes=5" in told
    assert f"Index: {out / 'index.html'}" in said
    assert links(out) == ["table1/report.html", "table4/report.html"]
    assert all((out / link).is_file() for link in links(out))
    assert "Not run: got sizes=5" in (out / "index.html").read_text()
    assert not (out / "table1" / "runs.db").exists()
    # The paper has no such model.
    assert set(pd.read_csv(out / "paper.csv")["mark"]) == {"not run"}


def test_a_run_that_studies_share_is_trained_once(finished):
    # Random labels without regularisers.
    assert "\n1 of 8 runs are in the store already" in finished[2]


def test_running_it_again_trains_nothing(copy, capsys):
    assert everything(copy) == 0
    told = capsys.readouterr().err
    assert "\n5 of 5 runs are in the store already" in told
    assert "\n8 of 8 runs are in the store already" in told


def test_the_index_and_all_pages_are_written_again(copy):
    for page in ("index.html", "paper.csv", "table1/report.html"):
        (copy / page).unlink()
    assert main(["report", str(copy)]) == 0
    assert links(copy) == ["table1/report.html", "table4/report.html"]
    assert (copy / "table1/report.html").is_file()
    assert (copy / "paper.csv").is_file()


@pytest.fixture
def at_table4(monkeypatch):
    """Something happens where table4 is to be run."""
    run_shown = training.run_shown

    def instead(happens):
        def run(study, *arguments, **options):
            return happens(study) if study.name == "table4" else run_shown(study, *arguments, **options)

        monkeypatch.setattr(training, "run_shown", run)

    return instead


def test_an_interrupt_leaves_an_index_and_says_once_how_to_go_on(copy, at_table4, capsys):
    def interrupt(study):
        raise KeyboardInterrupt

    at_table4(interrupt)
    assert everything(copy) == 130
    told = capsys.readouterr().err
    assert told.count("to go on with the rest: byrote reproduce all") == 1
    assert links(copy) == ["table1/report.html"]
    assert "not been reached yet" in (copy / "index.html").read_text()


def test_failures_leave_the_rest_and_exit_code_3(copy, at_table4):
    at_table4(lambda study: ([], [Failure(study.tasks()[0], "Traceback\nValueError: no tables, please")]))
    assert everything(copy) == 3
    assert links(copy) == ["table1/report.html"]
    assert "ValueError: no tables, please" in (copy / "index.html").read_text()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--live"], "got --live, which reproduce all has no use for"),
        (["--learning-rate", "-1"], "got --learning-rate -1.0"),
        (["--seeds", "0"], "got --seeds 0"),
        (["--n-train", "100000"], "--n-train 100000"),
    ],
)
def test_what_no_study_takes_is_one_sentence(flags, message, tmp_path, capsys):
    assert everything(tmp_path, *flags) == 2
    told = capsys.readouterr().err.strip()
    assert message in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "index.html").exists()


def drop_runs(out, where="1"):
    with closing(sqlite3.connect(out / "runs.db")) as database, database:
        database.execute(f"DELETE FROM byrote_runs WHERE {where}")


def test_a_report_says_what_is_missing(copy, capsys):
    drop_runs(copy, "key IN (SELECT key FROM byrote_runs LIMIT 2)")
    assert main(["report", str(copy)]) == 0
    assert re.search(r"[23] runs are missing: byrote reproduce all", capsys.readouterr().out)


def test_a_store_without_any_run_has_no_index(copy, capsys):
    drop_runs(copy)
    assert main(["report", str(copy)]) == 2
    assert "the store has no run of any study: run byrote reproduce all" in capsys.readouterr().err


@pytest.mark.slow
def test_everything_on_digits(tmp_path, capsys, monkeypatch):
    for name, reproduction in ALL.items():
        monkeypatch.setitem(STUDIES, name, reproduction)
    assert everything(tmp_path) == 0
    refused = re.findall(r"^byrote: (\S+) is not run", capsys.readouterr().err, re.MULTILINE)
    # The model has one width, and the examples are few.
    assert sorted(refused) == ["expressivity", "overparameterization", "strengths"]
    assert len(links(tmp_path)) == len(ALL) - 3
    marks = pd.read_csv(tmp_path / "paper.csv")["mark"]
    assert len(marks) == 88
    assert set(marks) == {"other data", "not run"}
    assert main(["report", str(tmp_path)]) == 0
