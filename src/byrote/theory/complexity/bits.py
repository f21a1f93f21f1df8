"""How much of random labels a network holds, in bits: what its predictions tell of the labels it was trained on."""

from __future__ import annotations

import math


def bits_per_label(error: float, num_classes: int) -> float:
    """log2 K - h(e) - e log2(K - 1), where h is the entropy of a coin: the mutual information of a label that is one of
    K at random and a prediction that is wrong with chance e.

    Exact where all wrong classes are as likely; whatever the mistakes look like, no less than this (Fano's inequality:
    Cover & Thomas, Elements of information theory, theorem 2.10.1). 0 from the error of guessing, 1 - 1/K, on.
    """
    if error >= 1 - 1 / num_classes:
        return 0.0
    wrong = error * math.log2(num_classes - 1) if num_classes > 1 else 0.0
    return math.log2(num_classes) - _coin_entropy(error) - wrong


def memorised_bits(num_examples: int, error: float, num_classes: int) -> float:
    """Of all labels: random labels are independent, so their bits add up. An average error will do: at equal averages,
    errors that differ from example to example leave more, since `bits_per_label` is convex."""
    return num_examples * bits_per_label(error, num_classes)


def _coin_entropy(chance: float) -> float:
    return -sum(p * math.log2(p) for p in (chance, 1 - chance) if p > 0)
