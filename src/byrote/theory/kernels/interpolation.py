"""One kernel machine on n examples: its width chosen, its matrix factorised once, true and random labels interpolated.

All labellings are right-hand sides of one system, so that random labels cost little beside the true ones. Targets are
one-hot, without centring; a prediction is the class of the largest output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from pydantic import Field
from torch import Tensor

from byrote.data.corruptions.application import corrupt
from byrote.data.dataset import Dataset
from byrote.data.distinct_inputs import DistinctInputs, num_attainable
from byrote.data.memory import free_memory
from byrote.data.subsets import subset
from byrote.errors import UserError
from byrote.theory.calculation import Calculation, Context, OnStage, Result
from byrote.theory.kernels.cholesky import Factor, NotPositiveDefinite, condition, factorize, restore, solve
from byrote.theory.kernels.exact import matrix_bytes, sizes_of
from byrote.theory.kernels.feature_maps import Features, mapped_inputs, scaled_inputs
from byrote.theory.kernels.machines import ConvolutionMachine, GaussianMachine, KernelMachine
from byrote.theory.kernels.random_convolutions import RandomConvFeatures, num_patches
from byrote.theory.kernels.validation_ladder import Trial, ValidationLadder, climb, climb_widths
from byrote.training.cost import Work

NUM_FILTERS = 32_000
WIDTHS = tuple(2 ** (exponent / 2) for exponent in range(-5, 1))
"""From 0.18 of the median distance to all of it."""
RIDGES = tuple(10.0**exponent for exponent in range(-6, 1))
"""In units of the kernel matrix's mean diagonal."""
_BLOCK = 512
_VALUES_A_PATCH = 36
"""Of each channel: patches of six by six, one at about each pixel."""


class KernelInterpolation(Calculation):
    """True and random labels of a subset, interpolated with the kernel that goes with the features: a Gaussian one with
    inputs and Gabor wavelets, the linear one with random convolutions."""

    name: ClassVar[str] = "kernel-interpolation"

    features: Features
    n_train: Annotated[int, Field(ge=1)]
    with_ridge: bool = False
    """Whether the same is also done with l2: of the strength, relative to the mean diagonal, that does best on a
    validation split, for which no more than 10,000 examples are fitted."""
    label_draws: Annotated[int, Field(ge=0)] = 1
    """Random labellings beside the true one."""
    data_seed: int = 0
    """Of the subset, the validation split and random filters."""
    num_filters: int = NUM_FILTERS
    """Of random convolutions, or two for each patch where the training images have fewer patches."""

    @property
    def label(self) -> str:
        return f"{self.features.replace('-', ' ')}, n = {self.n_train:,}"

    def work(self, data: Dataset) -> Work:
        """The kernel matrix, the values at test inputs, and a factorisation of each that is tried on up to 10,000
        examples and of each that is taken."""
        n, d, tried = min(self.n_train, len(data.train)), math.prod(data.input_shape), min(self.n_train, 10_000)
        inputs = 2.0 * n * (n + len(data.test)) * d
        if self.features == "random-convolutions":
            inputs = 2.0 * (n + len(data.test)) * self.num_filters * d * _VALUES_A_PATCH
        number = len(WIDTHS) * (self.features != "random-convolutions") + len(RIDGES) * self.with_ridge
        solved = (1 + self.with_ridge) * n**3 / 3 + number * tried**3 / 3
        return Work(calls=2e4, products=inputs + solved, values=4.0 * n * n)

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: num_features, num_distinct (inputs), n_test, num_classes, n_validation, scale (mean diagonal of the
        kernel matrix); width, and relative_width to the median distance (NaN for kernels without); relative_ridge to
        scale (NaN without l2).

        arrays: X_tried, relative, and X_error, on held-out examples (NaN where the matrix was singular), of X "width"
        and "ridge"; and for each function "fit_" and seed (-1: true labels), regularized, ridge, train_error,
        interpolated, norm, residual (|K alpha - Y| / |Y|), condition, test_predictions.

        Raises:
            UserError: the matrix is too large for memory, or singular with every width.
        """
        data = subset(data, self.n_train, self.data_seed)
        distinct = DistinctInputs.of(data.train.inputs)
        _require_memory(len(distinct.rows), context.device)
        kept = replace(data, train=data.train.take(distinct.rows))
        trial = Trial.of(kept.train.true_labels, data.num_classes, self.data_seed)
        draws = [corrupt(data, "random-labels", seed=seed).train.labels for seed in range(self.label_draws)]
        labellings = [data.train.true_labels, *draws]
        means = [distinct.mean_targets(labels, data.num_classes) for labels in labellings]
        targets = torch.from_numpy(np.concatenate(means, axis=1)).double().to(context.device)
        machines, widths = self._machines(kept, trial, context)
        relative_width, kernel, interpolating = _widest(machines, targets, context)
        fits, machine = [interpolating], kernel.machine
        scale, rows = interpolating.scale, torch.from_numpy(trial.rows).to(context.device)
        ridges, relative_ridge = ValidationLadder(), math.nan
        if self.with_ridge:
            on_tried = partial(context.on_stage, "choosing the strength of l2")

            def tried() -> ValidationLadder:
                return climb(RIDGES, lambda ridge: trial.error(kernel.of(rows), ridge * scale), on_tried)

            ridges = ValidationLadder(*context.steps("the choice of l2", lambda: tried().values))
            relative_ridge = ridges.best_first_then_smaller()[0]
            ridge = relative_ridge * scale
            # An input that occurs m times counts m times: m (f - mean)^2 + ridge |f|^2.
            added = torch.from_numpy(ridge / distinct.counts).to(targets)
            fits.append(
                _Fit(**context.steps("the fit with l2", lambda: kernel.fit(targets, added, ridge)), targets=targets)
            )
        alpha = torch.cat([fit.alpha for fit in fits], dim=1).to(machine.train)
        outputs = machine.test_values(alpha, partial(context.on_stage, "values at test inputs")).chunk(len(fits), dim=1)
        parts = [fit.read(own, distinct, labellings, data.num_classes) for fit, own in zip(fits, outputs, strict=True)]
        arrays = {f"fit_{name}": np.concatenate([part[name] for part in parts]) for name in parts[0]}
        for name, ladder in (("width", widths), ("ridge", ridges)):
            arrays |= {f"{name}_tried": np.array(ladder.tried), f"{name}_error": np.array(ladder.errors)}
        values = {
            "num_features": machine.num_features,
            "num_distinct": len(distinct.rows),
            "n_test": len(data.test),
            "num_classes": data.num_classes,
            "n_validation": trial.num_held_out,
            "scale": scale,
            "width": machine.width,
            "relative_width": relative_width,
            "relative_ridge": relative_ridge,
        }
        return Result(values, arrays)

    def _machines(
        self, data: Dataset, trial: Trial, context: Context
    ) -> tuple[list[tuple[float, KernelMachine]], ValidationLadder]:
        """Machines with their relative widths in the order to try them, and the widths tried on the trial."""
        if self.features == "random-convolutions":
            train, test = scaled_inputs(data, context.device)
            num_filters = min(self.num_filters, 2 * num_patches(train))
            filters = RandomConvFeatures.draw(train, num_filters, seed=self.data_seed)
            return [(math.nan, ConvolutionMachine(train, test, filters))], ValidationLadder()
        train, test = mapped_inputs(self.features, data, context.device)
        on_tried = partial(context.on_stage, "choosing the width")

        def tried() -> tuple[float, tuple[float, ...], tuple[float, ...]]:
            unit, widths = climb_widths(WIDTHS, train, trial, self.data_seed, on_tried)
            return unit, *widths.values

        unit, *found = context.steps("the choice of the width", tried)
        widths = ValidationLadder(*found)
        wanted = widths.best_first_then_smaller()
        return [(width, GaussianMachine(train, test, width * unit)) for width in wanted], widths


@dataclass(frozen=True, eq=False)
class _Fit:
    """The functions that fit all labellings with one ridge, C outputs in all."""

    alpha: Float64[Tensor, "P C"]
    values: Float64[Tensor, "P C"]
    """At the training inputs."""
    targets: Float64[Tensor, "P C"]
    ridge: float
    condition: float
    scale: float
    """The mean diagonal of the kernel matrix, with what the ridge adds."""

    def read(
        self,
        outputs: Float[Tensor, "M C"],
        distinct: DistinctInputs,
        labellings: Sequence[Int64[np.ndarray, " N"]],
        num_classes: int,
    ) -> dict[str, np.ndarray]:
        """A value, or a row, for each labelling; `outputs` are those at test inputs."""
        rows = []
        parts = [part.split(num_classes, dim=1) for part in (self.targets, self.alpha, self.values, outputs)]
        for draw, (labels, targets, alpha, values, tested) in enumerate(zip(labellings, *parts, strict=True)):
            found = values.argmax(dim=1).cpu().numpy()[distinct.places]
            num_correct = int((found == labels).sum())
            row = {
                "seed": draw - 1,
                "regularized": self.ridge > 0,
                "ridge": self.ridge,
                "train_error": 1 - num_correct / len(labels),
                "interpolated": num_correct >= num_attainable(distinct.places, labels, num_classes),
                # Rounding can make the square of a norm near zero negative.
                "norm": math.sqrt(max(float((alpha * values).sum()), 0.0)),
                "residual": float((values - targets).norm() / targets.norm()),
                "condition": self.condition,
                "test_predictions": tested.argmax(dim=1).cpu().numpy(),
            }
            rows.append(row)
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}


class _Kernel:
    """The kernel matrix of a machine, made once something is asked of it, and its factors, in one array.

    Above the diagonal it always holds the matrix.
    """

    def __init__(self, machine: KernelMachine, array: Float[Tensor, "P P"], on_stage: OnStage) -> None:
        self.machine, self._array, self._on_stage = machine, array, on_stage
        self._diagonal: Float[Tensor, " P"] | None = None
        self._is_factored = False

    def fit(self, targets: Float64[Tensor, "P C"], added: Float64[Tensor, " P"], ridge: float) -> dict[str, Any]:
        """A `_Fit`, but for its targets.

        Args:
            added: to the diagonal.

        Raises:
            NotPositiveDefinite: the matrix is numerically singular.
        """
        diagonal, matrix = self._whole(), self._array
        if self._is_factored:
            restore(Factor(matrix, diagonal))
        self._is_factored = True
        matrix.diagonal().add_(added)
        factor = factorize(matrix, on_progress=partial(self._on_stage, f"factorising{' with l2' if ridge else ''}"))
        self._on_stage("solving", 0.0)
        alpha, rest = solve(factor, targets)
        self._on_stage("estimating the condition number", 0.0)
        return {
            "alpha": alpha,
            "values": targets - rest - added[:, None] * alpha,
            "ridge": ridge,
            "condition": condition(factor),
            "scale": float(factor.diagonal.double().mean()),
        }

    def of(self, chosen: Int64[Tensor, " S"]) -> Float[Tensor, "S S"]:
        """The matrix of some of the points, in new memory."""
        diagonal = self._whole()
        found = self._array.new_empty(len(chosen), len(chosen))
        for rows, part in zip(chosen.split(_BLOCK), found.split(_BLOCK), strict=True):
            part.copy_(self._array[torch.minimum(rows[:, None], chosen), torch.maximum(rows[:, None], chosen)])
        found.diagonal().copy_(diagonal[chosen])
        return found

    def _whole(self) -> Float[Tensor, " P"]:
        """Its diagonal, once it is there."""
        if self._diagonal is None:
            self.machine.fill(self._array, partial(self._on_stage, "kernel matrix"))
            self._diagonal = self._array.diagonal().clone()
        return self._diagonal


def _widest(
    machines: Sequence[tuple[float, KernelMachine]], targets: Float64[Tensor, "P C"], context: Context
) -> tuple[float, _Kernel, _Fit]:
    """The first whose matrix solves the system: a width that some examples allow may be too wide for all of them."""
    num_points = len(targets)
    array = machines[0][1].train.new_empty(num_points, num_points)
    unregularized = torch.zeros_like(targets[:, 0])
    for number, (width, machine) in enumerate(machines):
        kernel = _Kernel(machine, array, context.on_stage)

        def tried(kernel: _Kernel = kernel) -> dict[str, Any] | None:
            try:
                return kernel.fit(targets, unregularized, 0.0)
            except NotPositiveDefinite:
                return None

        if (found := context.steps(f"fit {number + 1}", tried)) is not None:
            return width, kernel, _Fit(**found, targets=targets)
    raise UserError(
        f"got a kernel matrix of {num_points:,} examples that is singular in float32, expected one with a Cholesky "
        "factor: their features are nearly equal, or fewer than they; take fewer examples"
    )


def _require_memory(num_points: int, device: str) -> None:
    available = free_memory(device)
    if matrix_bytes(num_points, torch.float32) > available:
        most = int(math.sqrt(available / torch.float32.itemsize)) // 1000 * 1000
        raise UserError(
            f"got {sizes_of(num_points, torch.float32, available)}, expected no more than that; "
            f"take about {most:,} examples"
        )
