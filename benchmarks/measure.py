"""What all benchmarks share: timing in turns, the usual loop, the limit of the hardware, the table, its file.

A contender is a function that does a fixed piece of work and returns how many examples a second it handled.
Contenders take turns (A B C A B C ...), since other load on the machine comes and goes; medians over the
rounds are compared. There are as many rounds as are asked for and end within five minutes, but one at least.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import rich
import torch
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import byrote
from byrote.training.planner import Compile, plan_groups, resolve_precision
from byrote.training.threads import limited_threads

RESULTS = Path(__file__).parent / "results"
MOST_SECONDS = 280.0
Contender = Callable[[], float]
Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}

# Recipe fields of the runs whose speed is measured: no evaluation between the second epoch and the last, no
# record of single steps. benchmarks/bookkeeping.py measures what those cost.
BARE = {"evaluation_spacing": 1e9, "dense_steps": 0}


@dataclass(frozen=True)
class Ratio:
    """One figure that was asked for: `value` is the quotient of two medians."""

    name: str
    value: float
    asked: str = ""


def arguments(description: str | None, *, data: bool = True) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    if data:
        parser.add_argument("--data", required=True, help="as for byrote: parquet:DIR, cifar10:DIR")
        parser.add_argument("--title", help="what the results call the data")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contender runs; medians are compared")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all? The figures mean nothing")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser


def load(options: argparse.Namespace, num_test: int) -> byrote.Dataset:
    """All training examples, and so many to test on: evaluating the others would tell nothing here."""
    data = byrote.load(options.data, title=options.title)
    return replace(data, test=data.test.take(np.arange(min(num_test, len(data.test)))))


def interleave(contenders: Mapping[str, Contender], rounds: int) -> dict[str, list[float]]:
    """Every contender once a round, in turn, while another round is expected to end within MOST_SECONDS."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    start = time.perf_counter()
    for number in range(rounds):
        passed = time.perf_counter() - start
        if number and passed * (number + 1) / number > MOST_SECONDS:
            print(f"{number} of {rounds} rounds, since another would end after {MOST_SECONDS:.0f} s", file=sys.stderr)
            break
        for name, run in contenders.items():
            rates[name].append(run())
            print(f"round {number + 1}/{rounds}  {name}: {rates[name][-1]:,.1f}", file=sys.stderr, flush=True)
    return rates


def multiplies_bfloat16() -> bool:
    """Whether this processor does; else products in bfloat16 take minutes, and their contenders are left out."""
    return resolve_precision("auto", "cpu") == "bfloat16"


def medians(rates: Mapping[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in rates.items()}


def write(
    name: str,
    rates: Mapping[str, list[float]],
    ratios: list[Ratio],
    options: argparse.Namespace,
    *,
    unit: str = "examples/s",
    **settings: object,
) -> None:
    """Prints the table and writes OUT/NAME.json."""
    table = Table("contender", f"median, {unit}", "lowest", "highest")
    for contender, values in rates.items():
        table.add_row(contender, *(f"{v:,.1f}" for v in (statistics.median(values), min(values), max(values))))
    asked = Table("ratio", "measured", "asked")
    for ratio in ratios:
        asked.add_row(ratio.name, f"{ratio.value:.2f}", ratio.asked)
    rich.print(table, asked)
    content = {
        "benchmark": name,
        "quick": options.quick,
        "unit": unit,
        "settings": settings,
        "contenders": [
            {"name": contender, "median": statistics.median(values), "rounds": values}
            for contender, values in rates.items()
        ],
        "ratios": [asdict(ratio) for ratio in ratios],
        "peak_memory_mebibytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "machine": machine(),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    print(path)


def machine() -> dict[str, object]:
    """The hardware, as far as the system tells, and the versions that matter to speed."""
    info = Path("/proc/cpuinfo")
    models = (
        [line.partition(": ")[2] for line in info.read_text().splitlines() if "model name" in line]
        if (info.exists())
        else []
    )
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "byrote": byrote.__version__,
    }


def rate(step: Callable[[], object], examples: int, steps: int, warm_up: int = 3) -> float:
    """Examples a second of `steps` calls of `step`, after `warm_up` untimed ones."""
    for _ in range(warm_up):
        step()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return steps * examples / (time.perf_counter() - start)


def engine_rate(
    data: byrote.Dataset,
    epochs: int,
    *,
    replicas: int = 1,
    compile: Compile = "off",  # noqa: A002
    clock: Clock = time.perf_counter,
    wait: Callable[[], object] = lambda: None,
    **spec: Any,
) -> float:
    """Examples a second of byrote's engine on networks as the planner stacks them, over `epochs` epochs between the
    second and the last: preparing the data, compiling, the first evaluation and the last are left out. A single group
    has the threads of its plan; several, which would be trained side by side, have all in turn. `wait` is called after
    the second epoch of each group."""
    n = spec.get("n_train") or len(data.train)
    steps = (3 + epochs) * -(-n // spec.get("batch_size", 128))
    specs = [byrote.TrainSpec(**{**BARE, **spec, "seed": seed, "steps": steps}) for seed in range(replicas)]
    seconds = 0.0
    groups = plan_groups(specs, data, device="cpu")
    for group in groups:
        ends: list[float] = []

        def note(progress: byrote.Progress, ends: list[float] = ends) -> None:
            if not progress.fraction:
                if len(ends) == 1:
                    wait()
                ends.append(clock())

        with limited_threads(group.threads if len(groups) == 1 else torch.get_num_threads()):
            for _ in byrote.train(group.specs, data, device="cpu", compile=compile, on_progress=note):
                pass
        seconds += ends[1 + epochs] - ends[1]
    return replicas * epochs * n / seconds


class SideBySide:
    """Worker processes of one thread each."""

    def __init__(self, processes: int) -> None:
        context = get_context("spawn")
        self._pool = ProcessPoolExecutor(processes, context, _begin_worker, (context.Barrier(processes),))
        self.processes = processes

    def engine_rate(self, data: byrote.Dataset, epochs: int, *, replicas: int, **spec: Any) -> float:
        """Examples a second of all together, each with its part of the networks, in one group, at the same time."""
        bounds = [replicas * number // self.processes for number in range(self.processes + 1)]
        jobs = [
            self._pool.submit(_worker_rate, data, epochs, replicas=last - first, **spec)
            for first, last in pairwise(bounds)
        ]
        return sum(job.result() for job in jobs)


def _begin_worker(barrier: Any) -> None:
    global _barrier
    torch.set_num_threads(1)
    _barrier = barrier


def _worker_rate(data: byrote.Dataset, epochs: int, **spec: Any) -> float:
    return engine_rate(data, epochs, wait=_barrier.wait, **spec)


def plain_loop(
    model: nn.Module, inputs: Tensor, labels: Tensor, batch_size: int, learning_rate: float
) -> Callable[[], None]:
    """A step of the plain loop over tensors in memory: gather a batch, forward, backward, momentum SGD."""
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9)
    batches = _batches(len(inputs), batch_size)

    def step() -> None:
        rows = next(batches)
        optimizer.zero_grad()
        F.cross_entropy(model(inputs[rows]), labels[rows]).backward()
        optimizer.step()

    return step


def _batches(n: int, batch_size: int) -> Iterator[Tensor]:
    while True:
        order = torch.randperm(n)
        yield from (order[start : start + batch_size] for start in range(0, n - batch_size + 1, batch_size))


_ADDMM, _MM = torch.ops.aten.addmm.default, torch.ops.aten.mm.default
_CONVOLUTION = torch.ops.aten.convolution.default
_CONVOLUTION_BACKWARD = torch.ops.aten.convolution_backward.default


def bare_products(model: nn.Module, inputs: Tensor, labels: Tensor, dtype: torch.dtype) -> Callable[[], None]:
    """The hardware's limit for one step: its matrix products and convolutions alone, forward and backward.

    One step of `model` is recorded; what is left of it are the products, without biases, on tensors of the
    same shapes that lie ready in `dtype` (images channels-last). Inputs need no gradient.
    """
    with _Recorder() as recorder:
        F.cross_entropy(model(inputs), labels).backward()
    calls = [_bare(function, args, dtype) for function, args in recorder.calls]

    def step() -> None:
        for function, args in calls:
            function(*args)

    return step


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (_ADDMM, _MM, _CONVOLUTION, _CONVOLUTION_BACKWARD):
            self.calls.append((func, args))
        return func(*args, **(kwargs or {}))


def _bare(function: Any, args: tuple[Any, ...], dtype: torch.dtype) -> tuple[Any, list[Any]]:
    ready = [_ready(a, dtype) if isinstance(a, Tensor) else a for a in args]
    if function is _ADDMM:
        return _MM, ready[1:3]
    if function is _CONVOLUTION:
        ready[2] = None
    elif function is _CONVOLUTION_BACKWARD:
        ready[3] = None
        ready[-1] = [*ready[-1][:2], False]
    return function, ready


def _ready(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    layout = torch.channels_last if tensor.ndim == 4 else torch.preserve_format
    return tensor.detach().to(dtype, memory_format=layout, copy=True)
