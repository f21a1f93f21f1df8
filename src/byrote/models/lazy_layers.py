"""Layers that take their shapes from the first input (nn.LazyLinear, nn.LazyConv2d, nn.LazyBatchNorm2d)."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from byrote.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn


def materialized(network: nn.Module, input_shape: tuple[int, ...], name: str) -> nn.Module:
    """`network`, whose lazy layers have drawn their weights, in the order in which two inputs of zeros reach them.

    Raises:
        UserError: one that no input reaches.
    """
    if not _lazy(network):
        return network
    import torch

    was_training = network.training
    with torch.no_grad():
        # In evaluation mode first, which leaves running averages as they are; some layers are for training alone.
        for training in (False, True):
            if _lazy(network):
                network.train(training)
                _call(network, torch.zeros(2, *input_shape))
    network.train(was_training)
    if left := _lazy(network):
        raise UserError(
            f"got model {name!r}, whose lazy layers have no shape after a first input ({', '.join(left)}): use them in "
            "forward, or leave them out"
        )
    return network


def _call(network: nn.Module, inputs: Tensor) -> None:
    try:
        network(inputs)
    except (RuntimeError, TypeError, IndexError):
        if _takes_numbers(network):
            raise
        network(inputs.long())


def _takes_numbers(network: nn.Module) -> bool:
    """Whether inputs are no token ids: nothing looks them up."""
    import torch

    return not any(isinstance(layer, torch.nn.Embedding | torch.nn.EmbeddingBag) for layer in network.modules())


def _lazy(network: nn.Module) -> list[str]:
    from torch.nn.parameter import is_lazy

    named = chain(network.named_parameters(), network.named_buffers())
    return [name for name, tensor in named if is_lazy(tensor)]
