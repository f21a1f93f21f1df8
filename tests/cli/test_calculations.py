import pytest
from squares import Square, Squares, made

from byrote.cli.calculations import calculate, refuse_training_flags
from byrote.cli.flags import TrainingFlags
from byrote.cli.interruption import Interrupted
from byrote.errors import UserError
from byrote.runs.executors import Local


@pytest.fixture(autouse=True)
def _nothing_made_yet():
    made.clear()


def command(numbers, out):
    arguments = ["reproduce", "squares", "--out", str(out)]
    return calculate(Squares(numbers), TrainingFlags(out=out), arguments, out, Local(), "cpu")


def test_a_command_leaves_store_table_and_report_and_prints_the_verdict(tmp_path, capsys):
    assert command([1, 2], tmp_path) == 0
    told = capsys.readouterr()
    assert "Squares are computed: supported\n    2 of them." in told.out
    assert "2 of 2 calculations" in told.out
    assert "1/2  the square of 1: " in told.err
    assert {path.name for path in tmp_path.iterdir()} >= {"runs.db", "report.html", "results.csv"}
    assert (tmp_path / "results.csv").read_text().splitlines()[0].startswith("study,calculation,number,square,missing")
    page = (tmp_path / "report.html").read_text()
    assert "2 of them." in page
    assert "all 2 calculations are in results.csv" in page


def test_again_it_computes_nothing(tmp_path, capsys):
    command([1, 2], tmp_path)
    made.clear()
    assert command([1, 2], tmp_path) == 0
    assert made == []
    assert "2 of 2 calculations are in the store already" in capsys.readouterr().err


def test_failed_calculations_leave_the_rest_and_exit_code_3(tmp_path, capsys):
    assert command([1, -1], tmp_path) == 3
    assert "1 of 2 calculations failed, the rest is kept; the first, the square of -1" in capsys.readouterr().err
    page = (tmp_path / "report.html").read_text()
    assert "1 calculation failed and is missing below" in page
    assert "ArithmeticError: -1 is negative" in page


def test_an_interrupt_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    def interrupted(self, data, *, device, on_stage):
        raise KeyboardInterrupt

    monkeypatch.setattr(Square, "compute", interrupted)
    with pytest.raises(Interrupted):
        command([1], tmp_path)
    told = capsys.readouterr().err
    assert f"to go on with the rest: byrote reproduce squares --out {tmp_path}" in told


def test_flags_of_no_use_are_refused():
    kept = TrainingFlags(keep_weights=True)
    with pytest.raises(UserError, match="got --learning-rate, --keep-weights, which squares has no use for: leave it"):
        refuse_training_flags(kept, "squares", "learning_rate")
    refuse_training_flags(TrainingFlags(), "squares")
