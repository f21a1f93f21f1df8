"""About how long training takes: what its steps do, counted once for each network, at the speed of this machine.

What is measured here decides nothing: it is told before time is spent, and corrected by what then happens. What is
counted here decides groups too, in the planner, at a speed that is the same everywhere.

The constants were fitted to the engine's CPU seconds a step on two AMD EPYC cores: perceptrons of 16 to 512 units alone
and in stacks of 16 and 64, conv-small, alexnet, inception, resnet and vit on images of 8 and 32 pixels.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from byrote.data.dataset import Dataset
from byrote.models.catalog import build_model
from byrote.models.number_types import input_type
from byrote.training.epochs import batch_bounds, most_steps
from byrote.training.key import network_input_shape
from byrote.training.precision import weights_dtype
from byrote.training.spec import TrainSpec

_CALLS_A_STEP = 80.0
"""Of the engine, beside those of the network: batches, losses, the optimiser, what is recorded."""
_CALLS_AN_EPOCH, _CALLS_AN_EPOCH_EACH = 150.0, 25.0
"""Of the engine, and for each network of a stack."""
_CALLS_A_RUN = 500.0
"""To build a network, try it and check what it is trained on."""
_STACKED = 1.5
"""By how much calls are slower that vmap makes."""
_VALUES_A_WEIGHT = 4.0
"""Written by the optimiser at each step."""
_VALUES_A_PIXEL = 40.0
"""To corrupt, check and preprocess the inputs once."""
_EVALUATIONS = 1.12
"""With evaluations along the way, a tenth of the cost of training at most by default, and samples."""
_BYTES_A_WEIGHT = 7 * 4
"""As the planner counts: weights, gradients, momentum, the early record's copies, and the start."""


@dataclass(frozen=True)
class Work:
    """What there is to do, in the units of a `Speed`."""

    calls: float = 0.0
    """Of operators, each of which takes some microseconds however small it is."""
    products: float = 0.0
    """Floating-point operations of matrix products."""
    convolutions: float = 0.0
    """Those of convolutions."""
    values: float = 0.0
    """Numbers that all operations write."""
    is_most: bool = False
    """Whether it may well end before: at interpolation, or where a search has found what it seeks."""

    def __add__(self, other: Work) -> Work:
        return Work(
            self.calls + other.calls,
            self.products + other.products,
            self.convolutions + other.convolutions,
            self.values + other.values,
            self.is_most or other.is_most,
        )

    def times(self, number: float) -> Work:
        """So many times as much."""
        return Work(
            number * self.calls,
            number * self.products,
            number * self.convolutions,
            number * self.values,
            self.is_most,
        )


@dataclass(frozen=True)
class Speed:
    """Of a device, in a second; of so many threads as this process has."""

    calls: float
    products: float
    convolutions: float
    values: float

    def seconds(self, work: Work) -> float:
        """How long such work takes."""
        return (
            work.calls / self.calls
            + work.products / self.products
            + work.convolutions / self.convolutions
            + work.values / self.values
        )


@lru_cache(maxsize=8)
def speed_of(device: str, precision: str = "float32") -> Speed:
    """Measured in a fraction of a second, with fixed shapes: the best of a few tries, and on a CPU by the time that it
    gives to us, so that the same is found whatever else it does."""
    dtype = {"bfloat16": torch.bfloat16, "float64": torch.float64}.get(precision, torch.float32)
    with torch.inference_mode(False), torch.enable_grad():
        small = [torch.ones(8, device=device) for _ in range(2)]
        left, right = torch.ones(128, 512, device=device, dtype=dtype), torch.ones(512, 512, device=device, dtype=dtype)
        images = torch.ones(64, 32, 14, 14, device=device, dtype=dtype)
        filters = torch.ones(32, 32, 3, 3, device=device, dtype=dtype)
        many = torch.ones(400_000, device=device)
        return Speed(
            calls=_rate(lambda: small[0] + small[1], 100, 1.0, device) / _SLOWER_IN_USE,
            products=_rate(lambda: left @ right, 1, 2.0 * 128 * 512 * 512, device) * _OF_PRODUCTS,
            convolutions=_rate(
                lambda: nn.functional.conv2d(images, filters, padding=1), 1, 2.0 * 64 * 14 * 14 * 32 * 32 * 9, device
            )
            * _OF_CONVOLUTIONS,
            values=_rate(lambda: many + 1.0, 2, 400_000.0, device) * _OF_VALUES,
        )


_SLOWER_IN_USE = 12.0
"""An addition of eight numbers takes about a microsecond; an operator of a step, with its gradient and all that Python
does around it, some twelve."""
_OF_PRODUCTS, _OF_CONVOLUTIONS, _OF_VALUES = 0.6, 0.7, 0.2
"""The share of what is measured alone that a step reaches: shapes are others, and caches hold other things too."""


def _rate(call: Callable[[], Any], repeats: int, amount: float, device: str) -> float:
    """What is done in a second, at the best of a few tries."""
    clock = time.thread_time if device == "cpu" else time.perf_counter
    best = math.inf
    for _ in range(30):
        _wait(device)
        started = clock()
        for _ in range(repeats):
            call()
        _wait(device)
        best = min(best, (clock() - started) / repeats)
    return amount / best


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()


@dataclass(frozen=True)
class Demand:
    """What a group of runs takes."""

    work: Work
    num_bytes: float
    """Of memory: its inputs, its networks, and what they hold for the backward pass."""
    num_weights: int
    """Of one network."""


def demand_of(specs: Sequence[TrainSpec], data: Dataset) -> Demand:
    """Of a group of runs, all trained for as long as they may be."""
    spec, num = specs[0], len(specs)
    n, num_test = _num_examples(spec, data), len(data.test)
    step = _step_of(spec, data, n / len(batch_bounds(n, spec.batch_size)))
    num_steps = most_steps(spec, n)
    num_epochs = math.ceil(num_steps / len(batch_bounds(n, spec.batch_size)))
    stacked = 1.0 if num == 1 else _STACKED
    weights = float(step.num_weights)
    pixels = math.prod(network_input_shape(spec, data))
    each = Work(
        products=step.work.products * num,
        convolutions=step.work.convolutions * num,
        values=(step.work.values + _VALUES_A_WEIGHT * weights + 2 * pixels * step.batch) * num,
    )
    whole = Work(calls=stacked * (step.work.calls + _CALLS_A_STEP)) + each.times(_EVALUATIONS)
    epoch = Work(calls=_CALLS_AN_EPOCH + _CALLS_AN_EPOCH_EACH * (num if num > 1 else 0))
    last = each.times((n + num_test) / step.batch / 3)
    start = Work(
        calls=_CALLS_A_RUN * num,
        values=_VALUES_A_PIXEL * pixels * (n + num_test) * (1 + len({each.corruptions for each in specs})),
    )
    work = whole.times(float(num_steps)) + epoch.times(float(num_epochs)) + last + start
    own_inputs = max(1, len({(each.corruptions, each.seed) for each in specs if each.input_method is not None}))
    num_bytes = 4.0 * (own_inputs * pixels * (n + num_test) + step.work.values * num) + _BYTES_A_WEIGHT * weights * num
    return Demand(replace(work, is_most=spec.stop == "at_interpolation"), num_bytes, step.num_weights)


def work_of(specs: Sequence[TrainSpec], data: Dataset) -> Work:
    """Of a group of runs, all trained for as long as they may be."""
    return demand_of(specs, data).work


def step_work(spec: TrainSpec, data: Dataset, batch: float) -> Work:
    """Of one network's forward and backward pass over so many examples."""
    return _step_of(spec, data, batch).work


def _num_examples(spec: TrainSpec, data: Dataset) -> int:
    n = min(spec.n_train or len(data.train), len(data.train))
    return max(1, n // 2 if spec.half is not None else n - round(spec.validation * n))


@dataclass(frozen=True)
class _Step:
    work: Work
    batch: float
    num_weights: int


def _step_of(spec: TrainSpec, data: Dataset, batch: float) -> _Step:
    shape = network_input_shape(spec, data)
    one, another, num_weights = _counted(spec.model, shape, data.num_classes, spec.dropout, data.kind == "tokens")
    growth = (batch - 2) / 2
    work = one.times(1 - growth) + another.times(growth)  # of 2 and of 4 examples, and in a straight line from there
    return _Step(Work(one.calls, max(work.products, 0), max(work.convolutions, 0), work.values), batch, num_weights)


@lru_cache(maxsize=512)
def _counted(
    model: str, shape: tuple[int, ...], num_classes: int, dropout: float, of_tokens: bool
) -> tuple[Work, Work, int]:
    """Of a step on 2 and on 4 examples, and the number of weights."""
    network = build_model(model, input_shape=shape, num_classes=num_classes, dropout=dropout)
    network.train()
    num_weights = sum(parameter.numel() for parameter in network.parameters())
    found = []
    for number in (2, 4):
        dtype = input_type(network, weights_dtype("float32"))
        inputs = torch.zeros(number, *shape, dtype=torch.int64 if of_tokens else dtype)
        found.append(_count(network, inputs))
        network.zero_grad(set_to_none=True)
    return found[0], found[1], num_weights


@torch.inference_mode(False)
@torch.enable_grad()
def _count(network: nn.Module, inputs: Tensor) -> Work:
    calls = _Calls()
    with calls:
        network(inputs).float().logsumexp(-1).sum().backward()
    return Work(calls.number, calls.products, calls.convolutions, calls.values)


class _Calls(TorchDispatchMode):
    """Counts operators that calculate, what they write, and what products and convolutions among them take."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.number = self.values = self.products = self.convolutions = 0.0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """What torch asks of a mode: hiding it from torch's compiler, which counts nothing here, would import that."""
        return False

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = operator(*args, **(kwargs or {}))
        if operator.is_view:
            return found
        self.number += 1
        self.values += sum(each.numel() for each in tree_leaves(found) if isinstance(each, Tensor))
        packet = operator.overloadpacket
        if packet in flop_registry:
            flops = flop_registry[packet](*args, **(kwargs or {}), out_val=found)
            if "conv" in str(packet):
                self.convolutions += flops
            else:
                self.products += flops
        return found
