"""The paper's randomisations: exact edges, statistics, nestedness in the rate, and golden hashes."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import counted
from scipy import stats

from byrote.data.corruptions.application import apply_corruptions, corrupt
from byrote.data.corruptions.catalog import BUILT_IN
from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError

NAMES = [name for method in BUILT_IN for name in (method.name, method.full_name) if name]
LABEL_CORRUPTIONS = [name for name in NAMES if Corruption(name=name).method.changes == "labels"]
INPUT_CORRUPTIONS = [name for name in NAMES if name not in LABEL_CORRUPTIONS]


def sha(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()[:16]


def splits(data: Dataset) -> tuple[Split, Split]:
    return data.train, data.test


GOLDEN = {
    "partial-labels": ("cf8934b3941b23d7", "873365947765167f"),
    "random-labels": ("ec2018d296c79427", "873365947765167f"),
    "shuffled-pixels": ("3233169c7d3d8ffc", "3233169c7d3d8ffc"),
    "asymmetric-labels": ("59899c41a3bbf3fc", "873365947765167f"),
    "swapped-labels": ("c82f41a14de66932", "873365947765167f"),
    "constant-class": ("26bd30721efc95d8", "873365947765167f"),
    "random-pixels": ("32bb265fe6043b3a", "41a74d490556f214"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_hashes(name: str) -> None:
    """No library update changes labels or permutations unseen."""
    rate = 0.4 if name in LABEL_CORRUPTIONS and name != "random-labels" else 1.0
    found = corrupt(counted(1500, (2, 4, 3)), name, rate=rate, seed=5)
    train = found.train.labels if name in LABEL_CORRUPTIONS else found.train.inputs
    test = found.test.labels if name in LABEL_CORRUPTIONS else found.test.inputs
    assert (sha(train), sha(test)) == GOLDEN[name]


def test_true_labels_are_the_data(tiny: Dataset) -> None:
    assert corrupt(tiny, "true-labels") is tiny


@pytest.mark.parametrize(
    ("name", "rate", "message"),
    [
        ("noise", 1.0, "got corruption 'noise', expected one of true-labels, "),
        ("partial-labels", 1.5, "got corruption rate 1.5, expected a probability between 0 and 1"),
        ("gaussian", float("nan"), "got corruption rate nan"),
        ("random-labels", 0.5, "got rate 0.5 for random-labels, which has rate 1: use partial-labels"),
    ],
)
def test_wrong_requests_are_answered(tiny: Dataset, name: str, rate: float, message: str) -> None:
    with pytest.raises(UserError) as error:
        corrupt(tiny, name, rate=rate)
    assert message in str(error.value)


def test_random_labels_take_no_rate() -> None:
    with pytest.raises(UserError, match="use partial-labels for a rate"):
        Corruption(name="random-labels", rate=0.5)


@pytest.mark.parametrize("name", NAMES)
def test_a_corruption_is_a_pure_function_of_data_and_seed(tiny: Dataset, name: str) -> None:
    before = tiny.fingerprint
    rate = 1.0 if name == "random-labels" else 0.5  # at rate 1 some have but one outcome
    once, twice, other = (corrupt(tiny, name, rate=rate, seed=seed) for seed in (0, 0, 1))
    fresh = replace(tiny, train=tiny.train.take(np.arange(121)))
    assert fresh.fingerprint == before
    assert once.fingerprint == twice.fingerprint != other.fingerprint
    strength = ", strength=1" if name == "additive-noise" else ""
    assert once.corruptions == (f"{name}(rate={rate:g}{strength}, seed=0)",)
    np.testing.assert_array_equal(once.test.labels, tiny.test.labels)
    np.testing.assert_array_equal(once.train.true_labels, tiny.train.labels)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "random-labels"])
def test_rate_0_changes_nothing(tiny: Dataset, name: str) -> None:
    corrupted = corrupt(tiny, name, rate=0.0)
    for before, after in zip(splits(tiny), splits(corrupted), strict=True):
        np.testing.assert_array_equal(before.inputs, after.inputs)
        np.testing.assert_array_equal(before.labels, after.labels)
        assert not after.changed.any()


@pytest.mark.parametrize("name", INPUT_CORRUPTIONS)
def test_input_corruptions_leave_labels_and_mark_all(tiny: Dataset, name: str) -> None:
    corrupted = corrupt(tiny, name)
    for before, after in zip(splits(tiny), splits(corrupted), strict=True):
        np.testing.assert_array_equal(before.labels, after.labels)
        assert after.changed_inputs.all()
        assert not (before.inputs == after.inputs).all(axis=(1, 2, 3)).any()


def test_random_labels_are_partial_labels_of_rate_1(tiny: Dataset) -> None:
    random, partial = corrupt(tiny, "random-labels", seed=3), corrupt(tiny, "partial-labels", rate=1.0, seed=3)
    np.testing.assert_array_equal(random.train.labels, partial.train.labels)
    np.testing.assert_array_equal(random.train.inputs, tiny.train.inputs)


@pytest.mark.parametrize("k", [2, 3, 10])
@pytest.mark.parametrize("rate", [0.25, 0.5, 1.0])
def test_the_share_of_changed_labels(k: int, rate: float) -> None:
    n = 20_000
    corrupted = corrupt(counted(n, (1,), k), "partial-labels", rate=rate)
    assert stats.binomtest(int(corrupted.train.changed_labels.sum()), n, rate * (1 - 1 / k)).pvalue > 1e-4
    if rate == 1:
        table = np.bincount(corrupted.train.true_labels * k + corrupted.train.labels).reshape(k, k)
        assert stats.chi2_contingency(table).pvalue > 1e-4
        assert stats.chisquare(table.sum(axis=0)).pvalue > 1e-4


@settings(max_examples=30)
@given(st.sampled_from(NAMES), st.tuples(st.floats(0, 1), st.floats(0, 1)), st.integers(0, 2**62))
def test_changes_are_nested_in_the_rate(name: str, rates: tuple[float, float], seed: int) -> None:
    name = "partial-labels" if name == "random-labels" else name
    data = counted(60, (2, 2, 3))
    fewer, more = (corrupt(data, name, rate=rate, seed=seed) for rate in sorted(rates))
    for less, all_, clean in zip(splits(fewer), splits(more), splits(data), strict=True):
        assert (all_.changed | ~less.changed).all()
        np.testing.assert_array_equal(less.labels[less.changed_labels], all_.labels[less.changed_labels])
        np.testing.assert_array_equal(less.inputs[less.changed_inputs], all_.inputs[less.changed_inputs])
        np.testing.assert_array_equal(less.inputs[~less.changed_inputs], clean.inputs[~less.changed_inputs])


def orders(before: Split, after: Split) -> np.ndarray:
    """[N, P] where each pixel of each image came from, from the first channel of `counted`."""
    first = (slice(None), 0) if before.inputs.ndim == 4 else slice(None)
    values, moved = (split.inputs[first].reshape(len(split), -1) for split in (before, after))
    return (moved - values[:, :1]).astype(np.int64)


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 4, 5), (12,)])
@pytest.mark.parametrize("name", ["shuffled-pixels", "random-pixels"])
def test_permutations(name: str, shape: tuple[int, ...]) -> None:
    data = counted(1100, shape)
    corrupted = corrupt(data, name)
    pairs = list(zip(splits(data), splits(corrupted), strict=True))
    both = np.concatenate([orders(before, after) for before, after in pairs])
    np.testing.assert_array_equal(np.sort(both, axis=1), np.broadcast_to(np.arange(both.shape[1]), both.shape))
    assert len(np.unique(both, axis=0)) == (1 if name == "shuffled-pixels" else len(both))
    for before, after in pairs:
        channels = 1 if len(shape) == 1 else shape[0]
        values, moved = (split.inputs.reshape(len(split), channels, -1) for split in (before, after))
        expected = np.take_along_axis(values, orders(before, after)[:, None, :], axis=2)
        np.testing.assert_array_equal(moved, expected)


def test_own_permutations_are_uniform() -> None:
    data = counted(12_000, (1, 3, 1))
    corrupted = corrupt(data, "random-pixels")
    _, counts = np.unique(orders(data.train, corrupted.train), axis=0, return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-4


def test_gaussian_moments_are_those_of_the_training_channels() -> None:
    generator = np.random.default_rng(0)
    images = np.stack([generator.normal(m, s, (3000, 4, 4)).clip(0, 255) for m, s in ((20, 30), (200, 9))], axis=1)
    train = Split.clean(images[:2000].round().astype(np.uint8), np.arange(2000) % 10)
    test = Split.clean(images[2000:].round().astype(np.uint8) // 2, np.arange(1000) % 10)
    corrupted = corrupt(Dataset("two colours", train, test, tuple("0123456789")), "gaussian")
    for split in splits(corrupted):
        assert split.inputs.dtype == np.float32
        assert split.inputs.min() < 0
        assert split.inputs.max() > 210
        for channel in range(2):
            clean = train.inputs[:, channel].astype(np.float64)
            noise = (split.inputs[:, channel].ravel().astype(np.float64) - clean.mean()) / clean.std()
            assert stats.kstest(noise, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(corrupted.train.inputs[:, 0].ravel(), corrupted.train.inputs[:, 1].ravel())[0, 1]) < 0.03


def test_gaussian_vectors_have_the_moments_of_each_feature() -> None:
    scales = np.array([1.0, 10.0, 0.0])
    vectors = (np.random.default_rng(0).normal(size=(4000, 3)) * scales + 5).astype(np.float32)
    split = Split.clean(vectors, np.arange(4000) % 2)
    noise = corrupt(Dataset("vectors", split, split, ("a", "b")), "gaussian").train.inputs
    np.testing.assert_allclose(noise.mean(axis=0), 5, atol=5 * 10 / np.sqrt(4000))
    np.testing.assert_allclose(noise.std(axis=0), vectors.std(axis=0), rtol=0.07)
    assert (noise[:, 2] == 5).all()


def test_labels_and_inputs_together(tiny: Dataset) -> None:
    """In either order, each as it is alone: their streams are independent."""
    labels, inputs = Corruption(name="partial-labels", rate=0.5), Corruption(name="random-pixels", rate=0.5)
    both, swapped = apply_corruptions(tiny, (labels, inputs), 2), apply_corruptions(tiny, (inputs, labels), 2)
    np.testing.assert_array_equal(both.train.labels, corrupt(tiny, "partial-labels", rate=0.5, seed=2).train.labels)
    np.testing.assert_array_equal(both.train.inputs, corrupt(tiny, "random-pixels", rate=0.5, seed=2).train.inputs)
    assert both.fingerprint == swapped.fingerprint
    assert both.corruptions == ("partial-labels(rate=0.5, seed=2)", "random-pixels(rate=0.5, seed=2)")
    which = both.train.changed_inputs, corrupt(tiny, "partial-labels", rate=0.5, seed=2).train.changed_labels
    np.testing.assert_array_equal(both.train.changed, which[0] | which[1])
    np.testing.assert_array_equal(apply_corruptions(tiny, (), 0).train.inputs, tiny.train.inputs)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("n", "shape", "k"), [(1, (1, 1, 1), 2), (1, (3, 2, 2), 1), (2, (1,), 2), (5, (1, 1, 7), 1)])
def test_edges(name: str, n: int, shape: tuple[int, ...], k: int) -> None:
    corrupted = corrupt(counted(n, shape, k), name)
    for split in splits(corrupted):
        assert split.inputs.shape == (n, *shape)
        assert np.isfinite(split.inputs).all()
        assert ((split.labels >= 0) & (split.labels < k)).all()


@pytest.mark.parametrize("name", INPUT_CORRUPTIONS)
def test_the_layout_in_memory_does_not_matter(tiny: Dataset, name: str) -> None:
    def channels_last(split: Split) -> Split:
        inputs = np.ascontiguousarray(split.inputs.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        return replace(split, inputs=np.asfortranarray(inputs))

    other = replace(tiny, train=channels_last(tiny.train), test=channels_last(tiny.test))
    assert corrupt(other, name).fingerprint == corrupt(tiny, name).fingerprint


def tokens(n: int = 200, length: int = 7) -> Dataset:
    ids = np.random.default_rng(0).integers(0, 10**6, (2 * n, length))
    parts = [Split.clean(ids[rows], np.arange(n) % 3) for rows in (slice(n), slice(n, None))]
    return Dataset("ids", parts[0], parts[1], ("a", "b", "c"), pixel_max=1.0)


@pytest.mark.parametrize("name", ["shuffled-pixels", "random-pixels"])
def test_tokens_change_places(name: str) -> None:
    data = tokens()
    noisy = corrupt(data, name, seed=1)
    for before, after in zip(splits(data), splits(noisy), strict=True):
        assert after.inputs.dtype == np.int64
        np.testing.assert_array_equal(np.sort(before.inputs), np.sort(after.inputs))
    orders = [np.argsort(np.argsort(row)) for row in noisy.train.inputs - 0]
    before = [np.argsort(row) for row in data.train.inputs]
    moves = {tuple(order[ranks]) for order, ranks in zip(before, orders, strict=True)}
    assert (len(moves) == 1) == (name == "shuffled-pixels")


def test_labels_of_tokens_are_redrawn_and_their_values_are_not() -> None:
    noisy = corrupt(tokens(), "random-labels")
    assert noisy.train.changed_labels.any()
    np.testing.assert_array_equal(noisy.train.inputs, tokens().train.inputs)
    with pytest.raises(UserError, match=r"got gaussian for ids, whose inputs are token ids .* random-labels"):
        corrupt(tokens(), "gaussian", rate=0.5)
