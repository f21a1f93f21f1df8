"""Memorising on top of any network: narrow tents that give chosen points any output, and leave all else as it was.

The construction of Theorem 1 manipulates as easily as it memorises. Along a direction that keeps the known points
apart, each chosen point gets a tent, h max(1 - s |<a, x> - c|, 0): three ReLU units, two for the absolute value and one
that cuts it off. The cut makes a tent zero, to the last bit, everywhere but in a slab that is 2/s thick.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64, Num, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from byrote.errors import UserError
from byrote.theory.memorizers.broken_line import refuse_contradictions
from byrote.theory.memorizers.points import as_points, as_targets
from byrote.theory.memorizers.projection import Projection, choose_projection

HALF_WIDTH = 2.0**-30
"""Of a tent, as a share of the range of the projections: as thin as leaves six digits of its height in float64."""

_MARGIN = 1.0
"""Logits by which a wanted class is put above the next: the odds are e to 1."""

_BATCH = 512
"""Examples of one forward pass through the network."""
_TILE_ELEMENTS = 2**20
"""Values of tents that are held at once."""


@dataclass(frozen=True)
class Intervention:
    """What was added to a network, and what it does to the chosen points."""

    num_points: int
    """Chosen points."""
    num_tents: int
    """Distinct points among them whose output was not already as wanted."""
    num_weights: int
    """Added: d of the projection, and a centre, a sharpness and a height for each tent. 0 without tents."""
    largest_change: float
    """Of an output at a chosen point, absolute."""
    largest_error: float
    """Measured at the chosen points: distance from the wanted real outputs; 0 for classes, which are all as wanted."""
    smallest_half_width: float
    """Of a tent, as a share of the range of the projections; NaN without tents."""


class OverriddenNetwork(nn.Module):
    """A network plus tents: net(x) + sum_t h_t max(1 - s_t |<a, x> - c_t|, 0) on the output that tent t belongs to.

    >>> points = torch.tensor([[0.0, 1.0], [2.0, 0.0], [0.5, 0.5]])
    >>> overridden = override(nn.Linear(2, 1), points[:2], [100.0, -100.0])
    >>> overridden.intervention.num_tents, overridden.intervention.num_weights  # 3 a tent, and d
    (2, 8)
    >>> overridden.changed_predictions(points)
    2
    """

    intervention: Intervention

    def __init__(
        self,
        net: nn.Module,
        projection: Float64[np.ndarray, " D"],
        centers: Float64[np.ndarray, " T"],
        sharpness: Float64[np.ndarray, " T"],
        heights: Float64[np.ndarray, " T"],
        columns: Int64[np.ndarray, " T"],
    ) -> None:
        super().__init__()
        self.net = net
        self.projection = nn.Parameter(torch.tensor(projection))
        self.centers = nn.Parameter(torch.tensor(centers))
        self.sharpness = nn.Parameter(torch.tensor(sharpness))
        self.heights = nn.Parameter(torch.tensor(heights))
        self.columns: Tensor
        self.register_buffer("columns", torch.tensor(columns))

    def forward(self, x: Shaped[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
        return self._plus_tents(self.net(x), x)

    def _plus_tents(self, outputs: Float[Tensor, "B ..."], x: Shaped[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
        z = x.reshape(len(x), -1).double() @ self.projection
        columns = outputs.reshape(len(outputs), -1)
        heights = self.heights[:, None] * F.one_hot(self.columns, columns.shape[1])
        rows = max(1, _TILE_ELEMENTS // max(1, len(heights)))
        tents = [(1 - self.sharpness * (part[:, None] - self.centers).abs()).relu() @ heights for part in z.split(rows)]
        return (columns + torch.cat(tents).to(outputs.dtype)).view_as(outputs)

    @torch.no_grad()
    def changed_predictions(self, x: Any) -> int:
        """How many of the points `[N, ...]` are predicted otherwise than by the network alone: get another class, or
        any other real number."""
        changed = 0
        for batch in _batches(x, self.projection.device):
            before = self.net(batch)
            after = self._plus_tents(before, batch)
            if _is_classifier(before):
                before, after = before.argmax(1), after.argmax(1)
            changed += int((before != after).sum())
        return changed

    def extra_repr(self) -> str:
        return f"tents={self.intervention.num_tents}, weights={self.intervention.num_weights}"


def override(
    net: nn.Module, x: Any, wanted: Any, *, known: Any = None, half_width: float = HALF_WIDTH, seed: int = 0
) -> OverriddenNetwork:
    """Adds tents to a network so that chosen points get the wanted outputs.

    A tent is no wider than half the distance to the nearest other point it was told of, chosen or known, so it changes
    none of them. Points that already have the wanted output get no tent. 3 weights a tent and d for the direction.

    >>> network, x = nn.Linear(2, 3), torch.tensor([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]])
    >>> overridden = override(network, x[:2], [2, 1], known=x)
    >>> overridden(x[:2]).argmax(1).tolist()
    [2, 1]
    >>> bool((overridden(x[2:]) == network(x[2:])).all())
    True

    Args:
        net: from inputs `[B, ...]` to logits `[B, K]`, or to one real number `[B]` or `[B, 1]`. It is wrapped, not
            copied, and put into evaluation mode, in which its outputs are read.
        x: the chosen points `[M, ...]`, as the network takes them.
        wanted: M classes 0..K-1 for logits, M real numbers otherwise. A wanted class gets a logit 1 above the next.
        known: further points `[N, ...]` whose outputs are to stay; chosen points among them are ignored.
        half_width: of a tent at its widest, as a share of the range of the projections. The thinner, the fewer points
            nobody told of lie in it; below 2**-40, rounding takes more than a thousandth of its height.
        seed: draws the directions of which one is chosen.

    Raises:
        UserError: for equal points with different wanted outputs, wanted outputs that do not fit the network's, values
            that are not finite, and points too close to be told apart in float64.
    """
    if not 0 < half_width <= 1:
        raise UserError(f"got half_width={half_width}, expected a share of the range, above 0 and up to 1")
    chosen = as_points(x)
    net.eval()
    device = next((parameter.device for parameter in net.parameters()), torch.device("cpu"))
    outputs = _outputs(net, x, device)
    targets = _wanted(as_targets(wanted, len(chosen)), outputs)
    told = chosen.reshape(len(chosen), -1)
    if known is not None:
        others = as_points(known, "known")
        if others.shape[1:] != chosen.shape[1:]:
            raise UserError(
                f"points in known have shape {others.shape[1:]}, those in x {chosen.shape[1:]}: "
                "give them the same shape"
            )
        told = np.concatenate([told, others.reshape(len(others), -1)])
    projection = choose_projection(told, seed=seed, name="x" if known is None else "x and known together")
    order = projection.order[projection.order < len(chosen)]
    is_new = np.concatenate([[True], np.diff(projection.values[order]) > 0])
    refuse_contradictions(targets, order, is_new)

    rows = order[is_new]
    if _is_classifier(outputs):
        columns = targets.astype(np.int64)
        heights = (outputs.amax(1) - outputs[torch.arange(len(outputs)), torch.from_numpy(columns)]).numpy() + _MARGIN
        rows = rows[outputs.argmax(1).numpy()[rows] != columns[rows]]
    else:
        columns = np.zeros(len(targets), np.int64)
        heights = targets - outputs.flatten().numpy()
        rows = rows[heights[rows] != 0]
    half_widths = np.minimum(_distances(projection)[rows] / 2, half_width * _extent(projection))
    overridden = OverriddenNetwork(
        net, projection.direction, projection.values[rows], 1 / half_widths, heights[rows], columns[rows]
    ).to(device)
    overridden.intervention = _measured(overridden, x, outputs, targets, half_widths / _extent(projection))
    return overridden


def _measured(
    overridden: OverriddenNetwork,
    x: Any,
    before: Float64[Tensor, "M ..."],
    targets: Float64[np.ndarray, " M"],
    half_widths: Float64[np.ndarray, " T"],
) -> Intervention:
    after = _outputs(overridden, x, overridden.projection.device)
    wanted = torch.from_numpy(targets)
    if _is_classifier(after):
        missed = torch.nonzero(after.argmax(1) != wanted)
        if len(missed):
            raise UserError(
                f"row {int(missed[0])} of x (counting from 0) did not get the wanted class ({len(missed)} such "
                f"rows): tents as narrow as {half_widths.min():.1e} of the range are too narrow for float64; take a "
                "larger half_width, or leave out points that nearly coincide"
            )
        error = 0.0
    else:
        error = float((after.flatten() - wanted).abs().max())
    return Intervention(
        num_points=len(targets),
        num_tents=len(half_widths),
        num_weights=len(overridden.projection) + 3 * len(half_widths),
        largest_change=float((after - before).abs().max()),
        largest_error=error,
        smallest_half_width=float(half_widths.min()) if len(half_widths) else math.nan,
    )


def _wanted(targets: Num[np.ndarray, " M"], outputs: Float64[Tensor, "M ..."]) -> Float64[np.ndarray, " M"]:
    if _is_classifier(outputs):
        num_classes = outputs.shape[1]
        wrong = np.flatnonzero((targets < 0) | (targets >= num_classes) | (targets != np.rint(targets)))
        if len(wrong):
            raise UserError(
                f"row {wrong[0]} of wanted (counting from 0) is {targets[wrong[0]]}, expected a class "
                f"0..{num_classes - 1}: the network has {num_classes} outputs"
            )
    return targets.astype(np.float64)


def _is_classifier(outputs: Float[Tensor, "B ..."]) -> bool:
    return outputs.ndim == 2 and outputs.shape[1] > 1


@torch.no_grad()
def _outputs(net: nn.Module, x: Any, device: torch.device) -> Float64[Tensor, "N ..."]:
    outputs = torch.cat([net(batch).double().cpu() for batch in _batches(x, device)])
    if outputs.ndim > 2 or len(outputs) != len(x):
        raise UserError(
            f"the network gives outputs of shape {tuple(outputs.shape)} for {len(x)} points, expected logits [B, K] or "
            "one number each, [B] or [B, 1]"
        )
    return outputs


def _batches(x: Any, device: torch.device) -> Iterator[Shaped[Tensor, "B ..."]]:
    for batch in torch.as_tensor(x).split(_BATCH):
        yield batch.to(device)


def _distances(projection: Projection) -> Float64[np.ndarray, " N"]:
    """From each point to the nearest other distinct one, along the direction; infinite if there is none."""
    ordered = projection.values[projection.order]
    positions, groups = np.unique(ordered, return_inverse=True)
    gaps = np.concatenate([[np.inf], np.diff(positions), [np.inf]])
    distances = np.empty(len(ordered))
    distances[projection.order] = np.minimum(gaps[:-1], gaps[1:])[groups]
    return distances


def _extent(projection: Projection) -> float:
    """The range of the projections; of equal points, their size or 1."""
    lowest, highest = float(projection.values.min()), float(projection.values.max())
    return highest - lowest or max(1.0, abs(highest))
