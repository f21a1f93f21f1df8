"""The plugin in a suite of somebody's own."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from importlib.metadata import entry_points

import pytest

SUITE = """
import pytest
from sklearn.naive_bayes import GaussianNB
import byrote


class Counted(GaussianNB):
    def fit(self, *arguments):
        open("fits", "a").write("x")
        return super().fit(*arguments)


def test_it_learns():
    byrote.assert_learns(Counted(), byrote.load("digits"))


def test_the_whole(byrote_audit):
    found = byrote_audit(Counted(), byrote.load("digits"), stages=["signal"])
    assert found.alarms == {"no-signal": 0.0}
"""


@pytest.mark.slow
def test_in_a_suite_an_audit_is_kept_between_runs(tmp_path):
    (tmp_path / "test_it.py").write_text(SUITE)
    is_installed = any(entry.name == "byrote" for entry in entry_points(group="pytest11"))
    load = [] if is_installed else ["-p", "byrote.pytest_plugin"]  # the package may be a mere folder here
    command = [sys.executable, "-m", "pytest", "-q", *load, "test_it.py"]
    run = partial(subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, check=False)
    first = run()
    assert first.returncode == 0, first.stdout + first.stderr
    fits = (tmp_path / "fits").read_text()
    assert run().returncode == 0
    again = (tmp_path / "fits").read_text()
    assert len(again) - len(fits) < len(fits)
    pages = list((tmp_path / ".pytest_cache").rglob("report.html"))
    assert len(pages) == 1
