import pytest
from squares import Square, Squares, made

from byrote.cli.flags import TrainingFlags
from byrote.cli.interruption import Interrupted, told_how_to_go_on
from byrote.cli.training import run_shown
from byrote.cli.writing import write
from byrote.runs.local import Local
from byrote.runs.store import Store
from byrote.studies.judge.zoo import ZooStudy
from byrote.training.recipe import Recipe


@pytest.fixture(autouse=True)
def _nothing_made_yet():
    made.clear()


def zoo(tiny, **recipe):
    recipe = Recipe(**{"steps": 2} | recipe)
    return ZooStudy(data=tiny, models=["mlp-1x4"], seeds=2, recipe=recipe, grid={}, conditions=((),))


def shown(study, store, on_progress=None, **flags):
    return run_shown(study, store, Local(), TrainingFlags(compile="off", **flags), "cpu", on_progress)


def test_runs_are_shown_and_kept(tiny, tmp_path, capsys):
    seen = []
    with Store(tmp_path / "runs.db") as store:
        results, failures = shown(zoo(tiny), store, keep_weights=True, on_progress=seen.append)
        assert len(results) == 2
        assert failures == ()
        assert store.weights(results[0].key)
    assert seen
    assert "2/2  mlp-1x4, true-labels, seed 1" in capsys.readouterr().err


def test_runs_without_weights_count_as_undone_where_they_are_wanted(tiny, tmp_path, capsys):
    with Store(tmp_path / "runs.db") as store:
        shown(zoo(tiny), store)
        capsys.readouterr()
        shown(zoo(tiny), store, keep_weights=True)
    assert "2/2  mlp-1x4" in capsys.readouterr().err


def test_failures_are_given_and_said(tiny, tmp_path, capsys):
    source = tmp_path / "own.py"
    source.write_text(
        "import torch\n\nclass Broken(torch.optim.SGD):\n    num_steps = 0\n\n"
        "    def step(self, closure=None):\n        Broken.num_steps += 1\n"
        "        if Broken.num_steps > 5:\n            raise RuntimeError('no step')\n        super().step(closure)\n"
    )
    with Store(tmp_path / "runs.db") as store:
        results, failures = shown(zoo(tiny, optimizer=f"{source}:Broken", steps=20), store)
    assert results == []
    assert len(failures) == 2
    assert "2 of 2 runs failed" in capsys.readouterr().err


def reported(numbers, out):
    """What `byrote reproduce squares` would do."""
    arguments = ["reproduce", "squares", "--out", str(out)]
    with Store(out / "runs.db") as store, told_how_to_go_on(store.name, out, arguments):
        results, failures = shown(Squares(numbers), store)
        write(Squares(numbers), results, out, arguments, failures, "screen", ("svg",))


def test_calculations_leave_store_table_and_report_and_print_the_verdict(tmp_path, capsys):
    reported([1, 2], tmp_path)
    told = capsys.readouterr()
    assert "Squares are computed: supported\n    2 of them." in told.out
    assert "1/2  the square of 1: " in told.err
    assert {path.name for path in tmp_path.iterdir()} >= {"runs.db", "report.html", "results.csv"}
    assert (tmp_path / "results.csv").read_text().splitlines()[0].startswith("study,calculation,number,square,missing")
    page = (tmp_path / "report.html").read_text()
    assert "2 of them." in page
    assert "all 2 calculations are in results.csv" in page


def test_again_nothing_is_computed(tmp_path, capsys):
    reported([1, 2], tmp_path)
    made.clear()
    reported([1, 2], tmp_path)
    assert made == []
    assert "2 of 2 calculations are in the store already" in capsys.readouterr().err


def test_failed_calculations_leave_the_rest(tmp_path, capsys):
    reported([1, -1], tmp_path)
    assert "1 of 2 calculations failed, the rest is kept; the first, the square of -1" in capsys.readouterr().err
    page = (tmp_path / "report.html").read_text()
    assert "1 calculation failed and is missing below" in page
    assert "ArithmeticError: -1 is negative" in page


def test_an_interrupt_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    def interrupted(self, data, context):
        raise KeyboardInterrupt

    monkeypatch.setattr(Square, "compute", interrupted)
    with pytest.raises(Interrupted):
        reported([1], tmp_path)
    assert f"to go on with the rest: byrote reproduce squares --out {tmp_path}" in capsys.readouterr().err
