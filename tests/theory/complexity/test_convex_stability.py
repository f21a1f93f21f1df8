import numpy as np
import pytest
import torch

from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.theory.calculation import compute
from byrote.theory.complexity.convex_stability import (
    Replacement,
    RidgeStability,
    SgdStability,
    coupled_weights,
    loss_changes,
    sgd_stability,
    tight_replacement,
)


def test_ridge_on_digits_stays_below_the_published_bound(tiny):
    values = dict(compute(RidgeStability(n_train=100), tiny).values)
    assert values["num_trained"] == 50
    assert values["removal_bound"] == pytest.approx((2 if values["in_range"] else 2 * (1 + 10**0.5) ** 2) / 5)
    assert 0 < values["removal"] < values["removal_bound"]
    assert 0 < values["replacement"] < values["replacement_bound"] == 2 * values["removal_bound"]
    assert 0.99 < values["tight_removal"] / values["tight_bound"] <= 1


def test_a_weak_ridge_predicts_beyond_the_targets_and_has_the_wider_bound(tiny):
    values = dict(compute(RidgeStability(n_train=100, strength=1e-3), tiny).values)
    assert not values["in_range"]
    assert values["removal_bound"] == pytest.approx(2 * (1 + 1e3**0.5) ** 2 / (1e-3 * 50))
    assert values["replacement"] < values["replacement_bound"]


def test_sgd_on_digits_stays_below_its_bound(tiny):
    values = dict(compute(SgdStability(n_train=100, replacements=4, draws=16), tiny).values)
    assert values["num_trained"] == 50
    assert values["replacement_bound"] == pytest.approx(2)
    assert 0 < values["replacement"] <= values["distance"] < values["replacement_bound"]
    assert 0.98 < values["tight_replacement"] / values["tight_bound"] <= 1


@pytest.mark.parametrize("kind", [RidgeStability, SgdStability])
def test_inputs_that_are_all_zero_are_no_trouble(kind):
    split = Split.clean(np.zeros((6, 3), dtype=np.float32), np.array([0, 1, 0, 1, 0, 1]))
    data = Dataset("nothing", split, split, ("a", "b"), pixel_max=1.0)
    values = compute(kind(n_train=6), data).values
    assert values["replacement"] == 0
    assert values["num_trained"] == 3


def test_labels_say_what_is_computed():
    assert RidgeStability(n_train=10).label == "ridge regression, strength 0.1"
    assert SgdStability(n_train=10).label == "logistic regression by SGD, steps of 1"


def test_steps_beyond_the_theorem_are_refused():
    with pytest.raises(UserError, match=r"got step_size=8\.1: input should be less than or equal to 8"):
        SgdStability(n_train=10, step_size=8.1)


N, D, T, M = 20, 3, 60, 200


def some_replacement(seed=0, place=4):
    generator = np.random.default_rng(seed)
    points = generator.standard_normal((N + 1, D))
    points /= np.linalg.norm(points, axis=1).max()
    signs = generator.choice([-1.0, 1.0], N + 1)
    return Replacement(points[:N], signs[:N], place, points[N], signs[N])


def some_draws(seed=1):
    return np.random.default_rng(seed).integers(0, N, (M, T))


def test_both_runs_are_plain_sgd_on_the_logistic_loss():
    replacement, sizes = some_replacement(), np.linspace(8.0, 0.5, T)
    draws = some_draws()[:2]
    found = coupled_weights(replacement, sizes, draws)
    for other, ends in enumerate(found):
        inputs, signs = torch.from_numpy(replacement.inputs.copy()), torch.from_numpy(replacement.signs.copy())
        if other:
            inputs[4], signs[4] = torch.from_numpy(replacement.new_input), replacement.new_sign
        for places, end in zip(draws, ends, strict=True):
            w = torch.zeros(D, dtype=torch.float64, requires_grad=True)
            for size, i in zip(sizes, places, strict=True):
                (slope,) = torch.autograd.grad(torch.nn.functional.softplus(-signs[i] * (inputs[i] @ w)), w)
                w = (w - size * slope).detach().requires_grad_()
            np.testing.assert_allclose(end, w.detach().numpy(), atol=1e-12)


@pytest.mark.parametrize("size", [0.1, 1.0, 8.0])
def test_no_sequence_of_places_parts_two_runs_further_than_the_proof_says(size):
    sizes, draws = np.full(T, size), some_draws()
    for seed in range(5):
        replacement = some_replacement(seed)
        weights, others = coupled_weights(replacement, sizes, draws)
        apart = np.linalg.norm(weights - others, axis=1)
        most = 2 * size * (draws == replacement.place).sum(axis=1)
        assert np.all(apart <= most + 1e-12)
        assert np.any(apart > 0)
        points = np.concatenate([replacement.inputs, -replacement.inputs])
        changes = loss_changes(weights, others, points)
        assert np.all(np.abs(changes) <= apart[:, None] + 1e-12)
        assert np.abs(changes.mean(axis=0)).max() < sgd_stability(N, sizes)


def test_a_case_built_to_be_tight_reaches_the_bound():
    n, sizes = 50, np.full(100, 0.125)  # 12.5 in all
    replacement, start = tight_replacement(n)
    draws = np.random.default_rng(0).integers(0, n, (4000, len(sizes)))
    weights, others = coupled_weights(replacement, sizes, draws, start)
    hits = (draws == 0).sum(axis=1)
    apart = np.linalg.norm(weights - others, axis=1)
    np.testing.assert_allclose(apart, 2 * 0.125 * np.sin(np.arccos(0.1)) * hits, rtol=1e-6)
    change = loss_changes(weights, others, replacement.inputs[:1])[:, 0]
    # The same in expectation, which for equal steps is a matter of the number of hits alone.
    expected = change.sum() / hits.sum() * len(sizes) / n
    assert 0.98 < expected / sgd_stability(n, sizes) <= 1


def test_losses_by_hand():
    change = loss_changes(np.zeros((1, 1)), np.ones((1, 1)), np.array([[1.0], [-1.0]]))
    np.testing.assert_allclose(change, np.log([[(1 + np.exp(-1)) / 2, (1 + np.e) / 2]]))
    assert sgd_stability(10, np.array([0.5, 1.5])) == pytest.approx(0.4)
