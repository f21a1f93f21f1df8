"""Self-verification: every run tests that what it was trained on is what its spec says.

The checks look at the arrays alone, so that they also catch mistakes of the code that made them: a permutation of the
classes in place of random labels, corrupted test labels, clamped noise, labels redrawn between epochs. A sound run
fails one of its statistical checks about once in 10^6.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter

import numpy as np
from jaxtyping import Int64, Shaped
from scipy import special, stats

from byrote.data.dataset import Dataset, Split, moments
from byrote.data.preprocessing import blocks
from byrote.training.outcome import Check
from byrote.training.spec import INPUT_CORRUPTIONS, TrainSpec

_SIGNIFICANCE = 1e-6
# So many images of a split, spread over it, show what there is to see.
_IMAGES = 512
_NOISE_IMAGES = 4096


def data_checks(spec: TrainSpec, clean: Dataset, corrupted: Dataset) -> list[Check]:
    """What can be verified before training. `clean` is the subset that `corrupted` was made from."""
    found = [corruption for corruption in spec.corruptions if corruption.name in INPUT_CORRUPTIONS]
    checks = [
        _share_of_changed_labels(spec, clean, corrupted),
        _changed_labels_independent(spec, clean, corrupted),
        _true_labels_kept(clean, corrupted),
        _share_of_changed_inputs(found[0].rate if found else 0.0, clean, corrupted),
    ]
    if found:
        is_noise = found[0].name == "gaussian"
        checks.append(
            _gaussian_moments(clean, corrupted) if is_noise else _permutations(found[0].name, clean, corrupted)
        )
    return checks


def digest(*arrays: Shaped[np.ndarray, ...]) -> str:
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(f"{array.dtype.str}{array.shape}".encode())
        whole.update(np.ascontiguousarray(array).data)
    return whole.hexdigest()


def same_labels(before: str, after: str) -> Check:
    return Check(
        "labels fixed", before == after, f"digest of the training labels: {before[:12]} at the first epoch, "
        f"{after[:12]} at the last; expected the same"
    )  # fmt: skip


def held_out(
    trained: Int64[np.ndarray, " M"], kept_out: Int64[np.ndarray, " V"], num_examples: int, num_equal: int
) -> Check:
    """Of the rows of a training subset that are trained on, and of those that are not; `num_equal` of the latter have
    an input that is trained on in another row, as happens in any data with duplicates."""
    num_both = len(np.intersect1d(trained, kept_out))
    return Check(
        "validation held out",
        num_both == 0 and len(trained) + len(kept_out) == num_examples,
        f"of {num_examples} training examples {len(trained)} are trained on, {len(kept_out)} are held out and "
        f"{num_both} are both; expected none to be both, and each to be one ({num_equal} of those held out have the "
        "input of an example that is trained on)",
    )


UNSEEN = "test examples unseen"


def unseen(test: Split, leaked: Int64[np.ndarray, " L"]) -> Check:
    """Fails where no test example is left whose input was not trained on: accuracy on them is memory.

    Some duplicates are in the nature of many data, and do not block; outcomes say how many, and what the rest has.
    """
    first = f", the first is {test.place(int(leaked[0]))}" if len(leaked) else ""
    return Check(
        UNSEEN,
        len(leaked) < len(test),
        f"{len(leaked)} of {len(test)} test examples have the input of an example that is trained on{first}; expected "
        "none, and at least one other",
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


def _share_of_changed_labels(spec: TrainSpec, clean: Dataset, data: Dataset) -> Check:
    num_changed, n = int((clean.train.labels != data.train.labels).sum()), len(data.train)
    low, high = _binomial_interval(n, spec.label_rate * (1 - 1 / data.num_classes))
    return Check(
        "share of changed labels",
        low <= num_changed <= high,
        f"{num_changed} of {n} training labels differ from the true ones; expected {low} to {high} "
        f"at rate {spec.label_rate:g} with {data.num_classes} classes",
    )


def _binomial_interval(n: int, chance: float) -> tuple[int, int]:
    if chance in (0, 1):
        return (n, n) if chance else (0, 0)
    low, high = stats.binom.interval(1 - _SIGNIFICANCE, n, chance)
    return int(low), int(high)


def _changed_labels_independent(spec: TrainSpec, clean: Dataset, data: Dataset) -> Check:
    """How often each true class got each label, how often each class lost its own, and how often each was given to
    others, against the binomial laws of these counts: exact for any n and K, with Bonferroni's bound over all."""
    k, rate = data.num_classes, spec.label_rate
    table = np.bincount(clean.train.labels * k + data.train.labels, minlength=k * k).reshape(k, k)
    sizes, kept = table.sum(axis=1), np.diag(table)
    counts = np.concatenate([table.ravel(), sizes - kept, table.sum(axis=0) - kept])
    trials = np.concatenate([np.repeat(sizes, k), sizes, len(data.train) - sizes])
    chance = np.concatenate([np.full(k * k, rate / k), np.full(k, rate - rate / k), np.full(k, rate / k)])
    chance[: k * k : k + 1] = 1 - (rate - rate / k)
    tails = np.minimum(stats.binom.cdf(counts, trials, chance), stats.binom.sf(counts - 1, trials, chance))
    worst = int(tails.argmin())
    p_value = min(1.0, 2 * len(tails) * float(tails[worst]))
    return Check(
        "changed labels independent",
        p_value >= _SIGNIFICANCE,
        f"of {len(tails)} counts of true and given classes the least likely is {counts[worst]} of {trials[worst]} at "
        f"chance {chance[worst]:.3g}, p = {p_value:.2g}; expected at least {_SIGNIFICANCE:g}",
    )


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
        fresh, marked = ~before.changed_inputs, _marked(before, after)
        low, high = _binomial_interval(int(fresh.sum()), rate)
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


def _marked(before: Split, after: Split) -> np.ndarray:
    return after.changed_inputs & ~before.changed_inputs


def _permutations(name: str, clean: Dataset, data: Dataset) -> Check:
    """One permutation for all images of both splits maps pixel positions to positions: over several images together,
    the same columns of values turn up. Own permutations keep each image's values and, within a split, no column."""
    is_one = name == "shuffled-pixels"
    pairs = [_changed_pixels(before, after) for before, after in ((clean.train, data.train), (clean.test, data.test))]
    if is_one:
        before, after = (np.concatenate(part) for part in zip(*pairs, strict=True))
        pairs = [(before, after)]
    values_kept = all(np.array_equal(np.sort(before, axis=1), np.sort(after, axis=1)) for before, after in pairs)
    are_one = [_columns(before) == _columns(after) for before, after in pairs]
    if is_one:
        unmoved = np.array_equal(before, after) and _log_arrangements(_columns(before)) > -math.log(_SIGNIFICANCE)
        passed = values_kept and are_one[0] and not unmoved
    else:
        passed = values_kept and not any(
            one and _log_chance_of_one(before) < math.log(_SIGNIFICANCE)
            for one, (before, _) in zip(are_one, pairs, strict=True)
        )
    return Check(
        "one permutation" if is_one else "many permutations",
        passed,
        f"over {sum(len(before) for before, _ in pairs)} corrupted images: each image's pixels are "
        f"{'' if values_kept else 'not '}its own, and {'one' if any(are_one) else 'no'} permutation maps all "
        f"of {'both splits' if is_one else 'a split'}",
    )


def _changed_pixels(before: Split, after: Split) -> tuple[np.ndarray, np.ndarray]:
    """[M, P] of M corrupted images, before and after; the channels of a pixel are one value."""
    rows = np.flatnonzero(_marked(before, after))
    rows = rows[:: max(1, len(rows) // _IMAGES)]
    return _pixel_codes(before.inputs[rows]), _pixel_codes(after.inputs[rows])


def _pixel_codes(inputs: Shaped[np.ndarray, "M ..."]) -> Shaped[np.ndarray, "M P"]:
    channels = inputs.shape[1] if inputs.ndim == 4 else 1
    bits = np.ascontiguousarray(inputs).reshape(len(inputs), channels, math.prod(inputs.shape[1:]) // channels)
    bits = bits.view(f"u{inputs.dtype.itemsize}")
    codes = np.zeros((len(bits), bits.shape[2]), dtype=np.uint64)
    for channel in range(channels):
        codes = codes * np.uint64(0x9E3779B97F4A7C15) + bits[:, channel]
    return codes


def _columns(codes: np.ndarray) -> Counter[bytes]:
    return Counter(column.tobytes() for column in np.ascontiguousarray(codes.T))


def _log_chance_of_one(codes: np.ndarray) -> float:
    """An upper bound (of the logarithm) on the chance that own permutations of M images look like one: the sum over
    all that one permutation could make of them, of the chance that each image takes its part in it."""
    return _log_arrangements(_columns(codes)) - sum(_log_arrangements(Counter(row.tolist())) for row in codes)


def _log_arrangements(values: Counter) -> float:
    """Of the number of distinct orders of P values, P! / (product of m! over the values that occur m times)."""
    counts = np.array(list(values.values()))
    return float(special.gammaln(counts.sum() + 1) - special.gammaln(counts + 1).sum())


def _gaussian_moments(clean: Dataset, data: Dataset) -> Check:
    """Mean and variance of the noise in each channel and split: the laws of both are known, Bonferroni's bound over
    all of them."""
    mean, deviation = moments(clean.train.inputs)
    # Closer together than this, float32 holds too few values for a Gaussian.
    testable = deviation > 1e-5 * np.abs(mean)
    tails: list[np.ndarray] = []
    num_images, replaced = 0, True
    for before, after in ((clean.train, data.train), (clean.test, data.test)):
        rows = np.flatnonzero(_marked(before, after))
        rows = rows[:: max(1, len(rows) // _NOISE_IMAGES)]
        noise = after.inputs[rows]
        num_images += len(noise)
        count = noise.size // noise.shape[1]
        if count < 2 or not testable.any():
            continue
        replaced = replaced and not np.array_equal(noise, before.inputs[rows])
        noise_mean, noise_deviation = moments(noise)
        off = np.maximum(np.abs(noise_mean - mean) - np.spacing(np.abs(mean).astype(np.float32)), 0)
        shift = (off[testable] / deviation[testable]) * math.sqrt(count)
        ratio = (noise_deviation[testable] / deviation[testable]) ** 2 * count
        law = stats.chi2(count - 1)
        tails += [stats.norm.sf(shift), np.minimum(law.cdf(ratio), law.sf(ratio))]
    every = np.concatenate([np.ones(1), *tails])
    p_value = min(1.0, 2 * len(every) * float(every.min()))
    return Check(
        "moments of Gaussian inputs",
        p_value >= _SIGNIFICANCE and replaced,
        f"means and variances of {num_images} {'noise' if replaced else 'unchanged'} images, given those of the clean "
        f"channels: the least likely of {len(every) - 1} has p = {p_value:.2g}; expected at least {_SIGNIFICANCE:g}",
    )
