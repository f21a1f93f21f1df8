"""The random generators that networks may draw from beside torch's global one: Python's, NumPy's, and their own."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import nn

_KINDS = (random.Random, np.random.Generator, np.random.RandomState, torch.Generator)


def own_generators(networks: Iterable[nn.Module]) -> list[Any]:
    """Those in attributes of the networks' modules, and in global variables of the files that define their classes."""
    modules = list(chain.from_iterable(network.modules() for network in networks))
    values = chain.from_iterable(part.values() for part in (*map(vars, modules), *globals_of(modules)))
    return list({id(value): value for value in list(values) if isinstance(value, _KINDS)}.values())


def state_of(generator: Any) -> Any:
    """What `restore` brings back."""
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    return generator.bit_generator.state if isinstance(generator, np.random.Generator) else generator.get_state()


def restore(generator: Any, state: Any) -> None:
    """Lets the generator go on from where it was at `state_of`."""
    if isinstance(generator, random.Random):
        generator.setstate(state)
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    else:
        generator.set_state(state)


def all_states(networks: Iterable[nn.Module], device: str) -> dict[str, Any]:
    """Of the global generators, the device's among them, and of those of the networks."""
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002
        "torch": torch.get_rng_state(),
        "device": _state_of_device(device),
        "own": [state_of(generator) for generator in own_generators(networks)],
    }


def restore_all(networks: Iterable[nn.Module], device: str, states: dict[str, Any]) -> None:
    """Lets all of them go on from where they were at `all_states`."""
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if device.startswith("cuda"):
        torch.cuda.set_rng_state(states["device"], device)
    elif device == "mps":
        torch.mps.set_rng_state(states["device"])
    for generator, state in zip(own_generators(networks), states["own"], strict=True):
        restore(generator, state)


def _state_of_device(device: str) -> torch.Tensor | None:
    if device.startswith("cuda"):
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device == "mps" else None


@contextmanager
def draws_noted(network: nn.Module) -> Iterator[list[str]]:
    """Gives a list that is empty as long as no forward pass within draws from these, nor from Python's and NumPy's
    global generators: what runs around the passes may."""
    generators, before, found = own_generators([network]), list[str](), list[str]()

    def start(*_: Any) -> None:
        before.append(_written_all(generators))

    def end(*_: Any) -> None:
        if before.pop() != _written_all(generators):
            found.append("drawn")

    hooks = [network.register_forward_pre_hook(start), network.register_forward_hook(end, prepend=True)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _written_all(generators: Iterable[Any]) -> str:
    states = [random.getstate(), np.random.get_state(), *map(state_of, generators)]  # noqa: NPY002
    return repr([_written(state) for state in states])


def _written(state: Any) -> Any:
    """With whole arrays, which repr shortens."""
    if isinstance(state, torch.Tensor):
        return state.numpy().tobytes()
    if isinstance(state, np.ndarray):
        return state.tobytes()
    if isinstance(state, dict):
        return {name: _written(value) for name, value in state.items()}
    return [_written(value) for value in state] if isinstance(state, tuple) else state


def globals_of(modules: Iterable[nn.Module]) -> list[dict[str, Any]]:
    """The global variables of the files that define the modules' classes and their forward passes, whatever decorates
    these; none of torch's own."""
    kinds = dict.fromkeys(type(module) for module in modules if not type(module).__module__.startswith("torch."))
    functions = chain.from_iterable((kind.forward, *vars(kind).values()) for kind in kinds)
    own = (inspect.unwrap(function) for function in functions if isinstance(function, FunctionType))
    found = (function.__globals__ for function in own if isinstance(function, FunctionType))
    return list({id(names): names for names in found}.values())
