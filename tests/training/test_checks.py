"""Sound corruptions pass at every seed; each of the classic mistakes, made by hand, fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from byrote.data.corruptions.application import apply_corruptions
from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, Split
from byrote.training.checks import data_checks, digest, fresh_weights, held_out, same_labels, unseen
from byrote.training.spec import TrainSpec

NAMES = ["partial-labels", "random-labels", "shuffled-pixels", "random-pixels", "gaussian"]


def spec(*corruptions: Corruption) -> TrainSpec:
    return TrainSpec(model="mlp-1x4", corruptions=corruptions)


def failed(data: Dataset, corrupted: Dataset, *corruptions: Corruption) -> list[str]:
    return [check.name for check in data_checks(spec(*corruptions), data, corrupted) if not check.passed]


def made_up(n: int, shape: tuple[int, ...], k: int, seed: int = 0) -> Dataset:
    generator = np.random.default_rng(seed)
    inputs = generator.integers(0, 256, (2 * n, *shape)).astype(np.uint8 if len(shape) == 3 else np.float32)
    labels = generator.integers(0, k, 2 * n)
    return Dataset(
        "made up", Split.clean(inputs[:n], labels[:n]), Split.clean(inputs[n:], labels[n:]), tuple(map(str, range(k)))
    )


DATA = {
    "tiny": None,
    "colour": made_up(60, (3, 5, 4), 3),
    "vectors": made_up(40, (12,), 10),
    "one example": made_up(1, (1, 3, 3), 2),
    "one pixel": made_up(30, (2, 1, 1), 2),
    "two pixels": made_up(2, (1, 1, 2), 2),
    "one feature": made_up(30, (1,), 2),
    "constant": Dataset(
        "constant",
        Split.clean(np.full((9, 1, 4, 4), 7, np.uint8), np.arange(9)),
        Split.clean(np.full((9, 1, 4, 4), 7, np.uint8), np.arange(9)),
        tuple("012345678"),
    ),
}


@pytest.fixture(params=DATA)
def any_data(request: pytest.FixtureRequest, tiny: Dataset) -> Dataset:
    return DATA[request.param] or tiny


@pytest.mark.parametrize("name", NAMES)
def test_sound_corruptions_pass(any_data: Dataset, name: str) -> None:
    for rate, seed in product([1.0] if name == "random-labels" else [0.0, 0.3, 1.0], range(6)):
        corruption = Corruption.model_validate({"name": name, "rate": rate})
        corrupted = apply_corruptions(any_data, (corruption,), seed)
        assert failed(any_data, corrupted, corruption) == [], (rate, seed)


def test_clean_data_pass(any_data: Dataset) -> None:
    assert failed(any_data, any_data) == []


def test_what_was_corrupted_before_is_clean_to_a_run(tiny: Dataset) -> None:
    both = (Corruption(name="partial-labels", rate=0.4), Corruption(name="gaussian", rate=0.5))
    before = apply_corruptions(tiny, both, 0)
    assert failed(before, before) == []
    assert failed(before, apply_corruptions(before, both, 1), *both) == []


def with_labels(data: Dataset, labels: np.ndarray) -> Dataset:
    return replace(data, train=replace(data.train, labels=labels))


RANDOM = Corruption(name="random-labels")
HALF = Corruption(name="partial-labels", rate=0.5)
SHUFFLED = Corruption(name="shuffled-pixels")
OWN = Corruption(name="random-pixels")
NOISE = Corruption(name="gaussian")


def random_labels(data: Dataset) -> np.ndarray:
    return apply_corruptions(data, (RANDOM,), 0).train.labels


@pytest.mark.parametrize("k", [2, 3, 10])
@pytest.mark.parametrize(
    "mistake",
    [
        lambda labels, k: (labels + 1) % k,
        lambda labels, k: np.random.default_rng(0).permutation(k)[labels],
        lambda labels, k: np.full_like(labels, k - 1),
        lambda labels, k: labels,
        lambda labels, k: np.random.default_rng(0).integers(0, k - 1, len(labels)),
        lambda labels, k: np.where(labels == 0, labels, np.random.default_rng(0).integers(0, k, len(labels))),
    ],
    ids=["next class", "permuted classes", "one class", "true labels", "last class never", "class 0 spared"],
)
def test_labels_that_are_not_random_fail(mistake: Callable[..., np.ndarray], k: int) -> None:
    data = made_up(200, (1, 2, 2), k)
    assert "changed labels independent" in failed(data, with_labels(data, mistake(data.train.labels, k)), RANDOM)


def test_another_rate_fails(tiny: Dataset) -> None:
    assert "share of changed labels" in failed(tiny, with_labels(tiny, random_labels(tiny)), HALF)
    assert "share of changed labels" in failed(tiny, with_labels(tiny, random_labels(tiny)))


def test_corrupted_test_labels_fail(tiny: Dataset) -> None:
    test_labels = (tiny.test.labels + (np.arange(60) == 7)) % 10
    wrong = replace(tiny, test=replace(tiny.test, labels=test_labels))
    assert failed(tiny, wrong) == ["true labels kept"]


def test_forgotten_true_labels_fail(tiny: Dataset) -> None:
    labels = random_labels(tiny)
    wrong = replace(tiny, train=replace(tiny.train, labels=labels, true_labels=labels))
    assert failed(tiny, wrong, RANDOM) == ["true labels kept"]


def test_labels_redrawn_between_epochs_fail(tiny: Dataset) -> None:
    first, second = (apply_corruptions(tiny, (RANDOM,), seed).train.labels for seed in range(2))
    assert same_labels(digest(first), digest(first.copy())).passed
    check = same_labels(digest(first), digest(second))
    assert not check.passed
    assert "at the first epoch" in check.detail


def test_weights_of_another_run_fail() -> None:
    assert fresh_weights("a", "a", False, is_drawn=True).passed
    assert not fresh_weights("a", "b", False, is_drawn=True).passed
    assert not fresh_weights("a", "a", True, is_drawn=True).passed
    assert fresh_weights("a", "a", True, is_drawn=False).passed


@pytest.mark.parametrize(
    ("trained", "kept_out", "passed"),
    [([0, 2], [1, 3], True), ([0, 1, 2], [2, 3], False), ([0, 1], [3], False)],
    ids=["apart", "one in both", "one lost"],
)
def test_what_is_trained_on_is_not_validated_on(trained: list[int], kept_out: list[int], passed: bool) -> None:
    assert held_out(np.array(trained), np.array(kept_out), 4, 0).passed == passed


@pytest.mark.parametrize(("leaked", "passed"), [([], True), ([3], True), (range(59), True), (range(60), False)])
def test_a_test_set_without_new_examples_fails(tiny: Dataset, leaked: list[int], passed: bool) -> None:
    check = unseen(replace(tiny.test, origin="row {} of x"), np.array(leaked, dtype=np.int64), 60)
    assert check.passed == passed
    assert check.detail.endswith("at least one other")
    repeated = unseen(tiny.test, np.array(leaked, dtype=np.int64), 40)
    assert repeated.passed == passed
    assert "40 of the 60 have inputs that differ: equal ones count as one in intervals" in repeated.detail
    assert f"{len(leaked)} of 60 test examples have the input" in check.detail
    assert (f"the first is row {[*leaked, 0][0]} of x" in check.detail) == bool(len(leaked))


@pytest.mark.parametrize("other", [np.zeros(4, np.int32), np.zeros((2, 2)), np.zeros(3), np.ones(4)], ids=str)
def test_a_digest_is_of_type_shape_and_content(other: np.ndarray) -> None:
    assert digest(np.zeros(4)) == digest(np.zeros(8)[::2]) != digest(other)


@pytest.fixture(params=["tiny", "colour", "vectors"])
def pixels(request: pytest.FixtureRequest, tiny: Dataset) -> Dataset:
    return DATA[request.param] or tiny


def mark(split: Split) -> Split:
    return replace(split, changed_inputs=np.ones(len(split), dtype=bool))


@pytest.mark.parametrize("corruption", [SHUFFLED, OWN, NOISE], ids=lambda corruption: corruption.name)
def test_a_test_set_left_alone_fails(pixels: Dataset, corruption: Corruption) -> None:
    corrupted = apply_corruptions(pixels, (corruption,), 0)
    assert failed(pixels, replace(corrupted, test=pixels.test), corruption) == ["share of changed inputs"]
    assert failed(pixels, replace(corrupted, test=mark(pixels.test)), corruption) != []


@pytest.mark.parametrize("corruption", [SHUFFLED, OWN], ids=lambda corruption: corruption.name)
def test_a_permutation_that_is_none_fails(pixels: Dataset, corruption: Corruption) -> None:
    unmoved = replace(pixels, train=mark(pixels.train), test=mark(pixels.test))
    (title,) = failed(pixels, unmoved, corruption)
    assert title.endswith("permutation" if corruption == SHUFFLED else "permutations")


def test_one_permutation_is_not_many(pixels: Dataset) -> None:
    one, many = (apply_corruptions(pixels, (corruption,), 0) for corruption in (SHUFFLED, OWN))
    assert failed(pixels, one, OWN) == ["many permutations"]
    assert failed(pixels, many, SHUFFLED) == ["one permutation"]


def test_one_permutation_a_split_fails_as_one_and_as_many(pixels: Dataset) -> None:
    first, second = (apply_corruptions(pixels, (SHUFFLED,), seed) for seed in range(2))
    mixed = replace(first, test=second.test)
    assert failed(pixels, mixed, SHUFFLED) == ["one permutation"]
    assert failed(pixels, mixed, OWN) == ["many permutations"]


def test_channels_that_move_apart_fail() -> None:
    data = made_up(60, (3, 5, 4), 3)
    corrupted = apply_corruptions(data, (SHUFFLED,), 0)
    apart = {}
    for name, split in (("train", corrupted.train), ("test", corrupted.test)):
        inputs = split.inputs.copy()
        inputs[:, 0] = inputs[:, 0, ::-1]
        apart[name] = replace(split, inputs=inputs)
    assert failed(data, replace(corrupted, **apart), SHUFFLED) == ["one permutation"]


@pytest.mark.parametrize(
    "mistake",
    [
        lambda inputs: inputs.clip(0, 16),
        lambda inputs: inputs + 1,
        lambda inputs: 1.2 * inputs,
        lambda inputs: np.zeros_like(inputs),
    ],
    ids=["clamped", "shifted", "scaled", "zeros"],
)
@pytest.mark.parametrize("name", ["train", "test"])
def test_noise_of_other_moments_fails(tiny: Dataset, mistake: Callable[..., np.ndarray], name: str) -> None:
    corrupted = apply_corruptions(tiny, (NOISE,), 0)
    split = getattr(corrupted, name)
    wrong = replace(corrupted, **{name: replace(split, inputs=mistake(split.inputs))})
    assert failed(tiny, wrong, NOISE) == ["moments of Gaussian inputs"]


def test_inputs_changed_beside_the_marks_fail(tiny: Dataset) -> None:
    inputs = tiny.train.inputs.copy()
    inputs[3, 0, 2, 2] += 1
    wrong = replace(tiny, train=replace(tiny.train, inputs=inputs))
    assert failed(tiny, wrong) == ["share of changed inputs"]


def test_noise_of_the_channels_is_not_mixed_up() -> None:
    generator = np.random.default_rng(0)
    bright = np.stack([generator.normal(m, 5, (40, 4, 4)) for m in (50, 120, 200)], axis=1).astype(np.float32)
    data = Dataset("bright", *(Split.clean(bright, np.arange(40) % 4) for _ in range(2)), class_names=tuple("0123"))
    corrupted = apply_corruptions(data, (NOISE,), 0)
    assert failed(data, corrupted, NOISE) == []
    wrong = replace(corrupted, train=replace(corrupted.train, inputs=corrupted.train.inputs[:, ::-1]))
    assert failed(data, wrong, NOISE) == ["moments of Gaussian inputs"]
