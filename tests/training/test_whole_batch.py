from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from in_ranks import Processes, normalised, processes
from torch import Tensor


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with processes(tmp_path_factory.mktemp("ranks"), 2) as found:
        yield found


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("replicas", [[], [2]])
def test_parts_are_normalised_as_the_whole_is(two: Processes, affine: bool, replicas: list[int]) -> None:
    x = 3 * drawn(*replicas, 5, 3, 4, 4) + 5
    weight, bias = (drawn(*replicas, 3), drawn(*replicas, 3) + 1) if affine else (None, None)
    expected = normalised(None, x, weight, bias)
    for found in two(normalised, x, weight, bias):
        for one, other in zip(expected, found, strict=True):
            torch.testing.assert_close(one, other, rtol=2e-5, atol=2e-5)


def test_half_precision_is_normalised_by_moments_in_single(two: Processes) -> None:
    x = (drawn(5, 3, 4, 4) + 10).bfloat16()
    expected = normalised(None, x.float(), drawn(3), drawn(3) + 1)
    for found in two(normalised, x, drawn(3), drawn(3) + 1):
        assert found[0].dtype == torch.bfloat16
        torch.testing.assert_close(found[1:3], expected[1:3])
        torch.testing.assert_close(found[0].float(), expected[0], rtol=0, atol=0.05)
