from squares import Squares

from byrote.cli.writing import interrupted, write
from byrote.theory.calculation import compute


def test_the_report_is_written_and_the_verdict_printed(tmp_path, capsys):
    analysis = Squares([3])
    results = [compute(calculation, analysis.data) for calculation in analysis.plan()]
    write(analysis, results, tmp_path, ["reproduce", "squares"], (), "screen", ("svg",))
    assert capsys.readouterr().out.splitlines() == [
        "Squares are computed: supported",
        "    1 of them.",
        f"Report: {tmp_path / 'report.html'}",
    ]
    assert "byrote reproduce squares" in (tmp_path / "report.html").read_text()


def test_an_interrupted_command_is_repeated_with_its_quotes(tmp_path, capsys):
    assert interrupted("runs.db", tmp_path / "a b", ["demo", "--out", "a b"]) == 130
    told = capsys.readouterr().err
    assert "byrote demo --out 'a b'" in told
    assert f"byrote report '{tmp_path / 'a b'}'" in told
