"""A group's networks on a few examples before they are trained: whether they work, whether a stack of them gives what
each gives alone, whether parts of a batch give what all of it gives, and whether they go with channels-last memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from byrote.data.dataset import Dataset
from byrote.errors import RankLost, UserError
from byrote.input_parts import as_networks_get_it
from byrote.models.dropout import numbered_from
from byrote.training.conditions import token_hint
from byrote.training.key import network_input_shape
from byrote.training.own_draws import draws_noted, own_generators, restore, state_of
from byrote.training.precision import make_numerics
from byrote.training.ranks import BatchPart, Ranks
from byrote.training.replicas import Replicas
from byrote.training.spec import TrainSpec
from byrote.training.streams import Streams
from byrote.training.whole_batch import with_whole_batches

Numerics = Callable[[], AbstractContextManager[object]]

_EXAMPLES = 8
"""Enough for batch norm not to magnify rounding, as it does with two."""
_ROUNDING = {torch.float64: 1e-8, torch.float32: 1e-3}
"""How far, as a share of the largest, numbers may differ that two orders of the same sums give."""
_ROUNDING_OF_LESS, _ROUNDING_OF_TF32 = 0.1, 0.02
_SHARE_OF_GRADIENTS = 0.2
"""How far all gradients together may differ, as a share of their norm: where rounding turns a ReLU on or off, single
ones differ by more than rounding."""


def trial_inputs(
    spec: TrainSpec, data: Dataset, device: str, dtype: torch.dtype, num: int = _EXAMPLES
) -> Shaped[Tensor, "B ..."]:
    """A few inputs as networks of `spec` take them: of token ids and of several inputs the first, else made up."""
    if data.kind == "tokens":
        return torch.from_numpy(data.train.inputs[:num].astype(np.int64)).to(device)
    if data.kind == "dict":
        rows = torch.from_numpy(np.array(as_networks_get_it(data.train.inputs[:num], data.parts))).to(device)
        return rows.to(dtype) if rows.is_floating_point() else rows
    generator = torch.Generator(device).manual_seed(0)
    shape = (num, *network_input_shape(spec, data))
    return torch.rand(shape, device=device, dtype=dtype, generator=generator)


def why_not_stackable(
    networks: Sequence[nn.Module], inputs: Shaped[Tensor, "B ..."], precision: str = "float32"
) -> str | None:
    """None, or why these networks must be trained one by one: a stack of them fails, or one of them gives in it other
    outputs or gradients than alone, as one does that computes with what is neither a parameter nor a buffer."""
    stack = torch.stack([inputs] * len(networks))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if precision == "bfloat16":
                # vmap refuses some operations only there. Numbers are compared without its rounding, which batch norm
                # of a few examples makes large.
                with left_as_they_were(networks):
                    _course(Replicas(networks), stack, make_numerics(precision, inputs.device.type))
            with left_as_they_were(networks), draws_noted(networks[0]) as draws:
                stacked = _course(Replicas(networks), stack, nullcontext)
    except Exception as error:  # vmap raises whatever the module's own code makes of batched tensors
        return f"a stack of it fails: {_words(error)}"
    if draws:
        return "it draws random numbers that all networks of a stack would share"
    for position, network in enumerate(networks):
        buffers = dict(network.named_buffers())
        with left_as_they_were([network]):
            try:
                alone = _course(Replicas([network]), inputs[None], nullcontext)
            except Exception as error:
                return f"it fails: {_words(error)}"
            for name, buffer in network.named_buffers():
                if buffer is not buffers.get(name):
                    return (
                        f"a stack of it fails: its buffer {name!r} is replaced by another tensor instead of updated in "
                        "place"
                    )
        if what := _difference(alone, stacked.of(position)):
            return (
                f"network {position + 1} of {len(networks)} has other {what} in a stack than alone: it computes with "
                "something that is neither a parameter nor a buffer of its own, or changes gradients by a hook"
            )
    return None


def refuse_parts(
    networks: Sequence[nn.Module],
    spec: TrainSpec,
    data: Dataset,
    streams: Streams,
    dtype: torch.dtype,
    smallest_batch: int,
    ranks: Ranks,
) -> None:
    """Raises UserError where several processes, each with its part of every batch, would not train what one does: a
    batch has too few examples, or a network computes over the batch by other means than batch norm, or draws by
    torch's own generator, so that its parts give other outputs or gradients than all of it."""
    advice = f"got {ranks.size} processes that share each batch of model {spec.model!r}"
    if ranks.size > smallest_batch:
        raise UserError(
            f"{advice}, whose smallest batch has {smallest_batch} examples: start {smallest_batch} processes at most, "
            "or choose a larger batch size"
        )
    inputs = trial_inputs(spec, data, streams.device, dtype, max(_EXAMPLES, 2 * ranks.size))
    with left_as_they_were(networks), streams.opened("trial", 0):
        stacked = torch.stack([inputs] * len(networks))
        whole = _course(Replicas(networks), stacked, nullcontext)
    with left_as_they_were(networks), streams.opened("trial", 0):
        try:
            parts = _course(Replicas(networks), stacked, nullcontext, ranks)
        except RankLost:
            raise
        except Exception as error:  # whatever the network's own code makes of a part
            raise UserError(f"{advice}, which fails on a part of one: {_words(error)}; use a single process") from error
    what = _difference(replace(whole, gradients={}), replace(parts, gradients={}))
    away = [(parts.gradients[name] - found).norm() for name, found in whole.gradients.items()]
    far = _SHARE_OF_GRADIENTS * float(torch.stack([found.norm() for found in whole.gradients.values()]).norm())
    if not what and float(torch.stack(away).norm()) > far:
        what = "gradients"
    if what:
        raise UserError(
            f"{advice}, which has other {what} on parts of one than on all of it: it computes over the batch by other "
            "means than batch norm, or draws by torch's generator (nn.Dropout is fine); use a single process"
        )


def goes_with_channels_last(
    networks: Sequence[nn.Module], inputs: Shaped[Tensor, "B C H W"], precision: str = "float32"
) -> bool:
    """Whether networks, alone or in a stack of several, compute the same on images whose channels lie side by side in
    memory, where convolutions are fastest: not with `x.view` after a convolution, nor with a group norm in a stack.
    Their weights are left in the layout that this says."""
    numerics = make_numerics(precision, inputs.device.type)
    by_channels = inputs.contiguous(memory_format=torch.channels_last)
    _lay_out(networks, torch.contiguous_format)
    expected = _tried(networks[0], inputs, numerics)
    _lay_out(networks, torch.channels_last)
    found = _tried(networks[0], by_channels, numerics)
    goes = expected is None or (found is not None and not _difference(expected, found, precision))
    if goes and len(networks) > 1:
        goes = why_not_stackable(networks, by_channels, precision) is None
    if not goes:
        _lay_out(networks, torch.contiguous_format)
    return goes


def _lay_out(networks: Sequence[nn.Module], layout: torch.memory_format) -> None:
    """Of the weights of convolutions of images: volumes have a layout of their own."""
    for network in networks:
        for tensor in chain(network.parameters(), network.buffers()):
            if tensor.ndim == 4:
                # Not contiguous(), which leaves the strides of a single channel as they are.
                tensor.data = tensor.data.to(memory_format=layout)


def verify(
    network: nn.Module, inputs: Shaped[Tensor, "B ..."], *, spec: TrainSpec, data: Dataset, smallest_batch: int
) -> None:
    """Tries one step on the inputs, of which there is one at least, and on as many as the smallest batch has.

    Raises:
        UserError: the network fails, or gives something else than one row of class scores an input.
    """
    numerics, doing = make_numerics(spec.precision, inputs.device.type), f"model {spec.model!r}"
    for training in (False, True):
        part = inputs[: min(len(inputs), smallest_batch)] if training else inputs
        shape, mode = network_input_shape(spec, data), "training" if training else "evaluation"
        with left_as_they_were([network]):
            try:
                with numerics():
                    logits = Replicas([network])(part[None].clone(), training=training)[0]
                if training and logits.requires_grad:
                    logits.sum().backward()
            except UserError:
                raise
            except Exception as error:
                raise UserError(
                    f"{doing} failed in {mode} mode on {len(part)} {'input' if len(part) == 1 else 'inputs'} of shape "
                    f"{shape}, expected a tensor of class scores: {_words(error)}"
                    f"{token_hint(data, error)}{_hint_of_one(error, spec) if training and len(part) == 1 else ''}"
                ) from error
        expected = (len(part), data.num_classes)
        if tuple(logits.shape) != expected:
            raise UserError(
                f"{doing} gave outputs of shape {tuple(logits.shape)} for {len(part)} inputs, expected {expected}: one "
                f"row of {data.num_classes} class scores an input"
            )
    if not logits.requires_grad:
        raise UserError(
            f"got {doing}, whose outputs in training do not depend on any weight that can be trained: leave some "
            "weights with requires_grad=True, and return class scores as they are"
        )


@contextmanager
def left_as_they_were(networks: Sequence[nn.Module]) -> Iterator[None]:
    """Takes back whatever calls within change of the networks: weights, buffers, attributes, modes, gradients, and
    what has been drawn from generators of their own."""
    modules: list[tuple[Any, dict[str, Any], list[dict[str, Any]]]] = [
        (module, dict(vars(module)), [dict(p) for p in (module._modules, module._parameters, module._buffers)])
        for network in networks
        for module in network.modules()
        if not isinstance(module, torch.jit.ScriptModule)
    ]
    modes = [(module, module.training) for network in networks for module in network.modules()]
    tensors = [*chain.from_iterable(chain(network.parameters(), network.buffers()) for network in networks)]
    tensors += [value for _, own, *_ in modules for value in own.values() if isinstance(value, Tensor)]
    values = [tensor.detach().clone() for tensor in tensors]
    generators = [(generator, state_of(generator)) for generator in own_generators(networks)]
    try:
        yield
    finally:
        for module, own, parts in modules:
            vars(module).clear()
            vars(module).update(own)
            for before, now in zip(parts, (module._modules, module._parameters, module._buffers), strict=True):
                now.clear()
                now.update(before)
        for generator, state in generators:
            restore(generator, state)
        for module, mode in modes:
            module.training = mode
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.detach().copy_(value)
                if tensor.is_leaf:
                    tensor.grad = None


@dataclass(frozen=True, eq=False)
class _Course:
    """What R networks gave on the same inputs; the axis R comes first in all."""

    outputs: dict[str, Tensor]
    """Among them, of the first network alone, what it gives once the others have left."""
    gradients: dict[str, Tensor]

    def of(self, replica: int) -> _Course:
        rows = slice(replica, replica + 1)
        outputs, gradients = ({name: f[rows] for name, f in part.items()} for part in (self.outputs, self.gradients))
        return _Course({name: found for name, found in outputs.items() if len(found)}, gradients)


def _course(replicas: Replicas, inputs: Tensor, numerics: Numerics, ranks: Ranks | None = None) -> _Course:
    """Two steps of training and an evaluation: what a network keeps from one call to the next shows in later ones.
    Where several processes share the inputs, of all of them together."""
    outputs: dict[str, Tensor] = {}
    gradients: dict[str, Tensor] = {}
    num = inputs.shape[1]
    part = BatchPart(0, num, num) if ranks is None else ranks.part(num)
    numerics = with_whole_batches(numerics, ranks)
    for name, training in (("first", True), ("second", True), ("evaluated", False)):
        with numerics(), numbered_from(part.first):
            found = replicas(inputs[:, part.first : part.last].clone(), training=training)
        outputs[name] = found.detach().clone()  # it may be a view of a weight, which is put back
        if found.requires_grad and training:
            total = found[0].numel() * num // (part.last - part.first)
            weights = torch.linspace(-1, 1, total, device=found.device)[
                total * part.first // num : total * part.last // num
            ]
            (found * weights.view(found[0].shape)).sum().backward()
            replicas.collect_gradients()
            gradients |= {
                f"{name} {weight}": torch.zeros_like(p) if p.grad is None else p.grad.detach().clone()
                for weight, p in replicas.parameters.items()
            }
            replicas.clear_gradients()
    if ranks is None:
        with numerics(), torch.no_grad():
            outputs["without others"] = replicas(inputs[:1].clone(), training=True, members=[0]).clone()
    else:
        outputs = {name: ranks.whole(found, 1, part) for name, found in outputs.items()}
        ranks.total(*gradients.values())
    return _Course(outputs, gradients)


def _tried(network: nn.Module, inputs: Tensor, numerics: Numerics) -> _Course | None:
    with left_as_they_were([network]):
        try:
            return _course(Replicas([network]), inputs[None], numerics)
        except Exception:  # whichever of its operations does not go with this layout
            return None


def _difference(a: _Course, b: _Course, precision: str = "float32") -> str:
    """Which of their numbers differ by more than rounding: "outputs", "gradients", or ""."""
    for name in a.outputs.keys() & b.outputs.keys():
        found = a.outputs[name]
        rounding = _rounding(found, precision)
        if _are_different(found, b.outputs[name], rounding * _largest(found)):
            return "outputs"
    every = max(map(_largest, a.gradients.values()), default=0.0)
    for name, found in a.gradients.items():
        # Gradients that are 0 but for rounding are rounding of larger ones.
        rounding = _rounding(found, precision)
        if _are_different(found, b.gradients[name], rounding * (_largest(found) + every / 10)):
            return "gradients"
    return ""


def _are_different(a: Tensor, b: Tensor, margin: float) -> bool:
    return a.shape != b.shape or not torch.allclose(a, b, rtol=0.0, atol=margin, equal_nan=True)


def _largest(tensor: Tensor) -> float:
    return float(tensor.abs().nan_to_num(0.0, 0.0, 0.0).max()) if tensor.numel() else 0.0


def _rounding(found: Tensor, precision: str) -> float:
    if precision == "bfloat16":
        return _ROUNDING_OF_LESS
    if found.dtype == torch.float32 and found.device.type == "cuda":
        return _ROUNDING_OF_TF32  # of convolutions, and of products where the user allows it
    return _ROUNDING.get(found.dtype, _ROUNDING_OF_LESS)


def _hint_of_one(error: Exception, spec: TrainSpec) -> str:
    if "more than 1" not in str(error):
        return ""
    what = f"batch_size={spec.batch_size}" if spec.batch_size == 1 else "a training set of one example"
    return f"; batch norm is undefined on a batch of one example, as {what} makes it: use at least two"


def _words(error: Exception) -> str:
    first = str(error).strip().splitlines()
    return f"{type(error).__name__}: {first[0]}" if first else type(error).__name__
