import numpy as np
import pytest
import torch

from byrote.errors import UserError
from byrote.theory.kernels import dual
from byrote.theory.kernels.cholesky import NotPositiveDefinite
from byrote.theory.kernels.dual import by_eigenvectors, by_factor, leave_out


def silent(stage: str, share: float) -> None: ...


def matrix_of_rank(rank: int, n: int = 12) -> torch.Tensor:
    root = torch.from_numpy(np.random.default_rng(rank).standard_normal((n, rank)))
    matrix = root @ root.T
    return (matrix + matrix.T) / 2


TARGETS = torch.from_numpy(np.random.default_rng(1).standard_normal((12, 2)))


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_both_ways_agree_where_there_is_a_factor(ridge: float):
    matrix = matrix_of_rank(12)
    by_one = by_factor(matrix.clone(), TARGETS, ridge=ridge, leave_one_out=True, on_stage=silent)
    shifted = matrix + ridge * torch.eye(12, dtype=torch.float64)
    other = by_eigenvectors(shifted.clone(), TARGETS, ridge=ridge, leave_one_out=True, on_stage=silent)
    np.testing.assert_allclose(by_one.alpha, np.linalg.solve(shifted, TARGETS), atol=1e-9)
    for field in ("alpha", "fitted", "squared_norms", "left_out", "rank"):
        np.testing.assert_allclose(getattr(by_one, field), getattr(other, field), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(by_one.fitted, matrix @ by_one.alpha, atol=1e-9)
    assert other.condition == pytest.approx(np.linalg.cond(shifted))
    assert by_one.condition == pytest.approx(np.linalg.cond(shifted, 1), rel=0.5)


def test_a_singular_matrix_has_its_pseudoinverse():
    matrix = matrix_of_rank(5)
    with pytest.raises(NotPositiveDefinite):
        by_factor(given := matrix.clone(), TARGETS, on_stage=silent)
    found = by_eigenvectors(given, TARGETS, on_stage=silent)
    alpha = np.linalg.pinv(matrix.numpy(), hermitian=True) @ TARGETS.numpy()
    np.testing.assert_allclose(found.alpha, alpha, atol=1e-9)
    np.testing.assert_allclose(found.fitted, matrix.numpy() @ alpha, atol=1e-9)
    np.testing.assert_allclose(found.squared_norms, np.diag(alpha.T @ matrix.numpy() @ alpha), atol=1e-9)
    assert (found.rank, found.method, found.left_out) == (5, "least-squares", None)


def test_the_kernel_that_is_nowhere_but_zero():
    found = by_eigenvectors(torch.zeros(12, 12, dtype=torch.float64), TARGETS, leave_one_out=True, on_stage=silent)
    assert found.rank == 0
    for values in (found.alpha, found.fitted, found.left_out):
        np.testing.assert_array_equal(values, 0)


def test_leaving_out_what_others_tell_of_and_what_they_do_not():
    """Least squares of a mean over the first three points, and a direction of the fourth's own."""
    targets = torch.tensor([[1.0], [2.0], [6.0], [7.0]], dtype=torch.float64)
    fitted = torch.tensor([[3.0], [3.0], [3.0], [7.0]], dtype=torch.float64)
    leverages = torch.tensor([1 / 3, 1 / 3, 1 / 3, 1.0], dtype=torch.float64)
    variances = torch.ones(4, dtype=torch.float64)
    found = leave_out(targets, fitted, fitted, leverages, variances)
    np.testing.assert_allclose(found, [[4.0], [3.5], [1.5], [0.0]])


def test_what_has_no_answer(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UserError, match="got NaN or infinity among the values of the kernel"):
        by_eigenvectors(torch.full((12, 12), torch.nan), TARGETS, on_stage=silent)
    monkeypatch.setattr(dual, "MOST_EIGENVECTORS", 10)
    with pytest.raises(UserError, match=r'12 points that is singular in float32, .* give a ridge > 0, dtype="float64"'):
        by_eigenvectors(matrix_of_rank(5).float(), TARGETS, on_stage=silent)
    with pytest.raises(UserError, match=r"singular in float64, .* give a ridge > 0, solver="):
        by_eigenvectors(matrix_of_rank(5), TARGETS, on_stage=silent)
