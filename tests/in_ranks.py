"""Processes that call one function side by side, as those do that share every batch."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.func import vmap
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

from byrote.data.sources import load
from byrote.errors import RankLost, UserError
from byrote.recording.recorder import Recorder
from byrote.runs.run import RunsFailed, run
from byrote.runs.torchrun import Meeting, Torchrun, datasets_of, follow
from byrote.studies.randomization.study import RandomizationStudy
from byrote.training.engine import train
from byrote.training.outcome import TrainOutcome
from byrote.training.ranks import BatchPart, Ranks, joined
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec
from byrote.training.whole_batch import with_whole_batches


def _call(file: str, rank: int, size: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    torch.set_num_threads(1)
    with joined(dist.FileStore(file, size), rank, size, "cpu") as ranks:
        return function(ranks, *arguments)


def _meet(file: str, rank: int, size: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    torch.set_num_threads(1)
    return function(Meeting(dist.FileStore(file, size), rank, size), *arguments)


class Processes:
    """As many as there are ranks."""

    def __init__(self, folder: Path, size: int) -> None:
        context = multiprocessing.get_context("forkserver")
        # What takes seconds to import is imported once; each process is a fork of that one.
        context.set_forkserver_preload(
            ["byrote.runs.torchrun", "byrote.studies.randomization.study", "torch._dynamo", "sklearn.datasets"]
        )
        self._pools = [ProcessPoolExecutor(1, mp_context=context) for _ in range(size)]
        self._folder, self._numbers = folder, count()

    def start(self, function: Callable[..., Any], *arguments: Any) -> list[Future[Any]]:
        """`function(ranks, *arguments)` in all of them."""
        return self._start(_call, function, arguments)

    def start_meeting(self, function: Callable[..., Any], *arguments: Any) -> list[Future[Any]]:
        """`function(meeting, *arguments)` likewise."""
        return self._start(_meet, function, arguments)

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """What it gives in each."""
        return [future.result(timeout=300) for future in self.start(function, *arguments)]

    def meet(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """What `function(meeting, *arguments)` gives in each."""
        return [future.result(timeout=300) for future in self.start_meeting(function, *arguments)]

    def _start(self, call: Callable[..., Any], function: Callable[..., Any], arguments: Any) -> list[Future[Any]]:
        file, size = self._folder / f"meeting{next(self._numbers)}", len(self._pools)
        return [pool.submit(call, str(file), rank, size, function, arguments) for rank, pool in enumerate(self._pools)]

    def close(self) -> None:
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)


@contextmanager
def processes(folder: Path, size: int) -> Iterator[Processes]:
    """Ended at the end."""
    found = Processes(folder, size)
    try:
        yield found
    finally:
        found.close()


def sums(ranks: Ranks) -> list[torch.Tensor]:
    """Of tensors of several types."""
    found = [
        torch.full((2, 3), ranks.rank + 1.0),
        torch.tensor(ranks.rank),
        torch.full((2,), 1j * ranks.rank, dtype=torch.complex64),
        torch.ones(4, 5)[:, 1],
    ]
    ranks.total(*found)
    return [*found, ranks.whole(torch.full((2, 1 + ranks.rank), float(ranks.rank)), 1, ranks.part(3))]


def trained(ranks: Ranks | None, specs: list[TrainSpec]) -> list[TrainOutcome]:
    """By these processes, or by one alone."""
    return list(train(specs, load("digits"), device="cpu", keep_weights=True, ranks=ranks))


def recorded(ranks: Ranks, data: TensorDataset, num_classes: int, folder: Path, resume: int | None) -> None:
    """Two epochs of a loop of its own, in which the margin of the i-th example is i + 1, and i + 2."""
    recorder = Recorder(len(data), labels=data.tensors[1], folder=folder, resume=resume)
    indexed = recorder.indexed(data)
    sampler = DistributedSampler(indexed, ranks.size, ranks.rank, seed=3)
    for epoch in range(resume or 0, 2):
        sampler.set_epoch(epoch)
        for rows, x, y in DataLoader(indexed, 16, sampler=sampler):
            recorder.record(rows, F.one_hot(y, num_classes) * (x + 1 + epoch), y)
        recorder.end_epoch()


class BatchNormNet(nn.Module):
    """Torch's own layers of two kinds, dropout, and frozen weights."""

    def __init__(self, *, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(input_shape[0], 6, 3, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.hidden = nn.Linear(6 * 36, 12)
        self.hidden_norm = nn.BatchNorm1d(12, affine=False, momentum=0.3)
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(12, num_classes)
        self.out.bias.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.hidden(F.relu(self.norm(self.convolution(x))).flatten(1))
        return self.out(self.drop(F.relu(self.hidden_norm(hidden))))


class CentersBatch(nn.Module):
    """Batch statistics of its own."""

    def __init__(self, *, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.out = nn.Linear(int(np.prod(input_shape)), num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        return self.out(x - x.mean(0) if self.training else x)


class DrawsByTorch(CentersBatch):
    """Dropout that no key of a run decides."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(F.dropout(x.flatten(1), 0.5, self.training))


def refusal(ranks: Ranks, specs: list[TrainSpec]) -> str:
    """What training them is refused with."""
    try:
        trained(ranks, specs)
    except UserError as error:
        return str(error)
    return "not refused"


def normalised(
    ranks: Ranks | None, x: torch.Tensor, weight: torch.Tensor | None, bias: torch.Tensor | None
) -> list[torch.Tensor]:
    """Outputs, running averages and gradients of batch norm on 5 examples, of `[5, C, ...]` or of replicas."""
    part = BatchPart(0, 5, 5) if ranks is None else ranks.part(5)
    leaves = [None if value is None else value.clone().requires_grad_() for value in (x, weight, bias)]
    running = [torch.zeros(x.shape[0] if x.ndim == 5 else 0, 3) if x.ndim == 5 else torch.zeros(3) for _ in range(2)]
    norm = partial(F.batch_norm, training=True, momentum=0.3)
    with with_whole_batches(nullcontext, ranks)():
        if x.ndim == 5:
            dims = (0, 0, 0, *(None if leaf is None else 0 for leaf in leaves[1:]))
            y = vmap(norm, dims)(leaves[0][:, part.first : part.last], *running, *leaves[1:])
        else:
            y = norm(leaves[0][part.first : part.last], *running, *leaves[1:])
    scale = torch.arange(1.0, 1 + y[..., :1].numel() * 5 // (part.last - part.first))
    axis = y.ndim - 4
    shape = [*y.shape[:axis], 5, *y.shape[axis + 1 : -1], 1]
    (y * scale.view(shape).cos().narrow(axis, part.first, part.last - part.first)).sum().backward()
    found = [y.detach(), *running, *(leaf.grad for leaf in leaves if leaf is not None)]
    if ranks is not None:
        found[0] = ranks.whole(found[0], axis, part)
        ranks.total(*found[3:])
    return found


def loses(ranks: Ranks) -> str:
    """The second process dies; what the first is told, which waits for it."""
    ranks.total(torch.ones(1))
    if ranks.rank == 1:
        os._exit(9)
    try:
        ranks.total(torch.ones(1))
    except RankLost as error:
        return str(error)
    return ""


def study(model: str, **recipe: object) -> RandomizationStudy:
    """Two runs."""
    own = Recipe(**{"learning_rate": 0.05, "epochs": 40, "batch_size": 25} | recipe)
    return RandomizationStudy(
        data=load("digits"), models=[model], settings=(), rates=(0.0, 1.0), recipe=own, n_train=100
    )


def studied(meeting: Meeting, store: str, model: str) -> list[TrainOutcome] | str:
    """What the first process gives of a study, and the sentence of others that end too early."""
    own = study(model)
    try:
        if meeting.rank:
            follow(meeting, datasets_of(own), "cpu")
            return []
        with Torchrun(meeting) as executor:
            return list(run(own, store, executor, device="cpu", quiet=True).outcomes)
    except (RunsFailed, RankLost, UserError) as error:
        return str(error)


def refused(meeting: Meeting, store: str) -> list[TrainOutcome] | str:
    """The second process cannot follow."""
    if meeting.rank:
        meeting.refuse("got the data there, which are not there")
        return []
    return studied(meeting, store, "mlp-1x8")


class _Fails(nn.Module):
    rank: int

    def __init__(self, *, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.out = nn.Linear(int(np.prod(input_shape)), num_classes)
        self.num_calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.num_calls += 1
        if self.num_calls > 20 and dist.is_initialized() and dist.get_rank() == self.rank:
            self.fail()
        return self.out(x.flatten(1))

    def fail(self) -> None:
        raise ArithmeticError(f"not in process {self.rank}")


class FailsInFirst(_Fails):
    """After some steps."""

    rank = 0


class FailsInSecond(_Fails):
    """Likewise."""

    rank = 1


class EndsFirst(_Fails):
    """Likewise, without a word."""

    rank = 0

    def fail(self) -> None:
        os._exit(9)


class EndsSecond(EndsFirst):
    """Likewise."""

    rank = 1
