import numpy as np
import pytest
import torch

from byrote.errors import UserError
from byrote.theory.kernels.exact_solve import matrix_bytes, require_memory, solve_exactly, solve_matrix
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
    found = solve_exactly(kernel, x, targets, ridge=ridge, on_stage=silent)
    matrix = gram(kernel, x).numpy() + ridge * np.eye(10)
    np.testing.assert_allclose(found.alpha, np.linalg.pinv(matrix, hermitian=True) @ targets.numpy(), atol=1e-8)
    assert ("equal an earlier one" in caplog.text) == (kernel != Linear() and not ridge)
    assert found.rank == (10 if ridge else 3 if kernel == Linear() else 7)
    assert found.method == ("cholesky" if ridge else "least-squares")


def test_a_matrix_must_be_symmetric():
    matrix = gram(Gaussian(1.0), points(5))
    matrix[1, 3] = 0.0
    with pytest.raises(UserError, match="got a kernel matrix that is not symmetric"):
        solve_matrix(matrix, torch.ones(5, 1, dtype=torch.float64), on_stage=silent)


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
