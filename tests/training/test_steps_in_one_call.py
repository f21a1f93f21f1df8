from __future__ import annotations

import gc
import shutil
import weakref

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from byrote.training.compiled import _machine_code
from byrote.training.steps_in_one_call import steps_in_one_call


def step(total: Tensor, left: Tensor, right: Tensor) -> list[Tensor]:
    product = left @ right
    total.add_(product)
    return [product.sum(), total + 1, product]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_each_step_sees_what_the_one_before_has_left() -> None:
    with FakeTensorMode():
        shapes = [torch.empty(2, 2), torch.empty(2, 3), torch.empty(3, 2)]
        graph = make_fx(step)(*shapes)
        call = _machine_code(graph, shapes)
    several = steps_in_one_call(call, num_found=3, num_kept=2)
    assert several is not None
    total, own = torch.zeros(2, 2), [[torch.rand(2, 3), torch.rand(3, 2)] for _ in range(4)]
    found, expected = several([total], own), torch.zeros(2, 2)
    assert len(found) == 4
    for (of_product, sums), (left, right) in zip(found, own, strict=True):
        expected += left @ right
        torch.testing.assert_close(of_product, (left @ right).sum())
        torch.testing.assert_close(sums, expected + 1)
    torch.testing.assert_close(total, expected)
    with pytest.raises(RuntimeError):
        several([total], [own[0], [torch.rand(2, 3), torch.rand(4, 2)], own[1]])
    # All handles are given back.
    kept = [weakref.ref(tensor) for tensor in (total, own[0][0], found[0][0])]
    del total, own, left, right, of_product, sums, found
    gc.collect()
    assert [reference() for reference in kept] == [None] * 3


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_where_the_loop_cannot_be_compiled_steps_are_taken_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise OSError("cannot open shared object file")

    with FakeTensorMode():
        shapes = [torch.empty(2, 2), torch.empty(2, 3), torch.empty(3, 2)]
        call = _machine_code(make_fx(step)(*shapes), shapes)
    monkeypatch.setattr("byrote.training.steps_in_one_call._steps", fails)
    assert steps_in_one_call(call, num_found=3, num_kept=2) is None


def test_what_torch_has_not_compiled_is_not_called_many_times_at_once() -> None:
    assert steps_in_one_call(lambda tensors: tensors, num_found=3, num_kept=2) is None
