import numpy as np
import pytest
import torch
from torch.nn import functional as F

from byrote.theory.measures.operator_norms import linear_map_norm


def dense(linear, like):
    """The matrix of a linear map, column by column."""
    units = torch.eye(like.numel(), dtype=torch.float64)
    return np.stack([linear(unit.view_as(like)).flatten().numpy() for unit in units], axis=1)


@pytest.mark.parametrize(
    ("channels", "filters", "side", "options"),
    [
        (1, 2, 5, {"padding": 1}),
        (2, 3, 9, {"padding": 1}),
        (3, 2, 10, {"padding": 2, "stride": 2, "dilation": 2}),
        (4, 4, 6, {"padding": 0, "groups": 2}),
    ],
)
def test_a_convolution_has_the_norm_of_its_matrix(channels, filters, side, options):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(filters, channels // options.get("groups", 1), 3, 3, generator=generator).double()
    like = torch.zeros(1, channels, side, side)

    def convolution(x):
        return F.conv2d(x, weight, **options)

    expected = np.linalg.norm(dense(convolution, like.double()), 2)
    assert linear_map_norm(convolution, like) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (150, 120)])
def test_a_matrix_has_its_largest_singular_value(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1)).double()
    found = linear_map_norm(lambda x: F.linear(x, matrix), torch.zeros(1, shape[1]))
    assert found == pytest.approx(float(torch.linalg.matrix_norm(matrix, 2)), rel=1e-5)


def test_a_map_to_zero_has_norm_0():
    assert linear_map_norm(lambda x: 0 * x, torch.zeros(1, 3)) == 0
    assert linear_map_norm(lambda x: 0 * x, torch.zeros(1, 300)) == 0
