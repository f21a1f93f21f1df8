import logging
import math

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.kernel_ridge import KernelRidge
from sklearn.utils.estimator_checks import parametrize_with_checks

import byrote
from byrote.errors import UserError
from byrote.theory.kernels.kernel import ArcCosine, Gaussian, gram
from byrote.theory.kernels.min_norm import MinNormClassifier, MinNormRegressor


def points(n: int, d: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def cubic(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (x @ y.T + 1) ** 3


@parametrize_with_checks([MinNormClassifier(), MinNormRegressor()])
def test_scikit_learns_conventions(estimator, check):
    check(estimator)


def test_one_point_by_hand():
    model = MinNormRegressor(width=2.0).fit([[1.0]], [3.0])
    np.testing.assert_allclose(model.dual_coef_, [3.0])
    np.testing.assert_allclose(model.predict([[1.0], [3.0]]), [3.0, 3.0 * math.exp(-0.5)])
    assert (model.norm_, model.condition_, model.rank_, model.solver_) == (3.0, 1.0, 1, "cholesky")


def test_two_points_by_hand():
    """K = [[1, c], [c, 1]], so tr(Y' K^-1 Y) of two one-hot targets is tr K^-1 = 2 / (1 - c^2)."""
    model = MinNormClassifier(kernel="laplacian", width=1.0, leave_one_out=True).fit([[0.0], [1.0]], ["a", "b"])
    c = math.exp(-1)
    np.testing.assert_allclose(model.dual_coef_, np.array([[1, -c], [-c, 1]]) / (1 - c**2))
    assert model.norm_ == pytest.approx(math.sqrt(2 / (1 - c**2)))
    assert model.condition_ == pytest.approx((1 + c) / (1 - c))
    assert list(model.predict([[-1.0], [2.0]])) == ["a", "b"]
    np.testing.assert_allclose(model.decision_function([[0.0], [1.0]]), [-1.0, 1.0])
    # Each point tells of the other c times its own target.
    np.testing.assert_allclose(model.leave_one_out_, [[0, c], [c, 0]])
    assert model.leave_one_out_error_ == 1.0


@pytest.mark.parametrize("kernel", ["gaussian", "laplacian", "arc-cosine", ArcCosine(0), cubic])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_random_labels_are_interpolated(kernel, dtype: str):
    x, y = points(18), np.arange(18) % 3
    model = MinNormClassifier(kernel=kernel, dtype=dtype).fit(x, y)
    assert model.training_error_ == 0
    assert model.score(x, y) == 1.0
    assert model.residual_ < 1e-4
    assert model.solver_ == "cholesky"
    assert model.X_fit_.dtype == dtype
    matrix = gram(model.kernel_, torch.from_numpy(x)).numpy()
    targets = np.eye(3)[y]
    assert model.norm_ == pytest.approx(math.sqrt(np.trace(targets.T @ np.linalg.solve(matrix, targets))), rel=1e-2)
    assert model.norm_ == pytest.approx(np.linalg.norm(model.norms_))
    assert model.condition_ <= np.linalg.cond(matrix, 1) * 1.1


@pytest.mark.parametrize("kernel", ["gaussian", "linear", "precomputed"])
@pytest.mark.parametrize("ridge", [1e-3, 2.0])
def test_ridge_is_kernel_ridges(kernel: str, ridge: float):
    x, y, new = points(30), points(30, 2, seed=1), points(7, seed=2)
    if kernel == "precomputed":
        x, new = np.exp(-x @ x.T / 10), np.exp(-new @ x.T / 10)
        x = x @ x.T
    oracle = KernelRidge(alpha=ridge, kernel="rbf" if kernel == "gaussian" else kernel, gamma=0.5 / 1.5**2).fit(x, y)
    model = MinNormRegressor(kernel, width=1.5 if kernel == "gaussian" else None, ridge=ridge).fit(x, y)
    np.testing.assert_allclose(model.dual_coef_, oracle.dual_coef_, atol=1e-8)
    np.testing.assert_allclose(model.predict(new), oracle.predict(new), atol=1e-8)
    residual = np.linalg.norm(y - oracle.predict(x)) / np.linalg.norm(y)
    assert model.residual_ == pytest.approx(residual, rel=1e-4)
    assert model.training_error_ == pytest.approx(np.mean((y - oracle.predict(x)) ** 2), rel=1e-4)


@pytest.mark.parametrize("n", [3, 5, 12])
def test_the_linear_kernel_gives_the_pseudoinverse(n: int):
    x, y = points(n, 5), points(n, 2, seed=1)
    model = MinNormRegressor("linear").fit(x, y)
    expected = np.linalg.pinv(x) @ y
    np.testing.assert_allclose(model.coef_, expected, atol=1e-10)
    np.testing.assert_allclose(x.T @ model.dual_coef_, expected, atol=1e-10)
    np.testing.assert_allclose(model.predict(x), x @ expected, atol=1e-10)
    assert model.norm_ == pytest.approx(np.linalg.norm(expected))
    assert model.rank_ == min(n, 5)
    assert model.solver_ == ("least-squares" if n > 5 else "cholesky")


@pytest.mark.parametrize("kernel", ["gaussian", "linear"])
@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("ridge", [0.0, 0.5])
@pytest.mark.parametrize("n", [4, 9])
def test_leaving_one_out_is_fitting_without_it(kernel: str, repeated: bool, ridge: float, n: int):
    x, y = points(n, 5), points(n, 2, seed=1)
    if repeated:
        x[n - 1] = x[1]
        x[n - 2] = x[1]
    model = MinNormRegressor(kernel, width=1.5 if kernel == "gaussian" else None, ridge=ridge, leave_one_out=True)
    without = []
    for i in range(n):
        rest = np.arange(n) != i
        without.append(clone(model).fit(x[rest], y[rest]).predict(x[[i]])[0])
    model.fit(x, y)
    np.testing.assert_allclose(model.leave_one_out_, without, atol=1e-8)
    assert model.leave_one_out_error_ == pytest.approx(np.mean((np.array(without) - y) ** 2))


def test_equal_points_meet_the_mean_of_their_targets(caplog: pytest.LogCaptureFixture):
    x, y = points(6), np.arange(6.0)
    x[4] = x[5] = x[0]
    model = MinNormRegressor("laplacian").fit(x, y)
    np.testing.assert_allclose(model.predict(x), [3, 1, 2, 3, 3, 3], atol=1e-10)
    assert (model.solver_, model.rank_) == ("least-squares", 4)
    assert "2 of 6 points equal an earlier one" in caplog.text
    expected = np.linalg.pinv(gram(model.kernel_, torch.from_numpy(x)).numpy(), hermitian=True) @ y
    np.testing.assert_allclose(model.dual_coef_, expected, atol=1e-10)


def test_a_singular_matrix_is_said_to_be_one(caplog: pytest.LogCaptureFixture):
    root, y = points(9, 4), points(9, 1, seed=1)[:, 0]
    matrix = root @ root.T
    model = MinNormRegressor("precomputed").fit(matrix, y)
    np.testing.assert_allclose(model.dual_coef_, np.linalg.pinv(matrix, hermitian=True) @ y, atol=1e-9)
    assert (model.solver_, model.rank_) == ("least-squares", 4)
    assert model.training_error_ > 0
    assert "the kernel matrix of 9 points has rank 4 in float64" in caplog.text


def test_a_precomputed_matrix_is_overwritten_only_if_asked():
    x, y, new = points(12), np.arange(12) % 2, points(5, seed=1)
    kernel = Gaussian(1.0)
    matrix = gram(kernel, torch.from_numpy(x)).numpy()
    across = gram(kernel, torch.from_numpy(new), torch.from_numpy(x)).numpy()
    expected = MinNormClassifier(kernel).fit(x, y).decision_function(new)
    given = matrix.copy()
    found = MinNormClassifier("precomputed").fit(given, y).decision_function(across)
    np.testing.assert_array_equal(given, matrix)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    found = MinNormClassifier("precomputed", overwrite=True).fit(given, y).decision_function(across)
    assert (given != matrix).any()
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_labellings_side_by_side_have_their_own_norms():
    x, labels = points(15), np.arange(15) % 3
    both = np.hstack([np.eye(3)[labels], np.eye(3)[labels[::-1]]])
    together = MinNormRegressor().fit(x, both)
    for part, y in ((slice(3), labels), (slice(3, 6), labels[::-1])):
        alone = MinNormClassifier().fit(x, y)
        assert np.linalg.norm(together.norms_[part]) == pytest.approx(alone.norm_)
        np.testing.assert_allclose(together.dual_coef_[:, part], alone.dual_coef_, atol=1e-8)


def test_what_does_not_fit_into_memory(caplog: pytest.LogCaptureFixture):
    x, y = make_blobs(300, 4, random_state=0)
    with pytest.raises(
        UserError, match=r'got a kernel matrix of 300 points in float64, which takes .* take dtype="float32"'
    ):
        MinNormClassifier(solver="exact", memory_budget=2**18).fit(x, y)
    with pytest.raises(UserError, match="take fewer points or more memory_budget"):
        MinNormClassifier(ridge=1.0, memory_budget=2**18, dtype="float32").fit(x, y)
    model = MinNormClassifier(memory_budget=2**19, tolerance=1e-3, width=1.0).fit(x, y)
    assert model.solver_ == "iterative"
    assert math.isnan(model.condition_)
    assert "solved iteratively" in caplog.text
    exact = MinNormClassifier(solver="exact", width=1.0).fit(x, y)
    assert model.residual_ < 2e-3
    assert model.norm_ == pytest.approx(exact.norm_, rel=0.05)
    assert MinNormClassifier(solver="iterative", max_epochs=2, tolerance=1e-6).fit(x, y).residual_ > 1e-6
    assert "stopped after" in caplog.text


def test_it_says_what_it_needs_and_how_far_it_is(caplog: pytest.LogCaptureFixture):
    seen: list[tuple[str, float]] = []
    with caplog.at_level(logging.INFO, "byrote"):
        MinNormRegressor(leave_one_out=True, on_progress=lambda *stage: seen.append(stage)).fit(points(20), np.ones(20))
    stages = list(dict.fromkeys(name for name, _ in seen))
    assert stages == ["kernel matrix", "Cholesky factorisation", "solution", "leaving one out"]
    assert all(0 <= share <= 1 for _, share in seen)
    assert "a kernel matrix of 20 points in float64, which takes" in caplog.text


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"solver": "cg"}, "got solver='cg', expected auto, exact or iterative"),
        ({"dtype": "float16"}, "got dtype='float16', expected float32 or float64"),
        ({"ridge": -1.0}, "got ridge=-1, expected 0 or a positive number"),
        ({"ridge": math.nan}, "got ridge=nan"),
        ({"solver": "iterative", "ridge": 1.0}, 'got solver="iterative" with ridge=1, which needs the matrix'),
        ({"solver": "iterative", "leave_one_out": True}, "with leave_one_out=True"),
        ({"solver": "iterative", "kernel": "precomputed"}, 'with kernel="precomputed"'),
        ({"kernel": "precomputed", "width": 1.0}, 'got width=1 with kernel="precomputed"'),
        ({"kernel": "rbf"}, "got kernel='rbf'"),
        ({"kernel": "precomputed"}, r"matrix of shape \(6, 3\), expected a square one"),
        ({"kernel": lambda x, y: x @ y.T * math.nan}, "got NaN or infinity among the values of the kernel"),
    ],
)
def test_what_is_refused(parameters, words: str):
    with pytest.raises(UserError, match=words):
        MinNormRegressor(**parameters).fit(points(6), np.arange(6.0))


def test_one_class_is_refused():
    with pytest.raises(UserError, match="got one class in y, a, expected at least two"):
        MinNormClassifier().fit(points(2), ["a", "a"])


def test_the_public_names():
    assert byrote.MinNormClassifier is MinNormClassifier
    assert byrote.MinNormRegressor is MinNormRegressor
