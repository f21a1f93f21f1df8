from squares import Squares

from byrote.cli.writing import write
from byrote.theory.calculation import compute


def test_the_report_is_written_and_the_verdict_printed(tmp_path, capsys):
    analysis = Squares([3])
    results = [compute(calculation, analysis.data) for calculation in analysis.tasks()]
    write(analysis, results, tmp_path, ["reproduce", "squares"], (), "screen", ("svg",))
    assert capsys.readouterr().out.splitlines() == [
        "Squares are computed: supported",
        "    1 of them.",
        f"Report: {tmp_path / 'report.html'}",
    ]
    assert "byrote reproduce squares" in (tmp_path / "report.html").read_text()
