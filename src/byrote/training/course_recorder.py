"""What a run remembers of its course: the curve by epochs, and the gradients of its first steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from byrote.training.outcome import CURVE_COLUMNS, EARLY_COLUMNS
from byrote.training.precision import widened

_EVERY_STEP_UNTIL = 100
_SPACING = 10
_JOINED_VALUES = 2**16
"""Of one replica, of which a copy stays in the caches of one core."""


def is_early_row(step: int, dense_steps: int) -> bool:
    """Whether step (from 1) is recorded by itself: each of the first 100, then every tenth."""
    return step <= dense_steps and (step <= _EVERY_STEP_UNTIL or step % _SPACING == 0)


class CourseRecorder:
    """Rows of figures `[R]`, kept by run: replicas that leave take their rows along."""

    def __init__(self, num_replicas: int) -> None:
        self._curves: list[list[dict[str, float]]] = [[] for _ in range(num_replicas)]
        self._early: list[list[dict[str, float]]] = [[] for _ in range(num_replicas)]

    def add_epoch(self, runs: Sequence[int], figures: dict[str, np.ndarray | float | int]) -> None:
        """A row of the curve for each of `runs`; arrays have one figure for each, other figures are of all."""
        _append(self._curves, runs, figures)

    def add_early(self, runs: Sequence[int], figures: dict[str, np.ndarray | float | int]) -> None:
        """A row of the early record, likewise."""
        _append(self._early, runs, figures)

    def amend_epoch(self, run: int, figures: dict[str, float]) -> None:
        """Adds the figures of an evaluation to the newest row."""
        self._curves[run][-1] |= figures

    def snapshot(self, runs: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """All that is kept of each of `runs`, an entry a column."""
        tables = ((self.curve(run), self.early(run)) for run in runs)
        return [(_table(curve), _table(early)) for curve, early in tables]

    def restore(self, runs: Sequence[int], snapshot: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Lets it go on from where it was at `snapshot`."""
        for run, (curve, early) in zip(runs, snapshot, strict=True):
            self._curves[run] = _rows_of(curve, CURVE_COLUMNS)
            self._early[run] = _rows_of(early, EARLY_COLUMNS)

    def curve(self, run: int) -> dict[str, np.ndarray]:
        """CURVE_COLUMNS of one run, an entry an epoch; NaN where nothing was recorded."""
        return _columns(self._curves[run], CURVE_COLUMNS)

    def early(self, run: int) -> dict[str, np.ndarray]:
        """EARLY_COLUMNS of one run, likewise."""
        return _columns(self._early[run], EARLY_COLUMNS)


class StepProbe:
    """Norms of the gradients and of the changes of all weights in chosen steps, `[R]` each."""

    def __init__(self, parameters: dict[str, Tensor]) -> None:
        self._initial = _joined(parameters.values(), copy=True)
        self._before: list[Tensor] = []
        self.last_gradients: list[Tensor] | None = None
        """Of the step before, where the next one is compared with them."""

    def before_step(self, parameters: dict[str, Tensor]) -> None:
        """Keeps the weights, for `after_step`."""
        self._before = _joined(parameters.values(), copy=True)

    def in_step(self, gradients: list[Tensor], *, measure: bool, remember: bool) -> dict[str, Tensor]:
        """Figures of the gradients of this step; `remember` keeps them for the next step's cosine."""
        figures: dict[str, Tensor] = {}
        if measure:
            now = _joined(gradients)
            norm = _inner(now, now).sqrt()
            figures["gradient_norm"] = norm
            if self.last_gradients is not None:
                last = _joined(self.last_gradients)
                figures["gradient_cosine"] = _inner(now, last) / (norm * _inner(last, last).sqrt())
        self.last_gradients = gradients if remember else None
        return figures

    def after_step(self, parameters: dict[str, Tensor], *, from_initial: bool) -> dict[str, Tensor]:
        """How far the weights have gone since `before_step`, and where asked for from the initial ones: as Euclidean
        norms over all."""
        now, before = _joined(parameters.values()), self._before
        self._before = []
        figures = {"update_norm": _distance(now, before)}
        if from_initial:
            figures["distance_from_initialization"] = _distance(now, self._initial)
        return figures

    def keep(self, kept: Sequence[int]) -> None:
        """Goes on with the replicas at these positions."""
        rows = list(kept)
        self._initial = [tensor[rows] for tensor in self._initial]
        if self.last_gradients is not None:
            self.last_gradients = [tensor[rows] for tensor in self.last_gradients]


def _distance(a: Sequence[Tensor], b: Sequence[Tensor]) -> Float[Tensor, " R"]:
    away = [x - y for x, y in zip(a, b, strict=True)]
    return _inner(away, away).sqrt()


def _inner(a: Sequence[Tensor], b: Sequence[Tensor]) -> Float[Tensor, " R"]:
    """Inner products over all numbers of each replica."""
    products: list[Tensor] = [torch.linalg.vecdot(x, y) for x, y in zip(a, b, strict=True)]
    if len(products) > 1:
        products = [torch.stack([product.to(_widest(products)) for product in products]).sum(0)]
    return products[0]


@torch.no_grad()
def _joined(tensors: Iterable[Tensor], *, copy: bool = False) -> list[Float[Tensor, "R _"]]:
    """All numbers of each replica, as float32 at least and of complex ones both parts; those of small tensors after one
    another, since there a call costs more than what it does. Views where that is possible, or a `copy`."""
    found: list[Tensor] = []
    waiting: list[Tensor] = []
    size = 0
    for tensor in tensors:
        rows = (torch.view_as_real(tensor) if tensor.is_complex() else tensor).reshape(len(tensor), -1)
        size += rows.shape[1]
        if waiting and size > _JOINED_VALUES:
            found.append(_one(waiting, copy))
            waiting, size = [], rows.shape[1]
        waiting.append(rows)
    return [*found, _one(waiting, copy)]


def _one(rows: list[Float[Tensor, "R _"]], copy: bool) -> Float[Tensor, "R _"]:
    return widened(rows[0] if len(rows) == 1 and not copy else torch.cat(rows, dim=1))


def _widest(tensors: Sequence[Tensor]) -> torch.dtype:
    return reduce(torch.promote_types, (tensor.dtype for tensor in tensors))


def _append(
    rows: list[list[dict[str, float]]], runs: Sequence[int], figures: dict[str, np.ndarray | float | int]
) -> None:
    for position, run in enumerate(runs):
        row = {name: float(v[position] if isinstance(v, np.ndarray) else v) for name, v in figures.items()}
        rows[run].append(row)


def _table(columns: dict[str, np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(list(columns.values())))


def _rows_of(table: Tensor, names: Sequence[str]) -> list[dict[str, float]]:
    return [dict(zip(names, row, strict=True)) for row in table.T.tolist()]


def _columns(rows: list[dict[str, float]], names: Sequence[str]) -> dict[str, np.ndarray]:
    return {name: np.array([row.get(name, np.nan) for row in rows], dtype=np.float64) for name in names}
