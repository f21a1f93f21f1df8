from typing import ClassVar

import pytest

from byrote.theory.calculation import Result
from byrote.theory.trained_calculation import TrainedOnLabels
from byrote.training.key import SEMANTICS
from byrote.training.spec import Recipe


class Nothing(TrainedOnLabels):
    name: ClassVar[str] = "nothing"

    def compute(self, data, context):
        return Result({})


@pytest.mark.parametrize(("corruption", "names"), [("true-labels", []), ("random-labels", ["random-labels"])])
def test_its_labels_are_in_its_label_and_in_its_corruptions(corruption, names):
    made = Nothing(model="mlp-1x4", recipe=Recipe(), corruption=corruption, seed=3)
    assert [each.name for each in made.corruptions] == names
    assert made.label == f"mlp-1x4, {corruption.replace('-', ' ')}, seed 3"


def test_the_engine_and_the_users_code_are_part_of_its_key(tiny, tmp_path, monkeypatch):
    file = tmp_path / "net.py"
    keys = set()
    for text in ("def Net(): pass\n", "def Net(): return 1\n"):
        file.write_text(text)
        made = Nothing(model=f"{file}:Net", recipe=Recipe(), corruption="true-labels")
        keys.add(made.key(tiny))
    monkeypatch.setattr(Nothing, "version", SEMANTICS + 1)
    keys.add(made.key(tiny))
    assert len(keys) == 3
