from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from byrote.cli.interruption import Interrupted, ending_like_ctrl_c, shown, told_how_to_go_on

SIGNALS = [signal.SIGTERM, signal.SIGHUP]


def test_a_signal_is_an_interrupt_and_the_next_does_not_disturb():
    before = [signal.getsignal(number) for number in SIGNALS]
    for number in SIGNALS:
        with ending_like_ctrl_c():
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
            for other in SIGNALS:
                os.kill(os.getpid(), other)
        assert [signal.getsignal(number) for number in SIGNALS] == before


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_like_ctrl_c():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_interrupted_command_is_repeated_with_its_quotes_and_without_its_password(tmp_path, capsys):
    arguments = ["demo", "--out", "a b", "--store", "postgresql://me:s3cret@host/db"]
    with pytest.raises(Interrupted), told_how_to_go_on("runs.db", tmp_path / "a b", arguments):
        raise KeyboardInterrupt
    told = capsys.readouterr().err
    assert "byrote demo --out 'a b' --store 'postgresql://me:***@host/db'" in told
    assert f"byrote report '{tmp_path / 'a b'}'" in told
    assert shown(["report", "x"]) == "byrote report x"


def test_who_is_interrupted_within_two_stages_is_told_once(tmp_path, capsys):
    with pytest.raises(Interrupted), told_how_to_go_on("s", tmp_path, []), told_how_to_go_on("s", tmp_path, []):
        raise KeyboardInterrupt
    assert capsys.readouterr().err.count("Interrupted.") == 1


KILLED_IN = {
    "training": ("byrote.training.optimizers", "ReplicaOptimizer.step", 2),
    "reporting": ("byrote.report.page", "write_table", 1),
    "a figure": ("byrote.report.rendering", "write_figure", 1),
    "the verdict": ("byrote.studies.randomization.study", "RandomizationStudy.verdict", 1),
    "a calculation": ("byrote.studies.judge.study", "find_measure", 4),
}


PHASES = [
    pytest.param(phase, number, id=f"{number.name} in {phase}", marks=[] if first else pytest.mark.slow)
    for phase in KILLED_IN
    for number in (SIGNALS if phase == "training" else SIGNALS[:1])
    for first in [(phase, number) == ("training", SIGNALS[0])]
]


@pytest.mark.parametrize(("phase", "number"), PHASES)
def test_a_signal_in_any_phase_keeps_what_is_finished(phase, number, tmp_path):
    module, name, moment = KILLED_IN[phase]
    program = f"""
import importlib, operator, os, signal, sys
module = importlib.import_module({module!r})
*owner, name = {name!r}.split(".")
place = getattr(module, owner[0]) if owner else module
original = getattr(place, name)
calls = 0
def killed(*arguments, **options):
    global calls
    calls += 1
    if calls == {moment}:
        os.kill(os.getpid(), {int(number)})
    return original(*arguments, **options)
setattr(place, name, killed)
from byrote.cli import main
sys.exit(main(sys.argv[1:]))
"""
    words = "reproduce figure1 --models mlp-1x4"
    if phase == "a calculation":
        words = "judge parameters --models mlp-1x4 --seeds 1"
    words += " --data digits --n-train 40 --epochs 3 --precision float32 --device cpu --out out"
    done = subprocess.run(
        [sys.executable, "-c", program, *words.split()], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 130, done.stderr
    assert f"to go on with the rest: byrote {words}" in done.stderr
    assert "Traceback" not in done.stderr
    with closing(sqlite3.connect(tmp_path / "out" / "runs.db")) as database:
        assert database.execute("SELECT COUNT(*) FROM byrote_leases").fetchone() == (0,)
    assert json.loads((tmp_path / "out" / "study.json").read_text())["arguments"] == words.split()
    assert not list((tmp_path / "out").rglob("*.part"))
