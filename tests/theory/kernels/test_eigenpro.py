import numpy as np
import pytest
import torch

from byrote.errors import UserError
from byrote.theory.kernels.eigenpro import solve_iteratively
from byrote.theory.kernels.kernel import Custom, Gaussian, Laplacian, Linear, gram

MEBIBYTE = 2**20


def problem(num=150, num_dims=6, num_targets=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(num, num_dims, generator=generator, dtype=dtype)
    return x, torch.randn(num, num_targets, generator=generator, dtype=dtype)


@pytest.mark.parametrize("kernel", [Gaussian(0.8), Laplacian(2.0)])
def test_it_agrees_with_the_exact_solution(kernel):
    x, y = problem()
    alpha, record = solve_iteratively(kernel, x, y, memory_budget=MEBIBYTE, tolerance=1e-11)
    matrix = gram(kernel, x)
    torch.testing.assert_close(alpha, torch.linalg.solve(matrix, y), rtol=1e-6, atol=1e-6)
    assert record.converged
    residual = torch.linalg.vector_norm(y - matrix @ alpha) / torch.linalg.vector_norm(y)
    assert record.residual == pytest.approx(residual.item(), rel=1e-2)


def test_single_precision_reaches_the_tolerance_that_is_computed_from_its_result():
    x, y = problem(dtype=torch.float32)
    alpha, record = solve_iteratively(Laplacian(2.0), x, y, memory_budget=MEBIBYTE, tolerance=1e-5)
    assert alpha.dtype == torch.float32
    assert record.converged
    residual = y.double() - gram(Laplacian(2.0), x).double() @ alpha.double()
    assert torch.linalg.vector_norm(residual) <= 1.1e-5 * torch.linalg.vector_norm(y)


def test_what_is_kept_in_memory_changes_no_digit_but_the_time():
    """Tiles of 50 rows, of which all, some or next to none fit."""
    x, y = problem(400)
    sizes, found = [], []

    def kernel(left, right):
        sizes[-1].append(len(left) * len(right))
        return torch.exp(-torch.cdist(left, right))

    # The last budget has the tiles of the one before it, but no room to keep them.
    for budget in (4 * MEBIBYTE, 600_000):
        sizes.append([])
        found.append(solve_iteratively(Custom(kernel), x, y, memory_budget=budget))
    (_, roomy), (_, tight) = found
    assert roomy.share_in_memory == 1
    assert tight.share_in_memory < 0.8
    assert roomy.converged
    assert tight.converged
    assert sum(sizes[0]) < sum(sizes[1])
    assert 8 * max(sizes[1]) < 600_000
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-2, atol=1e-3)


def test_a_singular_matrix_gives_the_function_of_minimum_norm():
    """Equal points with equal targets, and a linear kernel of more points than dimensions."""
    x, y = problem(60)
    doubled, targets = torch.cat([x, x]), torch.cat([y, y])
    alpha, record = solve_iteratively(Gaussian(1.0), doubled, targets, memory_budget=MEBIBYTE, tolerance=1e-9)
    assert record.converged
    exact = torch.linalg.solve(gram(Gaussian(1.0), x), y)
    torch.testing.assert_close(alpha[:60] + alpha[60:], exact, rtol=1e-5, atol=1e-5)
    weights = torch.randn(6, 2, dtype=torch.float64)
    alpha, record = solve_iteratively(Linear(), x, x @ weights, memory_budget=MEBIBYTE, tolerance=1e-9)
    assert record.converged
    torch.testing.assert_close(x.T @ alpha, weights, rtol=1e-6, atol=1e-6)


def test_the_preconditioner_saves_epochs(monkeypatch):
    x, y = problem(400)
    epochs = []
    for share in (1 / 3, 1e-9):
        monkeypatch.setattr("byrote.theory.kernels.eigenpro._SHARE_KEPT", share)
        _, record = solve_iteratively(Laplacian(3.0), x, y, memory_budget=8 * MEBIBYTE)
        assert record.converged
        epochs.append(record.epochs)
    assert epochs[0] < 0.75 * epochs[1]


def test_it_says_when_the_tolerance_was_not_reached():
    x, y = problem(100, num_dims=2)
    shares = []
    _, record = solve_iteratively(
        Gaussian(3.0), x, y, memory_budget=MEBIBYTE, tolerance=1e-10, max_epochs=12, on_progress=shares.append
    )
    assert not record.converged
    assert record.epochs <= 12
    assert record.residual > 1e-10
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_seeds_repeat_and_targets_of_zero_need_nothing():
    x, y = problem(50)
    first, second = (solve_iteratively(Laplacian(1.0), x, y, memory_budget=MEBIBYTE, seed=3)[0] for _ in range(2))
    assert torch.equal(first, second)
    y[:, 1] = 0
    alpha, record = solve_iteratively(Laplacian(1.0), x, y, memory_budget=MEBIBYTE)
    assert record.converged
    assert not alpha[:, 1].any()
    alpha, record = solve_iteratively(Laplacian(1.0), x, torch.zeros_like(y), memory_budget=MEBIBYTE)
    assert not alpha.any()
    assert (record.epochs, record.residual) == (0, 0)


def test_one_point_and_two():
    x = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    alpha, _ = solve_iteratively(Gaussian(1.0), x[:1], x[1:], memory_budget=MEBIBYTE)
    assert alpha.item() == pytest.approx(1)
    alpha, _ = solve_iteratively(Linear(), x + 1, 2 * (x + 1), memory_budget=MEBIBYTE, tolerance=1e-12)
    np.testing.assert_allclose((x + 1).T @ alpha, [[2.0]], rtol=1e-9)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"memory_budget": 1000}, r"got memory_budget=0\.0 MiB for an iterative solve with 150 points and 3 targets"),
        ({"tolerance": 0.0}, "expected a tolerance between 0 and 1"),
        ({"max_epochs": 1}, "at least two epochs"),
    ],
)
def test_what_cannot_be_is_refused(changes, words):
    x, y = problem()
    with pytest.raises(UserError, match=words):
        solve_iteratively(Gaussian(1.0), x, y, **({"memory_budget": MEBIBYTE} | changes))
