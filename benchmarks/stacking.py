"""64 small MLPs on digits at batch 64: one after another, and side by side in stacks of 16 and of 64.

    python benchmarks/stacking.py

Asked on two cores: a stack at least 3x one after another. The networks are 64-128-128-10 (mlp-2x128); rates
count the examples of all networks together.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import measure
import torch
from torch.utils.data import DataLoader, TensorDataset

import byrote

BATCH = 64
MODEL = "mlp-2x128"
WIDTHS = ((64, 128), (128, 128), (128, 10))


def engine(data: byrote.Dataset, replicas: int, groups: int, epochs: int) -> float:
    """Examples a second over `groups` groups of `replicas` networks, one group after the other; as
    measure.engine_rate."""
    steps_per_epoch = -(-len(data.train) // BATCH)

    def seconds(num_epochs: int) -> float:
        recipe = {
            **measure.BARE,
            "stop": "at_steps",
            "steps": num_epochs * steps_per_epoch,
            "batch_size": BATCH,
        }
        start = time.perf_counter()
        for group in range(groups):
            seeds = range(group * replicas, (group + 1) * replicas)
            specs = [byrote.TrainSpec(model=MODEL, seed=seed, **recipe) for seed in seeds]
            for _ in byrote.train(specs, data, device="cpu"):
                pass
        return time.perf_counter() - start

    return groups * replicas * epochs * len(data.train) / (seconds(2 + epochs) - seconds(2))


def usual_way(data: byrote.Dataset, epochs: int) -> float:
    """One network through a DataLoader over tensors."""
    loader = DataLoader(
        TensorDataset(torch.from_numpy(data.train.inputs).float(), torch.from_numpy(data.train.labels)),
        batch_size=BATCH,
        shuffle=True,
    )
    model = byrote.build_model(MODEL, input_shape=data.input_shape, num_classes=10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    start = time.perf_counter()
    for _ in range(epochs):
        for inputs, labels in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
    return epochs * len(data.train) / (time.perf_counter() - start)


def plain(data: byrote.Dataset, steps: int) -> float:
    """One network in a plain loop over tensors in memory."""
    model = byrote.build_model(MODEL, input_shape=data.input_shape, num_classes=10)
    inputs, labels = torch.from_numpy(data.train.inputs).float(), torch.from_numpy(data.train.labels)
    return measure.rate(measure.plain_loop(model, inputs, labels, BATCH, 0.01), BATCH, steps)


def limit(replicas: int, steps: int) -> float:
    """Bare batched products of the same shapes: forward, weight gradients, input gradients but the first
    layer's."""
    step = _products(replicas)
    with torch.no_grad():
        return measure.rate(step, replicas * BATCH, steps)


def _products(replicas: int) -> Callable[[], None]:
    layers = [
        (torch.randn(replicas, BATCH, d), torch.randn(replicas, d, k), torch.randn(replicas, BATCH, k))
        for d, k in WIDTHS
    ]

    def step() -> None:
        for number, (x, weight, gradient) in enumerate(layers):
            torch.bmm(x, weight)
            torch.bmm(x.mT, gradient)
            if number:
                torch.bmm(gradient, weight.mT)

    return step


def main() -> None:
    options = measure.arguments(__doc__, data=False).parse_args()
    data = byrote.load("digits")
    num_networks, epochs, steps = (4, 1, 5) if options.quick else (64, 20, 500)
    stacks = (2, 4) if options.quick else (16, 64)
    contenders: dict[str, measure.Contender] = {
        "usual way, one network": partial(usual_way, data, epochs),
        "plain tensor loop, one network": partial(plain, data, steps),
        # One after another: the rate does not depend on how many follow.
        "byrote, one after another": partial(engine, data, 1, num_networks // 8 or 1, epochs),
    }
    for size in stacks:
        contenders[f"byrote, stacks of {size}"] = partial(engine, data, size, num_networks // size, epochs)
        contenders[f"bare products, stacks of {size}"] = partial(limit, size, steps)
    rates = measure.interleave(contenders, options.rounds)
    median = measure.medians(rates)
    alone = median["byrote, one after another"]
    best = max(stacks, key=lambda size: median[f"byrote, stacks of {size}"])
    stacked = median[f"byrote, stacks of {best}"]
    ratios = [
        measure.Ratio(f"stacks of {best} / one after another", stacked / alone, ">= 3"),
        measure.Ratio(f"stacks of {best} / plain tensor loop", stacked / median["plain tensor loop, one network"]),
        measure.Ratio(f"stacks of {best} / usual way", stacked / median["usual way, one network"]),
        *(
            measure.Ratio(
                f"stacks of {size} / bare products",
                median[f"byrote, stacks of {size}"] / median[f"bare products, stacks of {size}"],
            )
            for size in stacks
        ),
    ]
    measure.write("stacking", rates, ratios, options, data=data.label, model=MODEL, batch_size=BATCH)


if __name__ == "__main__":
    main()
