from __future__ import annotations

from pathlib import Path

import pytest

from byrote.cli import main


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo whose networks take two steps each; tests that change it copy it."""
    folder = tmp_path_factory.mktemp("finished") / "demo"
    quick = ["--n-train", "40", "--stop", "at_steps", "--steps", "2", "--device", "cpu"]
    assert main(["demo", "--out", str(folder), *quick]) == 0
    return folder
