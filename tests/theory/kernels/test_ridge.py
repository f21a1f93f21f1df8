import pytest
import torch
from sklearn.kernel_ridge import KernelRidge as Refitted

from byrote.theory.kernels.kernel import Gaussian, Linear
from byrote.theory.kernels.ridge import KernelRidge, largest_ridge_error, ridge_stability

N, M, D, P = 12, 7, 3, 5


def points(n, seed):
    return torch.randn(n, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def targets(n, seed):
    return torch.rand(n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=[Linear(), Gaussian(1.3)], ids=["linear", "gaussian"])
def ridge(request):
    return KernelRidge(request.param, points(N, 0), targets(N, 1), strength=0.07)


def refit(ridge, inputs, wanted, at):
    """With 1/n for the n of `ridge`, however many examples there are."""
    fitted = Refitted(alpha=N * ridge.strength, kernel="precomputed").fit(ridge.kernel(inputs, inputs), wanted)
    return torch.from_numpy(fitted.predict(ridge.kernel(at, inputs)))


def test_predictions_are_those_of_a_library(ridge):
    at = points(M, 2)
    torch.testing.assert_close(ridge.predictions(at), refit(ridge, ridge.inputs, ridge.targets, at))


def test_leaving_out_each_example_is_refitting_without_it(ridge):
    at, found = points(M, 2), ridge.without_each(points(M, 2))
    for i in range(N):
        rest = torch.arange(N) != i
        torch.testing.assert_close(found[i], refit(ridge, ridge.inputs[rest], ridge.targets[rest], at))


def test_replacing_an_example_is_refitting_with_the_other(ridge):
    at, places = points(M, 2), torch.tensor([3, 0, 11, 3, 7])
    new_inputs, new_targets = points(P, 4), targets(P, 5)
    found = ridge.with_replaced(places, new_inputs, new_targets, at)
    for p, i in enumerate(places):
        inputs, wanted = ridge.inputs.clone(), ridge.targets.clone()
        inputs[i], wanted[i] = new_inputs[p], new_targets[p]
        torch.testing.assert_close(found[p], refit(ridge, inputs, wanted, at))


def test_an_example_replaced_by_itself_changes_nothing(ridge):
    places = torch.tensor([4])
    same = ridge.with_replaced(places, ridge.inputs[places], ridge.targets[places], points(M, 2))
    torch.testing.assert_close(same[0], ridge.predictions(points(M, 2)))


@pytest.mark.parametrize("strength", [0.01, 0.1, 1.0])
def test_what_is_measured_stays_below_the_bound_whatever_is_predicted(strength):
    kernel = Gaussian(1.3)  # k(x, x) = 1
    ridge = KernelRidge(kernel, points(N, 0), targets(N, 1).round(), strength)
    at = torch.cat([points(40, 6), ridge.inputs])
    before = ridge.predictions(at)
    bound = ridge_stability(N, strength, largest_error=largest_ridge_error(strength))
    places = torch.arange(N)
    replaced = ridge.with_replaced(places, points(N, 7), targets(N, 8).round(), at)
    for after, most in ((ridge.without_each(at), bound), (replaced, 2 * bound)):
        changes = [((after - y) ** 2 - (before - y) ** 2).abs().max() for y in (0.0, 1.0)]
        assert 0 < max(changes) <= most


def test_leaving_out_the_one_example_that_says_anything_reaches_the_bound():
    """All other points are at the origin, where a linear function is 0 whatever it is."""
    inputs = torch.zeros(N, 1, dtype=torch.float64)
    inputs[0] = 1.0
    wanted = torch.zeros(N, dtype=torch.float64)
    wanted[0] = 1.0
    ridge = KernelRidge(Linear(), inputs, wanted, strength=100.0)
    (after,), (before,) = ridge.without_each(inputs[:1])[0], ridge.predictions(inputs[:1])
    assert 0 <= after <= before <= 1
    change = (after - 1) ** 2 - (before - 1) ** 2
    assert 0.99 < change / ridge_stability(N, 100.0) <= 1


def test_constants_by_hand():
    assert ridge_stability(100, 0.5, largest_error=3.0) == pytest.approx(2 * 9 / 50)
    assert largest_ridge_error(0.25) == pytest.approx(3.0)
