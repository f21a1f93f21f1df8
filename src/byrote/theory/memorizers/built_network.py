"""A memoriser built on a data set's own points: its number of weights, and how exactly it has their random labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor, nn

from byrote.data.dataset import Dataset, Split
from byrote.data.subsets import subset
from byrote.errors import UserError
from byrote.records import Count, Seed
from byrote.theory.calculation import Calculation, Context, OnStage, Result, Value
from byrote.theory.memorizers.hyperplane_memorizer import hyperplane_memorizer
from byrote.theory.memorizers.labelled_points import randomly_labelled
from byrote.theory.memorizers.memorizer import deep_memorizer, memorizer
from byrote.training.cost import Work

ConstructionName = Literal["two-layer", "deep", "hyperplanes"]

_DEPTH = 4
"""Of the deep one, where there are points enough: three hidden layers, so that both kinds of carrying are in it."""
_PARTS = 50
"""In which the forward pass reports its progress."""


class BuiltNetwork(Calculation):
    """One construction on up to `n_train` distinct training points with random labels.

    two-layer: `byrote.memorizer`, 2n + d weights; deep: `byrote.deep_memorizer`; hyperplanes: `hyperplane_memorizer`.
    The class index is the target, decoded by rounding.
    """

    name: ClassVar[str] = "built-network"
    version: ClassVar[int | str] = 2

    construction: ConstructionName
    n_train: Count
    seed: Seed = 0
    """Draws the labels, and directions or slabs."""
    data_seed: Seed = 0
    """Draws the subset."""

    @property
    def label(self) -> str:
        return f"{self.construction}, n = {self.n_train:,}, seed {self.seed}"

    def work(self, data: Dataset) -> Work:
        """Its forward pass over all points, through about as many units; and systems of equations, one a slab."""
        n, d = min(self.n_train, len(data.train)), math.prod(data.input_shape)
        solved = n * min(n, d) ** 2 if self.construction == "hyperplanes" else 0
        return Work(calls=1e4, products=8.0 * n * n + 2.0 * solved, values=2.0 * n * (n + d))

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: n (distinct points), d, num_classes, num_weights (free ones), num_connections (the weights of the
        same network with none shared), num_units, depth, largest_weight, accuracy and largest_error of the ordinary
        float64 forward pass over all n points; where there are any, width (of the widest layer), relative_gap (of
        projections), slabs, thinnest_slab; and of the two-layer network test_accuracy_true_labels, on the
        test examples that are not in the training set, once it has memorised the true labels; NaN where there are none,
        and where equal inputs have different true labels."""
        context.on_stage("building", 0.0)
        points = randomly_labelled(data, self.n_train, seed=self.seed, data_seed=self.data_seed)
        network, figures = _BUILDERS[self.construction](points.inputs, points.labels, self.seed)
        outputs = _forward(network, points.inputs, context.device, context.on_stage)
        values: dict[str, Value] = {
            "n": len(points),
            "d": points.inputs[0].size,
            "num_classes": data.num_classes,
            **figures,
            "accuracy": float((np.rint(outputs) == points.labels).mean()),
            "largest_error": float(np.abs(outputs - points.labels).max()),
        }
        if self.construction == "two-layer":
            values["test_accuracy_true_labels"] = _test_accuracy(data, self.n_train, self.seed, self.data_seed)
        return Result(values)


Built = tuple[nn.Module, dict[str, Value]]
_Build = Callable[[Shaped[np.ndarray, "N ..."], Int64[np.ndarray, " N"], int], Built]


def _two_layer(x: Shaped[np.ndarray, "N ..."], y: Int64[np.ndarray, " N"], seed: int) -> Built:
    network = memorizer(x, y, seed=seed)
    made = network.construction
    return network, {
        "num_weights": made.num_weights,
        "num_connections": made.num_points * (made.num_features + 2),
        "num_units": made.num_points,
        "depth": 2,
        "largest_weight": made.largest_weight,
        "relative_gap": made.relative_gap,
    }


def _deep(x: Shaped[np.ndarray, "N ..."], y: Int64[np.ndarray, " N"], seed: int) -> Built:
    network = deep_memorizer(x, y, depth=min(_DEPTH, len(x) + 1), seed=seed)
    made = network.construction
    return network, {
        "num_weights": made.num_weights,
        "num_connections": network.num_connections,
        "num_units": sum(network.widths),
        "width": max(network.widths),
        "depth": network.depth,
        "largest_weight": made.largest_weight,
        "relative_gap": made.relative_gap,
    }


def _hyperplanes(x: Shaped[np.ndarray, "N ..."], y: Int64[np.ndarray, " N"], seed: int) -> Built:
    network = hyperplane_memorizer(x, y, seed=seed)
    made = network.construction
    return network, {
        "num_weights": made.num_weights,
        "num_connections": made.num_weights,
        "num_units": 4 * made.num_slabs,
        "depth": 2,
        "largest_weight": made.largest_weight,
        "slabs": made.num_slabs,
        "thinnest_slab": made.thinnest_slab,
    }


_BUILDERS: dict[ConstructionName, _Build] = {"two-layer": _two_layer, "deep": _deep, "hyperplanes": _hyperplanes}


@torch.no_grad()
def _forward(
    network: nn.Module, inputs: Shaped[np.ndarray, "N ..."], device: str, on_stage: OnStage
) -> Float64[np.ndarray, " N"]:
    """Float64 has no place on Apple's GPUs: there the CPU does it."""
    where = "cpu" if device == "mps" else device
    network = network.to(where)
    parts = np.array_split(inputs, min(_PARTS, len(inputs)))
    outputs: list[Tensor] = []
    for number, part in enumerate(parts):
        on_stage("forward pass", number / len(parts))
        outputs.append(network(torch.from_numpy(np.array(part)).to(where)).cpu())
    return torch.cat(outputs).numpy()


def _test_accuracy(data: Dataset, n_train: int, seed: int, data_seed: int) -> float:
    train: Split = subset(data, n_train, data_seed).train
    try:
        network = memorizer(train.inputs, train.true_labels, seed=seed)
    except UserError:
        return float("nan")
    rows = np.flatnonzero(data.unseen)
    if not len(rows):
        return float("nan")
    predicted = network.classify(torch.from_numpy(np.array(data.test.inputs[rows])))
    return float((predicted.numpy() == data.test.true_labels[rows]).mean())
