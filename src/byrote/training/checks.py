"""Self-verification: every run tests that what it was trained on is what its spec says.

The checks look at the arrays alone, so that they also catch mistakes of the code that made them: a permutation of the
classes in place of random labels, corrupted test labels, clamped noise, labels redrawn between epochs. A sound run
fails one of its statistical checks about once in 10^6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

import numpy as np
from jaxtyping import Int64, Shaped

from byrote.data.check import Check, newly_changed
from byrote.data.corruptions.application import apply_corruptions, read_only
from byrote.data.corruptions.by_part import checks_by_part
from byrote.data.corruptions.contract import InputCorruption
from byrote.data.corruptions.label_laws import likely_counts
from byrote.data.corruptions.record import Corruption
from byrote.data.corruptions.uniform_labels import UniformLabels
from byrote.data.dataset import Dataset, Split
from byrote.data.preprocessing import blocks
from byrote.errors import UserError, kind_of
from byrote.isolation import undisturbed
from byrote.references import is_reference, users_code
from byrote.training.spec import TrainSpec


def data_checks(spec: TrainSpec, clean: Dataset, corrupted: Dataset) -> list[Check]:
    """What can be verified before training. `clean` is the subset that `corrupted` was made from."""
    of_labels, of_inputs, rate = UniformLabels().check(clean, corrupted, 0.0), list[Check](), 0.0
    for corruption in spec.corruptions:
        found = _checks_of(corruption, spec.seed, clean, corrupted)
        if corruption.method.changes == "labels":
            of_labels = found
        else:
            of_inputs, rate = found, corruption.rate
    return [
        *of_labels,
        _true_labels_kept(clean, corrupted),
        _share_of_changed_inputs(rate, clean, corrupted),
        *of_inputs,
        *_drawn_again(spec, clean, corrupted),
    ]


def _checks_of(corruption: Corruption, seed: int, clean: Dataset, corrupted: Dataset) -> list[Check]:
    method = corruption.method
    check, level = method.check, corruption.rate
    if isinstance(method, InputCorruption):
        check = partial(checks_by_part, method) if clean.parts else method.check
        level = corruption.strength or method.strength or 1.0
    if not is_reference(corruption.name):
        return check(clean, corrupted, level)
    what = f"the check of the corruption {corruption.name!r}"
    with users_code(corruption.name, what), undisturbed(seed):
        found = list(check(read_only(clean), read_only(corrupted), level))
    if strays := [each for each in found if not isinstance(each, Check)]:
        raise UserError(f"got {kind_of(strays[0])} from {what}, expected byrote.Check(name, passed, detail)")
    return found


def digest(*arrays: Shaped[np.ndarray, " ..."]) -> str:
    """SHA-256 of the values, shapes and types of all arrays, in their order."""
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(f"{array.dtype.str}{array.shape}".encode())
        whole.update(np.ascontiguousarray(array).data)
    return whole.hexdigest()


def same_labels(before: str, after: str) -> Check:
    """Of digests of a run's training labels: they must be what they were."""
    return Check(
        "labels fixed", before == after, f"digest of the training labels: {before[:12]} at the first epoch, "
        f"{after[:12]} at the last; expected the same"
    )  # fmt: skip


def held_out(
    trained: Int64[np.ndarray, " M"],
    kept_out: Int64[np.ndarray, " V"],
    num_examples: int,
    num_equal: int,
    half: int | None = None,
) -> Check:
    """Of the rows of a training subset that are trained on, and of those that are not; `num_equal` of the latter have
    an input that is trained on in another row, as happens in any data with duplicates."""
    num_both = len(np.intersect1d(trained, kept_out))
    return Check(
        "validation held out" if half is None else "other half held out",
        num_both == 0 and len(trained) + len(kept_out) == num_examples,
        f"of {num_examples} training examples {len(trained)} are trained on, {len(kept_out)} are held out and "
        f"{num_both} are both; expected none to be both, and each to be one ({num_equal} of those held out have the "
        "input of an example that is trained on)",
    )


UNSEEN = "test examples unseen"


def unseen(test: Split, leaked: Int64[np.ndarray, " L"], num_distinct: int) -> Check:
    """Fails where no test example is left whose input was not trained on: accuracy on them is memory.

    Some duplicates are in the nature of many data, and do not block; outcomes say how many, and what the rest has.
    Those within the test set, of which `num_distinct` inputs differ, are told: they count in intervals as what they
    are worth (`byrote.evidence.tested`).
    """
    repeated = (
        ""
        if num_distinct == len(test)
        else f". {num_distinct} of the {len(test)} have inputs that differ: equal ones count as one in intervals over "
        "test examples"
    )
    first = f", the first is {test.place(int(leaked[0]))}" if len(leaked) else ""
    return Check(
        UNSEEN,
        len(leaked) < len(test),
        f"{len(leaked)} of {len(test)} test examples have the input of an example that is trained on{first}; expected "
        f"none, and at least one other{repeated}",
    )


def fresh_weights(first: str, second: str, same_of_another_seed: bool, *, is_drawn: bool) -> Check:
    """Of digests of the initial weights of a network, and of one that was built again from the same seed.

    Args:
        same_of_another_seed: whether one that was built from another seed has the same.
        is_drawn: unless each weight is a constant, as zeros are: those are the same for every seed with good reason.
    """
    again = f"digest of the initial weights: {first[:12]}, and {second[:12]} when built again from the same seed"
    if same_of_another_seed and is_drawn:
        return Check(
            "weights fresh", False, f"{again}; another seed gives the same weights, expected others: the model sets a "
            "seed of its own, or copies one network, so that several seeds count as one"
        )  # fmt: skip
    return Check("weights fresh", first == second, f"{again}; expected the same")


def _true_labels_kept(clean: Dataset, data: Dataset) -> Check:
    of_test = np.array_equal(clean.test.labels, data.test.labels)
    of_train = np.array_equal(clean.train.true_labels, data.train.true_labels)
    return Check(
        "true labels kept",
        of_test and of_train,
        f"test labels {'equal' if of_test else 'differ from'} those of the clean data, "
        f"true training labels {'equal' if of_train else 'differ from'} them; expected both to be equal",
    )


def _share_of_changed_inputs(rate: float, clean: Dataset, data: Dataset) -> Check:
    passed, counts = True, []
    for name, before, after in (("training", clean.train, data.train), ("test", clean.test, data.test)):
        fresh, marked = ~before.changed_inputs, newly_changed(before, after)
        low, high = likely_counts(int(fresh.sum()), rate)
        # What was replaced before may have been replaced again.
        outside = ~after.changed_inputs if rate else np.ones(len(after), dtype=bool)
        same = after.inputs is before.inputs or all(
            np.array_equal(before.inputs[part][outside[part]], after.inputs[part][outside[part]])
            for part in blocks(after.inputs)
        )
        passed = passed and bool(low <= marked.sum() <= high) and same
        counts.append(
            f"{marked.sum()} of {fresh.sum()} {name} inputs are replaced (expected {low} to {high}), "
            f"the others are {'the' if same else 'not the'} clean ones"
        )
    return Check("share of changed inputs", passed, "; ".join(counts))


def _drawn_again(spec: TrainSpec, clean: Dataset, data: Dataset) -> Iterator[Check]:
    """The user's own corruptions may draw from what no seed rules."""
    if not any(is_reference(corruption.name) for corruption in spec.corruptions):
        return
    first, second = map(_digest_of, (data, apply_corruptions(clean, spec.corruptions, spec.seed)))
    yield Check(
        "corruption repeatable",
        first == second,
        f"digest of labels and inputs: {first[:12]}, and {second[:12]} when they are corrupted again with the same "
        "seed; expected the same",
    )


def _digest_of(data: Dataset) -> str:
    inputs = (split.inputs[part] for split in (data.train, data.test) for part in blocks(split.inputs))
    return digest(data.train.labels, *inputs)
