"""Check: what a run finds when it looks at its own data and weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from byrote.data.dataset import Split

SIGNIFICANCE = 1e-6
"""A check that counts on chance fails below this: a sound run fails one about once in a million."""


@dataclass(frozen=True)
class Check:
    """One self-verification of a run. A failed check blocks every conclusion drawn from the run.

    >>> Check("labels fixed", True, "digest of the training labels: 1f3a at the first epoch and at the last").passed
    True
    """

    name: str
    passed: bool
    detail: str
    """What was measured and what was expected, in one sentence."""


def newly_changed(before: Split, after: Split) -> Bool[np.ndarray, " N"]:
    """Which inputs are marked as changed that were not before."""
    return after.changed_inputs & ~before.changed_inputs
