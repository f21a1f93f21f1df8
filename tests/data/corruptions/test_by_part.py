"""Each of several inputs is corrupted as it would be alone, in the same examples, and checked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from byrote.data.corruptions.additive_noise import AdditiveNoise
from byrote.data.corruptions.application import corrupt
from byrote.data.corruptions.by_part import checks_by_part
from byrote.data.corruptions.catalog import find_corruption
from byrote.data.corruptions.contract import InputCorruption
from byrote.data.dataset import Dataset
from byrote.data.sources import from_arrays
from byrote.errors import UserError

N = 600


@pytest.fixture(scope="module")
def data() -> Dataset:
    draw = np.random.default_rng(0)
    inputs = {
        "image": draw.integers(0, 256, (N, 4, 5, 3), dtype=np.uint8),
        "meta": draw.normal(3, 2, (N, 4)),
        "ids": draw.integers(0, 9, (N, 5)) * np.array([1, 1, 1, 10, 0]),
        "mask": draw.random((N, 3)) < 0.2,
    }
    return from_arrays(inputs, draw.integers(0, 2, N), kind={"ids": "tokens"})


@pytest.mark.parametrize("name", ["gaussian", "shuffled-pixels", "random-pixels"])
def test_inputs_change_in_the_same_examples_and_pass_their_checks(name: str, data: Dataset) -> None:
    noisy, method = corrupt(data, name, rate=0.5, seed=1), find_corruption(name)
    assert isinstance(method, InputCorruption)
    same = noisy.train.inputs == data.train.inputs
    assert same[~noisy.train.changed_inputs].all()
    assert not same[noisy.train.changed_inputs, data.parts[0].columns].all(axis=1).any()
    checks = checks_by_part(method, data, noisy, 1.0)
    assert {check.name.rpartition(": ")[2] for check in checks} == {"image", "meta", "ids", "mask"}
    assert all(check.passed for check in checks), checks
    unchanged = [check.passed for check in checks_by_part(method, data, replace(data, train=marked(data)), 1.0)]
    assert not all(unchanged)


def marked(data: Dataset):  # type: ignore[no-untyped-def]
    """As if all training inputs had been changed, which none is."""
    return replace(data.train, changed_inputs=np.ones(len(data.train), dtype=bool))


def test_noise_in_place_of_token_ids_is_of_ids_seen_in_that_place(data: Dataset) -> None:
    ids, mask = data.parts[2], data.parts[3]
    noisy = corrupt(data, "gaussian", seed=2)
    found = noisy.alone(ids).train.inputs
    assert (found % 10 == 0)[:, 3].all()
    assert (found[:, 4] == 0).all()
    assert set(np.unique(noisy.alone(mask).train.inputs)) == {0, 1}
    assert np.corrcoef(noisy.alone(data.parts[1]).train.inputs[:, 0], found[:, 0])[0, 1] == pytest.approx(0, abs=0.3)


def test_what_an_input_cannot_have_is_refused(data: Dataset) -> None:
    with pytest.raises(UserError, match="got additive-noise for arrays, whose input ids is token ids, which are names"):
        corrupt(data, AdditiveNoise.name)
    with pytest.raises(UserError, match="whose input one is token ids, which are names"):
        corrupt(from_arrays({"one": np.arange(40)}, np.arange(40) % 2, kind={"one": "tokens"}), AdditiveNoise.name)
    age = from_arrays({"age": np.arange(40.0), "meta": np.eye(40)}, np.arange(40) % 2)
    with pytest.raises(UserError, match="whose input age is a single number, which has no other place"):
        corrupt(age, "random-pixels")
    assert corrupt(age, AdditiveNoise.name).train.changed_inputs.all()
