from __future__ import annotations

import warnings

import pytest
import torch
from torch.func import vmap
from torch.nn import functional as F

from byrote.models.attention import attend


def tokens(*shape: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, dtype=torch.float64, generator=generator, requires_grad=True) for _ in range(3)]


@pytest.mark.parametrize("biased", [False, True])
def test_it_is_torchs(biased: bool) -> None:
    q, k, v = tokens(2, 3, 5, 4)
    bias = None
    if biased:
        bias = torch.randn(3, 5, 5, dtype=torch.float64)
        bias[:, 0, 1:3] = -torch.inf
    torch.testing.assert_close(attend(q, k, v, bias=bias), F.scaled_dot_product_attention(q, k, v, attn_mask=bias))


def test_it_has_second_derivatives() -> None:
    assert torch.autograd.gradgradcheck(attend, tokens(1, 3, 2))


def test_a_stack_is_computed_at_once() -> None:
    q, k, v = tokens(4, 2, 3, 5, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns where it loops over the stack
        stacked = vmap(attend)(q, k, v)
    torch.testing.assert_close(stacked, attend(q, k, v))
