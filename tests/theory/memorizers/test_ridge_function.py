import re

import numpy as np
import pytest
import torch

from byrote.errors import UserError
from byrote.theory.memorizers.deep import deep_memorizer
from byrote.theory.memorizers.ridge_function import RidgeFunction
from byrote.theory.memorizers.two_layers import memorizer

NETWORKS = {
    "two layers": memorizer,
    "three layers": lambda *args, **options: deep_memorizer(*args, depth=3, **options),
    "nine layers": lambda *args, **options: deep_memorizer(*args, depth=9, **options),
}
N, D, K = 300, 7, 4


@pytest.fixture(params=NETWORKS)
def make(request: pytest.FixtureRequest):
    return NETWORKS[request.param]


@pytest.fixture
def points() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.standard_normal((N, D)), generator.integers(0, K, N)


@pytest.mark.parametrize("outputs", ["index", "classes"])
def test_both_evaluations_agree_at_the_points_and_elsewhere(make, points, outputs: str) -> None:
    x, y = points
    network = make(x, y, outputs=outputs)
    elsewhere = 2 * torch.from_numpy(np.random.default_rng(1).standard_normal((500, D)))
    for batch in (torch.from_numpy(x), elsewhere):
        plain, pieces = network(batch), network.evaluate_sorted(batch)
        assert plain.dtype == pieces.dtype == torch.float64
        assert not pieces.requires_grad
        torch.testing.assert_close(plain.detach(), pieces, rtol=1e-9, atol=100 * network.construction.forward_rounding)


@pytest.mark.parametrize("outputs", ["index", "classes"])
def test_every_class_is_right(make, points, outputs: str) -> None:
    x, y = points
    network = make(x, y, outputs=outputs)
    assert network.num_classes == K
    assert network.classify(torch.from_numpy(x)).tolist() == y.tolist()
    assert network.decode(network(torch.from_numpy(x))).tolist() == y.tolist()


def test_an_index_is_decoded_to_the_nearest_class(make, points) -> None:
    network = make(*points)
    outputs = torch.tensor([-7.0, 0.4, 0.6, 2.9, 99.0], dtype=torch.float64)
    assert network.decode(outputs).tolist() == [0, 0, 1, 3, 3]


def test_real_targets_have_no_classes(make, points) -> None:
    x, y = points
    network = make(x, y + 0.5)
    with pytest.raises(UserError, match="this memoriser has real targets, expected classes to decode"):
        network.classify(torch.from_numpy(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.bfloat16])
def test_points_of_any_type_and_shape_are_met(make, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (50, 3, 4, 4), generator=generator).to(dtype)
    y = torch.randn(50, generator=generator, dtype=torch.float64)
    network = make(x, y)
    torch.testing.assert_close(network(x).detach(), y, rtol=0, atol=1e-6)
    torch.testing.assert_close(network.evaluate_sorted(x), y, rtol=0, atol=1e-9)
    assert network(x[:0]).shape == (0,)


def test_points_of_another_size_are_refused(make, points) -> None:
    network = make(*points)
    for evaluate in (network, network.evaluate_sorted):
        with pytest.raises(UserError, match=re.escape("got points of shape (6,), expected 7 numbers each")):
            evaluate(torch.zeros(14, 6))


def test_the_order_of_the_rows_does_not_matter(make, points) -> None:
    x, y = points
    order = np.random.default_rng(1).permutation(N)
    # The sample that scales are read off is all of x here, up to the order of sums.
    elsewhere = torch.from_numpy(np.random.default_rng(2).standard_normal((20, D)))
    a, b = make(x[:200], y[:200]), make(x[:200][order[order < 200]], y[:200][order[order < 200]])
    torch.testing.assert_close(a.evaluate_sorted(elsewhere), b.evaluate_sorted(elsewhere), rtol=1e-6, atol=1e-6)


def test_weights_are_state_and_the_network_learns_on(make, points) -> None:
    x, y = points
    network, other = make(x, y), make(x, (y + 1) % K)
    other.load_state_dict(network.state_dict())
    assert other.classify(torch.from_numpy(x)).tolist() == y.tolist()
    loss = (network(torch.from_numpy(x[:5])) - 1).square().sum()
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_the_construction_is_measured(make, points) -> None:
    x, y = points
    network: RidgeFunction = make(x, y)
    made = network.construction
    z = np.sort(x @ network.projection.detach().numpy())
    assert (made.num_points, made.num_distinct, made.num_features) == (N, N, D)
    assert made.num_weights == sum(parameter.numel() for parameter in network.parameters())
    assert made.smallest_gap == pytest.approx(np.diff(z).min(), rel=1e-6)
    assert made.relative_gap == pytest.approx(np.diff(z).min() / np.ptp(z), rel=1e-6)
    # The first threshold is one mean gap away, so the smallest gap is the smallest on the diagonal.
    assert made.smallest_eigenvalue == made.smallest_gap
    errors = (network.evaluate_sorted(torch.from_numpy(x)) - torch.from_numpy(y)).abs()
    assert made.largest_error == errors.max() < 1e-9
    assert made.projection in made.tried
    terms = (np.abs(x) @ np.abs(network.projection.detach().numpy())).max()
    assert made.forward_rounding == pytest.approx(2.0**-53 * made.largest_weight * (np.ptp(z) + terms), rel=0.02)
    assert f"n={N}, d={D}, weights={made.num_weights}, classes={K}" in repr(network)


def test_points_too_close_for_float64_are_refused() -> None:
    x = np.array([0.0, 1.0, np.nextafter(1.0, 2), 1e9])
    with pytest.raises(UserError, match=re.escape("the closest points are 2.2e-25 of the range apart, which leaves")):
        memorizer(x, np.array([0, 0, 5, 0]))
    # Real targets have no error that would be too large: the record tells it.
    assert memorizer(x, np.array([0.0, 0, 5, 0])).construction.largest_error > 0.1
    with pytest.raises(UserError, match=re.escape("the closest points are 1.0e-200 apart, which makes slopes beyond")):
        memorizer(np.array([0.0, 1e-200]), np.array([0, 1e200]))


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_rounding_of_the_plain_sum_is_foretold_for_inputs_far_from_zero(make, points, offset: float) -> None:
    x, y = points
    network = make(x + offset, y)
    error = float((network(torch.from_numpy(x + offset)).detach() - torch.from_numpy(y)).abs().max())
    foretold = network.construction.forward_rounding
    assert foretold / 100 < error < 100 * foretold
