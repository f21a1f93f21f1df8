"""Of how many batches an epoch is, and of how many steps a run at most."""

from __future__ import annotations

import math
from itertools import pairwise

from byrote.training.recipe import Recipe


def batch_bounds(num_examples: int, batch_size: int) -> list[tuple[int, int]]:
    """Batches of an epoch: as few as there can be, of sizes that differ by one at most.

    Full ones would leave a last one of a few examples, whose step counts as much as any: with batch norm, training on
    900 images in batches of 128, and then 4, goes nowhere. A single example, on which batch norm is undefined, is a
    batch only if that is what is asked for, or all there is: an odd number of examples in twos has a batch of three.
    """
    num_batches = math.ceil(num_examples / batch_size)
    if batch_size > 1:
        num_batches = max(1, min(num_batches, num_examples // 2))
    size, larger = divmod(num_examples, num_batches)
    return list(pairwise(number * size + min(number, larger) for number in range(num_batches + 1)))


def most_steps(recipe: Recipe, num_examples: int) -> int:
    """The optimiser steps that a run takes on so many examples, if it does not stop before: at interpolation, or where
    its loss is no finite number."""
    return recipe.steps or recipe.epochs * len(batch_bounds(num_examples, recipe.batch_size))
