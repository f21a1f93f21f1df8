from __future__ import annotations

import os
import subprocess
import sys

import pytest

from byrote.runs import owners
from byrote.runs.owners import has_ended, new_owner

pytestmark = pytest.mark.skipif(new_owner().count(":") != 5, reason="needs a Linux that tells when processes began")

NO_PROCESS = 2**22 + 1
"""The largest number of a process is 2**22 (proc(5), pid_max)."""


def renamed(**changes: object) -> str:
    """The name of this process, with other parts."""
    parts = dict(zip(("host", "pid", "id", "boot", "namespace", "ticks"), new_owner().split(":"), strict=True))
    return ":".join(map(str, (parts | changes).values()))


def name_of(process: subprocess.Popen[bytes]) -> str:
    began = owners._began(process.pid)
    assert began is not None
    return renamed(pid=process.pid, ticks=began.ticks)


def test_names_are_distinct():
    assert new_owner() != new_owner()


def test_a_process_has_ended_once_it_is_killed():
    """At once, even where nobody asks for its exit code."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = name_of(process)
    assert not has_ended(owner)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert has_ended(owner), "a zombie"
    process.wait()
    assert has_ended(owner)


def test_a_number_that_was_given_again_is_another_process():
    assert has_ended(renamed(ticks=1))
    assert not has_ended(renamed())


@pytest.mark.parametrize("part", ["host", "boot", "namespace"])
def test_numbers_tell_only_where_they_mean_the_same(part):
    assert has_ended(renamed(pid=NO_PROCESS))
    assert not has_ended(renamed(pid=NO_PROCESS, **{part: "other"}))


def test_a_process_that_may_not_be_signalled_is_there(monkeypatch):
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    here, restarted = renamed(), renamed(ticks=1)
    monkeypatch.setattr(os, "kill", refuse)
    assert not has_ended(here)
    monkeypatch.setattr(owners, "_began", lambda pid: None)  # as hidepid has it
    assert not has_ended(restarted)


def test_nothing_is_known_of_other_names():
    for owner in ("", "host:12", "host:12:3456abcd", "a:b:c:d:e:f", "::::::::", renamed(pid=10**30)):
        assert not has_ended(owner)


def test_nothing_is_known_where_proc_is_of_another_namespace(tmp_path, monkeypatch):
    owner = renamed(pid=NO_PROCESS)
    (tmp_path / "self").symlink_to("1")
    monkeypatch.setattr(owners, "_PROC", tmp_path)
    assert new_owner().count(":") == 2
    assert not has_ended(owner)
