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
from byrote.evidence.chance import CHANCE_DEVIATION, chance_deviation
from byrote.evidence.columns import Column, as_declared, nullable
from byrote.evidence.finding import Finding
from byrote.evidence.learning import LEARNING, STANDING, standing
from byrote.evidence.tested import EFFECTIVE, worth
from byrote.studies.columns import CALCULATION_KEY, DATA, N_TEST, N_TRAIN, NUM_CLASSES, NUM_LEAKED, STUDY
from byrote.studies.min_norm.findings import findings, fits_of
from byrote.studies.min_norm.rows import RIVALS, KernelRow, against, published_rows, rows_of
from byrote.studies.paper_settings import Scale
from byrote.studies.seeds import at_most
from byrote.studies.study import Planned, Study, tabulate_calculations
from byrote.theory.calculation import Calculation, Computed
from byrote.theory.kernels.feature_maps import Features, refuse_without_features
from byrote.theory.kernels.implicit_bias import LEAST, ImplicitBias
from byrote.theory.kernels.interpolation import NUM_FILTERS, KernelInterpolation

LABEL_DRAWS = 3
"""Draws of random labels at least: they share the factorisation with the true ones, and cost little."""
CURVE = (250, 1000, 4000, 16_000)
"""Sizes of the learning curve, as far as they are below half of n."""
SMALL = 300
"""Examples of the calculation on descent and other interpolants, which holds all of their space in float64."""
LAPTOP: dict[Features, int] = {"inputs": 60_000, "gabor": 60_000, "random-convolutions": 8_000}
"""Examples at most that take 7 to 25 minutes on two cores; with random convolutions on images like CIFAR-10's."""
QUICK: dict[Features, int] = {"inputs": 4_000, "gabor": 2_000, "random-convolutions": 300}
_CIFAR10_IMAGE = 3 * 32 * 32
_SHARE_OF_MEMORY = 0.75
"""Of the machine's, for the kernel matrix."""


@dataclass(frozen=True, eq=False)
class MinNormStudy(Study):
    """Each row's kernel machine on n training examples, and on fewer; its labels true and random.

    >>> import byrote
    >>> byrote.MinNormStudy(byrote.load("digits"), n_train=100, curve=())
    <MinNormStudy 'min-norm' on Digits: 4 calculations>

    Args:
        rows: which; those of the paper that go with the data if left out, or all that its inputs allow.
        n_train: training examples of all rows, or of each kind of features; None for all.
        curve: further, smaller numbers of examples; random convolutions have none, since they cost nearly as much.
        label_draws: draws of random labels.
        num_filters: of random convolutions.
        data_seed: of the subsets, the validation split and the random filters.

    Raises:
        UserError: token ids or several inputs; more training examples than the data have, too few to hold some out, or
            no draw of random labels.
    """

    name: ClassVar[str] = "min-norm"
    title: ClassVar[str] = "Section 5: minimum-norm interpolation"
    presented_by: ClassVar[str] = "byrote.studies.min_norm.page"
    columns: ClassVar[Sequence[Column]] = (
        STUDY,
        Column(
            "calculation",
            "str",
            "What was computed: KernelInterpolation, or ImplicitBias on few examples; what a calculation does not have "
            "is missing in its rows.",
        ),
        Column("features", "str", "What the kernel is of: inputs, gabor or random-convolutions."),
        N_TRAIN,
        Column("labels", "str", "The labels trained on: true labels or random labels."),
        Column("seed", "int64", "What random labels follow from; 0 with true ones."),
        Column("regularized", "boolean", "Whether l2 was asked for."),
        Column("with_ridge", "boolean", "Whether it was for any function of the calculation."),
        Column("label_draws", "float64", "The draws of random labels."),
        Column("data_seed", "int64", "What draws subsets, the validation split and random filters."),
        Column("ridge", "float64", "What was added to the diagonal of the kernel matrix."),
        Column("relative_ridge", "float64", "The ridge that was chosen for l2, as a share of the scale."),
        Column("train_error", "float64", "The error on the labels trained on."),
        Column("test_error", "float64", "The error on the test set."),
        Column(
            "interpolated",
            "boolean",
            "Whether the training error is 0, or what identical inputs with different labels leave.",
        ),
        Column("norm", "float64", "The norm of all outputs in the kernel's space: sqrt(tr(Y' K^-1 Y)) without l2."),
        Column("scaled_norm", "float64", "The norm times sqrt(scale), which scaling features does not change."),
        Column(
            "rademacher_bound",
            "float64",
            "The bound norm sqrt(scale / n) on the empirical Rademacher complexity of all functions with that norm.",
        ),
        Column("residual", "float64", "The residual |K alpha - Y| / |Y| over all outputs."),
        Column("condition", "float64", "The condition in the 1-norm, as estimated, of the matrix that was factorised."),
        CHANCE_DEVIATION,
        *(column for rival in RIVALS for column in against(rival)),
        Column("paper_test_error", "float64", "The paper's test error of the same row; missing where it has none."),
        Column("paper_norm", "float64", "The paper's norm of the same row; missing where it has none."),
        Column("difference", "float64", "Our test error minus the paper's, in percentage points."),
        Column("scale", "float64", "The mean of the diagonal of the kernel matrix."),
        Column("width", "float64", "The width of the Gaussian kernel."),
        Column("relative_width", "float64", "The same as a multiple of the median distance."),
        Column("num_filters", "float64", "The random filters."),
        Column("num_features", "float64", "The features of an example."),
        Column("num_distinct", "float64", "The distinct inputs among the training examples."),
        Column("n_validation", "float64", "The examples that width and ridge were chosen by."),
        N_TEST,
        Column("test_accuracy", "float64", "1 less the test error."),
        *nullable([NUM_LEAKED]),
        Column("test_accuracy_unleaked", "float64", "The accuracy on the others; missing where there are none."),
        EFFECTIVE,
        *(column for column in LEARNING if column.name in STANDING),
        NUM_CLASSES,
        Column("interpolant", "str", "Which solution of the same equations it is."),
        Column("distance", "float64", "How far it is from the solution of minimum norm, as a share of that norm."),
        Column("num_steps", "float64", "The steps of descent."),
        Column("most_tested", "float64", "The test examples that solutions are tested on at most."),
        Column("num_centers", "float64", "The centers of the space that solutions lie in."),
        Column("hessian_difference", "float64", "The largest difference between the Hessians at three solutions."),
        Column("sgd_distance", "float64", "How far SGD from zero ends from the solution of minimum norm."),
        Column("sgd_residual", "float64", "The residual that it leaves."),
        Column("gd_distance", "float64", "How far descent on all examples ends from the solution of minimum norm."),
        Column("gd_residual", "float64", "The residual that it leaves."),
        Column(
            "random_start_distance",
            "float64",
            "How far SGD from a random start ends from that solution.",
        ),
        Column("random_start_residual", "float64", "The residual that it leaves."),
        DATA,
        Column("seconds", "float64", "The seconds that the calculation took, for all its rows."),
        CALCULATION_KEY,
    )

    data: Dataset
    rows: Sequence[KernelRow] | None = None
    n_train: int | Mapping[Features, int] | None = None
    curve: Sequence[int] = CURVE
    label_draws: int = LABEL_DRAWS
    num_filters: int = NUM_FILTERS
    data_seed: int = 0

    def __post_init__(self) -> None:
        require_dataset(self.data)
        refuse_without_features(self.data)
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
    def sizes(self) -> dict[KernelRow, int]:
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
                num_filters=self.num_filters,
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
        """A row for each function that a kernel machine has fitted, and for each solution of the small problem."""
        table = tabulate_calculations(self.name, results)
        if table.empty:
            return as_declared(table, self.columns)
        rows: list[dict[Any, Any]] = []
        for result, own in zip(results, table.to_dict("records"), strict=True):
            is_machine = isinstance(result.calculation, KernelInterpolation)
            found = _fits(own, result.arrays, self.data) if is_machine else _interpolants(result.arrays)
            rows += [{**own, **row} for row in found]
        return _compared(self._beside_paper(as_declared(pd.DataFrame(rows), self.columns)), results, self.data)

    def _beside_paper(self, table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
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
            fewer in proportion to the size of larger images than CIFAR-10's. "quick" is 4,000, with Gabor wavelets
            2,000, and with random convolutions 300 and a tenth of the filters.
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
            f"got models={list(models)!r}, which min-norm has no use for: it fits kernel machines; leave them out"
        )
    sizes = None if scale == "paper" else _sizes(data, LAPTOP if scale == "laptop" else QUICK)
    num_filters = NUM_FILTERS // 10 if scale == "quick" else NUM_FILTERS
    return MinNormStudy(data=data, n_train=sizes, label_draws=max(seeds, LABEL_DRAWS), num_filters=num_filters)


def _sizes(data: Dataset, wanted: Mapping[Features, int]) -> dict[Features, int]:
    held = math.isqrt(int(_SHARE_OF_MEMORY * total_memory()) // np.dtype(np.float32).itemsize)
    sizes: dict[Features, int] = {features: min(len(data.train), held, most) for features, most in wanted.items()}
    affordable = wanted["random-convolutions"] * _CIFAR10_IMAGE // max(_CIFAR10_IMAGE, math.prod(data.input_shape))
    return sizes | {"random-convolutions": min(sizes["inputs"], max(affordable, 2 * data.num_classes))}


def _fits(own: Mapping[Hashable, Any], arrays: Mapping[str, np.ndarray], data: Dataset) -> list[dict[Hashable, Any]]:
    """The columns of each function that a KernelInterpolation has fitted, whose row in the table is `own`."""
    labels, scale = data.test.true_labels, own["scale"]
    unseen = data.unseen
    of_each = worth(data.test.input_hashes, np.flatnonzero(~unseen))
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
            "test_accuracy": float(np.mean(found == labels)),
            "num_test_leaked": int((~unseen).sum()),
            "test_accuracy_unleaked": float(np.mean((found == labels)[unseen])) if unseen.any() else math.nan,
            EFFECTIVE.name: len(labels) * of_each,
        }
        rows.append(row | dict(standing(found, labels, unseen, data.test.input_hashes)))
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
    """With what is won and lost against each of RIVALS."""
    right, unseen = {}, data.unseen
    for result in results:
        if isinstance(result.calculation, KernelInterpolation):
            own = result.arrays["fit_test_predictions"][result.arrays["fit_seed"] < 0] == data.test.true_labels
            for regularized, correct in enumerate(own):
                row = KernelRow(result.calculation.features, regularized=bool(regularized))
                right[row, result.calculation.n_train] = correct
    for (row, n), correct in right.items():
        rivals = {other.features: theirs for (other, m), theirs in right.items() if m == n and not other.regularized}
        own = {"no_l2": rivals[row.features]} if row.regularized else rivals
        for name, theirs in own.items():
            counts = [float((only & unseen).sum()) for only in (correct & ~theirs, theirs & ~correct)]
            fits = fits_of(table, row, "true labels", n)
            table.loc[fits.index, [column.name for column in against(name)]] = counts
    return table
