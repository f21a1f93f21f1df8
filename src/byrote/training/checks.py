"""Self-verification: every run tests that what it was trained on is what its spec says.

The checks look at the arrays alone, so that they also catch mistakes of the code that made them: a permutation of the
classes in place of random labels, corrupted test labels, clamped noise, labels redrawn between epochs. A sound run
fails one of its statistical checks about once in 10^6.
"""

from __future__ import annotations

import hashlib

import numpy as np
from jaxtyping import Shaped
from scipy import stats

from byrote.data.dataset import Dataset, Split
from byrote.training.outcome import Check
from byrote.training.spec import INPUT_CORRUPTIONS, TrainSpec

_SIGNIFICANCE = 1e-6
_IMAGES = 512


def data_checks(spec: TrainSpec, clean: Dataset, corrupted: Dataset) -> list[Check]:
    """What can be verified before training. `clean` is the subset that `corrupted` was made from."""
    checks = [
        _share_of_changed_labels(spec, corrupted),
        _test_labels_untouched(clean, corrupted),
    ]
    if corrupted.train.changed_labels.any() and corrupted.num_classes > 2:
        checks.append(_changed_labels_independent(corrupted))
    found = [corruption for corruption in spec.corruptions if corruption.name in INPUT_CORRUPTIONS]
    if not found:
        checks.append(_inputs_untouched(clean, corrupted))
    elif found[0].name == "gaussian":
        checks.append(_gaussian_moments(clean, corrupted))
    else:
        checks.append(_permutations(found[0].name, clean, corrupted))
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


def fresh_weights(first: str, second: str) -> Check:
    return Check(
        "weights fresh", first == second, f"digest of the initial weights: {first[:12]}, and {second[:12]} when "
        "built again from the same seed; expected the same"
    )  # fmt: skip


def _share_of_changed_labels(spec: TrainSpec, data: Dataset) -> Check:
    num_changed, n = int(data.train.changed_labels.sum()), len(data.train)
    chance = spec.label_rate * (1 - 1 / data.num_classes)
    low, high = stats.binom.interval(1 - _SIGNIFICANCE, n, chance) if chance > 0 else (0, 0)
    return Check(
        "share of changed labels",
        bool(low <= num_changed <= high),
        f"{num_changed} of {n} training labels differ from the true ones; expected {low:.0f} to {high:.0f} "
        f"at rate {spec.label_rate:g} with {data.num_classes} classes",
    )


def _test_labels_untouched(clean: Dataset, data: Dataset) -> Check:
    same = np.array_equal(clean.test.labels, data.test.labels)
    return Check("test labels true", same, f"test labels {'equal' if same else 'differ from'} those of the clean data")


def _inputs_untouched(clean: Dataset, data: Dataset) -> Check:
    same = all(
        np.array_equal(before.inputs, after.inputs)
        for before, after in ((clean.train, data.train), (clean.test, data.test))
    )
    return Check("inputs true", same, f"inputs {'equal' if same else 'differ from'} those of the clean data")


def _changed_labels_independent(data: Dataset) -> Check:
    """Changed labels are uniform over the other K - 1 classes, whatever the true one: a chi-squared test.

    True classes with fewer than 5 expected changes in each cell are pooled with the next.
    """
    changed, k = data.train.changed_labels, data.num_classes
    true, new = data.train.true_labels[changed], data.train.labels[changed]
    # By the distance from the true class to the new one around the circle of classes, 1 to K - 1: uniform
    # within each true class if and only if the new label is.
    counts = np.bincount(true * k + (new - true) % k, minlength=k * k).reshape(k, k)[:, 1:]
    rows: list[np.ndarray] = []
    for row in counts:
        if rows and rows[-1].sum() < 5 * (k - 1):
            rows[-1] = rows[-1] + row
        else:
            rows.append(row)
    if len(rows) > 1 and rows[-1].sum() < 5 * (k - 1):
        rows[-2:] = [rows[-2] + rows[-1]]
    table = np.array(rows)
    if table.sum() < 5 * (k - 1):
        return Check(
            "changed labels independent",
            True,
            f"{table.sum()} changed labels are too few for a test with {k} classes",
        )
    expected = table.sum(axis=1, keepdims=True) / (k - 1)
    statistic = float(((table - expected) ** 2 / expected).sum())
    p_value = float(stats.chi2.sf(statistic, len(table) * (k - 2)))
    return Check(
        "changed labels independent",
        p_value >= _SIGNIFICANCE,
        f"chi-squared {statistic:.1f} with {len(table) * (k - 2)} degrees of freedom for new labels being uniform "
        f"over the other classes, p = {p_value:.2g}; expected at least {_SIGNIFICANCE:g}",
    )


def _permutations(name: str, clean: Dataset, data: Dataset) -> Check:
    """One permutation for all images maps pixel positions to positions: over several images together, the same
    columns of values turn up. Own permutations keep each image's values and no column."""
    title = "one permutation" if name == "shuffled-pixels" else "many permutations"
    pairs = [_changed_pixels(before, after) for before, after in ((clean.train, data.train), (clean.test, data.test))]
    before, after = (np.concatenate(part) for part in zip(*pairs, strict=True))
    if len(before) < 2:
        return Check(title, True, f"{len(before)} images are too few to tell one permutation from many")
    values_kept = np.array_equal(np.sort(before, axis=1), np.sort(after, axis=1))
    columns_kept = np.array_equal(_sorted_columns(before), _sorted_columns(after))
    # Where all images of the sample are constant, no permutation shows.
    constant = bool((before == before[:, :1]).all())
    passed = values_kept and (columns_kept == (name == "shuffled-pixels") or constant)
    return Check(
        title,
        passed,
        f"over {len(before)} corrupted images of both splits: each image's pixels are "
        f"{'' if values_kept else 'not '}its own, and {'one' if columns_kept else 'no'} permutation maps them all",
    )


def _changed_pixels(before: Split, after: Split) -> tuple[np.ndarray, np.ndarray]:
    """[M, P] of M corrupted images, before and after; the channels of a pixel are one value."""
    rows = np.flatnonzero(after.changed_inputs)[:_IMAGES]
    return _pixel_codes(before.inputs[rows]), _pixel_codes(after.inputs[rows])


def _pixel_codes(inputs: Shaped[np.ndarray, "M ..."]) -> Shaped[np.ndarray, "M P"]:
    channels = inputs.shape[1] if inputs.ndim == 4 else 1
    bits = np.ascontiguousarray(inputs.reshape(len(inputs), channels, -1)).view(f"u{inputs.dtype.itemsize}")
    codes = np.zeros((len(bits), bits.shape[2]), dtype=np.uint64)
    for channel in range(channels):
        codes = codes * np.uint64(0x9E3779B97F4A7C15) + bits[:, channel]
    return codes


def _sorted_columns(codes: np.ndarray) -> list[bytes]:
    return sorted(column.tobytes() for column in np.ascontiguousarray(codes.T))


def _gaussian_moments(clean: Dataset, data: Dataset) -> Check:
    """Mean and deviation of the noise in each channel, in units of their standard errors."""
    axes = (0, 2, 3) if clean.is_images else (0,)
    noise = data.train.inputs[data.train.changed_inputs].astype(np.float64)
    if len(noise) == 0:
        return Check("moments of Gaussian inputs", True, "no training image was replaced")
    mean, deviation = (getattr(clean.train.inputs, name)(axis=axes, dtype=np.float64) for name in ("mean", "std"))
    count = noise.size // noise.shape[1]
    alive = deviation > 0
    shift = np.abs(noise.mean(axis=axes) - mean)[alive] / deviation[alive] * np.sqrt(count)
    # The relative error of a deviation of `count` Gaussians is 1/sqrt(2 count), a little more for few.
    spread = np.abs(noise.std(axis=axes) / np.where(alive, deviation, 1) - 1)[alive] * np.sqrt(2 * count)
    worst = float(max(shift.max(initial=0), spread.max(initial=0) if count >= 50 else 0))
    # Two moments a channel, each beyond the limit with probability _SIGNIFICANCE / (2 channels).
    limit = 1.2 * float(stats.norm.isf(_SIGNIFICANCE / (4 * max(len(mean), 1))))
    return Check(
        "moments of Gaussian inputs",
        worst <= limit,
        f"means and deviations of {len(noise)} noise images are at most {worst:.1f} standard errors from those of "
        f"the clean channels; expected at most {limit:.1f}",
    )
