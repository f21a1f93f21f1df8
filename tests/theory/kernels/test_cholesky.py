from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import linalg

from byrote.theory.kernels import cholesky
from byrote.theory.kernels.cholesky import (
    Factor,
    NotPositiveDefinite,
    condition,
    factorize,
    inverse_diagonal,
    multiply,
    restore,
    solve,
    substitute,
)

SIZES = [(1, 1), (1, 8), (2, 1), (7, 3), (8, 4), (33, 8), (40, 64)]


def positive(n: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    root = torch.from_numpy(np.random.default_rng(n).standard_normal((n, n + 2)))
    matrix = root @ root.T / n + 0.1 * torch.eye(n, dtype=torch.float64)
    return ((matrix + matrix.T) / 2).to(dtype)


@pytest.mark.parametrize(("n", "block"), SIZES)
def test_the_factor_is_scipys_and_the_matrix_stays_above_it(n: int, block: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cholesky, "_ROWS", 5)
    monkeypatch.setattr(cholesky, "_CORNER", 3)
    matrix = positive(n)
    shares: list[float] = []
    factor = factorize(matrix.clone(), block=block, on_progress=shares.append)
    np.testing.assert_allclose(factor.array.tril(), linalg.cholesky(matrix.numpy(), lower=True), atol=1e-12)
    np.testing.assert_array_equal(factor.array.triu(1), matrix.triu(1))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all(0 < share < 1 for share in shares[:-1])
    vectors = torch.randn(n, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(multiply(factor, vectors, block=block), matrix @ vectors, atol=1e-12)
    solved = np.linalg.solve(matrix, vectors)
    np.testing.assert_allclose(substitute(factor, vectors, block=block), solved, atol=1e-11)
    expected = np.diag(np.linalg.inv(matrix))
    np.testing.assert_allclose(inverse_diagonal(factor, block=block), expected, rtol=1e-10)
    np.testing.assert_allclose(restore(factor, block=block), matrix, atol=1e-15)


def test_it_is_in_place():
    matrix = positive(9)
    assert factorize(matrix, block=4).array.data_ptr() == matrix.data_ptr()


@pytest.mark.slow
def test_rows_far_apart_in_memory(tmp_path: Path):
    """Beyond 2^31 numbers from the first, as with more than 46,340 rows; what lies between them is never touched."""
    n, stride = 80, 2**25
    sparse = np.memmap(tmp_path / "sparse", dtype=np.float32, mode="w+", shape=(n, stride))
    far = torch.from_numpy(sparse)[:, :n]
    matrix = positive(n, torch.float32)
    far.copy_(matrix)
    factor = factorize(far, block=16)
    np.testing.assert_allclose(far.tril(), linalg.cholesky(matrix.numpy(), lower=True), atol=1e-5)
    vectors = torch.ones(n, 2, dtype=torch.float64)
    np.testing.assert_allclose(
        substitute(factor, vectors.float(), block=16), np.linalg.solve(matrix, vectors), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(multiply(factor, vectors, block=16), matrix.double() @ vectors, rtol=1e-6)
    np.testing.assert_array_equal(restore(factor, block=16), matrix)


def test_single_precision_is_refined_to_its_own_rounding():
    """A condition number of 1e5: one solution is wrong in the third digit, the refined one leaves next to nothing."""
    values = np.geomspace(1e-5, 1, 60)
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((60, 60)))[0]
    matrix = torch.from_numpy(basis * values @ basis.T)
    matrix = ((matrix + matrix.T) / 2).float()
    targets = torch.ones(60, 1, dtype=torch.float64)
    solution, rest = solve(factorize(matrix.clone(), block=16), targets)
    assert torch.linalg.vector_norm(rest) < 1e-6 * torch.linalg.vector_norm(targets)
    np.testing.assert_allclose(rest, targets - matrix.double() @ solution, atol=1e-9)
    np.testing.assert_allclose(solution, np.linalg.solve(matrix.double(), targets), rtol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["twice the same point", "less rank than rows", "indefinite", "nan"])
def test_what_has_no_factor_is_given_back(kind: str, dtype: torch.dtype):
    matrix = positive(20, dtype)
    if kind == "twice the same point":
        matrix[17], matrix[:, 17] = matrix[3], matrix[:, 3].clone()
        matrix[17, 17] = matrix[3, 3]
    elif kind == "less rank than rows":
        matrix = matrix[:, :4] @ matrix[:, :4].T
        matrix = (matrix + matrix.T) / 2
    else:
        matrix[12, 12] = -1.0 if kind == "indefinite" else torch.nan
    given = matrix.clone()
    with pytest.raises(NotPositiveDefinite, match="of 20 rows, "):
        factorize(given, block=4)
    np.testing.assert_array_equal(given, matrix)


def test_a_factor_that_solves_nothing_is_no_factor():
    matrix = positive(12)
    factor = factorize(matrix.clone(), block=4)
    broken = Factor(factor.array, factor.diagonal + 10)
    with pytest.raises(NotPositiveDefinite, match="does not solve"):
        solve(broken, torch.ones(12, 1, dtype=torch.float64))
    np.testing.assert_allclose(broken.array, matrix + 10 * torch.eye(12), atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 6, 50])
def test_the_condition_is_estimated_from_below(n: int):
    matrix = positive(n)
    exact = np.linalg.cond(matrix, 1)
    found = condition(factorize(matrix.clone(), block=16))
    assert exact / 3 <= found <= exact * (1 + 1e-9)
