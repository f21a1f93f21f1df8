"""A model of the user's on two inputs, before anything is trained: whether it can be, and what is to be said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byrote.errors import UserError
from byrote.isolation import undisturbed
from byrote.models.catalog import build_model
from byrote.models.instances import REDRAWN
from byrote.models.number_types import input_type
from byrote.models.outputs import squashing
from byrote.references import load_object, users_code

if TYPE_CHECKING:
    from torch import Tensor, nn

_MANY_TIMES = 50.0
"""Weights so many times as large push scores out of the range from 0 to 1."""
_SQUASHED = {
    "softmax": "gives probabilities, which cross-entropy takes for scores: it learns slowly, and may never fit; return "
    "what goes into the softmax",
    "log_softmax": "gives log-probabilities: cross-entropy of them is that of the scores, squared error is not; return "
    "what goes into the log_softmax",
    "sigmoid": "gives numbers from 0 to 1, which cross-entropy takes for scores: it learns slowly, and may never fit; "
    "return what goes into the sigmoid",
}


def probe(
    name: str, inputs: Tensor, *, num_classes: int, dropout: float, input_shape: tuple[int, ...] | None = None
) -> list[str]:
    """What a reader should know of model `name`, in sentences: that it gives probabilities instead of scores, or that
    it is a network which was handed over.

    Args:
        inputs: a few examples `[B, ...]`, where the model is to be tried.
        input_shape: of one of them, as `build_model` takes it; None takes that of `inputs`.

    Raises:
        UserError: there are no weights to train, a call fails, or what it gives are no class scores `[B, K]` that
            depend on the weights.
    """
    import torch

    if input_shape is None:
        input_shape = tuple(inputs.shape[1:])
    network = build_model(name, input_shape=input_shape, num_classes=num_classes, dropout=dropout)
    paths, weights = {path for path, _ in network.named_parameters()}, list(network.parameters())
    trained = [weight for weight in weights if weight.requires_grad]
    if weights and not trained:
        raise UserError(
            f"got model {name!r}, all of whose {sum(weight.numel() for weight in weights):,} weights are frozen "
            "(requires_grad=False): leave some to train"
        )
    network.to(inputs.device)
    if inputs.is_floating_point():
        inputs = inputs.to(input_type(network, inputs.dtype))
    doing = f"model {name!r} on {len(inputs)} inputs of shape {input_shape}"
    with undisturbed(0), torch.enable_grad(), users_code(name, doing):
        outputs = _outputs(network, inputs, training=False)
        if made := [path for path, _ in network.named_parameters() if path not in paths]:
            raise UserError(
                f"got model {name!r}, whose first forward pass makes weights ({', '.join(made[:3])}) that no optimiser "
                "made before it would train: make its layers in __init__, with nn.LazyLinear or nn.LazyConv2d where "
                "their shapes are not known there"
            )
        if not weights:
            raise UserError(f"got model {name!r}, which has no parameters: there is nothing to train")
        for each in (outputs, _outputs(network, inputs, training=True)) if len(inputs) > 1 else (outputs,):
            _refuse_output(name, each, len(inputs), num_classes)
            reached = each.requires_grad and torch.autograd.grad(each.sum(), trained, allow_unused=True)
            if any(gradient is not None and gradient.layout != torch.strided for gradient in reached or ()):
                raise UserError(
                    f"got model {name!r}, which makes sparse gradients, expected dense ones, of which norms are taken: "
                    "leave sparse=True out of its embeddings"
                )
            if not reached or all(gradient is None for gradient in reached):
                raise UserError(
                    f"got model {name!r}, whose outputs do not depend on weights that can be trained: return class "
                    "scores as they are, without detach, argmax or torch.no_grad"
                )
        return _notes(name, network, inputs, outputs)


def _outputs(network: nn.Module, inputs: Tensor, *, training: bool) -> Tensor:
    network.train(training)  # which need not return the network
    outputs: Tensor = network(inputs.clone())  # a forward pass may change its input
    return outputs.clone()  # it may be a view of a weight, which is changed


def _refuse_output(name: str, outputs: Tensor, batch: int, num_classes: int) -> None:
    if tuple(outputs.shape) != (batch, num_classes):
        raise UserError(
            f"model {name!r} gave outputs of shape {tuple(outputs.shape)} for {batch} inputs, expected "
            f"{(batch, num_classes)}: one row of {num_classes} class scores an input"
        )
    if not outputs.is_floating_point():
        raise UserError(f"model {name!r} gave outputs of {outputs.dtype}, expected class scores in floating point")


def _notes(name: str, network: nn.Module, inputs: Tensor, outputs: Tensor) -> list[str]:
    import torch

    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(_MANY_TIMES)
        found = squashing(outputs, _outputs(network, inputs, training=False))
    notes = [_SQUASHED[found]] if found else []
    return [*notes, REDRAWN] if isinstance(load_object(name), torch.nn.Module) else notes
