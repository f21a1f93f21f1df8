import math

import pytest
import torch

from byrote.theory.kernels import machines
from byrote.theory.kernels.feature_maps import mapped_inputs, scaled_inputs
from byrote.theory.kernels.machines import ConvolutionMachine, GaussianMachine
from byrote.theory.kernels.random_convolutions import RandomConvFeatures


def gaussian(tiny):
    train, test = mapped_inputs("inputs", tiny, "cpu")
    points, others = train.double(), test.double()

    def kernel(x):
        return torch.exp(-(torch.cdist(x, points) ** 2) / (2 * 1.5**2))

    return GaussianMachine(train, test, 1.5), kernel(points), kernel(others), (64, 1.5)


def convolutions(tiny):
    train, test = scaled_inputs(tiny, "cpu")
    features = RandomConvFeatures.draw(train, 60, precision="float32")
    found, others = features(train).double(), features(test).double()
    return ConvolutionMachine(train, test, features), found @ found.T, others @ found.T, (240, math.nan)


@pytest.mark.parametrize("make", [gaussian, convolutions])
def test_a_machine_agrees_with_the_kernel_of_all_pairs(make, tiny, monkeypatch):
    # Several blocks of filters, the last of them smaller.
    monkeypatch.setattr(machines, "_BLOCK_PAIRS", 8)
    machine, expected, tested, (num_features, width) = make(tiny)
    shares: list[float] = []
    matrix = torch.empty(121, 121)
    machine.fill(matrix, shares.append)
    torch.testing.assert_close(matrix.double(), expected, rtol=1e-4, atol=1e-5)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    alpha = torch.randn(121, 3, generator=torch.Generator().manual_seed(0))
    shares.clear()
    values = machine.test_values(alpha, shares.append)
    torch.testing.assert_close(values.double(), tested @ alpha.double(), rtol=1e-3, atol=1e-3)
    assert shares[-1] == 1
    assert machine.num_features == num_features
    assert machine.width == width or math.isnan(width)
