"""Against torch's own layers, by finite differences, and in a stack."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from byrote.models.normalization import LocalResponseNorm, OffsetBatchNorm2d


@pytest.mark.parametrize(("channels", "radius"), [(64, 4), (5, 4), (3, 1), (1, 2)])
@pytest.mark.parametrize(
    "options", [{}, {"bias": 2.0, "alpha": 0.3, "beta": 0.5}, {"beta": 1.0, "alpha": 0.1}], ids=str
)
def test_local_response_is_torchs(channels: int, radius: int, options: dict[str, float]) -> None:
    ours = LocalResponseNorm(channels, radius=radius, **options).double()
    size = 2 * radius + 1
    x = (3 * torch.randn(2, channels, 3, 4, dtype=torch.float64)).requires_grad_()
    expected = torch.nn.functional.local_response_norm(
        x, size, alpha=size * ours.alpha, beta=ours.beta, k=ours.bias
    )  # torch divides alpha by the size
    torch.testing.assert_close(ours(x), expected)
    cotangent = torch.randn_like(x)
    gradients = [torch.autograd.grad(y, x, cotangent)[0] for y in (ours(x), expected)]
    torch.testing.assert_close(*gradients)


def test_local_response_passes_finite_differences() -> None:
    norm = LocalResponseNorm(5, radius=1, alpha=0.2).double()
    x = torch.randn(2, 5, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(norm, (x,))


def test_local_response_in_a_stack() -> None:
    norm = LocalResponseNorm(6, alpha=0.1).double()
    x = torch.randn(3, 2, 6, 4, 4, dtype=torch.float64, requires_grad=True)
    stacked, apart = vmap(norm)(x), torch.stack([norm(part) for part in x])
    torch.testing.assert_close(stacked, apart)
    cotangent = torch.randn_like(x)
    gradients = [torch.autograd.grad(y, x, cotangent)[0] for y in (stacked, apart)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_with_an_offset_is_torchs_with_scale_1(training: bool) -> None:
    ours, theirs = OffsetBatchNorm2d(4), nn.BatchNorm2d(4)
    assert [name for name, _ in ours.named_parameters()] == ["bias"]
    assert "weight" not in ours.state_dict()
    for norm in (ours, theirs):
        norm.train(training)
        nn.init.constant_(norm.bias, 0.5)
        norm.running_mean.fill_(0.3)  # type: ignore[union-attr, operator]
    x = torch.randn(5, 4, 3, 3)
    assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.running_var, theirs.running_var)  # type: ignore[arg-type]


def test_batch_norm_in_a_stack_keeps_its_own_statistics() -> None:
    norms = [OffsetBatchNorm2d(4).double() for _ in range(3)]
    state = stack_module_state(norms)  # type: ignore[arg-type]
    x = torch.randn(3, 5, 4, 3, 3, dtype=torch.float64) * torch.tensor([1.0, 2, 3])[:, None, None, None, None]
    stacked = vmap(lambda parameters, buffers, part: functional_call(norms[0], (parameters, buffers), (part,)))(
        *state, x
    )
    torch.testing.assert_close(stacked, torch.stack([norm(part) for norm, part in zip(norms, x, strict=True)]))
    torch.testing.assert_close(state[1]["running_var"], torch.stack([norm.running_var for norm in norms]))
