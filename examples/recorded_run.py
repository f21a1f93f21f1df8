"""Your own training loop, recorded: which labels are wrong, which examples are hard, easy or forgotten.

    python examples/recorded_run.py

Trains a small network on handwritten digits of which 5% have a wrong label, in an ordinary loop with three lines more,
and writes recorded-run/report.html, wrong_labels.csv and examples.csv.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import byrote


def mislabelled_digits() -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Images, their labels, and which of these are wrong: as if an annotator had erred."""
    images, labels = load_digits(return_X_y=True)
    draw = np.random.default_rng(0)
    wrong = draw.random(len(labels)) < 0.05
    labels[wrong] = (labels[wrong] + draw.integers(1, 10, wrong.sum())) % 10
    return torch.tensor(images / 16, dtype=torch.float32), labels, wrong


def main() -> None:
    torch.manual_seed(0)
    images, labels, wrong = mislabelled_digits()

    recorder = byrote.Recorder(num_examples=len(labels))
    labels = recorder.plant(labels, rate=0.05)  # known errors, to calibrate by: train on these labels
    data = recorder.indexed(TensorDataset(images, torch.from_numpy(labels)))

    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(15):
        for index, x, y in DataLoader(data, batch_size=32, shuffle=True):
            logits = net(x)
            optimizer.zero_grad()
            F.cross_entropy(logits, y).backward()
            optimizer.step()
            recorder.record(index, logits, y)

    audit = byrote.audit(recorder, out="recorded-run")
    for finding in audit.findings:
        print(f"{finding.outcome}: {finding.statement}")
    first = audit.wrong_labels.head(20)
    print(f"Of the first 20 of the list, {wrong[first['row']].sum()} are wrong.")


if __name__ == "__main__":
    main()
