"""Time and memory of corrupting 50,000 colour images of 32x32.

    python benchmarks/corruptions.py

Asked on two cores: labels of all images under 50 ms, an own permutation of the pixels of each image under
2 s; peak memory stated. The usual way beside it is one image after another. Images are random bytes: only
shapes matter here.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import measure
import numpy as np

import byrote


def milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def peak_mebibytes(work: Callable[[], object]) -> float:
    """The most memory that `work` held at once, its result included, beyond what was held before."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def one_by_one(data: byrote.Dataset) -> list[np.ndarray]:
    """The usual way: an own permutation for each image, in a loop over images."""
    generator = np.random.default_rng(0)
    return [image.reshape(3, -1)[:, generator.permutation(32 * 32)] for image in data.train.inputs]


def main() -> None:
    options = measure.arguments(__doc__, data=False).parse_args()
    n = 200 if options.quick else 50_000
    generator = np.random.default_rng(0)
    # The least test split there is: its images are corrupted too.
    images, labels = generator.integers(0, 256, (n + 10, 3, 32, 32), dtype=np.uint8), np.arange(n + 10) % 10
    data = byrote.from_arrays(images[:n], labels[:n], images[n:], labels[n:])
    names = ("partial-labels", "random-labels", "shuffled-pixels", "random-pixels", "gaussian")
    work: dict[str, Callable[[], object]] = {
        name: partial(byrote.corrupt, data, name, rate=0.5 if name == "partial-labels" else 1.0) for name in names
    }
    work["random-pixels, one by one"] = partial(one_by_one, data)
    rates = measure.interleave({name: partial(milliseconds, call) for name, call in work.items()}, options.rounds)
    median = {name: statistics.median(values) for name, values in rates.items()}
    ratios = [
        measure.Ratio("random-labels, ms", median["random-labels"], "< 50"),
        measure.Ratio("random-pixels, s", median["random-pixels"] / 1000, "< 2"),
        measure.Ratio("shuffled-pixels, s", median["shuffled-pixels"] / 1000, "< 2"),
        measure.Ratio("one by one / random-pixels", median["random-pixels, one by one"] / median["random-pixels"]),
        *(measure.Ratio(f"{name}: peak memory, MiB", peak_mebibytes(work[name])) for name in names),
    ]
    images_mebibytes = round(data.train.inputs.nbytes / 2**20)
    measure.write("corruptions", rates, ratios, options, unit="ms", n_train=n, images_mebibytes=images_mebibytes)


if __name__ == "__main__":
    main()
