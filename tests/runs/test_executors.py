"""One contract for every executor."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator

import numpy as np
import pytest
from fake_engine import SmallStudy, assert_equal, real_points

from byrote.errors import StoreError
from byrote.runs.executors import Executor
from byrote.runs.local import Local
from byrote.runs.on_ray import Ray
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


@pytest.fixture(scope="module", params=["one process", "two processes", "ray"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "ray":
        ray = pytest.importorskip("ray")
        yield Ray()
        ray.shutdown()
        return
    with Local(processes=1 if request.param == "one process" else 2) as local:
        yield local


def is_in_process(executor: Executor) -> bool:
    return isinstance(executor, Local) and executor.processes == 1


def test_a_job_gives_its_result_again_and_again(executor):
    job = executor.submit(operator.add, 2, 3)
    assert job.result() == 5
    assert job.result() == 5


def test_jobs_are_independent(executor):
    jobs = [executor.submit(pow, 2, exponent) for exponent in range(5)]
    assert [job.result() for job in reversed(jobs)] == [16, 8, 4, 2, 1]


def test_jobs_are_given_as_they_end(executor):
    jobs = [executor.submit(pow, 2, exponent) for exponent in range(5)]
    ended = list(executor.as_completed(jobs))
    assert set(ended) == set(jobs)
    assert len(ended) == 5


def test_jobs_that_nobody_waits_for_in_this_process_do_not_start():
    started: list[int] = []
    with Local(processes=1) as executor:
        first, _ = (executor.submit(started.append, number) for number in range(2))
        first.result()
    assert started == [0]


@pytest.mark.parametrize(("function", "argument", "error"), [(math.sqrt, -1, ValueError), (int, "x", ValueError)])
def test_an_exception_is_raised_by_result_alone(executor, function, argument, error):
    job = executor.submit(function, argument)
    for _ in range(2):
        with pytest.raises(error):
            job.result()


def test_a_shared_value_arrives_whole(executor):
    shared = executor.share(np.arange(1000))
    assert [executor.submit(np.sum, shared).result() for _ in range(2)] == [499_500] * 2


def test_cancelling_what_has_ended_changes_nothing(executor):
    for _ in range(20):  # what follows a result at once is what has gone wrong
        job = executor.submit(operator.add, 2, 3)
        job.result()
        assert executor.cancel([job]) == []
        assert job.result() == 5


def test_a_store_error_keeps_its_type(executor, tmp_path):
    with pytest.raises(StoreError, match="there is no folder"):
        executor.submit(Store, tmp_path / "none" / "runs.db").result()


# With the real engine: what a study asks of an executor. A fake one would not be known to Ray's workers.


def test_a_study_is_trained_as_it_is_locally(executor, tmp_path):
    study = SmallStudy(2, real_points(), ("mlp-1x4", "mlp-1x5"))
    lines, new, seen = [], [], []
    outcomes = run(
        study,
        tmp_path / "runs.db",
        executor,
        device="cpu",
        keep_weights=True,
        on_log=lines.append,
        on_result=new.append,
        on_progress=seen.append,
    )
    assert {spec for progress in seen for spec in progress.specs} == set(study.tasks())
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


def test_a_worker_that_dies_is_tried_again_and_then_a_failure(executor, tmp_path):
    if is_in_process(executor):
        pytest.skip("it would take this process along")
    (tmp_path / "models.py").write_text(BROKEN.replace('raise RuntimeError("out of order")', "import os; os._exit(1)"))
    study = SmallStudy(1, real_points(), ("mlp-1x4", f"{tmp_path / 'models.py'}:Broken"))
    lines: list[str] = []
    with pytest.raises(RunsFailed, match=r"1 of 2 runs failed, the rest is kept") as failed:
        run(study, tmp_path / "runs.db", executor, device="cpu", on_log=lines.append)
    assert "WorkerDied" in failed.value.failures[0].trace
    tries = [line for line in lines if line.startswith("a worker died in a group of 1 runs: try ")]
    assert len(tries) == executor.most_tries - 1
