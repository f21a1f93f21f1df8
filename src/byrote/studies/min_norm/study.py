"""Section 5: minimum-norm interpolation with kernels, on pixels, Gabor wavelets and random convolutional features.

Claim      Kernel machines that interpolate without any regularisation generalise; the same machines interpolate random
           labels; gradient descent from zero finds the solution of minimum norm; the norm does not predict which
           features generalise better.
Command    byrote reproduce min-norm --data mnist:DIR    (or parquet:CIFAR, digits, ...; --scale paper)
Cost       Two AMD EPYC cores. Digits a minute. MNIST 33 minutes and 14.4 GiB: all 60,000 images raw 10 minutes, the
           choice of the width among them; as Gabor wavelets 20, since the width with the lowest validation error leaves
           the matrix singular in float32 and the next one is factorised too. CIFAR-10 33 minutes: all 50,000 images raw
           7 minutes, random convolutions on 8,000 of them 25, beside other work.
Expected   MNIST: test error 1.27% on pixels (norm 91; 777 on random labels) and 0.42% on Gabor wavelets (104; 3,681),
           where the paper has 1.2% (220) and 0.6% (390). CIFAR-10 (JPEG copy): 43.4% on pixels (the paper: 46%), and on
           random convolutions of 8,000 images 35.7%, with l2 32.8% (the paper, on all 50,000: 17% and 15%).
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017), section 5.
Assumed    Kernels, widths, wavelets and filters are not in the paper, nor is the norm behind its 220 and 390. Ours is
           sqrt(tr(Y' K^-1 Y)) for one-hot targets Y.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from byrote.data.dataset import Dataset, require_dataset
from byrote.data.memory import total_memory
from byrote.errors import UserError
from byrote.evidence.chance import chance_deviation
from byrote.evidence.finding import Finding
from byrote.studies.min_norm.findings import findings, fits_of
from byrote.studies.min_norm.rows import Row, published_rows, rows_of
from byrote.studies.paper_settings import Scale
from byrote.studies.seeds import at_most
from byrote.studies.study import Planned, Study, tabulate_calculations
from byrote.theory.calculation import Calculation, Computed
from byrote.theory.kernels.feature_maps import Features
from byrote.theory.kernels.implicit_bias import LEAST, ImplicitBias
from byrote.theory.kernels.interpolation import KernelInterpolation

LABEL_DRAWS = 3
"""Draws of random labels at least: they share the factorisation with the true ones, and cost little."""
CURVE = (250, 1000, 4000, 16_000)
"""Sizes of the learning curve, as far as they are below half of n."""
SMALL = 300
"""Examples of the calculation on descent and other interpolants, which holds all of their space in float64."""
LAPTOP: dict[Features, int] = {"inputs": 60_000, "gabor": 60_000, "random-convolutions": 8_000}
"""Examples at most that take 7 to 25 minutes on two cores; with random convolutions on images like CIFAR-10's."""
_CIFAR10_IMAGE = 3 * 32 * 32
_SHARE_OF_MEMORY = 0.75
"""Of the machine's, for the kernel matrix."""


@dataclass(frozen=True, eq=False)
class MinNormStudy(Study):
    """Each row's kernel machine on n training examples, and on fewer; its labels true and random.

    Args:
        rows: which; those of the paper that go with the data if left out, or all that its inputs allow.
        n_train: training examples of all rows, or of each kind of features; None for all.
        curve: further, smaller numbers of examples; random convolutions have none, since they cost nearly as much.
        label_draws: draws of random labels.
        data_seed: of the subsets, the validation split and the random filters.

    Raises:
        UserError: more training examples than the data have, too few to hold some out, or no draw of random labels.
    """

    name: ClassVar[str] = "min-norm"
    title: ClassVar[str] = "Section 5: minimum-norm interpolation"
    presented_by: ClassVar[str] = "byrote.studies.min_norm.page"

    data: Dataset
    rows: Sequence[Row] | None = None
    n_train: int | Mapping[Features, int] | None = None
    curve: Sequence[int] = CURVE
    label_draws: int = LABEL_DRAWS
    data_seed: int = 0

    def __post_init__(self) -> None:
        require_dataset(self.data)
        for n in self.sizes.values():
            if not self._least <= n <= len(self.data.train):
                raise UserError(
                    f"got n_train={n} for {self.data.name}, which has {len(self.data.train)} training examples; choose "
                    f"between {self._least} (two for each class, and 8) and {len(self.data.train)}"
                )
        at_most(self.label_draws, "label_draws")

    @property
    def _least(self) -> int:
        return max(2 * self.data.num_classes, 2 * LEAST)

    @cached_property
    def sizes(self) -> dict[Row, int]:
        """Training examples of each row at most."""
        rows = rows_of(self.data) if self.rows is None else self.rows
        own = self.n_train if isinstance(self.n_train, Mapping) else {row.features: self.n_train for row in rows}
        asked = {row: own.get(row.features) for row in rows}
        return {row: len(self.data.train) if n is None else n for row, n in asked.items()}

    def plan(self) -> list[Planned]:
        return [Planned(task) for task in self._tasks()]

    def _tasks(self) -> list[Calculation]:
        with_ridge = {row.features for row in self.sizes if row.regularized}
        full = {row.features: n for row, n in self.sizes.items()}
        planned = [
            KernelInterpolation(
                features=features,
                n_train=size,
                with_ridge=features in with_ridge,
                label_draws=self.label_draws,
                data_seed=self.data_seed,
            )
            for features, n in full.items()
            for size in self._curve_to(n, features)
        ]
        few = min(SMALL, *full.values(), len(self.data.train) // 2)
        small = ImplicitBias(n_train=few, data_seed=self.data_seed)
        return [*sorted(planned, key=lambda calculation: calculation.n_train), small]

    def _curve_to(self, n: int, features: Features) -> list[int]:
        smaller = () if features == "random-convolutions" else self.curve
        return sorted({size for size in smaller if self._least <= size <= n / 2} | {n})

    def summarise(self, results: Sequence[Computed]) -> pd.DataFrame:
        """`tabulate_calculations`, with a row for each function found instead of each calculation:

        labels: "true labels" or "random labels".
        seed: of the random labels; 0 with true ones.
        regularized, ridge: whether l2 was asked for; what was added to the kernel matrix's diagonal.
        train_error, test_error: as fractions; the former against the labels trained on.
        interpolated: whether training error is 0, or what identical inputs with different labels leave.
        norm: in the kernel's space, all outputs together; sqrt(tr(Y' K^-1 Y)) without l2.
        scaled_norm: norm times sqrt(scale): in units of the kernel, so that scaling features changes nothing.
        rademacher_bound: norm sqrt(scale / n), which bounds the empirical Rademacher complexity of all functions with
            that norm.
        residual: |K alpha - Y| / |Y|, over all outputs.
        condition: of the kernel matrix (with l2, of what was factorised), estimated in the 1-norm.
        chance_deviation: of the test accuracy over all renamings of the classes, see `chance_deviation`.
        won_against_X, lost_against_X: on true labels, test examples that this alone gets right, and that X alone gets
            right: other features with the same n, or "no_l2".
        paper_test_error, paper_norm: of the same row in the paper; NaN where it has none.
        difference: ours minus the paper's test error, in percentage points.
        interpolant, distance: of another solution of the same equations, and how far it is from the shortest one.
        """
        table = tabulate_calculations(self.name, results)
        if table.empty:
            return table
        rows: list[dict[Any, Any]] = []
        for result, own in zip(results, table.to_dict("records"), strict=True):
            is_machine = isinstance(result.calculation, KernelInterpolation)
            found = _fits(own, result.arrays, self.data) if is_machine else _interpolants(result.arrays)
            rows += [{**own, **row} for row in found]
        return _compared(self._beside_paper(pd.DataFrame(rows)), results, self.data)

    def _beside_paper(self, table: pd.DataFrame) -> pd.DataFrame:
        table = table.assign(paper_test_error=np.nan, paper_norm=np.nan)
        for row, published in published_rows(self.data).items():
            if row in self.sizes:
                fits = fits_of(table, row, "true labels", self.sizes[row])
                table.loc[fits.index, ["paper_test_error", "paper_norm"]] = list(published)
        return table.assign(difference=100 * (table["test_error"] - table["paper_test_error"]))

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(self.sizes, table)


def min_norm_study(data: Dataset, scale: Scale, seeds: int = 1, models: Sequence[str] | None = None) -> MinNormStudy:
    """The paper's rows for MNIST and CIFAR-10; for other data the Gaussian kernel and, on images, all features.

    Args:
        scale: "paper" is all of the training set. "laptop" is up to 60,000 of it, or what three quarters of this
            machine's memory hold the kernel matrix of (24 GiB do for all 60,000); with random convolutions 8,000, and
            fewer in proportion to the size of larger images than CIFAR-10's.
        seeds: draws of random labels, three at least. Nothing else is drawn but the filters, of which there are many.

    Raises:
        UserError: models are named, or fewer seeds than one, or a number between one and the three that are drawn.
    """
    at_most(seeds, "seeds")
    if 1 < seeds < LABEL_DRAWS:
        raise UserError(
            f"got seeds={seeds}, but min-norm draws random labels {LABEL_DRAWS} times at least: leave it out"
        )
    if models:
        raise UserError(
            f"got models {', '.join(models)}, which min-norm has no use for: it fits kernel machines; leave them out"
        )
    sizes = _laptop_sizes(data) if scale == "laptop" else None
    return MinNormStudy(data=data, n_train=sizes, label_draws=max(seeds, LABEL_DRAWS))


def _laptop_sizes(data: Dataset) -> dict[Features, int]:
    held = math.isqrt(int(_SHARE_OF_MEMORY * total_memory()) // np.dtype(np.float32).itemsize)
    sizes: dict[Features, int] = {features: min(len(data.train), held, most) for features, most in LAPTOP.items()}
    affordable = LAPTOP["random-convolutions"] * _CIFAR10_IMAGE // max(_CIFAR10_IMAGE, math.prod(data.input_shape))
    return sizes | {"random-convolutions": min(sizes["inputs"], max(affordable, 2 * data.num_classes))}


def _fits(own: Mapping[Hashable, Any], arrays: Mapping[str, np.ndarray], data: Dataset) -> list[dict[Hashable, Any]]:
    """The columns of each function that a KernelInterpolation has fitted, whose row in the table is `own`."""
    labels, scale = data.test.true_labels, own["scale"]
    columns = {name.removeprefix("fit_"): array for name, array in arrays.items() if name.startswith("fit_")}
    predictions = columns.pop("test_predictions")
    rows = []
    for index, found in enumerate(predictions):
        row: dict[Hashable, Any] = {name: column[index].item() for name, column in columns.items()}
        row |= {
            "labels": "true labels" if row["seed"] < 0 else "random labels",
            "seed": max(row["seed"], 0),
            "test_error": float(np.mean(found != labels)),
            "scaled_norm": row["norm"] * math.sqrt(scale),
            "rademacher_bound": row["norm"] * math.sqrt(scale / own["n_train"]),
            "chance_deviation": chance_deviation(labels, found, data.num_classes),
        }
        rows.append(row)
    return rows


def _interpolants(arrays: Mapping[str, np.ndarray]) -> list[dict[Hashable, Any]]:
    """The columns of each solution that an ImplicitBias has found."""
    names = ("norm", "distance", "residual", "train_error", "test_error")
    columns = {name: arrays[f"interpolant_{name}"] for name in names}
    return [
        {
            "interpolant": str(interpolant),
            "labels": "true labels",
            "seed": 0,
            **{name: float(column[index]) for name, column in columns.items()},
        }
        for index, interpolant in enumerate(arrays["interpolant_name"])
    ]


def _compared(table: pd.DataFrame, results: Sequence[Computed], data: Dataset) -> pd.DataFrame:
    """With won_against_X and lost_against_X."""
    right = {}
    for result in results:
        if isinstance(result.calculation, KernelInterpolation):
            own = result.arrays["fit_test_predictions"][result.arrays["fit_seed"] < 0] == data.test.true_labels
            for regularized, correct in enumerate(own):
                row = Row(result.calculation.features, regularized=bool(regularized))
                right[row, result.calculation.n_train] = correct
    for (row, n), correct in right.items():
        rivals = {other.features: theirs for (other, m), theirs in right.items() if m == n and not other.regularized}
        own = {"no_l2": rivals[row.features]} if row.regularized else rivals
        for name, theirs in own.items():
            counts = [int((correct & ~theirs).sum()), int((theirs & ~correct).sum())]
            fits = fits_of(table, row, "true labels", n)
            table.loc[fits.index, [f"won_against_{name}", f"lost_against_{name}"]] = counts
    return table
