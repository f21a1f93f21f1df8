"""A network that was handed over as an object: copied, and its weights drawn anew for each seed."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from byrote.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

REDRAWN = "is a network that was handed over: its trainable weights are drawn anew for each seed, as its layers do"
"""What is said of such a model, after its name."""


def redrawn(network: nn.Module, name: str) -> nn.Module:
    """A copy of `network` whose trainable weights are drawn anew, as each of its layers draws its own when it is made;
    frozen weights are kept, and so are buffers of layers that say no other start of them.

    Raises:
        UserError: a layer with trainable weights that cannot draw them (no `reset_parameters`, or one that leaves some
            as they are): all seeds would share them.
    """
    import torch

    fresh = copy.deepcopy(network)
    trained = {
        path: weight for path, weight in fresh.named_parameters() if weight.requires_grad and not _is_lazy(weight)
    }
    for parameter in fresh.parameters():  # of a network that has been used
        parameter.grad = None
    with torch.no_grad():
        for weight in trained.values():
            weight.fill_(torch.nan)
        fresh.apply(_reset)
        left = [path for path, weight in trained.items() if bool(torch.isnan(weight).any())]
    if left:
        shown = ", ".join(left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
        raise UserError(
            f"got model {name!r}, a network whose {shown} cannot be drawn anew for each seed (no reset_parameters "
            "of its layer does so): give its class, or a function that makes a new network, such as lambda: Net(...)"
        )
    return fresh


def _reset(layer: nn.Module) -> None:
    own = [parameter for parameter in layer._parameters.values() if parameter is not None]
    frozen = [(parameter, parameter.clone()) for parameter in own if not parameter.requires_grad]
    reset = getattr(layer, "reset_parameters", None) or getattr(layer, "_reset_parameters", None)
    if reset is None or any(map(_is_lazy, own)) or (len(frozen) == len(own) and (own or not layer._buffers)):
        return
    reset()
    for parameter, values in frozen:
        parameter.copy_(values)


def _is_lazy(parameter: Tensor) -> bool:
    from torch.nn.parameter import UninitializedParameter

    return isinstance(parameter, UninitializedParameter)
