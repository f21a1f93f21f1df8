"""Batch normalisation without a scale, and a local response normalisation that costs one matrix product."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class OffsetBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation with an offset per channel and no scale, as in the paper's Inception, whose parameter count
    is the same with and without batch norm."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        # A scale of ones that is no parameter: the fused kernels want one.
        del self.weight
        self.register_buffer("weight", torch.ones(num_features), persistent=False)


class LocalResponseNorm(nn.Module):
    """y = x / (bias + alpha * sum of x^2 over the channels within `radius`)^beta (Krizhevsky et al., 2012).

    The defaults are those of the usual CIFAR-10 model of the paper's time; the paper gives none. Torch's own layer
    divides alpha by the window and pools over a padded channel axis, several times slower than the banded product here.
    """

    band: Tensor

    def __init__(
        self,
        channels: int,
        *,
        radius: int = 4,
        bias: float = 1.0,
        alpha: float = 0.001 / 9,
        beta: float = 0.75,
    ) -> None:
        super().__init__()
        self.bias, self.alpha, self.beta = bias, alpha, beta
        index = torch.arange(channels)
        band = ((index[:, None] - index[None, :]).abs() <= radius).float()
        self.register_buffer("band", band, persistent=False)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return _LocalResponseNorm.apply(x, self.band, self.bias, self.alpha, self.beta)


class _LocalResponseNorm(torch.autograd.Function):
    """With s = bias + alpha W x^2 (W the symmetric band): dx = g s^-beta - 2 alpha beta x W (g x s^(-beta-1))."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, band: Tensor, bias: float, alpha: float, beta: float) -> Tensor:
        return x * _window_sum(x * x, band).mul_(alpha).add_(bias).pow_(-beta)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def] # noqa: ARG004
        x, band, *constants = inputs
        ctx.save_for_backward(x, band)
        ctx.constants = constants

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[no-untyped-def]
        x, band = ctx.saved_tensors
        bias, alpha, beta = ctx.constants
        s = _window_sum(x * x, band) * alpha + bias
        direct = gradient * s.pow(-beta)
        through = _window_sum(direct * x / s, band) * x
        return direct - 2 * alpha * beta * through, None, None, None, None


def _window_sum(x: Tensor, band: Tensor) -> Tensor:
    return F.conv2d(x, band.to(x.dtype)[:, :, None, None])
