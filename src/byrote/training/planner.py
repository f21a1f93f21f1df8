"""Which runs are trained side by side: groups fixed by the plan, the data and the device, and by nothing else.

A group's size changes its numbers in the last bits, and later its course. So it must not depend on what the store
already has, nor on a timing that comes out differently on another day.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch

from byrote.data.dataset import Dataset
from byrote.data.memory import total_memory
from byrote.errors import UserError
from byrote.models.catalog import build_model
from byrote.training.cost import Demand, Speed, Work, demand_of
from byrote.training.epochs import most_steps
from byrote.training.key import network_input_shape
from byrote.training.optimizers import is_elementwise
from byrote.training.spec import FIELDS_OF_REPLICAS, TrainSpec
from byrote.training.threads import most_threads, num_physical_cores

# Measured on two cores with 32 MiB of shared cache (benchmarks/stacking.py): stacks gain while all their
# weights, gradients and momenta stay in the cache, and 16 networks are enough to hide the cost of each call from a
# core, 64 from a GPU.
_STACK_BYTES_CPU = 8 * 2**20
_MOST_REPLICAS = 64
# Seconds of one core, measured on mlp-2x128 (1, 16 and 64 replicas) and mlp-3x512 at batch 64 (AMD EPYC, torch 2.13):
# what a compiled step saves for each weight tensor, with an eighth more for each replica, and for each number in them;
# what compiling takes; and the most that was gained in all. Convolutions gain nothing by it.
_SAVED_BY_WEIGHTS = 80e-6
_SAVED_BY_NUMBERS = 0.5e-9
_SECONDS_TO_COMPILE = 20.0
_MOST_TIMES_FASTER = 2.5
_MOST_REPLICAS_CPU = 16
_PRODUCTS_A_THREAD = 5e6
"""Floating-point operations in each step: with fewer, threads wait for each other longer than they compute."""
_GAIN_OF_THREADS = 0.8
"""T threads are as fast as T to this power."""
_NOMINAL = Speed(calls=8e4, products=3e10, convolutions=3e10, values=5e8)
_SHARE_OF_EPOCHS = 0.25
"""Of the most that a run may take: what it is taken to need, where it may stop before."""
SECONDS_WORTH_PROCESSES = 10.0
"""Nominal ones, of all that there is to do: in fewer, the three that processes take to start are not made good."""
PROCESS_BYTES = 500 * 2**20
"""What a process takes that trains small networks (benchmarks/processes.py)."""
SHARE_OF_MEMORY_AT_ONCE = 0.75
"""Of all memory, for all groups that are trained side by side."""
SHARE_OF_MEMORY = 0.25
"""Of a device, for the networks of a stack; and again for the inputs, which else stay on the host."""

Compile = Literal["auto", "on", "off"]
"""Whether steps are compiled: auto is where the work is estimated to pay for it."""


@dataclass(frozen=True)
class Group:
    """Runs that are trained side by side."""

    specs: tuple[TrainSpec, ...]
    reason: str
    """Why so many, in one sentence for the log."""
    threads: int = 1
    """That it is trained with, wherever that may be: rounding depends on them as on the group's size."""
    num_bytes: int = 0
    """About what it takes of memory beside the data."""
    seconds: float = 0.0
    """Nominal ones: about how much there is to do."""


def plan_groups(
    specs: Sequence[TrainSpec],
    data: Dataset,
    *,
    device: str = "auto",
    num_others: int = 0,
    cores: int | None = None,
) -> list[Group]:
    """Splits `specs` into groups, in the order of their first runs. Equal arguments give equal groups on one machine.

    A stack that specs name is never split: it is a group, or each of its runs is one. On a CPU there are groups for all
    cores, where there is work for them, and each has the threads with which all of them together are trained soonest;
    how many processes will share them does not matter.

    Args:
        num_others: runs of the same plan on other data.
        cores: that the plan has to itself; None is all of this machine.
    """
    cores = cores or num_physical_cores()
    device = resolve_device(device)
    is_cpu = device == "cpu"
    alike: dict[str, list[TrainSpec]] = {}
    for spec in specs:
        alike.setdefault(_stack_key(spec), []).append(spec)
    num_all = len(specs) + num_others
    work = (
        sum(nominal_seconds(_demand(members, data).work) for members in alike.values()) * num_all / max(len(specs), 1)
    )
    groups = []
    for members in alike.values():
        most, reason = _most_replicas(members, data, device)
        num_groups = math.ceil(len(members) / most)
        if is_cpu and most > 1 and members[0].stack is None and work > SECONDS_WORTH_PROCESSES:
            on_all_cores = min(len(members), math.ceil(cores * len(members) / num_all))
            if on_all_cores > num_groups:
                num_groups, reason = on_all_cores, f"in {on_all_cores} stacks: more leave no core without work"
        bounds = [round(index * len(members) / num_groups) for index in range(num_groups + 1)]
        groups += [_group(members[first:last], data, reason) for first, last in pairwise(bounds)]
    if not is_cpu:
        return [replace(group, threads=most_threads()) for group in groups]
    num_groups = math.ceil(len(groups) * num_all / max(len(specs), 1))
    return [replace(group, threads=_threads(group, data, num_groups, cores)) for group in groups]


def nominal_seconds(work: Work) -> float:
    """About how long it takes on one core of the kind that `cost` was fitted to: the same on every day and machine."""
    return _NOMINAL.seconds(work) * (_SHARE_OF_EPOCHS if work.is_most else 1.0)


def share_expected(spec: TrainSpec) -> float:
    """Of the most that a run may take, about what it takes beside others of its kind: those that may stop once they
    have fitted do so the later, the more of their labels are noise, and inputs without structure take longer too."""
    if spec.stop != "at_interpolation":
        return 1.0
    unlike = 0.5 if spec.input_method is not None else 0.0
    return min(_SHARE_OF_EPOCHS / 2 + spec.label_rate + unlike, 1.0)


def _group(specs: Sequence[TrainSpec], data: Dataset, reason: str) -> Group:
    demand = _demand(specs, data)
    return Group(tuple(specs), reason, num_bytes=int(demand.num_bytes), seconds=nominal_seconds(demand.work))


def _demand(specs: Sequence[TrainSpec], data: Dataset) -> Demand:
    try:
        return demand_of(specs, data)
    except Exception:  # of the user's own model, which says so itself when it is trained
        return Demand(Work(), 0.0, 0)


def _threads(group: Group, data: Dataset, num_groups: int, cores: int) -> int:
    """With which so many such groups are trained soonest on all cores: those of narrow networks with one, side by side;
    those of wide ones, where there are few of them or memory holds few, with more."""
    spec, work = group.specs[0], _demand(group.specs, data).work
    a_step = (work.products + work.convolutions) / most_steps(spec, spec.n_train or len(data.train))
    fitting = max(1, int(SHARE_OF_MEMORY_AT_ONCE * total_memory() / (group.num_bytes + PROCESS_BYTES)))

    def duration(threads: int) -> float:
        side_by_side = max(1, min(cores // threads, fitting))
        return math.ceil(num_groups / side_by_side) / float(threads**_GAIN_OF_THREADS)

    return min(range(1, max(1, min(most_threads(), cores, int(a_step / _PRODUCTS_A_THREAD))) + 1), key=duration)


def resolve_device(device: str) -> str:
    """ "auto" is the first of cuda, mps, cpu that there is.

    Raises:
        UserError: a device that is not there.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name, there in available.items() if there)
    kind, colon, index = device.partition(":")
    if kind == "cuda" and available["cuda"] and colon:
        count = torch.cuda.device_count()
        if not index.isdecimal() or int(index) >= count:
            last = f" to cuda:{count - 1}" if count > 1 else ""
            raise UserError(f"got device {device!r}, but here there is only cuda:0{last}; use one of these, or auto")
    elif colon or not available.get(kind, False):
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise UserError(f"got device {device!r}, but here there is only {there}; use auto")
    return device


def resolve_precision(precision: str, device: str) -> str:
    """ "auto" is bfloat16 where the hardware multiplies it natively, else float32."""
    if precision != "auto":
        return precision
    kind = resolve_device(device).partition(":")[0]
    if kind == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = kind == "cpu" and "avx512_bf16" in _cpu_flags()
    return "bfloat16" if native else "float32"


def hardware(device: str) -> str:
    """The device's name, for the record of a run."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    names = [line.partition(":")[2].strip() for line in _cpuinfo().splitlines() if line.startswith("model name")]
    processor = (names or [platform.processor() or platform.machine()])[0]
    threads = torch.get_num_threads()
    return f"{processor}, {threads} {'thread' if threads == 1 else 'threads'}"


def is_convolutional(network: torch.nn.Module) -> bool:
    """Whether some of its weights have four axes or more, as those of convolutions of images do."""
    return any(parameter.ndim >= 4 for parameter in network.parameters())


def pays_to_compile(recipe: TrainSpec, network: torch.nn.Module, replicas: int, num_steps: int, device: str) -> bool:
    """Whether compiling the step of so many replicas is estimated to save more time than it takes, in a run of at most
    `num_steps`, of which one that may interpolate is taken to need a quarter."""
    if device != "cpu" or is_convolutional(network):
        return False
    expected = num_steps if recipe.stop == "at_steps" else num_steps / 4
    return expected * _saved_a_step(network, replicas) > _SECONDS_TO_COMPILE


def seconds_compiled(seconds: float, specs: Sequence[TrainSpec], data: Dataset, device: str, compile: Compile) -> float:  # noqa: A002
    """About what a group takes whose steps are compiled if `compile` and the group have it so.

    Args:
        seconds: that it takes as it is, trained for as long as it may be.
    """
    if compile == "off" or device != "cpu":
        return seconds
    spec, replicas = specs[0], len(specs)
    shape = network_input_shape(spec, data)
    network = build_model(spec.model, input_shape=shape, num_classes=data.num_classes, dropout=spec.dropout)
    num_steps = most_steps(spec, spec.n_train or len(data.train))
    if is_convolutional(network) or (
        compile == "auto" and not pays_to_compile(spec, network, replicas, num_steps, device)
    ):
        return seconds
    left = max(seconds - num_steps * _saved_a_step(network, replicas), seconds / _MOST_TIMES_FASTER)
    return _SECONDS_TO_COMPILE + left


def _saved_a_step(network: torch.nn.Module, replicas: int) -> float:
    weights = list(network.parameters())
    by_weights = _SAVED_BY_WEIGHTS * len(weights) * (1 + replicas / 8)
    return by_weights + _SAVED_BY_NUMBERS * replicas * sum(weight.numel() for weight in weights)


def _stack_key(spec: TrainSpec) -> str:
    """Equal for runs that may share a stack: their labels, inputs, seeds and these hyper-parameters may differ."""
    common = () if is_elementwise(spec.optimizer) else ("learning_rate", "weight_decay")
    own = {name: TrainSpec.model_fields[name].default for name in FIELDS_OF_REPLICAS if name not in common}
    return spec.model_copy(update=own).canonical_json()


def _most_replicas(members: Sequence[TrainSpec], data: Dataset, device: str) -> tuple[int, str]:
    spec = members[0]
    if not is_elementwise(spec.optimizer):
        return (
            1,
            f"alone: {spec.optimizer} is not known to treat each weight by itself, and norms would mix replicas",
        )
    shape = network_input_shape(spec, data)
    network = build_model(spec.model, input_shape=shape, num_classes=data.num_classes, dropout=spec.dropout)
    if device == "cpu" and is_convolutional(network):
        return 1, "alone: convolutions in stacks are slower on a CPU"
    # Weights, gradients, momentum, the early record's copies of two gradients and the weights, and the start.
    replica_bytes = 7 * 4 * sum(parameter.numel() for parameter in network.parameters())
    num_own_inputs = sum(member.input_method is not None for member in members)
    n = min(spec.n_train or len(data.train), len(data.train)) + len(data.test)
    input_bytes = n * math.prod(data.input_shape) * 4 * num_own_inputs / len(members)
    most = int(total_memory(device) * SHARE_OF_MEMORY / (replica_bytes + input_bytes))
    reason = "as many as a quarter of the memory holds"
    if device == "cpu":
        fits = int(_STACK_BYTES_CPU / (replica_bytes / 7))
        if fits < 4:
            return 1, "alone: a stack of networks this wide would leave the CPU's cache"
        if fits < most and spec.stack is None:
            most, reason = fits, "as many as the CPU's cache holds"
    if spec.stack is not None:
        if len(members) > most:
            return 1, f"alone: a quarter of the memory holds {most} of the {len(members)} runs of a stack"
        return len(members), "in stacks that the plan names"
    limit = _MOST_REPLICAS_CPU if device == "cpu" else _MOST_REPLICAS
    if most >= limit:
        most, reason = limit, "more would gain nothing"
    most = max(most, 1)
    return most, f"in stacks of up to {most}: {reason}"


@lru_cache(maxsize=1)
def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.is_file() else ""


def _cpu_flags() -> set[str]:
    lines = [line for line in _cpuinfo().splitlines() if line.startswith("flags")]
    return set(lines[0].split()) if lines else set()
