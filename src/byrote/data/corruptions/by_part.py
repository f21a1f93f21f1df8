"""A corruption of inputs where an example has several: each is corrupted as it would be alone.

The same examples are chosen for all inputs, and each input has random numbers of its own. Noise takes the place of
token ids and bools as ids that the training set has in the same place, each drawn by itself: they have no mean or
variance.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from byrote.data.check import SIGNIFICANCE, Check, newly_changed
from byrote.data.corruptions.contract import CorruptionContext, InputCorruption
from byrote.data.dataset import Dataset
from byrote.input_parts import Part
from byrote.randomness import stream_seed


class SeenIds(InputCorruption):
    """Token ids drawn from those that the training set has in the same place, each by itself."""

    name = "seen-ids"
    destroys_structure = True

    def redraw(
        self, inputs: Int64[np.ndarray, "B T"], generator: np.random.Generator, context: CorruptionContext
    ) -> Int64[np.ndarray, "B T"]:
        known = context.data.train.inputs
        rows = (generator.random(inputs.shape) * len(known)).astype(np.int64)
        return np.take_along_axis(known, rows, axis=0)

    def check(self, clean: Dataset, corrupted: Dataset, strength: float) -> list[Check]:  # noqa: ARG002
        """That every id is one of its place in the training set, and that the id which is most frequent there is about
        as frequent (a binomial law, Bonferroni's bound over places and splits)."""
        from scipy import special  # slow to import

        known = clean.train.inputs
        seen, p_value, num = True, 1.0, 0
        for before, after in ((clean.train, corrupted.train), (clean.test, corrupted.test)):
            drawn = after.inputs[np.flatnonzero(newly_changed(before, after))]
            for place in range(known.shape[1]) if len(drawn) else ():
                ids, counts = np.unique(known[:, place], return_counts=True)
                seen = seen and bool(np.isin(drawn[:, place], ids).all())
                num += 1
                if len(ids) > 1:
                    share = float(counts.max() / len(known))
                    hits = int((drawn[:, place] == ids[counts.argmax()]).sum())
                    upper = special.bdtrc(hits - 1, len(drawn), share) if hits else 1.0
                    p_value = min(p_value, float(special.bdtr(hits, len(drawn), share)), float(upper))
        p_value = min(1.0, 2 * max(num, 1) * p_value)
        return [
            Check(
                "token ids seen",
                seen and p_value >= SIGNIFICANCE,
                f"the ids of {num} places are {'all' if seen else 'not all'} ones that the training set has there; how "
                f"often the most frequent one is drawn has p = {p_value:.2g}; expected at least {SIGNIFICANCE:g}",
            )
        ]


def of_part(method: InputCorruption, part: Part) -> InputCorruption | None:
    """What `method` does to this one of several inputs; None where it can do nothing of the kind: permute the places of
    a single number, or add noise to token ids."""
    if method.of_places and part.num_places < 2:
        return None
    if method.goes_with(part.kind):
        return method
    return SeenIds() if method.destroys_structure else None


def context_of(context: CorruptionContext, part: Part) -> CorruptionContext:
    """What the corruption of this part may look at, with random numbers of its own."""
    return replace(context, data=context.data.alone(part), seed=stream_seed(context.seed, "input", part.name))


def checks_by_part(method: InputCorruption, clean: Dataset, corrupted: Dataset, strength: float) -> list[Check]:
    """Of each input, those of its own corruption."""
    return [
        replace(check, name=f"{check.name}: {part.name}")
        for part in clean.parts
        if (own := of_part(method, part))
        for check in own.check(clean.alone(part), corrupted.alone(part), strength)
    ]
