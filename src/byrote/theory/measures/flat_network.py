"""A network as a function of all its weights as one vector."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parameters_to_vector


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
