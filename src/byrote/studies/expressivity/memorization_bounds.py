"""What theory says of the weights that memorising n points takes: constructions that are known, and limits below.

Counts are of networks with d inputs, one output and n distinct points, and of every weight and bias that a construction
sets: in all but that of Theorem 1, whose units share their direction, those of ordinary layers.

Source     Theorem 1: Zhang et al. (ICLR 2017). Hyperplanes: Bubeck, Eldan, Lee & Mikulincer (NeurIPS 2020), after Baum
           (1988). Two hidden layers: Yun, Sra & Jadbabaie, Small ReLU networks are powerful memorizers (NeurIPS 2019),
           theorem 3.1. Bit extraction: Vardi, Yehudai & Shamir, On the optimal memorization power of ReLU neural
           networks (ICLR 2022), theorem 3.1, optimal up to logarithms.
"""

from __future__ import annotations

import math

import numpy as np

MANTISSA_BITS = 53
"""Of a float64."""


def theorem_1(n: int, d: int) -> int:
    """One direction, and a threshold and a weight a point."""
    return 2 * n + d


def hyperplanes(n: int, d: int) -> int:
    """4 ceil(n / d) units with d + 2 weights each, for points in general position: 4n + 8n/d, and at least 4(d + 2)."""
    return 4 * math.ceil(n / d) * (d + 2)


def two_hidden_layers(n: int, d: int) -> int:
    """Dense, with widths p and q such that 4 floor(p/4) floor(q/4) >= n, chosen for the smallest count: about
    4n + 2 sqrt(8 n d)."""
    fours = np.arange(1, math.ceil(n / 4) + 1)
    p, q = 4 * fours, 4 * np.ceil(n / (4 * fours)).astype(np.int64)
    return int(((d + 1) * p + (p + 1) * q + q + 1).min())


def bit_extraction(n: int) -> float:
    """sqrt(n log2 n), the growth in n; its constant, and what d, the classes and the distances of points add, are left
    out."""
    return math.sqrt(n * math.log2(n))


def bits_a_weight(n: int, num_classes: int, num_weights: float) -> float:
    """What weights hold in the mean, at least: n random labels have n log2 K bits, and nothing else can hold them."""
    return n * math.log2(num_classes) / num_weights


def bits_of_widest(n: int, num_classes: int, relative_gap: float) -> float:
    """Of the weights of bit extraction: one for each block of sqrt(n / log2 n) points holds the positions of all of
    them, told apart down to the smallest gap (a share of their range), and another their labels."""
    return math.sqrt(n / math.log2(n)) * max(-math.log2(relative_gap), math.log2(num_classes))


def fewest_float64(n: int, num_classes: int) -> float:
    """Weights of 64 bits that hold n random labels among K, in whatever network."""
    return n * math.log2(num_classes) / 64
