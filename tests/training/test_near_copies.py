import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.training.conditions import make_conditions
from byrote.training.spec import TrainSpec


def leaked(train: np.ndarray, test: np.ndarray) -> list[int]:
    splits = [Split.clean(inputs.astype(np.float64), np.arange(len(inputs)) % 2) for inputs in (train, test)]
    data = Dataset("made up", *splits, ("a", "b"), pixel_max=1.0)
    spec = TrainSpec(model="mlp-1x4").resolved(data)
    return make_conditions([spec], data, device="cpu", channels_last=False).test_leaked[0].tolist()


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e6])
def test_rows_that_differ_by_rounding_are_leaked(scale: float) -> None:
    generator = np.random.default_rng(0)
    train, other = scale * generator.normal(size=(400, 13)), scale * generator.normal(size=(50, 13))
    rounded = train[100:110] * (1 + 1e-9 * generator.normal(size=(10, 13)))
    assert leaked(train, np.concatenate([other, rounded, train[:1]])) == list(range(50, 61))
    one_feature = train[100:110].copy()
    one_feature[:, 4] += 1e-3 * scale
    assert leaked(train, one_feature) == []


def test_as_all_pairs_find_them() -> None:
    """Of few values, many rows are near in projection."""
    generator = np.random.default_rng(1)
    train = generator.integers(0, 3, (300, 3)).astype(float)
    test = generator.integers(0, 4, (80, 3)) + 1e-9 * generator.normal(size=(80, 3))
    apart = np.abs(test[:, None] - train[None]).max(axis=2)
    assert leaked(train, test) == np.flatnonzero((apart < 1e-7).any(axis=1)).tolist()


def test_a_feature_that_never_varies_in_training_tells_nothing_apart() -> None:
    generator = np.random.default_rng(2)
    train = generator.normal(size=(40, 2)) * [1, 0] + [0, 7]
    assert leaked(train, train[:5] + np.array([1e-10, 0.5])) == [0, 1, 2, 3, 4]
