"""A network, and its training loss, as functions of all its weights as one vector; gradients and Hessian products."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parameters_to_vector

_BATCH = 2048
"""Examples in one forward pass."""


class FlatNetwork:
    """`network` in evaluation mode; `weights` [P] are its parameters in the order of `named_parameters`.

    What training leaves alone stays as it is: buffers, and parameters that require no gradient.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        self._network = copy.deepcopy(network).eval().to(dtype)
        trained = {name: p for name, p in self._network.named_parameters() if p.requires_grad}
        self._shapes = {name: parameter.shape for name, parameter in trained.items()}
        self.dtype = dtype
        self.weights: Float[Tensor, " P"] = parameters_to_vector(trained.values()).detach()

    def __call__(self, weights: Float[Tensor, " P"], inputs: Float[Tensor, "B ..."]) -> Float[Tensor, "B K"]:
        parts = weights.split([shape.numel() for shape in self._shapes.values()])
        named = {name: part.view(shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)}
        return functional_call(self._network, named, (inputs,))


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
        """At `weights`."""
        return self.value_and_gradient(weights)[1]

    def value_and_gradient(self, weights: Float64[Tensor, " P"]) -> tuple[float, Float64[Tensor, " P"]]:
        """Both at `weights`, in one pass."""
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
