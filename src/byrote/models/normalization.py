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
        return _LocalResponseNorm.apply(x, self.band, self.bias, self.alpha, self.beta)[0]  # type: ignore[no-untyped-call]


class _LocalResponseNorm(torch.autograd.Function):
    """With s = bias + alpha W x^2 (W the symmetric band): dx = g s^-beta - 2 alpha beta x W (g x s^(-beta-1)).

    s is kept in float32 at least: it is near 1, where bfloat16 has steps of 0.8%.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, band: Tensor, bias: float, alpha: float, beta: float) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(x.dtype, torch.float32)
        s = _window_sum(x * x, band).to(wide).mul(alpha).add(bias)
        return (x * _power(s, beta)).to(x.dtype), s

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
        x, band, _, alpha, beta = inputs
        ctx.save_for_backward(x, band, output[1])
        ctx.mark_non_differentiable(output[1])
        ctx.alpha, ctx.beta = alpha, beta

    @staticmethod
    def backward(ctx, gradient: Tensor, _):  # type: ignore[no-untyped-def]
        x, band, s = ctx.saved_tensors
        direct = gradient * _power(s, ctx.beta)
        through = _window_sum((direct * x / s).to(x.dtype), band) * x
        return (direct - through * (2 * ctx.alpha * ctx.beta)).to(x.dtype), None, None, None, None


def _power(s: Tensor, beta: float) -> Tensor:
    """s^-beta; for the usual 0.75 by two square roots, many times faster than a general power."""
    return torch.rsqrt(s * s.sqrt()) if beta == 0.75 else s.pow(-beta)


def _window_sum(x: Tensor, band: Tensor) -> Tensor:
    return F.conv2d(x, band.to(x.dtype)[:, :, None, None])
