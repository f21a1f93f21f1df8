"""What the records of a run cost: curves, scheduled evaluation and dense early steps against none of them.

    python benchmarks/bookkeeping.py --data parquet:DIR

Asked on two cores: less than 10% of training time at the default cadence, evaluations near a threshold aside
(a small learning rate keeps the run far from them here). mlp-3x512 on 10,000 random labels, 50 epochs of 79
steps: 1,000 dense steps weigh five times more here than in 50 epochs of all of CIFAR-10, so the figure is an
upper bound for those.
"""

from __future__ import annotations

import time
from functools import partial

import measure

import byrote

N_TRAIN, BATCH = 10_000, 128


def examples_per_second(data: byrote.Dataset, epochs: int, n_train: int, **records: float) -> float:
    """Over a whole run, its preparation and its last evaluation included."""
    spec = byrote.TrainSpec(
        model="mlp-3x512",
        crop=28,
        n_train=n_train,
        corruptions=(byrote.Corruption(name="random-labels"),),
        learning_rate=1e-4,
        stop="at_steps",
        steps=epochs * -(-n_train // BATCH),
        batch_size=BATCH,
        **records,
    )
    start = time.perf_counter()
    for _ in byrote.train([spec], data, device="cpu"):
        pass
    return epochs * n_train / (time.perf_counter() - start)


def main() -> None:
    options = measure.arguments(__doc__).parse_args()
    n_train, epochs = (512, 4) if options.quick else (N_TRAIN, 50)
    # A test split in CIFAR-10's proportion to the training set.
    data = measure.load(options, n_train // 5)
    run = partial(examples_per_second, data, epochs, n_train)
    rates = measure.interleave(
        {
            "no records": partial(run, **measure.BARE),
            "evaluations only": partial(run, dense_steps=0),
            "dense steps only": partial(run, evaluation_spacing=1e9),
            "default records": run,
        },
        options.rounds,
    )
    median = measure.medians(rates)
    ratios = [
        measure.Ratio(f"{name}: share of training time", median["no records"] / median[name] - 1, asked)
        for name, asked in (("evaluations only", ""), ("dense steps only", ""), ("default records", "< 0.10"))
    ]
    measure.write("bookkeeping", rates, ratios, options, data=data.label, n_train=n_train, epochs=epochs)


if __name__ == "__main__":
    main()
