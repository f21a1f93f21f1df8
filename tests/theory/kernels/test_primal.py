import numpy as np
import pytest
import torch
from scipy import linalg

from byrote.theory.kernels import primal
from byrote.theory.kernels.dual import by_eigenvectors
from byrote.theory.kernels.primal import solve_linear


def silent(stage: str, share: float) -> None: ...


def features(rank: int, n: int = 23, d: int = 6) -> torch.Tensor:
    generator = np.random.default_rng(rank)
    return torch.from_numpy(generator.standard_normal((n, rank)) @ generator.standard_normal((rank, d)))


TARGETS = torch.from_numpy(np.random.default_rng(9).standard_normal((23, 2)))


@pytest.mark.parametrize("rank", [6, 3, 1])
@pytest.mark.parametrize("ridge", [0.0, 0.7])
@pytest.mark.parametrize("rows", [4, 9, 100])
def test_it_is_the_solution_by_the_kernel_matrix(rank: int, ridge: float, rows: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(primal, "_ROWS", rows)
    x = features(rank)
    found, coefficients = solve_linear(x, TARGETS, ridge=ridge, leave_one_out=True, on_stage=silent)
    matrix = x @ x.T
    expected = by_eigenvectors(
        (matrix + matrix.T) / 2 + ridge * torch.eye(23, dtype=torch.float64),
        TARGETS,
        ridge=ridge,
        leave_one_out=True,
        on_stage=silent,
    )
    for field in ("alpha", "fitted", "squared_norms", "left_out"):
        np.testing.assert_allclose(getattr(found, field), getattr(expected, field), atol=1e-8)
    np.testing.assert_allclose(coefficients, x.T @ expected.alpha, atol=1e-8)
    assert found.rank == rank
    if not ridge:
        np.testing.assert_allclose(coefficients, linalg.lstsq(x.numpy(), TARGETS.numpy())[0], atol=1e-9)
    assert found.condition == pytest.approx(expected.condition, rel=1e-6)


def test_features_of_very_different_sizes_keep_their_digits():
    """X' X would have a condition number of 1e20 and lose the small ones."""
    x = features(6) * torch.tensor([1e5, 1e3, 1.0, 1.0, 1e-3, 1e-5], dtype=torch.float64)
    found, coefficients = solve_linear(x, TARGETS, on_stage=silent)
    assert found.rank == 6
    expected = linalg.lstsq(x.numpy(), TARGETS.numpy(), cond=1e-15)[0]
    np.testing.assert_allclose(coefficients, expected, rtol=1e-4)


def test_features_that_are_all_zero():
    found, coefficients = solve_linear(torch.zeros(4, 2), TARGETS[:4], leave_one_out=True, on_stage=silent)
    assert found.rank == 0
    for values in (found.alpha, found.fitted, found.left_out, coefficients):
        np.testing.assert_array_equal(values, 0)
