"""What the process that gives out work to Ray costs: many groups that only sleep, on four nodes of this machine.

    python benchmarks/ray_driver.py --runs 1000 --seconds 0.1
    python benchmarks/ray_driver.py --runs 10000 --seconds 0.001 --workers 4

Asked: under 1 ms of the driver's processor time a run, and 1 GiB of its memory. Nothing is stored: that is done by the
workers. From what it measures it simulates how well many workers are used whose runs end one after another and are
replaced by a driver that does one thing at a time.
"""

from __future__ import annotations

import argparse
import heapq
import json
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byrote.runs.groups import GroupReport, work_off
from byrote.runs.on_ray import Ray
from byrote.runs.store import Store


@dataclass(frozen=True)
class Sleep:
    keys: tuple[str, ...]
    seconds: float


def asleep(seconds: float) -> GroupReport:
    time.sleep(seconds)
    return GroupReport()


def driver_cost(num_runs: int, seconds: float, num_workers: int) -> dict[str, float]:
    """Of groups of one run each, from the first submission to the last result."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(4):
        cluster.add_node(num_cpus=num_workers // 4)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        executor = Ray(cluster.address)
        list(executor.as_completed([executor.submit(asleep, 0.5) for _ in range(2 * num_workers)]))  # workers start
        groups = [Sleep((f"{number}",), seconds) for number in range(num_runs)]
        before, processor, wall = _memory(), time.process_time(), time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:

            def submit(group: Any, *, again: bool = False) -> Any:
                return executor.submit(asleep, group.seconds, again=again)

            traces = work_off(groups, submit, executor, Store(Path(folder) / "runs.db"), print)
        assert not traces
        processor, wall = time.process_time() - processor, time.perf_counter() - wall
    finally:
        ray.shutdown()
        cluster.shutdown()
    return {
        "runs": num_runs,
        "seconds_a_run": seconds,
        "workers": num_workers,
        "wall_seconds": wall,
        "efficiency": num_runs * seconds / (wall * num_workers),
        "driver_ms_a_run": 1e3 * processor / num_runs,
        "driver_mib": _memory(),
        "driver_mib_before": before,
    }


def simulated_efficiency(num_workers: int, run_seconds: float, driver_seconds: float, worker_seconds: float) -> float:
    """The share of the workers' time in which runs are made, where each takes the driver so long, one after
    another, and its worker so long besides (to be told, to store).

    Runs last half to one and a half times their mean in turn, so that they do not end in step.
    """
    num_runs = 20 * num_workers
    free: list[float] = [0.0] * num_workers
    driver, busy = 0.0, 0.0
    for number in range(num_runs):
        at = heapq.heappop(free)
        driver = max(driver, at) + driver_seconds
        length = run_seconds * (0.5 + (number * 0.6180339887) % 1.0)
        busy += length
        heapq.heappush(free, driver + worker_seconds + length)
    return busy / (num_workers * max(free))


def _memory() -> float:
    """The most so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--worker-overhead", type=float, default=0.02, help="seconds a run, besides the run")
    options = parser.parse_args()
    cost = driver_cost(options.runs, options.seconds, options.workers)
    print(json.dumps(cost, indent=2))
    for run_seconds in (1, 3, 10, 60):
        told = []
        for workers in (100, 1000, 4000):
            own = cost["driver_ms_a_run"] / 1e3
            share = simulated_efficiency(workers, run_seconds, own, options.worker_overhead)
            told.append(f"{workers:,} workers {share:.1%}")
        print(f"runs of {run_seconds} s: {', '.join(told)}")


if __name__ == "__main__":
    main()
