"""What specs say of a corruption: its name, rate and strength; what the command line asks for; words for figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from byrote.data.corruptions.contract import InputCorruption
from byrote.data.corruptions.record import Corruption, corruption_words, corruptions_of, is_of_labels, parts_of
from byrote.errors import UserError

OWN = """
import byrote

class Mirrored(byrote.InputCorruption):
    '''Each image is mirrored.'''

    def redraw(self, inputs, generator, context):
        return inputs[..., ::-1]

class Titled(Mirrored):
    title = "mirror images"
    strength = 2.0
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    folder = tmp_path / "a+b"
    folder.mkdir()
    (folder / "own.py").write_text(OWN)
    return f"{folder}/own.py"


@pytest.mark.parametrize(
    ("corruption", "rate", "label"),
    [
        ("true-labels", 0.0, "true labels"),
        ("partial-labels", 0.25, "partial labels 25%"),
        ("partial-labels+gaussian", 0.125, "partial labels 12.5%, Gaussian inputs"),
        ("random-pixels", 1.0, "random pixels"),
    ],
)
def test_words(corruption, rate, label) -> None:
    assert corruption_words(corruption, rate) == label


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("true-labels", ()),
        ("random-labels", (Corruption(name="random-labels"),)),
        ("partial-labels=1", (Corruption(name="random-labels"),)),
        ("asymmetric-labels=0.4", (Corruption(name="asymmetric-labels", rate=0.4),)),
        ("additive-noise", (Corruption(name="additive-noise", strength=1.0),)),
        ("additive-noise=0.5", (Corruption(name="additive-noise", strength=0.5),)),
        (Corruption(name="gaussian", rate=0.5), (Corruption(name="gaussian", rate=0.5),)),
    ],
    ids=str,
)
def test_what_is_asked_for(asked: Any, found: tuple[Corruption, ...]) -> None:
    assert corruptions_of(asked) == found


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("partial-labels", "got partial-labels without a rate, expected one below 1, as partial-labels=0.5"),
        ("random-labels=0.5", "random-labels has rate 1, got 0.5; use partial-labels for a rate"),
        ("gausian", r"got corruption 'gausian', expected one of true-labels, .*; did you mean 'gaussian'\?"),
        ("gaussian=2", "got rate=2.0: input should be less than or equal to 1"),
        ("partial-labels=0", "got partial-labels at rate 0, which changes nothing: give a rate above 0, or true-labe"),
        (Corruption(name="gaussian", rate=0), "got gaussian at rate 0, which changes nothing"),
        ("additive-noise=0", "got strength=0.0: input should be greater than 0"),
        ("true-labels=0.5", "got corruption 'true-labels'"),
        (int, "expected a subclass of byrote.LabelCorruption or of byrote.InputCorruption"),
    ],
    ids=str,
)
def test_wrong_requests_are_answered(asked: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        _ = [each.method for each in corruptions_of(asked)]


def test_a_strength_is_kept_only_where_there_is_one() -> None:
    assert Corruption(name="gaussian").model_dump() == {"name": "gaussian", "rate": 1.0}
    assert Corruption(name="additive-noise", rate=0.5).model_dump()["strength"] == 1.0
    with pytest.raises(UserError, match="got strength=2 for gaussian, which has none"):
        Corruption(name="gaussian", strength=2)


def test_the_users_own_are_told_apart_by_path_and_called_by_short_names(own: str) -> None:
    both = f"partial-labels+{own}:Mirrored"
    assert parts_of(both) == ["partial-labels", f"{own}:Mirrored"]
    assert corruption_words(both, 0.5) == "partial labels 50%, Mirrored"
    (stronger,) = corruptions_of(f"{own}:Titled=0.5")
    assert (stronger.strength, stronger.label) == (0.5, f"{own}:Titled=0.5")
    assert corruption_words(stronger.label, 1.0) == "mirror images 0.5"
    assert not is_of_labels(both)
    assert is_of_labels("true-labels")
    assert is_of_labels("asymmetric-labels")


def test_a_class_stands_for_itself() -> None:
    class Mirrored(InputCorruption):
        def redraw(self, inputs, generator, context):
            return inputs[..., ::-1]

    corruption = Corruption(name=Mirrored)
    assert corruption.name.endswith(":Mirrored")
    assert corruptions_of(Mirrored) == (corruption,)
    assert isinstance(corruption.method, Mirrored)
    assert Corruption(name=Mirrored()).method.changes == "inputs"
