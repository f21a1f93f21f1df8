"""Batch norm over a whole batch of which each process has a part.

The rule: statistics are those of the whole batch, in training and for the running averages, so that a run in several
processes means what it means in one. Whatever calls `F.batch_norm` in training mode, as torch's layers and the user's
own do, gets them, alone and in a stack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from byrote.training.ranks import Ranks

Numerics = Callable[[], AbstractContextManager[object]]


def with_whole_batches(numerics: Numerics, ranks: Ranks | None) -> Numerics:
    """The same context of forward passes, with batch norm over the parts of all processes, where there are several."""
    return numerics if ranks is None else partial(_both, numerics, ranks)


@contextmanager
def _both(numerics: Numerics, ranks: Ranks) -> Iterator[None]:
    with numerics(), _WholeBatchNorm(ranks):
        yield


class _WholeBatchNorm(TorchFunctionMode):
    def __init__(self, ranks: Ranks) -> None:
        super().__init__()
        self._ranks = ranks

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is F.batch_norm:
            return batch_norm(self._ranks, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def batch_norm(
    ranks: Ranks,
    x: Float[Tensor, "B C ..."],
    running_mean: Float[Tensor, " C"] | None,
    running_var: Float[Tensor, " C"] | None,
    weight: Float[Tensor, " C"] | None = None,
    bias: Float[Tensor, " C"] | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Float[Tensor, "B C ..."]:
    """`F.batch_norm` of the batch whose part `x` is."""
    if not training:
        return F.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    y, mean, variance, num = _Normalised.apply(x, weight, bias, eps, ranks)  # type: ignore[no-untyped-call]
    for running, now in ((running_mean, mean), (running_var, variance * (num / (num - 1)))):
        if running is not None:
            running.mul_(1 - momentum).add_(now.to(running.dtype), alpha=momentum)
    return y  # type: ignore[no-any-return]


class _Normalised(torch.autograd.Function):
    """y = (x - mean) / sqrt(variance + eps) * weight + bias, with the moments of the whole batch, and these.

    With g the gradient of y, z = (x - mean) / sqrt(variance + eps), and sums over all N values of a channel in all
    processes, dx = weight / sqrt(variance + eps) (g - sum(g) / N - z sum(g z) / N). The first term is what batch norm
    with given moments has; the two others are such a batch norm of x.
    """

    @staticmethod
    def forward(
        x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, ranks: Ranks
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, variance, num = _moments(x, ranks)
        return _affine(x, mean, variance, weight, bias, eps), mean, variance, num

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
        x, weight, bias, ctx.eps, ctx.ranks = inputs
        ctx.has_bias = bias is not None
        _, mean, variance, num = output
        ctx.mark_non_differentiable(mean, variance, num)
        ctx.save_for_backward(x, weight, mean, variance, num)

    @staticmethod
    def backward(ctx, gradient: Tensor, *_):  # type: ignore[no-untyped-def]
        x, weight, mean, variance, num = ctx.saved_tensors
        of_x, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        sums = torch.stack([of_weight, of_bias]).double()
        ctx.ranks.total(sums)
        scale = torch.rsqrt(variance.double() + ctx.eps) * (1.0 if weight is None else weight.double())
        slope, offset = (-sums * scale / num).to(mean.dtype)
        of_x = of_x + _affine(x, mean, variance, slope, offset, ctx.eps)
        return of_x, None if weight is None else of_weight, of_bias if ctx.has_bias else None, None, None

    @staticmethod
    def vmap(info, in_dims, x, weight, bias, eps, ranks):  # type: ignore[no-untyped-def]
        """Channels of all replicas side by side."""
        num = info.batch_size

        def of_all(value: Tensor | None, dim: int | None) -> Tensor | None:
            if value is None:
                return None
            return (value.expand(num, -1) if dim is None else value.movedim(dim, 0)).reshape(-1)

        x = x.expand(num, *x.shape) if in_dims[0] is None else x.movedim(in_dims[0], 0)
        joined = x.transpose(0, 1).flatten(1, 2)
        y, mean, variance, count = _Normalised.apply(  # type: ignore[no-untyped-call]
            joined, of_all(weight, in_dims[1]), of_all(bias, in_dims[2]), eps, ranks
        )
        found = (y.unflatten(1, (num, -1)), mean.unflatten(0, (num, -1)), variance.unflatten(0, (num, -1)), count)
        return found, (1, 0, 0, None)


def _moments(x: Tensor, ranks: Ranks) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance of each channel over the parts of all processes, and of how many values (Chan et al., 1979)."""
    kind = torch.promote_types(x.dtype, torch.float32)
    channels = x.shape[1]
    # Beside running averages, which nobody reads, it takes half precision and gives single.
    unread = x.new_zeros(channels, dtype=kind), x.new_zeros(channels, dtype=kind)
    own = torch.batch_norm_update_stats(x, *unread, 0.0)
    all_own = torch.zeros(ranks.size, 2 * channels + 1, dtype=torch.float64, device=x.device)
    all_own[ranks.rank, :channels], all_own[ranks.rank, channels:-1] = own
    all_own[ranks.rank, -1] = x.numel() // channels
    ranks.total(all_own)
    means, variances, counts = all_own[:, :channels], all_own[:, channels:-1], all_own[:, -1:]
    num = counts.sum()
    mean = (means * counts).sum(0) / num
    variance = ((variances + (means - mean) ** 2) * counts).sum(0) / num
    return mean.to(kind), variance.to(kind), num


def _affine(
    x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    return torch.batch_norm(x, weight, bias, mean, variance, False, 0.0, eps, torch.backends.cudnn.enabled)
