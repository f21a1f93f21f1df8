"""Theorem 1 at full size: a million random points in 100 dimensions, and the random labels of all CIFAR-10 images.

    python benchmarks/memorizer.py --data parquet:DIR

Asked on two cores: the million built in under 5 s and evaluated, sorted, with every class right and an error below
1e-5; projecting them at 0.7 of the rate at which they are read; all 50,000 random labels right by the ordinary float64
forward pass. Rates count points; eight directions are tried in one pass.
"""

from __future__ import annotations

import time
from collections import defaultdict

import measure
import numpy as np
import torch

import byrote
from byrote.theory.memorizers.projection import projections

NUM_POINTS, NUM_FEATURES, NUM_CLASSES = 1_000_000, 100, 10
_DIRECTIONS = 8


def main() -> None:
    options = measure.arguments(__doc__).parse_args()
    n = 5000 if options.quick else NUM_POINTS
    generator = np.random.default_rng(0)
    points = generator.normal(size=(n, NUM_FEATURES))
    labels = generator.integers(0, NUM_CLASSES, n)
    directions = generator.normal(size=(NUM_FEATURES, _DIRECTIONS))
    data = measure.load(options, 20)
    images = data.train.inputs.reshape(len(data.train), -1)[: 500 if options.quick else None]
    random = generator.integers(0, data.num_classes, len(images))
    rates: dict[str, list[float]] = defaultdict(list)
    for _ in range(options.rounds):
        start = time.perf_counter()
        torch.from_numpy(points).sum()
        rates["reading the points"].append(n / (time.perf_counter() - start))
        start = time.perf_counter()
        projections(points, directions)
        rates["projecting them on all directions"].append(n / (time.perf_counter() - start))
        start = time.perf_counter()
        net = byrote.memorizer(points, labels, num_classes=NUM_CLASSES)
        rates["building 2n + d weights"].append(n / (time.perf_counter() - start))
        start = time.perf_counter()
        values = net.evaluate_sorted(torch.from_numpy(points))
        rates["evaluating, sorted"].append(n / (time.perf_counter() - start))
    error = float((values.flatten() - torch.from_numpy(labels)).abs().max())
    start = time.perf_counter()
    net = byrote.memorizer(images, random, num_classes=data.num_classes)
    rates["images: building"].append(len(images) / (time.perf_counter() - start))
    start = time.perf_counter()
    with torch.no_grad():
        outputs = net(torch.from_numpy(images).double())
    rates["images: ordinary forward pass"].append(len(images) / (time.perf_counter() - start))
    median = measure.medians(rates)
    wrong = float((values.round().flatten() != torch.from_numpy(labels)).double().mean())
    ratios = [
        measure.Ratio("building a million, s", n / median["building 2n + d weights"], "< 5"),
        measure.Ratio("largest error of a million, sorted", error, "< 1e-5"),
        measure.Ratio("classes wrong of a million", wrong, "0"),
        measure.Ratio(
            "projecting / reading", median["projecting them on all directions"] / median["reading the points"], ">= 0.7"
        ),
        measure.Ratio("images: share right", float((outputs.round().flatten().numpy() == random).mean()), "1"),
        measure.Ratio("images: largest error", float(np.abs(outputs.flatten().numpy() - random).max())),
        measure.Ratio("images: seconds of the forward pass", len(images) / median["images: ordinary forward pass"]),
    ]
    settings = {"points": n, "features": NUM_FEATURES, "directions": _DIRECTIONS, "images": len(images)}
    measure.write("memorizer", rates, ratios, options, unit="points/s", data=data.label, **settings)


if __name__ == "__main__":
    main()
