import numpy as np
import pytest
import torch
from scipy import linalg

from byrote.errors import UserError
from byrote.theory.kernels import exact
from byrote.theory.kernels.cholesky import NotPositiveDefinite
from byrote.theory.kernels.exact import (
    System,
    by_eigenvectors,
    by_factor,
    left_out_values,
    matrix_bytes,
    require_memory,
    solve_exactly,
    solve_linear,
    solve_matrix,
)
from byrote.theory.kernels.kernel import Gaussian, Linear, gram


def silent(stage: str, share: float) -> None: ...


def points(n: int, d: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((n, d)))


@pytest.mark.parametrize("kernel", [Gaussian(1.0), Linear()], ids=str)
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_equal_points_as_one_are_the_least_squares_of_all(kernel, ridge: float, caplog: pytest.LogCaptureFixture):
    """The linear kernel's matrix of the distinct points is singular too."""
    x = points(8)[[0, 1, 2, 3, 0, 4, 2, 0, 5, 6]]
    targets = torch.from_numpy(np.random.default_rng(1).standard_normal((10, 2)))
    found = solve_exactly(kernel, x, System(targets, silent, ridge))
    matrix = gram(kernel, x).numpy() + ridge * np.eye(10)
    np.testing.assert_allclose(found.alpha, np.linalg.pinv(matrix, hermitian=True) @ targets.numpy(), atol=1e-8)
    assert ("equal an earlier one" in caplog.text) == (kernel != Linear() and not ridge)
    assert found.rank == (10 if ridge else 3 if kernel == Linear() else 7)
    assert found.method == ("cholesky" if ridge else "least-squares")


def test_a_matrix_must_be_symmetric():
    matrix = gram(Gaussian(1.0), points(5))
    matrix[1, 3] = 0.0
    with pytest.raises(UserError, match="got a kernel matrix that is not symmetric"):
        solve_matrix(matrix, System(torch.ones(5, 1, dtype=torch.float64), silent))


def test_memory_is_asked_for_before_it_is_filled():
    needed = matrix_bytes(60_000, torch.float32)
    assert 14.4e9 < needed < 15e9
    require_memory(60_000, torch.float32, needed, needs_matrix=False)
    with pytest.raises(UserError) as refused:
        require_memory(60_000, torch.float64, needed, needs_matrix=False)
    assert str(refused.value) == (
        "got a kernel matrix of 60,000 points in float64, which takes 27.7 GiB where 13.9 GiB are available, "
        'expected no more than that; take dtype="float32", solver="iterative", fewer points or more memory_budget'
    )
    with pytest.raises(UserError, match="take fewer points or more memory_budget"):
        require_memory(60_000, torch.float32, needed - 1, needs_matrix=True)


def matrix_of_rank(rank: int, n: int = 12) -> torch.Tensor:
    root = torch.from_numpy(np.random.default_rng(rank).standard_normal((n, rank)))
    matrix = root @ root.T
    return (matrix + matrix.T) / 2


TARGETS = torch.from_numpy(np.random.default_rng(1).standard_normal((12, 2)))


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_both_ways_agree_where_there_is_a_factor(ridge: float):
    matrix = matrix_of_rank(12)
    by_one = by_factor(matrix.clone(), System(TARGETS, silent, ridge, leave_one_out=True))
    shifted = matrix + ridge * torch.eye(12, dtype=torch.float64)
    other = by_eigenvectors(shifted.clone(), System(TARGETS, silent, ridge, leave_one_out=True))
    np.testing.assert_allclose(by_one.alpha, np.linalg.solve(shifted, TARGETS), atol=1e-9)
    for field in ("alpha", "fitted", "squared_norms", "left_out", "rank"):
        np.testing.assert_allclose(getattr(by_one, field), getattr(other, field), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(by_one.fitted, matrix @ by_one.alpha, atol=1e-9)
    assert other.condition == pytest.approx(np.linalg.cond(shifted))
    assert by_one.condition == pytest.approx(np.linalg.cond(shifted, 1), rel=0.5)


def test_a_singular_matrix_has_its_pseudoinverse():
    matrix = matrix_of_rank(5)
    with pytest.raises(NotPositiveDefinite):
        by_factor(given := matrix.clone(), System(TARGETS, silent))
    found = by_eigenvectors(given, System(TARGETS, silent))
    alpha = np.linalg.pinv(matrix.numpy(), hermitian=True) @ TARGETS.numpy()
    np.testing.assert_allclose(found.alpha, alpha, atol=1e-9)
    np.testing.assert_allclose(found.fitted, matrix.numpy() @ alpha, atol=1e-9)
    np.testing.assert_allclose(found.squared_norms, np.diag(alpha.T @ matrix.numpy() @ alpha), atol=1e-9)
    assert (found.rank, found.method, found.left_out) == (5, "least-squares", None)


def test_the_kernel_that_is_nowhere_but_zero():
    found = by_eigenvectors(torch.zeros(12, 12, dtype=torch.float64), System(TARGETS, silent, leave_one_out=True))
    assert found.rank == 0
    for values in (found.alpha, found.fitted, found.left_out):
        np.testing.assert_array_equal(values, 0)


def test_leaving_out_what_others_tell_of_and_what_they_do_not():
    """Least squares of a mean over the first three points, and a direction of the fourth's own."""
    targets = torch.tensor([[1.0], [2.0], [6.0], [7.0]], dtype=torch.float64)
    fitted = torch.tensor([[3.0], [3.0], [3.0], [7.0]], dtype=torch.float64)
    leverages = torch.tensor([1 / 3, 1 / 3, 1 / 3, 1.0], dtype=torch.float64)
    variances = torch.ones(4, dtype=torch.float64)
    found = left_out_values(targets, fitted, fitted, leverages, variances)
    np.testing.assert_allclose(found, [[4.0], [3.5], [1.5], [0.0]])


def test_what_has_no_answer(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UserError, match="got NaN or infinity among the values of the kernel"):
        by_eigenvectors(torch.full((12, 12), torch.nan), System(TARGETS, silent))
    monkeypatch.setattr(exact, "MOST_EIGENVECTORS", 10)
    with pytest.raises(UserError, match=r'12 points that is singular in float32, .* give a ridge > 0, dtype="float64"'):
        by_eigenvectors(matrix_of_rank(5).float(), System(TARGETS, silent))
    with pytest.raises(UserError, match=r"singular in float64, .* give a ridge > 0, solver="):
        by_eigenvectors(matrix_of_rank(5), System(TARGETS, silent))


def features(rank: int, n: int = 23, d: int = 6) -> torch.Tensor:
    generator = np.random.default_rng(rank)
    return torch.from_numpy(generator.standard_normal((n, rank)) @ generator.standard_normal((rank, d)))


MANY_TARGETS = torch.from_numpy(np.random.default_rng(9).standard_normal((23, 2)))


@pytest.mark.parametrize("rank", [6, 3, 1])
@pytest.mark.parametrize("ridge", [0.0, 0.7])
@pytest.mark.parametrize("rows", [4, 9, 100])
def test_it_is_the_solution_by_the_kernel_matrix(rank: int, ridge: float, rows: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exact, "_BLOCK_ROWS", rows)
    x = features(rank)
    found, coefficients = solve_linear(x, System(MANY_TARGETS, silent, ridge, leave_one_out=True))
    matrix = x @ x.T
    expected = by_eigenvectors(
        (matrix + matrix.T) / 2 + ridge * torch.eye(23, dtype=torch.float64),
        System(MANY_TARGETS, silent, ridge, leave_one_out=True),
    )
    for field in ("alpha", "fitted", "squared_norms", "left_out"):
        np.testing.assert_allclose(getattr(found, field), getattr(expected, field), atol=1e-8)
    np.testing.assert_allclose(coefficients, x.T @ expected.alpha, atol=1e-8)
    assert found.rank == rank
    if not ridge:
        np.testing.assert_allclose(coefficients, linalg.lstsq(x.numpy(), MANY_TARGETS.numpy())[0], atol=1e-9)
    assert found.condition == pytest.approx(expected.condition, rel=1e-6)


def test_features_of_very_different_sizes_keep_their_digits():
    """X' X would have a condition number of 1e20 and lose the small ones."""
    x = features(6) * torch.tensor([1e5, 1e3, 1.0, 1.0, 1e-3, 1e-5], dtype=torch.float64)
    found, coefficients = solve_linear(x, System(MANY_TARGETS, silent))
    assert found.rank == 6
    expected = linalg.lstsq(x.numpy(), MANY_TARGETS.numpy(), cond=1e-15)[0]
    np.testing.assert_allclose(coefficients, expected, rtol=1e-4)


def test_features_that_are_all_zero():
    found, coefficients = solve_linear(torch.zeros(4, 2), System(MANY_TARGETS[:4], silent, leave_one_out=True))
    assert found.rank == 0
    for values in (found.alpha, found.fitted, found.left_out, coefficients):
        np.testing.assert_array_equal(values, 0)
