from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up import failed
from scipy import stats

from byrote.data.corruptions.application import corrupt
from byrote.data.dataset import Dataset, Split


@pytest.fixture
def images() -> Dataset:
    """Two channels, of deviations 30 and 9."""
    generator = np.random.default_rng(0)
    pixels = np.stack([generator.normal(m, s, (1500, 4, 4)).clip(0, 255) for m, s in ((90, 30), (200, 9))], axis=1)
    train, test = (
        Split.clean(part.round().astype(np.uint8), np.arange(len(part)) % 10) for part in np.split(pixels, 3)[:2]
    )
    return Dataset("two colours", train, test, tuple("0123456789"))


@pytest.mark.parametrize("strength", [0.1, 2.0])
def test_noise_is_of_the_deviation_of_each_channel_times_its_strength(images: Dataset, strength: float) -> None:
    noisy = corrupt(images, "additive-noise", strength=strength, seed=1)
    deviation = images.train.inputs.astype(np.float64).std(axis=(0, 2, 3))
    for before, after in ((images.train, noisy.train), (images.test, noisy.test)):
        assert after.inputs.dtype == np.float32
        assert after.changed_inputs.all()
        noise = (after.inputs - before.inputs.astype(np.float64)) / (strength * deviation[:, None, None])
        assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-4
    assert failed(images, noisy, "additive-noise", strength=strength) == []
    assert failed(images, noisy, "additive-noise", strength=1.2 * strength) == ["moments of added noise"]


def test_noise_that_is_none_or_is_moved_fails(images: Dataset) -> None:
    noisy = corrupt(images, "additive-noise")
    shifted = replace(noisy.train, inputs=noisy.train.inputs + 9)
    assert failed(images, replace(noisy, train=shifted), "additive-noise") == ["moments of added noise"]
    unmoved = replace(noisy.train, inputs=images.train.inputs.astype(np.float32))
    assert failed(images, replace(noisy, train=unmoved), "additive-noise") == ["moments of added noise"]
