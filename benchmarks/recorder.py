"""What recording costs a training loop: steps of conv-small on images, with and without it, in turns.

    python benchmarks/recorder.py --data mnist:DIR

Asked: less than 1% of a step. Time is that of the processor over all threads, which other load on the machine changes
least. Since a step varies by more than that from round to round, the share is the time inside `record` and `end_epoch`
over that of the steps around them, and the contenders are there to be looked at.
"""

from __future__ import annotations

import time

import measure
import torch
from torch.nn import functional as F

import byrote

BATCH = 128


def steps_per_second(data: byrote.Dataset, n_train: int, epochs: int, records: bool, shares: list[float]) -> float:
    """Examples a second of processor time; appends the share that recording took."""
    inputs = torch.from_numpy(data.train.inputs[:n_train]).float() / 255
    labels = torch.from_numpy(data.train.labels[:n_train])
    torch.manual_seed(0)
    model = byrote.build_model("conv-small", input_shape=tuple(inputs.shape[1:]), num_classes=data.num_classes)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    recorder = byrote.Recorder(num_examples=n_train, labels=labels)
    recording, start = 0.0, time.process_time()
    for _ in range(epochs):
        for index in torch.randperm(n_train).split(BATCH):
            optimizer.zero_grad()
            logits = model(inputs[index])
            F.cross_entropy(logits, labels[index]).backward()
            optimizer.step()
            if records:
                began = time.process_time()
                recorder.record(index, logits, labels[index])
                recording += time.process_time() - began
    passed = time.process_time() - start
    if records:
        shares.append(recording / (passed - recording))
    return epochs * n_train / passed


def main() -> None:
    options = measure.arguments(__doc__).parse_args()
    n_train, epochs = (256, 1) if options.quick else (2_560, 2)
    data = measure.load(options, 100)
    shares: list[float] = []
    rates = measure.interleave(
        {
            "without": lambda: steps_per_second(data, n_train, epochs, False, shares),
            "with a recorder": lambda: steps_per_second(data, n_train, epochs, True, shares),
        },
        options.rounds,
    )
    median = measure.medians(rates)
    ratios = [
        measure.Ratio("recording: highest share of a step in percent", 100 * max(shares), "< 1"),
        measure.Ratio("without / with a recorder", median["without"] / median["with a recorder"]),
    ]
    measure.write("recorder", rates, ratios, options, data=data.label, n_train=n_train, epochs=epochs, batch=BATCH)


if __name__ == "__main__":
    main()
