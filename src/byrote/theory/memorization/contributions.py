"""What an example does to a network that is trained on it: by networks trained on random halves of the data.

    memorization of i       = E value(i) over halves with i in them  -  E value(i) over halves without it
    influence of i on j     = E value(j) over halves with i in them  -  E value(j) over halves without it

where the value is 1 for a right answer, or any other number that a network gives an example. Each mean is over networks
of all halves of its kind, so that two networks serve all examples at once.

Source     Feldman, Does learning require memorization? (STOC 2020); Feldman & Zhang, What neural networks memorize and
           why (NeurIPS 2020), section 2 and Algorithm 1, whose subsets are of 70%.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped


@dataclass(frozen=True, eq=False)
class Means:
    """Of each of N examples over the networks that are trained on it, and over the others; NaN where there are none."""

    inside: Float64[np.ndarray, " N"]
    outside: Float64[np.ndarray, " N"]
    num_inside: Int64[np.ndarray, " N"]
    num_outside: Int64[np.ndarray, " N"]

    @property
    def difference(self) -> Float64[np.ndarray, " N"]:
        """With each example less without it."""
        return self.inside - self.outside


def means_in_and_out(values: Shaped[np.ndarray, "M N"], inside: Bool[np.ndarray, "M N"]) -> Means:
    """Of M networks: the value of each of N examples, and whether the network is trained on it."""
    num_inside = inside.sum(axis=0, dtype=np.int64)
    num_outside = len(inside) - num_inside
    total = values.sum(axis=0, dtype=np.float64)
    within = np.where(inside, values, 0).sum(axis=0, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Means(within / num_inside, (total - within) / num_outside, num_inside, num_outside)


def gaps(values: Shaped[np.ndarray, "M N"], inside: Bool[np.ndarray, "M N"]) -> Float64[np.ndarray, " P"]:
    """For each pair of networks (2k and 2k + 1, on the two parts of one draw), the mean of the value over the examples
    that a network is trained on minus that over those that it is not, both networks together.

    An example counts in it with its value when in minus its value when out: so the mean over pairs is the mean
    memorization of N examples, and pairs are drawn independently of each other. Examples that are in neither part do
    not count.
    """
    first, second = values[0::2].astype(np.float64), values[1::2].astype(np.float64)
    sign = inside[0::2].astype(np.int8) - inside[1::2].astype(np.int8)
    counted = np.abs(sign).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sign == 0, 0.0, sign * (first - second)).sum(axis=1) / counted


def influences(values: Shaped[np.ndarray, "M T"], inside: Bool[np.ndarray, "M N"]) -> Float64[np.ndarray, "N T"]:
    """Of each of N training examples on T others, none of which is trained on."""
    members = inside.astype(np.float32)
    values = values.astype(np.float32)
    num_inside = members.sum(axis=0)[:, None]
    within, total = members.T @ values, values.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (within / num_inside - (total - within) / (len(inside) - num_inside)).astype(np.float64)
