from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from made_up_imagenet import write_folders, write_shards

from byrote.cli import main
from byrote.cli.launched import is_follower, is_launched, own_device
from byrote.runs.store import Store


@pytest.fixture
def launched(monkeypatch):
    """As torchrun starts the processes of two, by number."""

    def start(rank):
        for name, value in {
            "TORCHELASTIC_RUN_ID": "none",
            "WORLD_SIZE": "2",
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
        }.items():
            monkeypatch.setenv(name, value)

    return start


def test_nothing_changes_without_torchrun():
    assert (is_launched(), is_follower(), own_device("cuda")) == (False, False, "cuda")


def test_a_single_process_of_torchrun_is_as_any_other(launched, monkeypatch):
    launched(0)
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not is_launched()


def test_each_process_has_its_own_device(launched):
    launched(1)
    assert (is_follower(), own_device("cuda"), own_device("cpu")) == (True, "cuda:1", "cpu")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["demo", "--processes", "2"], "got --processes 2 by torchrun, whose processes train every run together"),
        (["demo", "--executor", "ray"], "got --executor ray by torchrun, whose processes train every run together"),
        (["audit", "mlp-1x8", "--data", "digits"], "got byrote audit by torchrun: audits take a single process"),
    ],
)
def test_what_does_not_go_together_is_refused_once(launched, capsys, arguments, sentence):
    launched(0)
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err
    launched(1)
    assert main(arguments) == 0
    assert capsys.readouterr().err == ""


def test_only_the_first_process_prints(launched, capsys):
    launched(1)
    assert main(["list", "models"]) == 0
    assert main(["demo", "--dry-run"]) == 0
    assert capsys.readouterr().out == ""


def command(data, out, *more):
    own = ["--cache", str(out.parent / "cache"), "--out", str(out), "--steps", "8", "--n-train", "2000", *more]
    return ["reproduce", "table2", "--data", data, "--scale", "quick", *own]


def by_torchrun(arguments):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.Popen([*launcher, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


DYING = """
import os, signal, sys
from byrote.cli import main
from byrote.training.optimizers import ReplicaOptimizer

step, num_steps = ReplicaOptimizer.step, 0

def dying(*arguments, **options):
    global num_steps
    num_steps += 1
    if os.environ["RANK"] == "1" and num_steps == 30:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*arguments, **options)

ReplicaOptimizer.step = dying
sys.exit(main(sys.argv[1:]))
"""


def num_stored(out):
    return len(Store(out / "runs.db").outcomes()) if (out / "runs.db").is_file() else 0


@pytest.mark.slow
def test_table_2_goes_on_where_a_process_has_died(tmp_path):
    write_folders(tmp_path / "images", 2000, 200)
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    data = f"images:{tmp_path / 'images'}"
    (tmp_path / "dying.py").write_text(DYING)
    launcher = by_torchrun([str(tmp_path / "dying.py"), *command(data, shared)])
    _, err = launcher.communicate()
    assert launcher.returncode
    kept = num_stored(shared)
    assert 0 < kept < 7, err
    launcher = by_torchrun(["-m", "byrote", *command(data, shared)])
    out, err = launcher.communicate()
    assert launcher.returncode == 0, err
    assert f"{kept} of 7 runs are in the store already" in " ".join(err.split())
    assert out.count("Report: ") == 1
    assert main(command(data, alone)) == 0
    found = [{o.key: o for o in Store(each / "runs.db").outcomes()} for each in (shared, alone)]
    assert found[0].keys() == found[1].keys()
    for key, one in found[1].items():
        assert (one.environment["processes"], found[0][key].environment["processes"]) == ("1", "2")
        # The paper's rates let rounding of float32 grow from step to step.
        np.testing.assert_allclose(found[0][key].early["train_loss"][:3], one.early["train_loss"][:3], rtol=1e-4)


@pytest.mark.slow
def test_table_2_is_trained_on_shards(tmp_path):
    write_shards(tmp_path / "shards", 2000, 200)
    launcher = by_torchrun(["-m", "byrote", *command(f"parquet:{tmp_path / 'shards'}", tmp_path / "out")])
    _, err = launcher.communicate()
    assert launcher.returncode == 0, err
    assert num_stored(tmp_path / "out") == 7
