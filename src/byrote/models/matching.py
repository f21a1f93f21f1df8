"""Networks of equal size: how many parameters a named model has, and which width comes nearest to a given number."""

from __future__ import annotations

from bisect import bisect_left
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from byrote.errors import UserError
from byrote.models.catalog import build_model
from byrote.references import is_reference

if TYPE_CHECKING:
    from torch import nn


def num_parameters(model: str, *, input_shape: tuple[int, ...], num_classes: int) -> int:
    """The number of trainable parameters of the network that `build_model` would make, no weight of which is allocated.

    Only the user's own model, whose factory may read or compute weights, is built as it is.

    Raises:
        UserError: as `build_model` does.
    """
    if is_reference(model):
        return _count(build_model(model, input_shape=input_shape, num_classes=num_classes))
    return _num_built_in(model, tuple(input_shape), num_classes)


def matched_width(family: str, parameters: int, *, input_shape: tuple[int, ...], num_classes: int) -> str:
    """The model of `family` ("mlp-3x{width}", "switchboard-4x{width}+local") whose size is nearest to `parameters`.

    Widths are whole numbers, multiples of the channels of a head where there is attention, and multiples of 0.01 where
    they are factors ("inception-w{width}"). Of two equally near, the smaller.

    Raises:
        UserError: a family without exactly one {width}, fewer parameters than 1, or as `build_model` does.
    """
    if family.count("{width}") != 1:
        raise UserError(
            f'got family {family!r}, expected a model\'s name with one {{width}} in it, as "mlp-3x{{width}}"'
        )
    if parameters < 1:
        raise UserError(f"got {parameters} parameters to match, expected at least 1")
    step = _step(family)

    def name(multiple: int) -> str:
        return family.replace("{width}", format((multiple * step).normalize(), "f"))

    def count(multiple: int) -> int:
        return num_parameters(name(multiple), input_shape=input_shape, num_classes=num_classes)

    high = 1
    while count(high) < parameters:
        high *= 2
    enough = bisect_left(range(high), parameters, lo=max(high // 2, 1), key=count)
    near = [multiple for multiple in (enough - 1, enough) if multiple]
    return name(min(near, key=lambda multiple: abs(count(multiple) - parameters)))


def _step(family: str) -> Decimal:
    from byrote.models import switchboard, vit

    if family.startswith("vit-"):
        return Decimal(vit.HEAD_CHANNELS)
    if family.startswith("switchboard-") and "attention" in family.split("+"):
        return Decimal(switchboard.HEAD_CHANNELS)
    return Decimal("0.01") if "-w{width}" in family else Decimal(1)


@cache
def _num_built_in(model: str, input_shape: tuple[int, ...], num_classes: int) -> int:
    import torch

    with torch.device("meta"):
        return _count(build_model(model, input_shape=input_shape, num_classes=num_classes))


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
