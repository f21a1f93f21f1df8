"""One contract for every executor."""

from __future__ import annotations

import math
import operator
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest
from fake_engine import SmallStudy, assert_equal, real_points

from byrote.errors import StoreError, UserError
from byrote.runs.executors import Executor, Local, Ray
from byrote.runs.run import RunsFailed, run
from byrote.runs.store import Store

BROKEN = """
import torch


class Broken(torch.nn.Module):
    def __init__(self, input_shape, num_classes):
        super().__init__()
        self.linear = torch.nn.Linear(input_shape[0], num_classes)

    def forward(self, inputs):
        if len(inputs) > 8:  # beyond what is tried before any run
            raise RuntimeError("out of order")
        return self.linear(inputs)
"""


@pytest.fixture(scope="module", params=["local", "ray"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "local":
        yield Local()
        return
    ray = pytest.importorskip("ray")
    yield Ray()
    ray.shutdown()


def test_a_job_gives_its_result_again_and_again(executor):
    job = executor.submit(operator.add, 2, 3)
    assert job.result() == 5
    assert job.result() == 5
    assert job.done()


def test_jobs_are_independent(executor):
    jobs = [executor.submit(pow, 2, exponent) for exponent in range(5)]
    assert [job.result() for job in reversed(jobs)] == [16, 8, 4, 2, 1]


def test_asking_whether_a_job_is_done_starts_nothing():
    job = Local().submit(operator.add, 2, 3)
    assert not job.done()
    assert job.result() == 5
    assert job.done()


def test_a_job_elsewhere_is_done_without_being_asked_for_its_result(executor):
    if executor.in_process:
        pytest.skip("jobs of this process start when they are asked for their results")
    job = executor.submit(operator.add, 2, 3)
    while not job.done():
        time.sleep(0.01)
    assert job.result() == 5


@pytest.mark.parametrize(("function", "argument", "error"), [(math.sqrt, -1, ValueError), (int, "x", ValueError)])
def test_an_exception_is_raised_by_result_alone(executor, function, argument, error):
    job = executor.submit(function, argument)
    for _ in range(2):
        with pytest.raises(error):
            job.result()
    assert job.done()


def test_a_shared_value_arrives_whole(executor):
    shared = executor.share(np.arange(1000))
    assert [executor.submit(np.sum, shared).result() for _ in range(2)] == [499_500] * 2


def test_cancelling_what_has_ended_changes_nothing(executor):
    job = executor.submit(operator.add, 2, 3)
    job.result()
    job.cancel()
    assert job.result() == 5


def test_a_store_error_keeps_its_type(executor, tmp_path):
    with pytest.raises(StoreError, match="there is no folder"):
        executor.submit(Store, tmp_path / "none" / "runs.db").result()


# With the real engine: what a study asks of an executor. A fake one would not be known to Ray's workers.


def test_a_study_is_trained_as_it_is_locally(executor, tmp_path):
    study = SmallStudy(2, real_points(), ("mlp-1x4", "mlp-1x5"))
    lines, new = [], []
    outcomes = run(
        study,
        tmp_path / "runs.db",
        executor,
        device="cpu",
        keep_weights=True,
        on_log=lines.append,
        on_result=new.append,
    )
    assert {outcome.key for outcome in new} == {outcome.key for outcome in outcomes}
    assert lines, "the engine's or the planner's log reaches the caller"
    assert [outcome.spec for outcome in outcomes] == study.tasks()
    for one, other in zip(outcomes, run(study, tmp_path / "alone.db", device="cpu"), strict=True):
        assert_equal(one.curve, other.curve)
        assert one.initial_weights == other.initial_weights
    assert all(Store(tmp_path / "runs.db").weights(outcome.key)[1] for outcome in outcomes)


def test_a_failing_group_leaves_the_others(executor, tmp_path):
    (tmp_path / "models.py").write_text(BROKEN)
    study = SmallStudy(1, real_points(), ("mlp-1x4", f"{tmp_path / 'models.py'}:Broken"))
    with pytest.raises(
        RunsFailed, match=r"1 of 2 runs failed, the rest is kept; .*RuntimeError: out of order"
    ) as failed:
        run(study, tmp_path / "runs.db", executor, device="cpu")
    assert [outcome.spec.model for outcome in failed.value.results] == ["mlp-1x4"]
    assert "in forward" in failed.value.failures[0].trace


def test_a_worker_that_dies_is_a_failure(executor, tmp_path):
    if executor.in_process:
        pytest.skip("it would take this process along")
    (tmp_path / "models.py").write_text(BROKEN.replace('raise RuntimeError("out of order")', "import os; os._exit(1)"))
    study = SmallStudy(1, real_points(), ("mlp-1x4", f"{tmp_path / 'models.py'}:Broken"))
    with pytest.raises(RunsFailed, match=r"1 of 2 runs failed, the rest is kept") as failed:
        run(study, tmp_path / "runs.db", executor, device="cpu")
    assert "WorkerCrashedError" in failed.value.failures[0].trace


def test_a_missing_ray_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"Ray is not installed: pip install 'byrote\[ray\]'"):
        Ray()
