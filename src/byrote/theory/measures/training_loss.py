"""The training loss as a function of all weights as one vector, with its gradient and the products of its Hessian."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from byrote.theory.measures.flat_network import FlatNetwork

_BATCH = 2048
"""Examples in one forward pass."""


class TrainingLoss:
    """The mean cross-entropy of a network in evaluation mode over N examples, in float64."""

    def __init__(self, network: nn.Module, inputs: Float[Tensor, "N ..."], labels: Int64[Tensor, " N"]) -> None:
        self._network = FlatNetwork(network, torch.float64)
        self._batches = list(zip(inputs.double().split(_BATCH), labels.split(_BATCH), strict=True))
        self._num_examples = len(labels)
        self.weights: Float64[Tensor, " P"] = self._network.weights

    def __call__(self, weights: Float64[Tensor, " P"]) -> float:
        with torch.no_grad():
            return sum(float(self._part(weights, *batch)) for batch in self._batches)

    def gradient(self, weights: Float64[Tensor, " P"]) -> Float64[Tensor, " P"]:
        return self.value_and_gradient(weights)[1]

    def value_and_gradient(self, weights: Float64[Tensor, " P"]) -> tuple[float, Float64[Tensor, " P"]]:
        value, total = 0.0, torch.zeros_like(weights)
        for batch in self._batches:
            at = weights.detach().requires_grad_()
            part = self._part(at, *batch)
            value += float(part.detach())
            total += torch.autograd.grad(part, at)[0]
        return value, total

    def hessian_products(
        self, weights: Float64[Tensor, " P"], vectors: Float64[Tensor, "M P"]
    ) -> Float64[Tensor, "M P"]:
        """The gradient, differentiated along each of the vectors; of memory it takes M times what the gradient does."""
        total = torch.zeros_like(vectors)
        for batch in self._batches:
            at = weights.detach().requires_grad_()
            with sdpa_kernel(SDPBackend.MATH):  # fused attention has no second derivative
                (gradient,) = torch.autograd.grad(self._part(at, *batch), at, create_graph=True)
            total += _along(gradient, at, vectors)
        return total

    def _part(self, weights: Tensor, inputs: Tensor, labels: Tensor) -> Float64[Tensor, ""]:
        return F.cross_entropy(self._network(weights, inputs), labels, reduction="sum") / self._num_examples


def _along(gradient: Float64[Tensor, " P"], at: Tensor, vectors: Float64[Tensor, "M P"]) -> Float64[Tensor, "M P"]:
    try:
        return torch.autograd.grad(gradient, at, vectors, is_grads_batched=True, retain_graph=True)[0]
    except RuntimeError:  # group norm's, for one, cannot be batched (torch 2.13)
        return torch.stack([torch.autograd.grad(gradient, at, vector, retain_graph=True)[0] for vector in vectors])
