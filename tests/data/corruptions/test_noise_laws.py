from __future__ import annotations

import numpy as np

from byrote.data.corruptions.noise_laws import gaussian_noise
from byrote.data.dataset import Dataset, Split


def test_moments_are_told_by_channel_in_place_of_inputs_and_on_top() -> None:
    generator = np.random.default_rng(0)
    clean = (generator.normal(size=(400, 2)) * [1, 10] + [0, 50]).astype(np.float32)
    noise = generator.normal(size=(400, 2)) * [2, 5]

    def passed(inputs: np.ndarray, deviation: list[float], *, added: bool) -> bool:
        before = Split.clean(clean, np.zeros(400, np.int64))
        after = Split(inputs.astype(np.float32), before.labels, before.labels, np.ones(400, bool))
        data, noisy = (Dataset("d", split, split, ("a",)) for split in (before, after))
        return gaussian_noise(data, noisy, np.array(deviation, float), added=added, name="noise").passed

    assert passed(clean + noise, [2, 5], added=True)
    assert not passed(clean + noise, [5, 2], added=True)
    assert not passed(clean + noise + 3, [2, 5], added=True)
    assert passed(clean.mean(axis=0) + noise - noise.mean(axis=0), [2, 5], added=False)
    assert not passed(noise, [2, 5], added=False)
    assert not passed(clean, [1, 10], added=False)
