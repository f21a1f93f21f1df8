"""What descent finds among the interpolants of a kernel machine, and what it passes over, on examples few enough to see
all of it: solutions as vectors in float64, their distances, their curvature.

Training inputs, test inputs and as many further inputs (centres) as training ones span the space of the solutions.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, ClassVar

import numpy as np
import torch
from jaxtyping import Float64
from pydantic import Field
from torch import Tensor

from byrote.data.dataset import Dataset
from byrote.data.distinct_inputs import DistinctInputs
from byrote.data.subsets import stratified_rows
from byrote.errors import UserError
from byrote.randomness import stream
from byrote.theory.calculation import Calculation, Context, OnStage, Result, Value
from byrote.theory.kernels.feature_maps import mapped_inputs
from byrote.theory.kernels.interpolants import (
    Descent,
    coordinates,
    curvature,
    descend,
    differentiated_curvature,
    interpolants,
    nearest_interpolant,
)
from byrote.theory.kernels.kernel import Gaussian, gram
from byrote.theory.kernels.validation_ladder import Trial, climb_widths
from byrote.training.cost import Work

WIDTHS = (0.125, 0.25, 0.5)
"""Of the median distance. The wider the kernel, the worse its condition and the longer the descent."""
DESCENTS = ("sgd", "gd", "random_start")
"""SGD from zero, descent on all examples from zero, and SGD from a random vector as long as the shortest solution."""
_BATCH = 32
_THIN_PRODUCTS, _VALUES_AN_ENTRY, _COORDINATES = 6.0, 4.0, 10.0
"""What an operation costs of products in float64 with a column for each class, in operations of square ones in float32;
numbers written for each entry of a batch; operations for each cube of the points. Fitted to descents on 64, 256 and 500
digits (AMD EPYC): 5 to 11 ns of CPU for each entry of each step."""
LEAST = 4
"""Examples to fit: those of the small problem whose Hessian is differentiated, in twice as many dimensions."""


class ImplicitBias(Calculation):
    """Descent to the shortest interpolant, and other interpolants, of a Gaussian kernel machine on scaled inputs."""

    name: ClassVar[str] = "implicit-bias"

    n_train: Annotated[int, Field(ge=LEAST)]
    """Examples to fit. As many others of the training set, without their labels, are further centres."""
    num_steps: Annotated[int, Field(ge=1)] = 10_000
    """Of each descent; SGD takes 32 examples at a time."""
    most_tested: Annotated[int, Field(ge=1)] = 500
    """Test examples at most."""
    data_seed: int = 0

    @property
    def label(self) -> str:
        return f"descent and other interpolants, n = {self.n_train:,}"

    def work(self, data: Dataset) -> Work:
        """Of each step its batch, taken out of all examples and multiplied twice; and the coordinates of all points."""
        num_points = 2 * self.n_train + min(len(data.test), self.most_tested)
        entries = float(num_points * (self.n_train + 2 * min(_BATCH, self.n_train)))  # of a batch of each descent
        step = Work(
            calls=3 * 6.0, products=_THIN_PRODUCTS * 4 * data.num_classes * entries, values=_VALUES_AN_ENTRY * entries
        )
        return step.times(self.num_steps) + Work(products=_COORDINATES * num_points**3)

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: num_centers, n_test, num_classes, width, relative_width, hessian_difference (see below), and for X in
        DESCENTS X_distance and X_residual, at the end.

        arrays: for X in DESCENTS X_steps, X_distance and X_distance_to_limit (see `Descent`); and for each interpolant
        "interpolant_" and name, norm, distance, residual, train_error, test_error (see `Interpolant`).

        hessian_difference: on a small problem, between the differentiated Hessian at any of its interpolants and
        X'X / N, in units of the largest entry.

        Raises:
            UserError: fewer than 2 `n_train` training examples with inputs of their own.
        """
        few = self._few(data)
        points, test_points = (part.double() for part in mapped_inputs("inputs", few, "cpu"))
        labels, test_labels = (torch.from_numpy(split.true_labels) for split in (few.train, few.test))
        labels = labels[: self.n_train]
        trial = Trial.of(labels.numpy(), data.num_classes, self.data_seed)
        unit, widths = climb_widths(
            WIDTHS, points, trial, self.data_seed, partial(context.on_stage, "choosing the width")
        )
        width = widths.best_first_then_smaller()[0]
        context.on_stage("interpolants", 0.0)
        space = coordinates(gram(Gaussian(width * unit), torch.cat([points, test_points])))
        inputs, centers, test_inputs = space.split([self.n_train, self.n_train, len(test_points)])
        one_hot = torch.nn.functional.one_hot(labels, data.num_classes).double()

        found = interpolants(
            inputs, labels, test_inputs, test_labels, centers, num_classes=data.num_classes, seed=self.data_seed
        )
        descents = self._descents(inputs, one_hot, found[0].norm, context.on_stage)
        values: dict[str, Value] = {
            "num_centers": len(centers),
            "n_test": len(test_points),
            "num_classes": data.num_classes,
            "width": width * unit,
            "relative_width": width,
            "hessian_difference": _hessian_difference(inputs[:LEAST, : 2 * LEAST], one_hot[:LEAST, :2], self.data_seed),
        }
        arrays: dict[str, np.ndarray] = {}
        for name, descent in descents.items():
            values |= {f"{name}_distance": float(descent.distance[-1]), f"{name}_residual": float(descent.residual[-1])}
            arrays |= {
                f"{name}_{column}": getattr(descent, column) for column in ("steps", "distance", "distance_to_limit")
            }
        columns = ("name", "norm", "distance", "residual", "train_error", "test_error")
        arrays |= {f"interpolant_{column}": np.array([getattr(one, column) for one in found]) for column in columns}
        return Result(values, arrays)

    def _few(self, data: Dataset) -> Dataset:
        """Examples to fit, as many more, and those to test on, all with inputs of their own."""
        train = data.train.take(DistinctInputs.of(data.train.inputs).rows)
        wanted = 2 * self.n_train
        if len(train) < wanted:
            raise UserError(
                f"got n_train={self.n_train} for {data.name}, which has {len(train)} training examples that differ, "
                f"expected at least {wanted}, half of them as centres; choose at most {len(train) // 2}"
            )
        train = train.take(stratified_rows(train.true_labels, wanted, stream(self.data_seed, "few")))
        first = stratified_rows(train.true_labels, self.n_train, stream(self.data_seed, "fitted"))
        train = train.take(np.concatenate([first, np.setdiff1d(np.arange(wanted), first)]))
        test = data.test
        if len(test) > self.most_tested:
            test = test.take(stratified_rows(test.true_labels, self.most_tested, stream(self.data_seed, "tested")))
        rows = DistinctInputs.of(np.concatenate([train.inputs, test.inputs])).rows
        return replace(data, train=train, test=test.take(rows[wanted:] - wanted))

    def _descents(
        self, inputs: Float64[Tensor, "N D"], targets: Float64[Tensor, "N K"], norm: float, on_stage: OnStage
    ) -> dict[str, Descent]:
        start = stream(self.data_seed, "start").standard_normal((inputs.shape[1], targets.shape[1]))
        start *= norm / np.linalg.norm(start)
        batch_size = min(_BATCH, len(inputs))
        settings: dict[str, tuple[int | None, Tensor | None]] = {
            "sgd": (batch_size, None),
            "gd": (None, None),
            "random_start": (batch_size, torch.from_numpy(start)),
        }
        descents: dict[str, Descent] = {}
        for name, (size, first) in settings.items():
            on_stage("descending", len(descents) / len(settings))
            descents[name] = descend(
                inputs, targets, num_steps=self.num_steps, batch_size=size, start=first, seed=self.data_seed
            )
        return descents


def _hessian_difference(inputs: Float64[Tensor, "N D"], targets: Float64[Tensor, "N K"], seed: int) -> float:
    """Over the shortest interpolant, one near a random vector, and one near three times that vector."""
    expected = curvature(inputs)
    start = torch.from_numpy(stream(seed, "start").standard_normal((inputs.shape[1], targets.shape[1])))
    largest = 0.0
    for scale in (0.0, 1.0, 3.0):
        weights = nearest_interpolant(inputs, targets, scale * start)
        found = differentiated_curvature(inputs, targets, weights)
        for output in range(targets.shape[1]):
            largest = max(largest, float((found[:, output, :, output] - expected).abs().max()))
    return largest / float(expected.abs().max())
