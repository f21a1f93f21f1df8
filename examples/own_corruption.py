"""Your own corruptions: labels of two classes alone, and images that lose pixels.

    python examples/own_corruption.py
    byrote reproduce figure1 --data digits --corruptions examples/own_corruption.py:Dropped \\
        examples/own_corruption.py:TwoForOne=0.5 asymmetric-labels=0.4

Trains an MLP on handwritten digits under both, beside true labels, writes own-corruption.html, and keeps the runs in
own-corruption.db.
"""

from __future__ import annotations

import numpy as np

import byrote


class TwoForOne(byrote.LabelCorruption):
    """Each label, with probability RATE, becomes one of the first two classes."""

    title = "two classes for all"

    def chances(self, sizes: np.ndarray) -> np.ndarray:
        """[K, K]: of each class, the chances of what it becomes where it is redrawn."""
        chances = np.zeros((len(sizes), len(sizes)))
        chances[:, :2] = 0.5
        return chances


class Dropped(byrote.InputCorruption):
    """Each pixel is black with a chance of STRENGTH."""

    title = "dropped pixels"
    strength = 0.3
    of_quantities = True

    def redraw(
        self, inputs: np.ndarray, generator: np.random.Generator, context: byrote.CorruptionContext
    ) -> np.ndarray:
        """A block of images [B, C, H, W], in the same shape; `generator` is the block's own."""
        return inputs * (generator.random(inputs.shape) >= context.strength)


def main() -> None:
    study = byrote.RandomizationStudy(
        data=byrote.load("digits"),
        models=["mlp-1x128"],
        settings=["true-labels", Dropped, byrote.Corruption(name=TwoForOne, rate=0.5)],
        rates=[],
        recipe=byrote.Recipe(learning_rate=0.1),
    )
    outcomes = byrote.run(study, store="own-corruption.db")
    table = study.summarise(outcomes)
    print(table[["train_accuracy", "test_accuracy", "predictable", "epochs_to_fit"]].round(3).to_string(index=False))
    for finding in study.verdict(table):
        print(f"{finding.claim}: {finding.outcome}. {finding.statement}")
    byrote.write_report("own-corruption.html", study, outcomes)


if __name__ == "__main__":
    main()
