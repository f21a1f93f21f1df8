import pytest

from byrote.cli import main


@pytest.mark.parametrize(
    "command",
    [
        ["demo"],
        ["reproduce", "table1", "--data", "digits", "--models", "mlp-1x16"],
        ["measure", "largest-n", "--data", "digits", "--n-train", "64"],
        ["judge", "frobenius", "--data", "digits"],
    ],
)
def test_a_dry_run_shows_the_plan_and_leaves_nothing_behind(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert all(
        word in out for word in ("conditions", "runs", "calculations", "already there", "time", "memory", "disk")
    )
    assert "Nothing was made or written." in out
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_counts_what_is_stored(tmp_path, capsys):
    command = ["reproduce", "table1", "--data", "digits", "--models", "mlp-1x4", "--steps", "2", "--out", str(tmp_path)]
    assert main(command) == 0
    capsys.readouterr()
    assert main([*command, "--dry-run"]) == 0
    (row,) = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip().startswith("mlp-1x4")]
    assert row[2] == row[4] != "0"
    assert row[5:] == ["no", "time"]


def test_all_is_told_study_by_study(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data.csv"
    data.write_text("x,y,label\n" + "".join(f"{i},{i * i % 7},{i % 2}\n" for i in range(60)))
    assert main(["reproduce", "all", "--data", f"csv:{data}", "--label", "label", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "table2" in out
    assert list(tmp_path.iterdir()) == [data]


def test_a_mistake_is_found_as_without_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "table1", "--data", "digits", "--models", "nope", "--dry-run"]) == 2
    assert "nope" in capsys.readouterr().err
