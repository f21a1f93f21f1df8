from __future__ import annotations

from pathlib import Path

import pytest

from byrote.data.corruptions.catalog import BUILT_IN, CORRUPTIONS, does, find_corruption, title_of
from byrote.errors import UserError


def test_every_corruption_is_found_under_its_names_and_says_what_it_does() -> None:
    for method in BUILT_IN:
        for name in filter(None, (method.name, method.full_name)):
            assert find_corruption(name) is method
            assert CORRUPTIONS[name]
            assert title_of(name).lower() != title_of("true-labels")
    assert next(iter(CORRUPTIONS)) == "true-labels"


def test_what_is_no_corruption_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def noise(x):\n    return x\n\nclass Net:\n    pass\n")
    for name, kind in (("noise", "function"), ("Net", "Net")):
        with pytest.raises(UserError, match=f"own.py:{name}', a {kind}, expected a subclass of byrote.LabelCorruption"):
            find_corruption(f"{tmp_path}/own.py:{name}")
    with pytest.raises(UserError, match=r"got corruption 'shufled-pixels'.*did you mean 'shuffled-pixels'"):
        find_corruption("shufled-pixels")


def test_pages_list_what_occurs() -> None:
    assert does({"gaussian", "true-labels"}) == {
        "true labels": CORRUPTIONS["true-labels"],
        "Gaussian inputs": CORRUPTIONS["gaussian"],
    }
