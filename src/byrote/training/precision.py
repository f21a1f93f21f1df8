"""In which precision forward passes compute: that of the weights, or bfloat16 for what takes the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

from byrote.models.number_types import types_of


def weights_dtype(precision: str) -> torch.dtype:
    """Of weights, inputs, sums and losses, where the network says nothing else."""
    return torch.float64 if precision == "float64" else torch.float32


def with_precision(network: nn.Module, precision: str) -> nn.Module:
    """The same network, all of whose numbers are float64 where that is asked for; else they stay what they are: one
    that is built in half precision, in part or whole, is another network in float32."""
    if precision == "float64":
        wide = {False: torch.float64, True: torch.complex128}
        network._apply(lambda t: t.to(wide[t.is_complex()]) if t.is_floating_point() or t.is_complex() else t)
    return network


def said_of_precision(network: nn.Module, precision: str) -> str:
    """What a reader should know of weights that are built in another type than the recipe says."""
    if not (others := types_of(network) - {torch.float32, weights_dtype(precision)}):
        return ""
    names = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in others))
    if precision == "float64":
        return f"its weights of type {names} are trained in float64, as the precision asked for says"
    return f"its weights of type {names} keep this type in training, whatever the precision asked for"


def widened(tensor: Tensor) -> Tensor:
    """In float32 at least: half precision is for products, not for sums."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def make_numerics(precision: str, device: str) -> Callable[[], AbstractContextManager[object]]:
    """The context of forward passes: automatic bfloat16, or nothing."""
    return partial(_bfloat16, device.partition(":")[0]) if precision == "bfloat16" else nullcontext


@contextmanager
def _bfloat16(device: str) -> Iterator[None]:
    with torch.autocast(device, dtype=torch.bfloat16), _Bfloat16Products():
        yield


# What autocast runs in bfloat16, by the names that models call it by.
_PRODUCTS = frozenset(
    [
        *(F.linear, F.bilinear, F.conv1d, F.conv2d, F.conv3d),
        *(F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d, F.scaled_dot_product_attention),
        *(torch.matmul, torch.mm, torch.bmm, torch.mv, torch.addmm, torch.baddbmm, torch.einsum),
        *(Tensor.matmul, Tensor.__matmul__, Tensor.__rmatmul__, Tensor.mm, Tensor.bmm, Tensor.mv),
        *(Tensor.addmm, Tensor.baddbmm),
        # These autocast leaves as they are, and they refuse what it makes of their other factor.
        *(torch.dot, torch.vdot, torch.inner, torch.tensordot, torch.addmv, torch.addbmm, torch.addr),
        *(torch.linalg.vecdot, torch.linalg.multi_dot),
        *(Tensor.dot, Tensor.vdot, Tensor.inner, Tensor.addmv, Tensor.addbmm, Tensor.addr),
    ]
)
# Take inputs in bfloat16 beside weights in float32, but for those of a stack (torch 2.13).
_MIXED = frozenset([F.batch_norm, torch.batch_norm, F.prelu, torch.prelu, Tensor.prelu])


class _Bfloat16Products(TorchFunctionMode):
    """Casts the float32 arguments of matrix products and convolutions.

    Inside vmap autocast does nothing (torch 2.13), and a stack would be trained in float32 under another name.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _PRODUCTS:
            args, kwargs = tree_map_only(Tensor, _narrowed, (args, kwargs))
        elif func in _MIXED and args and _is_narrow_in_stack(args[0]):
            return _narrowed(func(args[0].float(), *args[1:], **kwargs))
        return func(*args, **kwargs)


def _is_narrow_in_stack(tensor: Tensor) -> bool:
    return tensor.dtype == torch.bfloat16 and torch._C._functorch.is_batchedtensor(tensor)


def _narrowed(tensor: Tensor) -> Tensor:
    return tensor.bfloat16() if tensor.dtype == torch.float32 else tensor
