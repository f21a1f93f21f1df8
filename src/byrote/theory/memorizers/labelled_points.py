"""What a construction memorises: distinct training inputs, with random labels."""

from __future__ import annotations

from byrote.data.corruptions.application import corrupt
from byrote.data.dataset import Dataset, Split
from byrote.data.distinct_inputs import DistinctInputs
from byrote.data.subsets import subset


def randomly_labelled(data: Dataset, n_train: int, *, seed: int, data_seed: int) -> Split:
    """A stratified training subset of `n_train` with random labels, without inputs that repeat one before.

    A repeated input with another label is what no function represents. Where there are such, fewer points remain.
    """
    labelled = corrupt(subset(data, n_train, data_seed), "random-labels", seed=seed).train
    return labelled.take(DistinctInputs.of(labelled.inputs).rows)
