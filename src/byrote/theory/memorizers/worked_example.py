"""Theorem 1 worked through on a few points: every number of the proof, by the textbook's way and by the network's."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from scipy.linalg import solve_triangular

from byrote.data.dataset import Dataset
from byrote.records import Count, Seed
from byrote.theory.calculation import Calculation, Context, Result
from byrote.theory.memorizers.labelled_points import randomly_labelled
from byrote.theory.memorizers.memorizer import memorizer
from byrote.training.cost import Work

_GRID = 401
"""Places at which the function is drawn."""


class WorkedExample(Calculation):
    """`byrote.memorizer` on `num_points` training points with random labels, whose class index is the target."""

    name: ClassVar[str] = "worked-example"

    num_points: Count = 8
    seed: Seed = 0
    """Draws labels and direction."""
    data_seed: Seed = 0
    """Draws the points."""

    @property
    def label(self) -> str:
        return f"worked example, n = {self.num_points}, seed {self.seed}"

    def work(self, data: Dataset) -> Work:  # noqa: ARG002
        return Work(calls=1e4)

    def compute(self, data: Dataset, context: Context) -> Result:  # noqa: ARG002
        """values: n, d, num_weights, largest_error, solution_difference (between the weights by forward substitution in
        the matrix and those of the network, relative to the largest). arrays, points in the order of their projections:
        inputs, targets, projections, thresholds, matrix [n n], weights (by forward substitution), outputs (of the
        network); grid and function, along the line."""
        points = randomly_labelled(data, self.num_points, seed=self.seed, data_seed=self.data_seed)
        network = memorizer(points.inputs, points.labels, seed=self.seed)
        inputs = torch.from_numpy(np.array(points.inputs))
        with torch.no_grad():
            z = (inputs.flatten(1).double() @ network.projection).numpy()
            outputs = network(inputs).numpy()
            thresholds, own = network.thresholds.numpy(), network.weights.numpy()
        order = np.argsort(z)
        z, targets = z[order], points.labels[order].astype(np.float64)
        matrix = np.maximum(z[:, None] - thresholds, 0)
        weights = solve_triangular(matrix, targets, lower=True)
        margin = (z[-1] - thresholds[0]) / 20
        grid = np.union1d(np.linspace(thresholds[0] - margin, z[-1] + margin, _GRID), thresholds)
        return Result(
            {
                "n": len(z),
                "d": len(network.projection),
                "num_weights": network.construction.num_weights,
                "largest_error": float(np.abs(outputs[order] - targets).max()),
                "solution_difference": float(np.abs(weights - own).max() / np.abs(own).max()),
            },
            {
                "inputs": points.inputs[order],
                "targets": targets,
                "projections": z,
                "thresholds": thresholds,
                "matrix": matrix,
                "weights": weights,
                "outputs": outputs[order],
                "grid": grid,
                "function": weights @ np.maximum(grid - thresholds[:, None], 0),
            },
        )
