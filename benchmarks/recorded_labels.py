"""How many wrong labels an ordinary training run tells of that a Recorder watched, on MNIST with planted flips.

    python benchmarks/recorded_labels.py --data mnist:DIR

10,000 images with 500 flips, three draws; 2% or 5% of the labels planted, a small convolutional network, twelve epochs
of a plain loop, and no training by byrote. Flips are uniform, or (--flips confusable) between classes that logistic
regression takes for each other; planted errors likewise (--plant), by cross-validated predictions of the labels that
are given. Missing: the share of the flips that are not on a list as long as there are flips (asked: at most 7%). Rate:
of false discoveries on the list of examples that are more likely wrong than right, as stated, and as it is.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from torch import nn
from torch.nn import functional as F

import byrote

EPOCHS, BATCH = 12, 64


def network() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(16, 32, 5, stride=2, padding=2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * 49, 128), nn.ReLU(), nn.Linear(128, 10)),
    )


def predicted(images: torch.Tensor, labels: np.ndarray) -> np.ndarray:
    learner = LogisticRegression(C=0.01, max_iter=50)
    return cross_val_predict(learner, images.reshape(len(images), -1)[:, ::2].numpy(), labels, cv=3)


def recorded(
    data: byrote.Dataset, draw_seed: int, rate: float, num: int, num_flips: int, flip: str, plant: str
) -> dict[str, float]:
    draw = np.random.default_rng(draw_seed)
    rows = draw.permutation(len(data.train))[:num]
    images = torch.from_numpy(data.train.inputs[rows]).float() / 255
    images = (images - images.mean()) / images.std()
    true = data.train.labels[rows]
    given = true.copy()
    flips = draw.permutation(num)[:num_flips]
    if flip == "uniform":
        given[flips] = (given[flips] + draw.integers(1, 10, num_flips)) % 10
    else:
        taken = np.zeros((10, 10))
        np.add.at(taken, (true, predicted(images, true)), 1)
        chances = (taken + taken.T) * (1 - np.eye(10))
        given[flips] = [draw.choice(10, p=chances[label] / chances[label].sum()) for label in true[flips]]
    recorder = byrote.Recorder(num_examples=num)
    confusions = predicted(images, given) if plant == "confusable" else None
    labels = torch.from_numpy(recorder.plant(given, rate=rate, seed=draw_seed, confusions=confusions))
    torch.manual_seed(draw_seed)
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for index in torch.randperm(num).split(BATCH):
            logits = net(images[index])
            optimizer.zero_grad()
            F.cross_entropy(logits, labels[index]).backward()
            optimizer.step()
            recorder.record(index, logits, labels[index])
        schedule.step()
    found = byrote.audit(recorder).labels
    assert found is not None
    order, errors = found.rates.order, found.rates.num_errors
    wrong = (given != true)[found.rows][order]
    likely = found.rates.num_likely
    cut = found.rates.cut_at(max(likely, 1))
    return {
        "flips": int(wrong.sum()),
        "estimated": errors.mean,
        "low": errors.low,
        "high": errors.high,
        "missing": 1 - wrong[: wrong.sum()].mean(),
        "stated": float(found.rates.false_share[cut]),
        "true": 1 - wrong[:likely].mean() if likely else 0.0,
        "likeness_p": found.likeness_p,
        "held_back_p": found.held_back.p_value,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.02, 0.05])
    parser.add_argument("--flips", choices=("uniform", "confusable"), default="uniform")
    parser.add_argument("--plant", choices=("uniform", "confusable"), default="uniform")
    parser.add_argument("--num", type=int, default=10_000)
    options = parser.parse_args()
    data = byrote.load(options.data)
    for rate in options.rates:
        for draw_seed in range(options.draws):
            figures = recorded(data, draw_seed, rate, options.num, options.num // 20, options.flips, options.plant)
            said = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
            print(f"planted {rate:.0%}  draw {draw_seed}  {said}", flush=True)


if __name__ == "__main__":
    main()
