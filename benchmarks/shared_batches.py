"""One run in two processes of one thread each, which share every batch, and in one process of two threads.

    python benchmarks/shared_batches.py --data parquet:DIR

Asked on two cores: the two processes at least 0.9 of the one, on inception at batch 128 (CIFAR-10 cropped to 28x28,
float32, synchronised batch norm). Each figure is that of a fresh process, or two, after its second epoch.
"""

from __future__ import annotations

import tempfile
import time
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import measure
import torch
import torch.distributed as dist

import byrote
from byrote.training.ranks import joined

BATCH = 128


def trained(data: byrote.Dataset, spec: byrote.TrainSpec, threads: int, file: str, rank: int, size: int) -> float:
    """Examples a second, from the end of the second epoch on."""
    torch.set_num_threads(threads)
    ends: list[float] = []

    def note(progress: byrote.Progress) -> None:
        if not progress.fraction:
            ends.append(time.perf_counter())

    def train(**shared: Any) -> byrote.TrainOutcome:
        (outcome,) = byrote.train([spec], data, device="cpu", on_progress=note, **shared)
        return outcome

    if size == 1:
        outcome = train()
    else:
        with joined(dist.FileStore(file, size), rank, size, "cpu") as ranks:
            outcome = train(ranks=ranks)
    return outcome.n_train * (outcome.epochs_run - 3) / (ends[-2] - ends[1])  # the last epoch has an evaluation


def rate(data: byrote.Dataset, spec: byrote.TrainSpec, processes: int, threads: int) -> float:
    with tempfile.TemporaryDirectory() as folder, get_context("spawn").Pool(processes) as pool:
        given = [(data, spec, threads, str(Path(folder) / "meeting"), rank, processes) for rank in range(processes)]
        return min(pool.starmap(trained, given, chunksize=1))


def main() -> None:
    parser = measure.arguments(__doc__)
    parser.add_argument("--models", nargs="+", default=["inception", "conv-small"])
    options = parser.parse_args()
    data = measure.load(options, 20)
    batch, epochs = (16, 4) if options.quick else (BATCH, 6)
    contenders: dict[str, measure.Contender] = {}
    for name in options.models:
        fields = {"model": name, "crop": 28, "batch_size": batch, "n_train": 2 * batch, "steps": 2 * epochs}
        spec = byrote.TrainSpec(**measure.BARE, **fields, stop="at_steps", learning_rate=0.01)
        for processes in (1, 2):
            contenders[f"{name}, {processes} x {2 // processes} threads"] = partial(
                rate, data, spec, processes, 2 // processes
            )
    rates = measure.interleave(contenders, options.rounds)
    median = measure.medians(rates)
    ratios = [
        measure.Ratio(
            f"{name}: two processes / one of two threads",
            median[f"{name}, 2 x 1 threads"] / median[f"{name}, 1 x 2 threads"],
            ">= 0.9" if name == "inception" else "",
        )
        for name in options.models
    ]
    measure.write("shared_batches", rates, ratios, options, data=data.label, batch_size=batch)


if __name__ == "__main__":
    main()
