"""Labels exchanged in the ways that a null hypothesis leaves equally likely, given how the rows belong together.

Rows alone are exchanged freely. Where each group has one label, as all images of a patient have his diagnosis, labels
of whole groups are: rows of one group are no independent witnesses. Where labels differ within groups, they are
exchanged there; quantities, which nearly always differ there, also change places with those of another group of the
same size, all of a group together: what is known of whole groups counts as well. Copies of one row are one witness, and
take their labels along.

Labels of rows in the order of time are moved along it all together, which keeps what neighbours have in common; so are
those of each group by itself where there are both. Rows of one time stay together, and change places by one turn for
all times. Classes go round, the last ones to the beginning. Of quantities with a long memory that would tear neighbours
apart which are alike (of random walks of 100 rows that know nothing of each other, 15 of 100 raise an alarm at 5%):
they go there and back, and what comes twice has its place taken by the target next in rank, so that all are there
(8 of 100). Either is exact for no series, and near it for stationary ones that are many times as long as their memory.
Any two series with a trend go together that way, and of quantities any two with seasons of one length:
`chance_beyond_trend` asks again without the trend.

Source     Ojala & Garriga, Permutation tests for studying classifier performance, JMLR 11 (2010); Winkler et al.,
           Multi-level block permutation, NeuroImage 123 (2015); Phipson & Smyth, Permutation p-values should never be
           zero (2010).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64, Real
from scipy.stats import rankdata

from byrote.randomness import permutations

_BLOCK_VALUES = 2**21
_ROUNDING = 1e-9
_MANY = 2**40
"""So far beyond what rows are that its remainders are equally likely."""
_LEAST_SERIES = 8
"""Rows of a group that has a trend of its own."""


@dataclass(frozen=True, eq=False)
class Exchange:
    """A way to exchange the labels of N rows."""

    words: str
    """ "between 40 groups"."""
    num_units: int
    """How many labels or groups change places; along time, in how many ways all do."""
    draw: Callable[[np.random.Generator, int], Real[np.ndarray, "B N"]]
    """So many exchanged labellings."""
    least_p: float = 0.0
    """No p-value is expected below, however many are drawn."""


def exchange_of(
    labels: Real[np.ndarray, " N"],
    groups: Int64[np.ndarray, " N"] | None = None,
    times: Float64[np.ndarray, " N"] | None = None,
    copies: Int64[np.ndarray, " N"] | None = None,
    *,
    of_quantities: bool = False,
) -> Exchange:
    """How the labels of these rows, classes or quantities, may be exchanged.

    Args:
        copies: equal for copies of one row; of no account where there are groups or times.
        of_quantities: labels are no classes.
    """
    if groups is not None and len(np.unique(groups)) < len(groups):
        return _of_groups(labels, groups, times, of_quantities)
    if times is not None:
        return _of_series(labels, times, of_quantities)
    if copies is not None and len(np.unique(copies)) < len(copies):
        return _of_copies(labels, copies)
    return Exchange(
        f"among {len(labels):,} rows",
        len(labels),
        lambda draw, num: labels[permutations(draw, num, len(labels))],
    )


def _of_groups(
    labels: Real[np.ndarray, " N"],
    groups: Int64[np.ndarray, " N"],
    times: Float64[np.ndarray, " N"] | None,
    of_quantities: bool,
) -> Exchange:
    word = "target" if of_quantities else "label"
    names, first, codes = np.unique(groups, return_index=True, return_inverse=True)
    own = labels[first]
    if (own[codes] == labels).all():
        whatever = "" if times is None else ", whatever their times"
        return Exchange(
            f"between {len(names):,} groups, each of which has one {word}{whatever}",
            len(names),
            lambda draw, num: own[permutations(draw, num, len(names))][:, codes],
        )
    low, high = own.copy(), own.copy()
    np.minimum.at(low, codes, labels)
    np.maximum.at(high, codes, labels)
    order = np.argsort(codes, kind="stable") if times is None else np.lexsort((times, codes))

    def mixed(draw: np.random.Generator, num: int) -> Real[np.ndarray, "B N"]:
        found = np.empty((num, len(labels)), labels.dtype)
        for row in range(num):
            found[row, order] = labels[np.lexsort((draw.random(len(labels)), codes))]
        return found

    within = mixed if times is None else _moved(labels, codes, times, of_quantities)
    by_size = _rows_by_size(codes, order)

    def within_and_between(draw: np.random.Generator, num: int) -> Real[np.ndarray, "B N"]:
        found = within(draw, num)
        for rows in by_size:
            whole = permutations(draw, num, len(rows))
            found[:, rows] = np.take_along_axis(found[:, rows], whole[:, :, None], axis=1)
        return found

    num_mixed = int((low != high).sum())
    along = "" if times is None else "along time "
    words = f"{along}within {len(names):,} groups, of which {num_mixed:,} have several {word}s"
    if of_quantities:
        return Exchange(f"{words}, and between groups of the same size", len(names), within_and_between)
    return Exchange(words, num_mixed, within)


def _of_copies(labels: Real[np.ndarray, " N"], copies: Int64[np.ndarray, " N"]) -> Exchange:
    """Between rows that have as many copies, whose labels may differ."""
    names, codes = np.unique(copies, return_inverse=True)
    by_size = _rows_by_size(codes, np.argsort(codes, kind="stable"))

    def draw_whole(draw: np.random.Generator, num: int) -> Real[np.ndarray, "B N"]:
        found = np.empty((num, len(labels)), labels.dtype)
        for rows in by_size:
            found[:, rows] = labels[rows][permutations(draw, num, len(rows))]
        return found

    words = f"among {len(names):,} rows that differ, together with their copies"
    return Exchange(words, len(names), draw_whole)


def _rows_by_size(codes: Int64[np.ndarray, " N"], order: Int64[np.ndarray, " N"]) -> list[Int64[np.ndarray, "_ S"]]:
    """Of units 0..U-1, the rows of all that have S of them, one unit after another, for each S.

    Args:
        order: sorts rows by their units.
    """
    counts = np.bincount(codes)
    return [order[counts[codes[order]] == size].reshape(-1, size) for size in np.unique(counts)]


def _of_series(labels: Real[np.ndarray, " N"], times: Float64[np.ndarray, " N"], of_quantities: bool) -> Exchange:
    sizes = np.unique(times, return_counts=True)[1]
    num = len(sizes) * (2 if of_quantities and len(sizes) > 1 else 1) * int(sizes.max())
    way = "along time, there and back" if of_quantities else "along time"
    one_series = np.zeros(len(labels), np.int64)
    draw = _moved(labels, one_series, times, of_quantities)
    return Exchange(f"by moving all together {way}, in {num:,} ways", num, draw, least_p=1 / num)


def _moved(
    labels: Real[np.ndarray, " N"],
    series: Int64[np.ndarray, " N"],
    times: Float64[np.ndarray, " N"],
    of_quantities: bool,
) -> Callable[[np.random.Generator, int], Real[np.ndarray, "B N"]]:
    """Each series 0..S-1 by a way of its own, of which none at all is as likely as any other; rows without a time are
    of the last one."""
    order = np.lexsort((times, series))
    later = np.diff(np.unique(times, return_inverse=True)[1][order], prepend=-1) != 0
    begins = np.diff(series[order], prepend=-1) != 0
    starts = np.flatnonzero(later | begins)  # of the rows of one time, T of them
    sizes = np.diff(starts, append=len(labels))
    own = np.cumsum(later | begins) - 1
    firsts = np.flatnonzero(begins[starts])  # of the times of one series
    lengths = np.diff(firsts, append=len(starts))
    line = np.repeat(np.arange(len(firsts)), lengths)
    ways = lengths[line] * (2 if of_quantities else 1)
    places, first, length = np.arange(len(starts)) - firsts[line], firsts[line], lengths[line]
    turns = np.arange(len(labels)) - starts[own]
    by_rank = np.lexsort((labels, series))
    ranks = np.argsort(by_rank)[order]

    def moved(draw: np.random.Generator, num: int) -> Real[np.ndarray, "B N"]:
        by, turn = draw.integers(0, _MANY, (2, num, len(firsts)))
        place = (places + by[:, line]) % ways
        source = (first + np.minimum(place, 2 * length - 1 - place))[:, own]
        taken = starts[source] + (turns + turn[:, line[own]]) % sizes[source]
        found = np.empty((num, len(labels)), labels.dtype)
        if of_quantities:
            as_ranked = order[np.argsort(ranks[taken], axis=1, kind="stable")]
            np.put_along_axis(found, as_ranked, labels[by_rank][None], axis=1)
        else:
            found[:, order] = labels[order][taken]
        return found

    return moved


def chance_beyond_trend(
    labels: Real[np.ndarray, " N"],
    said: Real[np.ndarray, "N M"],
    groups: Int64[np.ndarray, " N"] | None,
    times: Float64[np.ndarray, " N"],
    num: int,
    draw: np.random.Generator,
    *,
    of_quantities: bool = False,
) -> float:
    """The p-value that labels and what is said of them go together once the trends of both are taken away.

    A trend is a parabola in the order of times (of groups with one label each, in that of their means); where labels
    differ within groups, also a line of each group that has eight rows or more. What is left of labels changes places
    as `exchange_of` has it, but for a single series of quantities, which goes round: without a trend its ends are not
    far apart, and there and back would turn seasons over. Sums of products are compared: no metric is defined of what
    is left.

    Args:
        said: scores of the classes 0..M-1, or one quantity; of quantities, all is done by ranks.
    """
    if of_quantities:
        left, answers = rankdata(labels)[:, None], rankdata(said, axis=0)
    else:
        left, answers = np.equal.outer(labels, np.arange(said.shape[1])).astype(np.float64), said.astype(np.float64)
    places = np.unique(times, return_inverse=True)[1].astype(np.float64)
    if groups is not None and len(np.unique(groups)) < len(groups):
        _, first, codes = np.unique(groups, return_index=True, return_inverse=True)
        sizes = np.bincount(codes)
        means = (np.bincount(codes, places) / sizes)[codes]
        if (labels[first][codes] == labels).all():
            left, answers = _without(_parabola(means), left, answers)
            left = left[first][codes]  # what differs by rounding alone is one label
        else:
            line = np.where(sizes[codes] >= _LEAST_SERIES, places - means, 0.0)
            parabola, *rest = (_without_lines(line, codes, each) for each in (_parabola(places), left, answers))
            left, answers = _without(parabola, *rest)
    else:
        groups = None
        left, answers = _without(_parabola(places), left, answers)
    products, seed = np.zeros(num), int(draw.integers(_MANY))
    for column, answer in zip(left.T, answers.T, strict=True):  # in the same places each
        exchange = exchange_of(column, groups, times, of_quantities=of_quantities and groups is not None)
        alike = np.random.default_rng(seed)
        products += exchanged_values(exchange, answer.__rmatmul__, num, len(labels), alike)
    return share_as_large(products, float((left * answers).sum()))


def _parabola(places: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, "N 3"]:
    centred = (places - places.mean()) / max(float(places.std()), 1.0)
    return np.stack([np.ones(len(places)), centred, centred**2], axis=1)


def _without_lines(
    line: Float64[np.ndarray, " N"], codes: Int64[np.ndarray, " N"], columns: Float64[np.ndarray, "N M"]
) -> Float64[np.ndarray, "N M"]:
    """What least squares leave of them, by a multiple of `line` for each group."""
    squares = np.bincount(codes, line**2)
    slopes = [np.bincount(codes, line * column) / np.where(squares > 0, squares, 1.0) for column in columns.T]
    return columns - np.stack(slopes, axis=1)[codes] * line[:, None]


def _without(
    trends: Float64[np.ndarray, "N T"], *columns: Float64[np.ndarray, "N _"]
) -> list[Float64[np.ndarray, "N _"]]:
    """What least squares leave of them."""
    basis, sizes, _ = np.linalg.svd(trends, full_matrices=False)
    basis = basis[:, sizes > _ROUNDING * sizes[0]]
    return [each - basis @ (basis.T @ each) for each in columns]


def exchanged_values(
    exchange: Exchange,
    value: Callable[[Real[np.ndarray, "B N"]], Float[np.ndarray, " B"]],
    num: int,
    num_rows: int,
    draw: np.random.Generator,
) -> Float64[np.ndarray, " num"]:
    """The statistic under `num` exchanges, computed some at a time."""
    return np.concatenate([value(exchange.draw(draw, size)) for size in _sizes(num, num_rows)])


def _sizes(num: int, num_rows: int) -> Iterator[int]:
    most = max(1, _BLOCK_VALUES // max(num_rows, 1))
    yield from (min(most, num - start) for start in range(0, num, most))


def share_as_large(exchanged: Float[np.ndarray, " B"], observed: float) -> float:
    """p = (b + 1) / (B + 1), where b of B exchanges give as much; ties count against, NaN too."""
    as_large = ~(exchanged < observed - _ROUNDING * max(abs(observed), 1.0))
    return float((as_large.sum() + 1) / (len(exchanged) + 1))
