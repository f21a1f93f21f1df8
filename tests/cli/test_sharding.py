import pytest

from byrote.cli import main
from byrote.cli.sharding import whole

QUICK = ["--n-train", "40", "--stop", "at_steps", "--steps", "2", "--device", "cpu"]


@pytest.mark.parametrize("words", ["demo --shard 1/2 --seeds 2", "demo --seeds 2 --shard=1/2", "demo --seeds 2"])
def test_the_whole_command(words):
    assert whole(words.split()) == ["demo", "--seeds", "2"]


@pytest.mark.slow
def test_shards_are_merged_and_reported_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        assert main(["demo", "--out", f"s{number}", "--shard", f"{number}/2", *QUICK]) == 0
        assert not (tmp_path / f"s{number}" / "report.html").exists()
    told = capsys.readouterr().out
    assert "Shard 2/2 is done" in told
    assert "of all 16 runs and calculations" in told
    assert "supported" not in told
    assert "byrote demo --out s2 --n-train 40 --stop at_steps --steps 2 --device cpu --store merged.db" in told
    assert main(["merge", "s1", "s2"]) == 0
    assert main(["demo", "--out", "whole", "--shard", "1/2", "--store", "merged.db", *QUICK]) == 0
    told = capsys.readouterr().out
    assert "merged.db has 16 of all 16 runs and calculations.\nThe report is made, and what is then" in told
    assert main(["demo", "--out", "whole", "--store", "merged.db", *QUICK]) == 0
    assert "16 of 16 runs are in the store already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("demo --shard 5/4", "got the shard '5/4', expected K/N with K from 1 to N, such as 3/16"),
        ("demo --shard 1/4 --live", "got --live with --shard"),
        ("demo --shard", "got --shard without a value"),
    ],
)
def test_wrong_input_is_one_sentence(words, sentence, capsys):
    assert main(words.split()) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1
