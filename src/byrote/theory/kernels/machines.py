"""Kernel machines of a data set but for their coefficients: the matrix of training inputs, values at test inputs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor

from byrote.theory.kernels.kernel import Gaussian, gram, row_blocks
from byrote.theory.kernels.random_convolutions import RandomConvFeatures, gram_of_features

OnShare = Callable[[float], None]
_BLOCK_PAIRS = 256
"""Pairs of filters at a time: 8 KiB of features an image with a grid of two by two."""


class KernelMachine(ABC):
    """A kernel on P training and M test inputs."""

    train: Float[Tensor, "P ..."]
    width: float
    """NaN of a kernel without one."""

    @property
    @abstractmethod
    def num_features(self) -> int:
        """Of the vectors that the kernel takes, or (a linear one) D of its space."""

    @abstractmethod
    def fill(self, out: Float[Tensor, "P P"], on_progress: OnShare) -> None:
        """Writes the kernel matrix of the training inputs to `out`."""

    @abstractmethod
    def test_values(self, alpha: Float[Tensor, "P C"], on_progress: OnShare) -> Float[Tensor, "M C"]:
        """Of the functions with these coefficients."""


@dataclass(frozen=True, eq=False)
class GaussianMachine(KernelMachine):
    """The Gaussian kernel on vectors."""

    train: Float[Tensor, "P D"]
    test: Float[Tensor, "M D"]
    width: float

    @property
    def num_features(self) -> int:
        return self.train.shape[1]

    def fill(self, out: Float[Tensor, "P P"], on_progress: OnShare) -> None:
        gram(Gaussian(self.width), self.train, out=out, on_progress=on_progress)

    def test_values(self, alpha: Float[Tensor, "P C"], on_progress: OnShare) -> Float[Tensor, "M C"]:
        values = alpha.new_empty(len(self.test), alpha.shape[1])
        for rows, block in row_blocks(Gaussian(self.width), self.test, self.train):
            values[rows] = block @ alpha
            on_progress(rows.stop / len(values))
        return values


@dataclass(frozen=True, eq=False)
class ConvolutionMachine(KernelMachine):
    """The linear kernel of random convolutional features of images, a block of filters at a time."""

    train: Float[Tensor, "P c h w"]
    test: Float[Tensor, "M c h w"]
    features: RandomConvFeatures
    width: float = math.nan

    @property
    def num_features(self) -> int:
        return self.features.num_features

    def fill(self, out: Float[Tensor, "P P"], on_progress: OnShare) -> None:
        gram_of_features(self.features, self.train, block_filters=2 * _BLOCK_PAIRS, out=out, on_progress=on_progress)

    def test_values(self, alpha: Float[Tensor, "P C"], on_progress: OnShare) -> Float[Tensor, "M C"]:
        """By the weights of the features: the training features are computed once more, for a product with C columns,
        where the kernel of all pairs would take one with P of them."""
        values = alpha.new_zeros(len(self.test), alpha.shape[1])
        num_pairs = len(self.features.filters)
        for first, last in pairwise([*range(0, num_pairs, _BLOCK_PAIRS), num_pairs]):
            pairs = slice(first, last)
            weights = self.features.of_filters(self.train, pairs).T @ alpha
            values.addmm_(self.features.of_filters(self.test, pairs), weights)
            on_progress(last / num_pairs)
        return values
