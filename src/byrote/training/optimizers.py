"""Any optimiser of torch, with a learning rate and a weight decay for each replica."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from copy import copy
from itertools import groupby
from typing import Any, NamedTuple

import torch
from torch import Tensor

from byrote.errors import UserError, suggestion
from byrote.isolation import undisturbed
from byrote.references import is_reference, load_object, said
from byrote.training.recipe import Recipe

# Each weight's step depends on that weight's gradients alone, so a stack of replicas is one tensor to them.
ELEMENTWISE = frozenset(
    ["SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta", "Rprop", "ASGD"],
)
FIELDS_OF_OPTIMIZERS = ("optimizer", "optimizer_options", "learning_rate", "momentum", "weight_decay")
"""Of a spec, what an optimiser is made of."""
_FUSED = frozenset(["SGD", "Adam", "AdamW", "Adagrad"])


def optimizer_class(name: str) -> type[torch.optim.Optimizer]:
    """The class behind a spec's `optimizer`.

    Raises:
        UserError: no such optimiser.
    """
    if is_reference(name):
        found = load_object(name)
    else:
        names = {known.lower(): known for known in _names_of_torch()}
        found = getattr(torch.optim, names.get(name.lower(), ""), None)
    if not isinstance(found, type) or not issubclass(found, torch.optim.Optimizer):
        near = "" if is_reference(name) else suggestion(name, _names_of_torch())
        raise UserError(
            f"got optimizer {name!r}, expected sgd, a class of torch.optim by its name, FILE.py:NAME or "
            f"package.module:NAME of a torch.optim.Optimizer{near}"
        )
    return found


def _names_of_torch() -> list[str]:
    return [name for name, found in vars(torch.optim).items() if isinstance(found, type) and name != "Optimizer"]


def verify_optimizer(spec: Recipe, axes: Iterable[int]) -> None:
    """Tries one step on small weights, of each of `axes` many axes, as the network's weights have them.

    Raises:
        UserError: no such optimiser, options that it does not take, or one that cannot be used here: whose steps need
            a closure, sparse or second derivatives, weights of another shape, or modes of its own.
    """
    if optimizer_class(spec.optimizer) is torch.optim.SGD and not spec.optimizer_options:
        return  # all that it takes are fields of the recipe; the first optimiser that is made takes seconds to import
    weights = {
        str(number): torch.linspace(-1, 1, 2**number).view(1, *[2] * number).requires_grad_() for number in set(axes)
    }
    with undisturbed(0):
        optimizer = ReplicaOptimizer([spec], weights)
        if all(callable(getattr(optimizer.wrapped, mode, None)) for mode in ("train", "eval")):
            raise _unusable(spec, "has other weights in evaluation (its train() and eval()), which is not supported")
        for _ in range(2):
            for weight in weights.values():
                weight.grad = torch.full_like(weight, 0.5)
            try:
                optimizer.step(1.0)
            except (Exception, SystemExit) as error:
                raise _unusable(spec, f"cannot step on one gradient a step ({said(error)})") from error


def _unusable(spec: Recipe, why: str) -> UserError:
    return UserError(f"got optimizer {spec.optimizer!r}, which {why}; use another, such as sgd, Adam or AdamW")


def is_elementwise(name: str) -> bool:
    """Whether this optimiser is known to step each weight by that weight's gradients alone."""
    found = optimizer_class(name)
    return found.__module__.startswith("torch.optim") and found.__name__ in ELEMENTWISE


class ReplicaOptimizer:
    """Steps the stacked parameters `[R, ...]` of all replicas.

    Runs of neighbouring replicas with equal hyper-parameters share one slice of every parameter; each slice is a
    tensor of its own to the optimiser, with its own state. To a single run its parameters have their own shapes, which
    optimisers that treat matrices and vectors differently see.
    """

    def __init__(self, specs: Sequence[Recipe], parameters: dict[str, Tensor]) -> None:
        self._alone = len(specs) == 1
        self._sliced = _sliced(specs, parameters, self._alone)

    @property
    def wrapped(self) -> torch.optim.Optimizer:
        """The optimiser of the slices."""
        return self._sliced.optimizer

    @property
    def state(self) -> list[dict[str, Any]]:
        """What the optimiser keeps of each slice of each parameter, slice by slice."""
        optimizer = self._sliced.optimizer
        return [optimizer.state.get(part, {}) for group in optimizer.param_groups for part in group["params"]]

    @property
    def snapshot(self) -> dict[str, Any]:
        """The same, and what it keeps of each slice as a whole."""
        groups = self._sliced.optimizer.param_groups
        return {"state": self.state, "groups": [{k: v for k, v in each.items() if k != "params"} for each in groups]}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Lets it go on from where it was at `snapshot`, of as many replicas."""
        optimizer = self._sliced.optimizer
        for group, values in zip(optimizer.param_groups, snapshot["groups"], strict=True):
            group.update(values)
        parts = [part for group in optimizer.param_groups for part in group["params"]]
        optimizer.state.clear()
        optimizer.state.update({part: own for part, own in zip(parts, snapshot["state"], strict=True) if own})

    @property
    def is_one_slice(self) -> bool:
        """Whether all replicas have the same hyper-parameters."""
        return len(self._sliced.segments) == 1

    def on(self, parameters: dict[str, Tensor], state: list[dict[str, Any]]) -> ReplicaOptimizer:
        """The same steps of other parameters, in plain operations on tensors alone, with this `state`."""
        other = copy(self)
        other._sliced = _sliced(self._sliced.specs, parameters, self._alone, plain=True)
        parts = [part for group in other.wrapped.param_groups for part in group["params"]]
        other.wrapped.state.update(zip(parts, state, strict=True))
        return other

    def step(self, factor: float | Tensor) -> None:
        """One step on the gradients in place, at `factor` times each replica's learning rate; clears them."""
        specs, parameters, segments, rows_of_all, addresses_of_all, optimizer = self._sliced
        for group, (first, _), rows in zip(optimizer.param_groups, segments, rows_of_all, strict=True):
            group["lr"] = specs[first].learning_rate * factor
            for part, parameter in zip(group["params"], parameters.values(), strict=True):
                part.grad = None if parameter.grad is None else parameter.grad[rows]
        optimizer.step()
        for group, rows, addresses in zip(optimizer.param_groups, rows_of_all, addresses_of_all, strict=True):
            for part, parameter, address in zip(group["params"], parameters.values(), addresses, strict=True):
                part.grad = None
                if address is not None and part.data_ptr() != address:  # after `part.data = ...`
                    part.data = parameter.data[rows].copy_(part.data)

    def keep(self, kept: Sequence[int], parameters: dict[str, Tensor]) -> None:
        """Goes on with the replicas `kept`, whose parameters are now `parameters`, and with their state."""
        old = self._sliced.optimizer
        old_group = [
            group
            for group, (first, last) in zip(old.param_groups, self._sliced.segments, strict=True)
            for _ in range(first, last)
        ]
        rows = torch.tensor(kept)
        self._sliced = _sliced([self._sliced.specs[replica] for replica in kept], parameters, self._alone)
        new = self._sliced.optimizer
        for group, (first, last) in zip(new.param_groups, self._sliced.segments, strict=True):
            # What is one number for a slice, such as a count of steps, comes from the slice of its first replica.
            own = old_group[kept[first]]["params"]
            for index, part in enumerate(group["params"]):
                new.state[part] = {
                    key: _laid_out_like(
                        part,
                        torch.cat([old.state[each["params"][index]][key] for each in old.param_groups])[
                            rows[first:last].to(value.device)
                        ],
                    )
                    if isinstance(value, Tensor) and value.shape == own[index].shape
                    else _copy(value)
                    for key, value in old.state[own[index]].items()
                }


class _Sliced(NamedTuple):
    """Parameters in slices, and the optimiser of these."""

    specs: Sequence[Recipe]
    """[R]"""
    parameters: dict[str, Tensor]
    segments: list[tuple[int, int]]
    """The first and the last replica of each slice."""
    rows: list[int | slice]
    """The same as an index: the one network, all that there are, or some."""
    addresses: list[list[int | None]]
    """Where in memory each slice of each parameter lies, if anywhere."""
    optimizer: torch.optim.Optimizer


def _sliced(specs: Sequence[Recipe], parameters: dict[str, Tensor], alone: bool, *, plain: bool = False) -> _Sliced:
    segments: list[tuple[int, int]] = []
    first = 0
    for _, run in groupby(specs, key=lambda spec: (spec.learning_rate, spec.weight_decay)):
        last = first + len(list(run))
        segments.append((first, last))
        first = last
    # A slice of all would be of so many replicas to whoever compiles this.
    rows: list[int | slice] = [0] if alone else [slice(None)] if len(segments) == 1 else [slice(*s) for s in segments]
    parts = [[p.detach()[each].requires_grad_(p.requires_grad) for p in parameters.values()] for each in rows]
    groups = [
        {
            "params": each,
            "lr": specs[first].learning_rate,
            # Also where it is 0: the default of AdamW, for one, is not.
            "weight_decay": specs[first].weight_decay,
        }
        for each, (first, _) in zip(parts, segments, strict=True)
    ]
    is_fusible = not plain and all(map(_fusible, parameters.values()))
    optimizer = _made(specs[0], groups, is_fusible=is_fusible, plain=plain)
    addresses = [[None if plain else part.data_ptr() for part in each] for each in parts]
    return _Sliced(specs, parameters, segments, rows, addresses, optimizer)


def _made(
    spec: Recipe, groups: list[dict[str, Any]], *, is_fusible: bool, plain: bool = False
) -> torch.optim.Optimizer:
    found = optimizer_class(spec.optimizer)
    options: dict[str, Any] = dict(spec.optimizer_options)
    taken = inspect.signature(found).parameters
    for name, value in options.items():
        _refuse_type(spec, name, value, taken[name].default if name in taken else None)
    fields = {"lr": "learning_rate", "weight_decay": "weight_decay"}
    if found is torch.optim.SGD:
        fields["momentum"] = "momentum"
    for name in options.keys() & fields.keys():
        raise UserError(f"got {name!r} among the options of {spec.optimizer!r}: set {fields[name]} instead")
    if found is torch.optim.SGD:
        options["momentum"] = spec.momentum
    is_torchs = found.__module__.startswith("torch.optim")
    own_choice = options.keys() & {"fused", "foreach", "differentiable"}
    if is_torchs and found.__name__ in _FUSED and not own_choice and is_fusible:
        options["fused"] = True
    if plain:
        own_options = {"fused": False, "foreach": False, "capturable": True}
        options |= {name: value for name, value in own_options.items() if name in taken}
    # Some take these without a default.
    required = {name for name in fields.keys() & taken.keys() if taken[name].default is inspect.Parameter.empty}
    try:
        optimizer = found(groups, **options, **{name: getattr(spec, fields[name]) for name in required})
    except Exception as error:
        own = ", ".join(f"{name}={value!r}" for name, value in spec.optimizer_options) or "without options"
        raise _unusable(spec, f"cannot be made for these weights, {own}: {said(error)}") from error
    if "lr" not in optimizer.defaults:
        raise _unusable(spec, "has no learning rate called lr, which is set before each step")
    if spec.weight_decay and "weight_decay" not in optimizer.defaults:
        raise UserError(
            f"got weight_decay={spec.weight_decay} for optimizer {spec.optimizer!r}, which has none; leave it at 0"
        )
    return optimizer


def _fusible(parameter: Tensor) -> bool:
    """Whether torch's fused steps are right for this parameter. They go through memory from first to last: one that is
    a part of a larger tensor has others' numbers between its own. In half precision they are wrong on a CPU from 32
    numbers on (torch 2.13)."""
    is_dense = torch.empty_like(parameter).stride() == parameter.stride()
    is_whole = parameter.dtype in (torch.float32, torch.float64)
    return is_dense and is_whole and parameter.device.type in ("cpu", "cuda")


def _laid_out_like(parameter: Tensor, values: Tensor) -> Tensor:
    """The same values in the memory order of `parameter`: torch's fused steps go through both by memory, not by
    index, and would give the state of one weight to another."""
    return torch.empty_like(parameter, dtype=values.dtype).copy_(values)


def _refuse_type(spec: Recipe, name: str, value: object, default: object) -> None:
    kind = "True or False" if isinstance(default, bool) else "a number" if isinstance(default, int | float) else ""
    if kind and isinstance(value, str | bool) != (kind == "True or False" and isinstance(value, bool)):
        raise UserError(f"got {name}={value!r} for optimizer {spec.optimizer!r}, expected {kind}")
    if isinstance(default, tuple):
        raise UserError(
            f"got {name}={value!r} for optimizer {spec.optimizer!r}, which takes {len(default)} numbers there, as "
            f"{default}: give a subclass that sets them, as FILE.py:NAME"
        )


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value
