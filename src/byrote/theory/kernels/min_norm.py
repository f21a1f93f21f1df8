"""Interpolation of minimum norm in the space of a kernel, by estimators with scikit-learn's conventions.

Source     Zhang et al. (2017), section 5: of all functions that meet Y on the training points, the one of minimum norm
           is f(x) = sum_i alpha_i k(x_i, x) with K alpha = Y. No regularisation, no centring, no intercept.
"""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from byrote.data.memory import free_memory
from byrote.errors import UserError
from byrote.theory.calculation import OnStage
from byrote.theory.kernels.eigenpro import solve_iteratively
from byrote.theory.kernels.exact import (
    Solution,
    System,
    matrix_bytes,
    require_memory,
    sizes_of,
    solve_exactly,
    solve_linear,
    solve_matrix,
)
from byrote.theory.kernels.kernel import Kernel, KernelFunction, Linear, find_kernel, row_blocks

_LOG = logging.getLogger(__name__)


class MinNorm(BaseEstimator, ABC):  # type: ignore[misc]
    """What the classifier and the regressor share.

    A kernel matrix that is singular in `dtype` (points that are equal; more points than features of a linear kernel)
    gets the least-squares solution of minimum norm: `solver_` and the log say so. Nothing is ever added to its
    diagonal. A linear kernel with more points than features is solved by the features.

    Args:
        kernel: "linear", "gaussian", "laplacian", "arc-cosine", a `Kernel`, a function of tensors [M, D] and [N, D]
            that gives [M, N], or "precomputed": X is then the kernel matrix, of points to fit with themselves [N, N],
            and of points to predict with those [M, N].
        width: of "gaussian", exp(-|x - y|^2 / (2 width^2)), and "laplacian", exp(-|x - y| / width); None is the median
            distance of the training points.
        ridge: K + ridge I is solved, as with alpha of scikit-learn's KernelRidge. With 0 the function interpolates.
        solver: "exact" needs the matrix in memory; "iterative" does with `memory_budget`, for ridge 0; "auto" is exact
            if the matrix fits.
        dtype: of the kernel's values. "float32" takes half the memory and time, and matrices with a condition number
            beyond some 1e7 are singular in it. Coefficients and residuals are float64.
        memory_budget: bytes; None is what is available when it fits.
        leave_one_out: whether to find each point's value from all others, in closed form: about as much work again.
        overwrite: whether a precomputed matrix (C-contiguous, of `dtype`) may be overwritten; else it is copied.
        tolerance: of the iterative solver, on the residual.
        max_epochs: of the iterative solver.
        random_state: a whole number, seeds the iterative solver.
        device: where the matrix is: "cpu", "cuda".
        on_progress: called with the name of a stage and the share of it that is done.

    Attributes:
        dual_coef_: alpha [N] or [N, K], float64.
        X_fit_: the training points [N, D], float, unless the matrix was precomputed.
        coef_: the coefficients of features [D, K], of a linear kernel.
        solver_: "cholesky", "least-squares" or "iterative".
        rank_: of the kernel matrix: the number of points, or fewer where it is singular.
        norm_: the norm in the kernel's space, all outputs together: sqrt tr(Y' K^-1 Y) where Y is interpolated. A
            classifier's Y is one-hot with 0 and 1.
        norms_: of each output [K].
        condition_: of K + ridge I; with a factor an estimate in the 1-norm from below (Hager), with least squares the
            ratio of the extreme eigenvalues that count, NaN with the iterative solver.
        training_error_: the share of wrong classes, or the mean squared error.
        residual_: |Y - f(X)| / |Y| over all outputs.
        leave_one_out_, leave_one_out_error_: the values of outputs at each point from all others [N] or [N, K], and the
            error that they make.
    """

    kernel: str | Kernel | KernelFunction
    width: float | None
    ridge: float
    solver: Literal["auto", "exact", "iterative"]
    dtype: Literal["float32", "float64"]
    memory_budget: int | None
    leave_one_out: bool
    overwrite: bool
    tolerance: float
    max_epochs: int
    random_state: int
    device: str
    on_progress: OnStage | None

    # Until `fit`, scikit-learn's parameters take any value.
    def __init__(
        self,
        kernel: Any = "gaussian",
        width: Any = None,
        ridge: Any = 0.0,
        solver: Any = "auto",
        dtype: Any = "float64",
        memory_budget: Any = None,
        leave_one_out: Any = False,
        overwrite: Any = False,
        tolerance: Any = 1e-4,
        max_epochs: Any = 300,
        random_state: Any = 0,
        device: Any = "cpu",
        on_progress: Any = None,
    ) -> None:
        self.kernel = kernel
        self.width = width
        self.ridge = ridge
        self.solver = solver
        self.dtype = dtype
        self.memory_budget = memory_budget
        self.leave_one_out = leave_one_out
        self.overwrite = overwrite
        self.tolerance = tolerance
        self.max_epochs = max_epochs
        self.random_state = random_state
        self.device = device
        self.on_progress = on_progress

    @abstractmethod
    def _validated(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """The points [N, D] and the targets [N] or [N, K], float64."""

    @abstractmethod
    def _error(self, values: np.ndarray, targets: np.ndarray) -> float:
        """Of values [N, K]."""

    def fit(self, X: Any, y: Any) -> MinNorm:
        """Finds the function from points [N, D], or their precomputed kernel matrix [N, N].

        Raises:
            UserError: a parameter that is none of those above, a matrix that does not fit into memory, or one that is
                singular and too large for its eigenvectors.
        """
        self._refuse_parameters()
        X, y = self._validated(X, y)
        targets = y.reshape(len(y), -1)
        solution = self._solve(X, torch.from_numpy(targets).to(self.device))
        fitted = solution.fitted.cpu().numpy()
        self.dual_coef_ = solution.alpha.cpu().numpy().reshape(y.shape)
        self.solver_, self.rank_, self.condition_ = solution.method, solution.rank, solution.condition
        # Rounding can make the square of a norm near zero negative.
        self.norms_ = np.sqrt(np.maximum(solution.squared_norms.cpu().numpy(), 0.0))
        self.norm_ = float(np.linalg.norm(self.norms_))
        self.training_error_ = self._error(fitted, targets)
        self.residual_ = float(np.linalg.norm(targets - fitted) / (np.linalg.norm(targets) or 1.0))
        if solution.left_out is not None:
            left_out = solution.left_out.cpu().numpy()
            self.leave_one_out_ = left_out.reshape(y.shape)
            self.leave_one_out_error_ = self._error(left_out, targets)
        if not self._is_precomputed:
            self.X_fit_ = X
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self._is_precomputed
        return tags

    @property
    def _is_precomputed(self) -> bool:
        return isinstance(self.kernel, str) and self.kernel == "precomputed"

    @property
    def _needs_matrix(self) -> str:
        """What the iterative solver cannot do, if it is asked for."""
        if self._is_precomputed:
            return 'kernel="precomputed"'
        if self.ridge:
            return f"ridge={self.ridge:g}"
        return "leave_one_out=True" if self.leave_one_out else ""

    def _refuse_parameters(self) -> None:
        if self.solver not in ("auto", "exact", "iterative"):
            raise UserError(f"got solver={self.solver!r}, expected auto, exact or iterative")
        if self.dtype not in ("float32", "float64"):
            raise UserError(f"got dtype={self.dtype!r}, expected float32 or float64")
        if not 0 <= self.ridge < math.inf:
            raise UserError(f"got ridge={self.ridge:g}, expected 0 or a positive number")
        if self._is_precomputed and self.width is not None:
            raise UserError(f'got width={self.width:g} with kernel="precomputed", which has its own; leave it out')
        if self.solver == "iterative" and self._needs_matrix:
            raise UserError(f'got solver="iterative" with {self._needs_matrix}, which needs the matrix; use "exact"')

    def _solve(self, X: np.ndarray, targets: Tensor) -> Solution:
        x = self._tensor(X)
        system = System(targets, self._report, self.ridge, self.leave_one_out)
        if self._is_precomputed:
            return solve_matrix(self._own_matrix(x), system)
        self.kernel_ = find_kernel(self.kernel, x, self.width)
        is_linear = isinstance(self.kernel_, Linear)
        if is_linear and len(x) > x.shape[1] and self.solver != "iterative":
            solution, coefficients = solve_linear(x, system)
            self.coef_ = coefficients.cpu().numpy()
            return solution
        if self._is_iterative(x):
            solution = self._iteratively(x, targets)
        else:
            require_memory(len(x), x.dtype, self._budget, needs_matrix=bool(self._needs_matrix))
            solution = solve_exactly(self.kernel_, x, system)
        if is_linear:
            self.coef_ = (x.double().T @ solution.alpha).cpu().numpy()
        return solution

    def _own_matrix(self, given: Tensor) -> Tensor:
        if given.shape[0] != given.shape[1]:
            raise UserError(f"got a precomputed kernel matrix of shape {tuple(given.shape)}, expected a square one")
        if self.overwrite:
            return given
        require_memory(len(given), given.dtype, self._budget, needs_matrix=True)
        return given.clone()

    def _is_iterative(self, x: Tensor) -> bool:
        if self.solver != "auto" or self._needs_matrix:
            return self.solver == "iterative"
        is_too_large = matrix_bytes(len(x), x.dtype) > self._budget
        if is_too_large:
            _LOG.warning("%s: solved iteratively", sizes_of(len(x), x.dtype, self._budget))
        return is_too_large

    def _iteratively(self, x: Tensor, targets: Tensor) -> Solution:
        alpha, record = solve_iteratively(
            self.kernel_,
            x,
            targets.to(x.dtype),
            memory_budget=self._budget,
            tolerance=self.tolerance,
            max_epochs=self.max_epochs,
            seed=self.random_state,
            on_progress=partial(self._report, "iterations"),
        )
        if not record.converged:
            _LOG.warning(
                "stopped after %d epochs at a residual of %.1e, where %.1e was asked for",
                *(record.epochs, record.residual, self.tolerance),
            )
        fitted = torch.cat([values @ alpha for _, values in row_blocks(self.kernel_, x, x)])
        return Solution(alpha.double(), fitted.double(), "iterative", len(x), math.nan, None)

    @property
    def _budget(self) -> int:
        return free_memory(str(self.device)) if self.memory_budget is None else self.memory_budget

    def _report(self, stage: str, share: float) -> None:
        if self.on_progress:
            self.on_progress(stage, share)

    def _values(self, X: Any) -> np.ndarray:
        """f(x) of each output, [M, K]."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.dtype(self.dtype), order="C", reset=False)
        x = self._tensor(X)
        if self._is_precomputed:
            values = x @ self._columns(self.dual_coef_)
        elif isinstance(self.kernel_, Linear):
            values = x @ self._columns(self.coef_)
        else:
            alpha, points = self._columns(self.dual_coef_), self._tensor(self.X_fit_)
            values = torch.cat([block @ alpha for _, block in row_blocks(self.kernel_, x, points)])
        return values.double().cpu().numpy()

    def _tensor(self, array: np.ndarray) -> Tensor:
        # Torch has no tensors that are read only, such as files mapped into memory.
        return torch.from_numpy(array if array.flags.writeable else array.copy()).to(self.device)

    def _columns(self, coefficients: np.ndarray) -> Tensor:
        columns = torch.from_numpy(coefficients.reshape(len(coefficients), -1))
        return columns.to(self.device, getattr(torch, self.dtype))


class MinNormClassifier(ClassifierMixin, MinNorm):  # type: ignore[misc]
    """The class of the largest of K outputs, which meet their one-hot targets at minimum norm.

    Parameters and attributes are `MinNorm`'s, and `classes_`, the K classes in order.

    >>> points, labels = np.linspace(0, 1, 6)[:, None], ["a", "b", "b", "a", "b", "a"]
    >>> model = MinNormClassifier(kernel="gaussian", width=0.1).fit(points, labels)
    >>> model.predict(points).tolist(), model.score(points, labels), model.solver_
    (['a', 'b', 'b', 'a', 'b', 'a'], 1.0, 'cholesky')
    """

    def predict(self, X: Any) -> np.ndarray:
        """The class of each point [M]."""
        values = self._values(X)
        return self.classes_[values.argmax(axis=1)]

    def decision_function(self, X: Any) -> np.ndarray:
        """The outputs [M, K]; of two classes the second less the first [M], as scikit-learn has it."""
        values = self._values(X)
        return values[:, 1] - values[:, 0] if len(self.classes_) == 2 else values

    def _validated(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(self, X, y, dtype=np.dtype(self.dtype), order="C")
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise UserError(f"got one class in y, {self.classes_[0]}, expected at least two")
        return X, np.eye(len(self.classes_))[labels]

    def _error(self, values: np.ndarray, targets: np.ndarray) -> float:
        return float(np.mean(values.argmax(axis=1) != targets.argmax(axis=1)))


class MinNormRegressor(RegressorMixin, MultiOutputMixin, MinNorm):  # type: ignore[misc]
    """Real targets, one or several, met at minimum norm. Parameters and attributes are `MinNorm`'s.

    Several targets share one kernel matrix and its factor: labellings of the same points, one-hot and side by side,
    cost next to nothing beside the first.

    >>> model = MinNormRegressor(kernel="linear").fit([[1.0, 0.0], [0.0, 2.0]], [3.0, 4.0])
    >>> model.predict([[1.0, 1.0]]).round(9).tolist(), round(float(model.norm_), 9)  # weights 3 and 2
    ([5.0], 3.605551275)
    """

    def predict(self, X: Any) -> np.ndarray:
        """The value of each point, [M] or [M, K] as y was."""
        return self._values(X).reshape(-1, *self.dual_coef_.shape[1:])

    def _validated(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(self, X, y, dtype=np.dtype(self.dtype), order="C", multi_output=True, y_numeric=True)
        return X, y.astype(np.float64)

    def _error(self, values: np.ndarray, targets: np.ndarray) -> float:
        return float(np.mean((values - targets) ** 2))
