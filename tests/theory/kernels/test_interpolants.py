import numpy as np
import pytest
import torch

from byrote.errors import UserError
from byrote.theory.kernels.interpolants import (
    coordinates,
    curvature,
    descend,
    differentiated_curvature,
    interpolants,
    minimum_norm,
    nearest_interpolant,
)
from byrote.theory.kernels.kernel import Gaussian, gram


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X, Y = draw(8, 30), draw(8, 2, seed=1)


def test_the_minimum_norm_is_the_pseudoinverse():
    torch.testing.assert_close(minimum_norm(X, Y), torch.linalg.pinv(X) @ Y)


def test_the_nearest_interpolant_differs_from_the_start_by_examples_only():
    start = draw(30, 2, seed=2)
    found = nearest_interpolant(X, Y, start)
    torch.testing.assert_close(X @ found, Y)
    null = torch.eye(30, dtype=torch.float64) - torch.linalg.pinv(X) @ X
    torch.testing.assert_close(found, minimum_norm(X, Y) + null @ start)


@pytest.mark.parametrize("batch_size", [None, 1, 3])
def test_descent_from_zero_ends_at_the_minimum_norm(batch_size):
    run = descend(X, Y, num_steps=5000, batch_size=batch_size)
    torch.testing.assert_close(run.weights, minimum_norm(X, Y), rtol=1e-6, atol=1e-6)
    assert run.distance[0] == pytest.approx(1)
    assert run.distance[-1] < 1e-6
    assert run.residual[-1] < 1e-6
    np.testing.assert_array_equal(run.distance, run.distance_to_limit)
    assert run.norm[-1] == pytest.approx(torch.linalg.matrix_norm(minimum_norm(X, Y)).item())
    assert run.steps[0] == 0
    assert run.steps[-1] == 5000
    assert run.batch_size == (batch_size or 8)


def test_descent_from_elsewhere_ends_at_the_nearest_interpolant():
    start = draw(30, 2, seed=2)
    run = descend(X, Y, num_steps=3000, batch_size=2, start=start)
    torch.testing.assert_close(run.weights, nearest_interpolant(X, Y, start), rtol=1e-6, atol=1e-6)
    assert run.distance_to_limit[-1] < 1e-6
    assert run.distance[-1] > 0.1


def test_one_example_is_fitted_in_one_step():
    run = descend(X[:1], Y[:1], num_steps=1)
    torch.testing.assert_close(run.weights, X[:1].T @ Y[:1] / X[0].dot(X[0]))
    np.testing.assert_array_equal(run.steps, [0, 1])


def test_a_descent_follows_the_closed_form_of_its_recursion():
    """From zero, w_t - w* = -(1 - step X'X / N)^t w*."""
    run = descend(X, Y, num_steps=7)
    shrink = torch.eye(30, dtype=torch.float64) - run.step_size * curvature(X)
    least = minimum_norm(X, Y)
    expected = [
        (torch.linalg.matrix_norm(torch.linalg.matrix_power(shrink, int(t)) @ least) / torch.linalg.matrix_norm(least))
        for t in run.steps
    ]
    np.testing.assert_allclose(run.distance, expected)


def test_coordinates_have_the_kernels_inner_products_and_norms():
    points = draw(12, 3)
    matrix = gram(Gaussian(1.0), points)
    inputs = coordinates(matrix)
    torch.testing.assert_close(inputs @ inputs.T, matrix)
    alpha = torch.linalg.solve(matrix[:5, :5], Y[:5])
    weights = minimum_norm(inputs[:5], Y[:5])
    torch.testing.assert_close(inputs @ weights, matrix[:, :5] @ alpha)
    assert torch.linalg.matrix_norm(weights).square().item() == pytest.approx((Y[:5] * alpha).sum().item())


def found_interpolants(seed=0):
    inputs = draw(40, 60)
    labels = torch.arange(40) % 3
    return (
        inputs[:10],
        labels[:10],
        interpolants(inputs[:10], labels[:10], inputs[10:22], labels[10:22], inputs[22:], num_classes=3, seed=seed),
    )


def test_interpolants_fit_the_same_labels_with_larger_norms():
    _, _, found = found_interpolants()
    least, centred, null, far, wrong = found
    assert [one.name for one in found] == [
        "minimum norm",
        "random centres",
        "null space x1",
        "null space x3",
        "wrong test labels",
    ]
    for one in found:
        assert one.train_error == 0
        assert one.residual < 1e-12
        assert one.norm >= least.norm
        # What is added to the solution of least norm is orthogonal to it.
        assert one.norm**2 == pytest.approx(least.norm**2 * (1 + one.distance**2))
    assert (least.distance, wrong.test_error) == (0, 1)
    assert null.distance == pytest.approx(1)
    assert far.distance == pytest.approx(3)
    centers = draw(40, 60)[22:]
    outside = centred.weights - torch.linalg.pinv(centers) @ (centers @ centred.weights)
    assert outside.abs().max() < 1e-12


def test_interpolants_repeat_for_a_seed():
    one, same, other = (found_interpolants(seed)[2][2].weights for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_curvature_is_the_same_at_every_interpolant():
    inputs, labels, found = found_interpolants()
    targets = torch.nn.functional.one_hot(labels, 3).double()
    expected = torch.einsum("de,kl->dkel", curvature(inputs), torch.eye(3, dtype=torch.float64))
    for one in found:
        torch.testing.assert_close(differentiated_curvature(inputs, targets, one.weights), expected)


def test_what_cannot_be_interpolated_is_refused():
    with pytest.raises(UserError, match="got 9 inputs of 30 dimensions that are not linearly independent"):
        minimum_norm(torch.cat([X, X[:1]]), torch.cat([Y, Y[:1]]))
    with pytest.raises(UserError, match="got 8 inputs of 4 dimensions"):
        minimum_norm(X[:, :4], Y)
    with pytest.raises(UserError, match="leading 2 x 2 block is not positive definite"):
        coordinates(torch.ones(3, 3, dtype=torch.float64))
