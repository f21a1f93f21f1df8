"""The cost of augmentation beside a training step of inception at batch 128 on CIFAR-10, windows of 28 of 32 pixels.

    python benchmarks/augmentation.py --data parquet:DIR

Asked: random-crop and crop-flip-color each take less than 10% of a step. They are timed by themselves, on the batches
that the engine gathers, since a tenth of a step is less than what steps differ by on many machines; the engine is
timed with and without them too. The same for mlp-3x512, whose steps are so short that it shows.
"""

from __future__ import annotations

from functools import partial

import measure
import torch

import byrote
from byrote.data.augmentations import find_augmentation
from byrote.training.batches import batches
from byrote.training.conditions import make_conditions
from byrote.training.picked import EpochAugmentation

BATCH = 128
AUGMENTATIONS = ("none", "random-crop", "crop-flip-color")
LEARNING_RATE = {"inception": 0.1, "mlp-3x512": 0.01}


def batches_alone(data: byrote.Dataset, augmentation: str, model: str, steps: int, batch: int) -> float:
    """Examples a second of gathering, augmenting and whitening, without a network."""
    spec = byrote.TrainSpec(model=model, crop=28, n_train=4 * batch)
    split = make_conditions([spec], data, device="cpu", channels_last=model == "inception").train
    function = find_augmentation(augmentation, data.input_shape)
    epoch = function and EpochAugmentation.of_epoch(augmentation, function, [0], 1, "cpu")
    order, bounds = torch.randperm(4 * batch)[None], [(number * batch, (number + 1) * batch) for number in range(4)]

    def step() -> None:
        for _ in batches(split.picked(order, torch.float32, epoch), bounds):
            pass

    return measure.rate(step, 4 * batch, steps)


def main() -> None:
    options = measure.arguments(__doc__).parse_args()
    data = measure.load(options, 20 if options.quick else 500)
    batch = 8 if options.quick else BATCH
    contenders: dict[str, measure.Contender] = {}
    for model, rate in LEARNING_RATE.items():
        epochs = 1 if options.quick else {"inception": 2, "mlp-3x512": 40}[model]
        for name in AUGMENTATIONS:
            spec = {"model": model, "learning_rate": rate, "crop": 28, "batch_size": batch, "n_train": 4 * batch}
            contenders |= {
                f"{model}, {name}: batches alone": partial(
                    batches_alone, data, name, model, 1 if options.quick else 50, batch
                ),
                f"{model}, {name}: byrote": partial(measure.engine_rate, data, epochs, augmentation=name, **spec),
            }
    rates = measure.interleave(contenders, options.rounds)
    median = measure.medians(rates)
    ratios = []
    for model in LEARNING_RATE:
        alone = {name: 1 / median[f"{model}, {name}: batches alone"] for name in AUGMENTATIONS}
        step = {name: 1 / median[f"{model}, {name}: byrote"] for name in AUGMENTATIONS}
        for name in AUGMENTATIONS[1:]:
            share = (alone[name] - alone["none"]) / step["none"]
            asked = "< 0.10" if model == "inception" else ""
            ratios += [
                measure.Ratio(f"{model}: cost of {name} / a step without", share, asked),
                measure.Ratio(f"{model}: a step with {name} / a step without", step[name] / step["none"]),
            ]
    measure.write("augmentation", rates, ratios, options, data=data.label, batch_size=batch)


if __name__ == "__main__":
    main()
