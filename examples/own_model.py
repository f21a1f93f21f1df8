"""Your own network, on your own arrays: does it learn, or learn by rote?

    python examples/own_model.py

Trains a residual network on measurements of 569 tumours with true and with random labels, writes
own-model.html, and keeps the runs in own-model.db: run it again, and nothing is trained twice.
"""

from __future__ import annotations

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

import byrote


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def residual_network(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """A factory takes these two arguments by keyword and gives a network with fresh weights."""
    (features,) = input_shape
    blocks = [Residual(128) for _ in range(2)]
    return nn.Sequential(nn.Linear(features, 128), *blocks, nn.ReLU(), nn.Linear(128, num_classes))


def main() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)
    study = byrote.RandomizationStudy(
        data=byrote.from_arrays(x_train, y_train, x_test, y_test),
        models=[residual_network],
        settings=["true-labels", "random-labels"],
        rates=[],
        seeds=3,
        recipe=byrote.Recipe(preprocessing="standardize", optimizer="Adam", learning_rate=0.001, batch_size=32),
    )
    outcomes = byrote.run(study, store="own-model.db")
    table = study.summarise(outcomes)
    print(
        table[["corruption", "seed", "train_accuracy", "test_accuracy", "epochs_to_fit"]]
        .round(3)
        .to_string(index=False)
    )
    for finding in study.verdict(table):
        print(f"{finding.outcome}: {finding.statement}")
    byrote.write_report("own-model.html", study, outcomes)


if __name__ == "__main__":
    main()
