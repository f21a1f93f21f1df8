from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from byrote.data.corruptions.application import apply_corruptions
from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, Split
from byrote.data.preprocessing import preprocess
from byrote.data.subsets import held_out_rows, subset
from byrote.errors import UserError
from byrote.training.conditions import labels_digest, make_conditions
from byrote.training.picked import Picked
from byrote.training.spec import TrainSpec

RANDOM = Corruption(name="random-labels")
NOISE = Corruption(name="gaussian", rate=0.5)
OWN = Corruption(name="random-pixels")


def spec(*corruptions: Corruption, **fields: object) -> TrainSpec:
    return TrainSpec(model="mlp-1x4", corruptions=corruptions, n_train=50, **fields)


SPECS = [
    spec(),
    spec(RANDOM, seed=1),
    spec(RANDOM, OWN, seed=1),
    spec(OWN, seed=1),
    spec(OWN, seed=2),
    spec(NOISE),
    spec(data_seed=4),
]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("preprocessing", ["whiten", "standardize"])
def test_every_replica_sees_its_own_data(tiny: Dataset, preprocessing: str, channels_last: bool) -> None:
    specs = [s.model_copy(update={"preprocessing": preprocessing}) for s in SPECS]
    found = make_conditions(specs, tiny, device="cpu", channels_last=channels_last)
    # True and random labels share their inputs, as do equal input corruptions of equal seeds.
    assert len(found.train.inputs) == 5 * 50
    examples = torch.stack([torch.randperm(50)[:20] for _ in specs])
    batch = found.train.gather(examples, torch.float32)
    for replica, each in enumerate(specs):
        data = apply_corruptions(subset(tiny, 50, each.data_seed), each.corruptions, each.seed)
        pair = preprocess(data, each.preprocessing)
        torch.testing.assert_close(batch[replica], pair[0].gather(examples[replica], torch.float32))
        assert torch.equal(found.train.labels[replica], torch.from_numpy(data.train.labels))
        assert torch.equal(found.train.true_labels[replica], torch.from_numpy(data.train.true_labels))
        everything = found.test.gather(torch.arange(60).expand(len(specs), -1), torch.float32)
        torch.testing.assert_close(everything[replica], pair[1].gather(torch.arange(60), torch.float32))
        assert torch.equal(found.test.labels[replica], torch.from_numpy(tiny.test.labels))
        assert all(check.passed for check in found.checks[replica])


@pytest.mark.parametrize("preprocessing", ["whiten", "standardize"])
def test_a_validation_share_leaves_the_rest_as_it_was(tiny: Dataset, preprocessing: str) -> None:
    """Every replica trains on a part of what it would train on; the other part has true labels."""
    whole = [s.model_copy(update={"preprocessing": preprocessing}) for s in SPECS]
    specs = [s.model_copy(update={"validation": 0.2}) for s in whole]
    every = make_conditions(whole, tiny, device="cpu", channels_last=False).train
    found = make_conditions(specs, tiny, device="cpu", channels_last=False)
    assert found.validation is not None
    assert found.validation.inputs is found.train.inputs
    inputs = every.gather(torch.arange(50).repeat(len(specs), 1), torch.float32)
    for replica, each in enumerate(specs):
        labels = subset(tiny, 50, each.data_seed).train.true_labels
        trained, kept_out = (torch.from_numpy(rows) for rows in held_out_rows(labels, 0.2, each.data_seed))
        assert (len(trained), len(kept_out)) == (40, 10)
        assert torch.equal(found.train.labels[replica], every.labels[replica][trained])
        assert torch.equal(found.train.true_labels[replica], every.true_labels[replica][trained])
        assert torch.equal(found.validation.labels[replica], every.true_labels[replica][kept_out])
        assert torch.equal(found.validation.true_labels[replica], every.true_labels[replica][kept_out])
        for split, rows in ((found.train, trained), (found.validation, kept_out)):
            batch = split.gather(torch.arange(len(rows)).expand(len(specs), -1), torch.float32)
            assert torch.equal(batch[replica], inputs[replica][rows])
        assert found.most_correct[replica] == 40
        assert "validation held out" in [check.name for check in found.checks[replica]]
        assert all(check.passed for check in found.checks[replica])


def test_a_replaced_example_changes_places_with_one_held_out(tiny: Dataset) -> None:
    """One training example differs, with its label, and one held-out example; the inputs are stored once."""
    before = TrainSpec(model="mlp-1x4", n_train=50, validation=0.2, corruptions=(RANDOM,))
    specs = [before, *(before.model_copy(update={"replaced": i}) for i in (3, 27))]
    found = make_conditions(specs, tiny, device="cpu", channels_last=False)
    assert found.validation is not None
    assert len(found.train.inputs) == 50
    labels = apply_corruptions(subset(tiny, 50, 0), before.corruptions, before.seed).train.labels
    for replica, (i, j) in enumerate(((3, 3), (27, 7)), start=1):
        changed = found.train.rows[replica] != found.train.rows[0]
        assert changed.nonzero().flatten().tolist() == [i]
        assert found.train.rows[replica, i] == found.validation.rows[0, j]
        assert found.validation.rows[replica, j] == found.train.rows[0, i]
        assert found.train.labels[replica, i] == labels[found.validation.rows[0, j]]
        assert all(check.passed for check in found.checks[replica])
    with pytest.raises(UserError, match="got replaced=40 for 40 training examples"):
        make_conditions([before.model_copy(update={"replaced": 40})], tiny, device="cpu", channels_last=False)


def test_a_sample_of_each_replica(tiny: Dataset) -> None:
    train = make_conditions(SPECS, tiny, device="cpu", channels_last=False).train
    examples = torch.stack([torch.randperm(50)[:7] for _ in SPECS])
    sample = train.at(examples)
    assert sample.num_examples == 7
    rows = torch.arange(7).expand(len(SPECS), -1)
    assert torch.equal(sample.gather(rows, torch.float32), train.gather(examples, torch.float32))
    assert torch.equal(sample.labels, train.labels.gather(1, examples))
    assert torch.equal(sample.keep([2]).true_labels[0], train.true_labels[2][examples[2]])


@pytest.mark.parametrize("channels_last", [False, True])
def test_inputs_on_disk_are_not_copied(
    tmp_path: Path, tiny: Dataset, anonymous_bytes: Callable[[], int], channels_last: bool
) -> None:
    """Thousands of 64x64 images: preparing, checking and hashing them takes no memory of that size."""
    n, shape = 4000, (64, 64, 3)
    pixels = np.lib.format.open_memmap(tmp_path / "pixels.npy", mode="w+", dtype=np.uint8, shape=(n, *shape))
    generator = np.random.default_rng(0)
    for start in range(0, n, 500):
        pixels[start : start + 500] = generator.integers(0, 256, (500, *shape), dtype=np.uint8)
    del pixels
    inputs = np.load(tmp_path / "pixels.npy", mmap_mode="r").transpose(0, 3, 1, 2)
    labels = generator.integers(0, 10, n)
    split = Split.clean(inputs, labels)
    data = Dataset("on disk", split, Split.clean(inputs[:200], labels[:200]), tiny.class_names)
    spec = TrainSpec(model="mlp-1x4", corruptions=(RANDOM,), validation=0.1, crop=56)
    tracemalloc.start()
    before, fingerprint = anonymous_bytes(), data.fingerprint
    found = make_conditions([spec], data, device="cpu", channels_last=channels_last)
    grown, peak = anonymous_bytes() - before, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.shares_memory(found.train.inputs.pixels, inputs)
    assert found.most_correct == (3600,)
    assert fingerprint == replace(data, name="again").fingerprint
    batch = found.train.gather(torch.arange(5)[None], torch.float32)
    assert batch.shape == (1, 5, 3, 56, 56)
    # Blocks of a million values come and go.
    assert grown < inputs.nbytes / 2
    assert peak < inputs.nbytes / 2


def test_kept_replicas_keep_their_data(tiny: Dataset) -> None:
    train = make_conditions(SPECS, tiny, device="cpu", channels_last=False).train
    kept = train.keep([5, 2])
    rows = torch.arange(50).expand(7, -1)
    assert torch.equal(kept.gather(rows[:2], torch.float32), train.gather(rows, torch.float32)[[5, 2]])
    assert torch.equal(train.keep([1]).gather(rows[:1], torch.float32), train.gather(rows, torch.float32)[[1]])
    assert labels_digest(kept, 1) == labels_digest(train, 2) != labels_digest(train, 0)


def test_equal_inputs_are_stored_once_and_fetched_once(tiny: Dataset) -> None:
    train = make_conditions(SPECS[:2], tiny, device="cpu", channels_last=False).train
    assert len(train.inputs) == 50
    for split in (train, train.keep([1, 0])):
        picked = Picked(split.inputs, split.rows, torch.float32).between(0, 9)
        assert len(picked.fetch().pixels) == 9
        batch = picked.network_inputs()
        assert batch.stride(0) == 0
        assert torch.equal(batch, train.gather(torch.arange(9).repeat(2, 1), torch.float32))


@pytest.mark.parametrize(
    ("labels", "most"), [([0, 0, 0, 0], 4), ([0, 1, 0, 0], 3), ([0, 1, 1, 0], 3), ([0, 1, 2, 3], 2), ([3, 3, 3, 1], 4)]
)
def test_what_any_function_can_get_right(tiny: Dataset, labels: list[int], most: int) -> None:
    """Three images that whitening makes equal (all constant), and another."""
    images = np.stack([np.full((1, 8, 8), value, np.uint8) for value in (3, 3, 9)] + [tiny.train.inputs[0]])
    data = replace(tiny, train=Split.clean(images, np.array(labels)))
    found = make_conditions([TrainSpec(model="mlp-1x4")], data, device="cpu", channels_last=False)
    assert found.most_correct == (most,)


def test_which_test_examples_are_trained_on(tiny: Dataset) -> None:
    """Each replica by its own subset and inputs, after whitening, which makes all constant images one."""
    images = tiny.test.inputs.copy()
    images[[3, 8]] = tiny.train.inputs[[100, 5]]
    images[20], images[21] = 2, 9
    train_inputs = tiny.train.inputs.copy()
    train_inputs[7] = 4
    data = replace(tiny, train=replace(tiny.train, inputs=train_inputs), test=replace(tiny.test, inputs=images))
    specs = [TrainSpec(model="mlp-1x4", n_train=n, data_seed=seed) for n, seed in ((50, 0), (50, 1))]
    specs += [s.model_copy(update={"validation": 0.3}) for s in specs]
    for spec in specs:
        (leaked,) = make_conditions([spec], data, device="cpu", channels_last=False).test_leaked
        rows = subset(data, 50, spec.data_seed).train.sources
        trained = rows[held_out_rows(data.train.labels[rows], spec.validation, spec.data_seed)[0]]
        expected = [test for test, source in ((3, 100), (8, 5), (20, 7), (21, 7)) if source in trained]
        np.testing.assert_array_equal(leaked, expected)
    specs = [TrainSpec(model="mlp-1x4", preprocessing="none", corruptions=corruptions) for corruptions in ((), (OWN,))]
    both = make_conditions(specs, data, device="cpu", channels_last=False)
    np.testing.assert_array_equal(both.test_leaked[0], [3, 8])
    assert len(both.test_leaked[1]) == 0
    assert "2 of 60 test examples" in both.checks[0][-1].detail


def test_tokens_are_told_apart_to_the_last_bit() -> None:
    """Ids that float32 would make equal."""
    ids = 2**24 + np.arange(8).reshape(4, 2)
    split = Split.clean(ids, np.arange(4) % 2)
    data = Dataset("ids", split, Split.clean(ids + 1, split.labels), ("a", "b"), pixel_max=1.0)
    spec = TrainSpec(model="mlp-1x4", preprocessing="none")
    found = make_conditions([spec], data, device="cpu", channels_last=False)
    assert (found.most_correct, len(found.test_leaked[0])) == ((4,), 0)
