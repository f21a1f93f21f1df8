"""A real cluster on this machine, whose nodes are processes that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from gated import Gate

from byrote.data.sources import load
from byrote.errors import UserError
from byrote.runs.executors import Need
from byrote.runs.on_ray import Ray
from byrote.runs.run import run
from byrote.runs.store import Store
from byrote.studies.randomization.study import RandomizationStudy


def test_a_missing_ray_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"Ray is not installed: pip install 'byrote\[ray\]'"):
        Ray()


def test_a_file_is_no_store_of_several_machines(tmp_path):
    store = Store(tmp_path / "runs.db")
    store.refuse_machines(1)
    with pytest.raises(UserError, match=r"runs.db as the store of 3 machines, each of which .* postgresql://USER"):
        store.refuse_machines(3)


@pytest.fixture
def cluster():
    """A head without cores, which the driver is on, and two nodes of one core each."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    cluster.nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.slow
def test_no_call_asks_for_more_cores_than_a_node_has(cluster):
    executor = Ray(cluster.address)
    assert executor.side_by_side([Need()] * 5) == 2
    assert executor.submit(pow, 2, 5, need=Need(threads=16)).result() == 32


@pytest.mark.slow
def test_a_study_outlives_its_nodes(cluster, tmp_path):
    """A node is killed again and again while a network trains on it, and another comes instead."""
    gate = Gate(tmp_path, num_calls=100, name="__import__('ray').get_runtime_context().get_node_id()")
    study = RandomizationStudy(
        data=load("digits"),
        models=[gate.model, *(f"mlp-1x{width}" for width in (24, 28, 32))],
        settings=["true-labels", "random-labels"],
        rates=(),
        n_train=300,
        seeds=2,
    )
    lines: list[str] = []
    with ThreadPoolExecutor(1) as thread:  # Ray starts nodes in the main thread alone
        found = thread.submit(
            run, study, tmp_path / "runs.db", Ray(cluster.address), device="cpu", quiet=True, on_log=lines.append
        )
        dead: set[str] = set()
        for _ in range(3):
            dead.add(gate.waiting(dead))
            killed = next(node for node in cluster.nodes if node.node_id in dead)
            cluster.nodes.remove(killed)
            cluster.remove_node(killed, allow_graceful=False)
            cluster.nodes.append(cluster.add_node(num_cpus=1))
        gate.open()
        outcomes = found.result()
    assert sum(line.startswith("a worker died in a group of ") for line in lines) >= 3, lines
    alone = run(study, tmp_path / "alone.db", device="cpu", quiet=True)
    assert [one.key for one in outcomes] == [one.key for one in alone]
    for one, other in zip(outcomes, alone, strict=True):
        np.testing.assert_array_equal(one.curve["train_loss"], other.curve["train_loss"])
        np.testing.assert_array_equal(one.test_predictions, other.test_predictions)


@pytest.mark.slow
def test_an_interrupt_at_the_terminal_ends_it_and_it_goes_on_from_there(tmp_path):
    pytest.importorskip("ray")
    gate, out = Gate(tmp_path, num_calls=100), tmp_path / "out"
    command = [sys.executable, "-m", "byrote", "reproduce", "figure1", "--data", "digits", "--models", "mlp-1x64",
               gate.model, "--executor", "ray", "--out", str(out), "--device", "cpu", "--n-train", "300"]  # fmt: skip
    process = subprocess.Popen([*command, "--epochs", "400"], stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    gate.waiting()
    os.kill(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 130, told
    assert "to go on with the rest: byrote reproduce figure1" in told
    assert "Traceback" not in told
    gate.open()
    again = subprocess.run([*command, "--epochs", "400", "--executor", "local"], capture_output=True, text=True,
                           check=False, cwd=tmp_path)  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert Path(out / "report.html").is_file()
