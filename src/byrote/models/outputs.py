"""Class scores out of whatever a network returns, and what its outputs tell of its last layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from byrote.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

_MAIN = ("logits", "out", "scores", "output")
"""What libraries call the scores among other outputs (transformers, torchvision's segmentation), in this order."""


def class_scores(output: Any, *, batch: int, num_classes: int, name: str) -> Tensor:
    """The scores `[B, K]` in the output of model `name`.

    A tensor is the scores. Of an object, the attribute `logits` is, as in transformers and in torchvision's networks
    with auxiliary outputs; of a mapping, the entry "logits", "out", "scores" or "output"; else, of a mapping, a tuple,
    a list or a dataclass, the only tensor of the shape `[B, K]`, and the first of a tuple with several: auxiliary
    outputs follow the main one.

    Raises:
        UserError: there is no such tensor, or a mapping with several that are called by other names.
    """
    import torch

    if isinstance(output, torch.Tensor):
        return output
    if isinstance(logits := getattr(output, "logits", None), torch.Tensor):
        return logits
    named = dict(_named_tensors(output))
    for name in _MAIN if isinstance(output, Mapping) else ():
        if name in named:
            return named[name]
    fitting = [name for name, tensor in named.items() if tuple(tensor.shape) == (batch, num_classes)]
    if len(fitting) == 1 or (fitting and isinstance(output, Sequence)):
        return named[fitting[0]]
    shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in named.items()) or "no tensor"
    raise UserError(
        f"model {name!r} gave an object of type {type(output).__name__} with {shapes}, expected a tensor of class "
        f"scores of shape ({batch}, {num_classes}), alone or as logits: return that"
    )


def _named_tensors(output: Any) -> Iterator[tuple[str, Tensor]]:
    import torch

    if isinstance(output, Mapping):
        parts = output.items()
    elif isinstance(output, Sequence) and not isinstance(output, str):
        parts = enumerate(output)  # type: ignore[assignment]
    else:
        parts = getattr(output, "__dict__", {}).items()
    yield from ((str(name), part) for name, part in parts if isinstance(part, torch.Tensor))


def squashing(scores: Tensor, scaled: Tensor) -> str:
    """What a network seems to end in: "softmax", "log_softmax", "sigmoid", or "" where its outputs are scores.

    Args:
        scores: its outputs `[B, K]`.
        scaled: its outputs where all weights are many times as large: scores leave the range from 0 to 1, or no longer
            add up to one, as they may have done by chance; what is squashed does so still, if it is finite.
    """
    import torch

    found, larger = (part.detach().double().cpu() for part in (scores, scaled))
    if found.shape[1] < 2 or not bool(torch.isfinite(found).all()):
        return ""
    both = (found, larger) if bool(torch.isfinite(larger).all()) else (found,)
    if all(bool((each >= 0).all()) and _are_one(each.sum(1)) for each in both):
        return "softmax"
    if all(bool((each <= 0).all()) and _are_one(each.exp().sum(1)) for each in both):
        return "log_softmax"
    if bool((found > 0).all()) and bool((larger >= 0).all()) and bool((torch.maximum(found, larger) <= 1).all()):
        return "sigmoid"
    return ""


def _are_one(sums: Tensor) -> bool:
    return bool(((sums - 1).abs() < 1e-3).all())
