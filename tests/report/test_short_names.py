from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from byrote.data.dataset import Dataset
from byrote.evidence.finding import Finding
from byrote.references import name_of
from byrote.report.page import write_report
from byrote.report.short_names import Verbatim, with_short_names
from byrote.runs.run import run
from byrote.studies.randomization.study import RandomizationStudy
from byrote.training.recipe import Recipe


def net(num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes), nn.Softmax(1))


def test_names_are_replaced_wherever_they_stand() -> None:
    names = {"net.py:Net": "Net", "a/net.py:Net": "Net (a)", "x:y": "y"}
    finding = Finding("a/net.py:Net learns", "supported", "net.py:Net too")
    found = with_short_names({"x:y": [("net.py:Net, n = 3", 1.5)], "f": finding, "c": Verbatim("net.py:Net")}, names)
    expected = {"y": [("Net, n = 3", 1.5)], "f": Finding("Net (a) learns", "supported", "Net too"), "c": "net.py:Net"}
    assert found == expected


def test_a_page_names_the_file_of_a_model_once(tiny: Dataset, tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, tiny.num_classes))
    study = RandomizationStudy(
        data=tiny, models=[net, network], settings=["true-labels", "random-labels"], rates=[], recipe=Recipe(epochs=2)
    )
    with pytest.warns(UserWarning, match="test_short_names.py:net gives probabilities"):
        outcomes = run(study, tmp_path / "runs.db", device="cpu", quiet=True)
    write_report(tmp_path, study, outcomes, command=f"byrote reproduce --models {name_of(net)}")
    page = (tmp_path / "report.html").read_text()
    assert page.count(name_of(net)) == 2  # in the command, and in the setup
    assert page.count(name_of(network)) == 1
    assert f"net is {name_of(net)}." in page
    assert "net gives probabilities, which cross-entropy takes for scores" in page
    assert "Sequential instance is a network that was handed over" in page
    assert name_of(net) in (tmp_path / "results.csv").read_text()
    figures = [path.read_text() for path in (tmp_path / "figures").iterdir()]
    assert figures
    assert not any("test_short_names" in text for text in figures)
