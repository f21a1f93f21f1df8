from __future__ import annotations

import pytest
import torch

from byrote.models.patches import Patches


@pytest.mark.parametrize(
    ("shape", "side", "grid"),
    [
        ((3, 28, 28), 4, (7, 7)),
        ((3, 32, 32), 4, (8, 8)),
        ((1, 8, 8), 2, (4, 4)),
        ((3, 30, 30), 4, (8, 8)),
        ((2, 5, 9), 2, (3, 5)),
        ((1, 1, 1), 2, (1, 1)),
        ((3, 64, 20), 8, (8, 3)),
    ],
)
def test_patches_are_cut_from_the_padded_image(shape: tuple[int, int, int], side: int, grid: tuple[int, int]) -> None:
    patches = Patches(shape)
    assert (patches.side, patches.grid, patches.channels) == (side, grid, shape[0] * side**2)
    x = torch.randn(2, *shape)
    padded = torch.zeros(2, shape[0], grid[0] * side, grid[1] * side)
    top, left = (grid[0] * side - shape[1]) // 2, (grid[1] * side - shape[2]) // 2
    padded[:, :, top : top + shape[1], left : left + shape[2]] = x
    y = patches(x)
    assert y.shape == (2, patches.channels, *grid)
    for row in range(grid[0]):
        for column in range(grid[1]):
            patch = padded[:, :, row * side : (row + 1) * side, column * side : (column + 1) * side]
            assert torch.equal(y[:, :, row, column], patch.flatten(1))


def test_the_stem_has_no_weights() -> None:
    assert Patches((3, 28, 28)).state_dict() == {}
