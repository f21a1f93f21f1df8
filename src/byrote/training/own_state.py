"""What networks and optimisers keep in Python, beside their tensors: what changes there from step to step can neither
be compiled nor kept in a checkpoint."""

from __future__ import annotations

from itertools import chain
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from byrote.training.own_draws import globals_of

_DEPTH = 3
"""Of containers within containers, and of objects' attributes."""
_CONTAINERS = (dict, list, tuple, set, frozenset, np.ndarray)
_MANY = 1000
"""Of what has more values, their number alone is noted."""
_SET_BY_TORCH = ("training", "_parameters", "_buffers", "_need_device_dtype_check_for_fused")
_OPAQUE = (type, ModuleType, FunctionType, nn.Module, torch.dtype, torch.device)
"""Their own attributes are somebody else's, or noted by themselves."""


def kept_in_python(network: nn.Module) -> list[Any]:
    """Equal as long as the attributes of the network's modules and of their classes, and the global variables of the
    files that define these, are as they were. Parameters and buffers are not among them."""
    known = frozenset(map(_place, chain(network.parameters(), network.buffers())))
    return [
        (name, _noted(value, known))
        for module in network.modules()
        for names in (vars(module), *_of_classes(module))
        for name, value in list(names.items())
        if name not in _SET_BY_TORCH
    ] + [
        (name, _noted(value, known) if isinstance(value, _CONTAINERS) else _noted(value, known, 0))
        for names in globals_of(network.modules())
        for name, value in list(names.items())
        if not name.startswith("__")
    ]


def kept_by_optimizer(optimizer: torch.optim.Optimizer) -> list[Any]:
    """The same of an optimiser's attributes, but for what it keeps of its parameters; nothing of one of torch's."""
    if type(optimizer).__module__.startswith("torch.optim."):
        return []
    known = ("state", "param_groups", *_SET_BY_TORCH)
    return [(name, _noted(value, frozenset())) for name, value in vars(optimizer).items() if name not in known]


def _of_classes(module: nn.Module) -> list[dict[str, Any]]:
    return [dict(vars(each)) for each in type(module).__mro__ if not each.__module__.startswith(("torch.", "builtins"))]


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _noted(value: Any, known: frozenset[int], depth: int = _DEPTH) -> Any:
    """What tells whether it has changed, but for tensors that lie in `known` places."""
    if isinstance(value, Tensor):
        is_told = not value.is_inference() and value.layout == torch.strided and _place(value) not in known
        return id(value), value._version if is_told else None
    if isinstance(value, int | float | str):
        return value
    if isinstance(value, _OPAQUE) or not depth:
        return id(value)
    if isinstance(value, np.ndarray):
        return id(value), value.tobytes() if value.size <= _MANY else None
    if isinstance(value, _CONTAINERS) and len(value) > _MANY:
        return id(value), len(value)
    if isinstance(value, dict):
        return id(value), [(_noted(name, known, 0), _noted(each, known, depth - 1)) for name, each in value.items()]
    if isinstance(value, _CONTAINERS):
        return id(value), [_noted(each, known, depth - 1) for each in value]
    own = getattr(value, "__dict__", None)
    return id(value), _noted(own, known, depth - 1) if own else None
