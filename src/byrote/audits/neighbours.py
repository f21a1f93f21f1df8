"""The nearest neighbours of every row among all others, by products of float32 matrices in blocks.

Similarity is x . y for descriptors of one part; with a second part that changes its sign when an image is mirrored, it
is x . y + |u . v|: that of the nearer of an image and its mirror image, for the price of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import torch
from jaxtyping import Float32, Int64

_ROWS = 256
"""Of a block: with 60,000 columns, 60 MB."""
_CHUNK = 64
"""Columns of which the largest stands for all, while chunks are chosen."""


def nearest(
    even: Float32[np.ndarray, "N A"],
    odd: Float32[np.ndarray, "N B"] | None,
    k: int,
    *,
    asked: Float32[np.ndarray, "N A"] | None = None,
) -> Int64[np.ndarray, "N k"]:
    """The k most similar other rows of each, in no order.

    Args:
        asked: what stands for each row where it asks, if that is not what stands for it where it is found.
    """
    num_rows = len(even)
    k = min(k, num_rows - 1)
    columns = [_padded(part).T.contiguous() for part in (even, odd) if part is not None]
    parts = [torch.from_numpy(part) for part in (even if asked is None else asked, odd) if part is not None]

    def of_block(start: int) -> Int64[np.ndarray, "B k"]:
        stop = min(start + _ROWS, num_rows)
        found = parts[0][start:stop] @ columns[0]
        if len(parts) > 1:
            found.add_((parts[1][start:stop] @ columns[1]).abs_())
        own = torch.arange(stop - start)
        found[own, own + start] = -torch.inf
        found[:, num_rows:] = -torch.inf
        chunks = found.view(len(found), -1, _CHUNK)
        most = min(k + 1, chunks.shape[1])
        chosen = chunks.amax(dim=2).topk(most, sorted=False).indices
        within = chunks.gather(1, chosen[:, :, None].expand(-1, -1, _CHUNK)).flatten(1)
        places = within.topk(k, sorted=False).indices
        return (chosen.gather(1, places // _CHUNK) * _CHUNK + places % _CHUNK).numpy()

    return np.concatenate(list(threaded(of_block, range(0, num_rows, _ROWS))))


def _padded(part: Float32[np.ndarray, "N A"]) -> torch.Tensor:
    missing = -len(part) % _CHUNK
    return torch.from_numpy(np.concatenate([part, np.zeros((missing, part.shape[1]), np.float32)]))


def threaded(work: Callable[[int], np.ndarray], starts: range) -> Iterator[np.ndarray]:
    """`work` of each start, in order, on all cores: what it calls releases Python's lock."""
    with ThreadPoolExecutor(joblib.cpu_count()) as pool:
        yield from pool.map(work, starts)
