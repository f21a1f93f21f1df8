"""Records of runs that never were: right labels are learnt soon, wrong ones late, and some examples are hard."""

from __future__ import annotations

import numpy as np

from byrote.recording.planting import plant_labels
from byrote.recording.recording import Recording


def made_up_recording(
    wrong: float = 0.05,
    planted: float = 0.05,
    *,
    num: int = 4_000,
    num_epochs: int = 8,
    num_classes: int = 10,
    seed: int = 0,
    gap: float = 5.0,
) -> tuple[Recording, np.ndarray]:
    """And which labels are wrong once errors are planted, those that were wrong before among them."""
    draw = np.random.default_rng(seed)
    true = draw.integers(num_classes, size=num)
    given = true.copy()
    errors = draw.permutation(num)[: round(wrong * num)]
    given[errors] = (true[errors] + draw.integers(1, num_classes, len(errors))) % num_classes
    with_errors = plant_labels(given, planted, seed) if planted else None
    labels = given if with_errors is None else with_errors.labels
    is_wrong = labels != true
    hardness = draw.gamma(1.0, 1.2, num)
    epoch = np.arange(num_epochs)[:, None]
    middle = np.where(is_wrong, -gap + hardness + 0.5 * epoch, gap - hardness + 0.2 * epoch)
    margin = middle + draw.normal(size=(num_epochs, num))
    rival = np.where(is_wrong, true, (labels + draw.integers(1, num_classes, num)) % num_classes)
    return (
        Recording(
            labels,
            np.logaddexp(0, -margin).astype(np.float16),
            margin.astype(np.float16),
            np.tile(rival.astype(np.uint8), (num_epochs, 1)),
            num_classes,
            with_errors,
        ),
        is_wrong,
    )
