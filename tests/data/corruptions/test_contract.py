"""The user's own corruptions have all that those in the box have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up import counted, failed

from byrote.data.corruptions.application import corrupt
from byrote.data.corruptions.contract import CorruptionContext, InputCorruption, LabelCorruption
from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Split
from byrote.errors import UserError
from byrote.training.checks import data_checks
from byrote.training.spec import TrainSpec


class ByChances(LabelCorruption):
    """Half of what is redrawn becomes class 0, half class 1."""

    def chances(self, sizes):
        return np.tile([0.5, 0.5, *[0.0] * (len(sizes) - 2)], (len(sizes), 1))


class ByLists(LabelCorruption):
    def chances(self, sizes):
        return [[0.5, 0.5, *[0.0] * (len(sizes) - 2)] for _ in sizes]


class ByInput(LabelCorruption):
    def redraw(self, labels, uniform, context):
        return (context.data.train.inputs.reshape(len(labels), -1).sum(1) > 3000).astype(np.int64)


class Dimmed(InputCorruption):
    """Inputs are divided by the strength."""

    strength = 4.0
    of_quantities = True

    def redraw(self, inputs, generator, context):
        inputs /= context.strength
        return inputs


@pytest.mark.parametrize("method", [ByChances, ByInput, Dimmed, Dimmed()], ids=["chances", "redraw", "class", "object"])
def test_a_class_or_an_object_is_marked_nested_and_checked(method) -> None:
    data = counted(300, (1, 2, 2), 4)
    fewer, more, again = (corrupt(data, method, rate=rate, seed=3) for rate in (0.3, 0.8, 0.8))
    assert more.fingerprint == again.fingerprint != corrupt(data, method, rate=0.8, seed=4).fingerprint
    for less, all_, clean in ((fewer.train, more.train, data.train), (fewer.test, more.test, data.test)):
        assert (all_.changed | ~less.changed).all()
        np.testing.assert_array_equal(less.inputs[less.changed_inputs], all_.inputs[less.changed_inputs])
        np.testing.assert_array_equal(less.inputs[~less.changed_inputs], clean.inputs[~less.changed_inputs])
    np.testing.assert_array_equal(data.train.inputs, counted(300, (1, 2, 2), 4).train.inputs)
    assert more.train.changed.any()
    spec = TrainSpec(model="m", seed=3, corruptions=(Corruption(name=method, rate=0.8),))
    assert [check.name for check in data_checks(spec, data, more) if not check.passed] == []
    assert "corruption repeatable" in [check.name for check in data_checks(spec, data, more)]
    lower = TrainSpec(model="m", seed=3, corruptions=(Corruption(name=method, rate=0.3),))
    assert [check.name for check in data_checks(lower, data, more) if not check.passed] != []


def test_chances_are_drawn_from_exactly() -> None:
    data = counted(40_000, (1,), 4)
    noisy = corrupt(data, ByChances, seed=1).train
    assert set(np.unique(noisy.labels)) == {0, 1}
    assert abs(noisy.labels.mean() - 0.5) < 0.02


def test_what_is_known_of_the_law() -> None:
    sizes = np.array([10, 10, 10, 10])
    assert ByChances().predictable(1.0, sizes) == ByLists().predictable(1.0, sizes) == 0.5
    np.testing.assert_array_equal(ByLists().law(0.5, sizes), ByChances().law(0.5, sizes))
    assert np.isnan(ByInput().predictable(1.0, sizes))
    assert ByInput().predictable(0.0, sizes) != ByInput().predictable(0.0, sizes)


def test_strengths_are_its_own_or_given() -> None:
    data = counted(30, (1, 2, 2))
    np.testing.assert_allclose(corrupt(data, Dimmed).test.inputs, data.test.inputs / 4)
    np.testing.assert_allclose(corrupt(data, Dimmed, strength=2.0).test.inputs, data.test.inputs / 2)
    with pytest.raises(UserError, match=r"got strength=2 for .*ByChances, which has none"):
        corrupt(data, ByChances, strength=2.0)


class Wrong(InputCorruption):
    def redraw(self, inputs, generator, context):
        return inputs[:, :, :1]


class Outside(LabelCorruption):
    def redraw(self, labels, uniform, context):
        return labels + 1


class InPlace(LabelCorruption):
    def redraw(self, labels, uniform, context):
        labels[:] = 0
        return labels


class WritesIntoTheData(LabelCorruption):
    def redraw(self, labels, uniform, context):
        context.data.train.inputs[:] = 0
        return labels


class NoChances(LabelCorruption):
    def chances(self, sizes):
        return np.ones((len(sizes), len(sizes)))


class TooFewChances(LabelCorruption):
    def chances(self, sizes):
        return np.ones(len(sizes))


class TooLarge(InputCorruption):
    of_quantities = True

    def redraw(self, inputs, generator, context):
        return inputs * np.float64(1e300)


class Nothing(LabelCorruption):
    pass


class Raises(LabelCorruption):
    def chances(self, sizes):
        return 1 / 0


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (NoChances, "chances of NoChances with a row from 1 to 1, sum 10, expected for each of 10 classes a row of"),
        (TooFewChances, r"got chances of TooFewChances with shape \(10,\), expected for each of 10 classes a row of"),
        (TooLarge, "got inputs that are not finite in float32 from the corruption"),
        (Wrong, r"got inputs of shape \(30, 1, 1, 2\) from the corruption .*Wrong, expected \(30, 1, 2, 2\)"),
        (Outside, "got labels from 1 to 10 from the corruption .*Outside, expected 0 to 9"),
        (Nothing, "Nothing defines neither chances nor redraw"),
        (Raises, r"Raises' failed: ZeroDivisionError: division by zero \(test_contract.py, line"),
    ],
)
def test_what_is_wrong_with_it_is_told(method, message: str) -> None:
    with pytest.raises(UserError, match=message):
        corrupt(counted(30, (1, 2, 2)), method)


def test_what_it_writes_into_changes_nothing_else() -> None:
    data = counted(300, (1, 2, 2), 4)
    corrupted = corrupt(data, InPlace, rate=0.5, seed=0).train
    np.testing.assert_array_equal(data.train.labels, counted(300, (1, 2, 2), 4).train.labels)
    assert 0 < (corrupted.labels > 0).sum() < (data.train.labels > 0).sum()
    with pytest.raises(UserError, match="WritesIntoTheData' failed: ValueError: assignment destination is read-only"):
        corrupt(data, WritesIntoTheData, rate=0.5, seed=0)
    np.testing.assert_array_equal(data.train.inputs, counted(300, (1, 2, 2), 4).train.inputs)
    data.train.inputs[:1] = 0  # can be written into as before


@pytest.mark.parametrize("method", [InPlace, Dimmed])
def test_memory_that_a_tensor_owns_is_corrupted_as_any_other(method) -> None:
    data = counted(30, (1, 2, 2), 4)
    split = Split.clean(torch.from_numpy(data.train.inputs).numpy(), torch.from_numpy(data.train.labels).numpy())
    found = corrupt(replace(data, train=split), method, rate=0.5)
    assert found.fingerprint == corrupt(data, method, rate=0.5).fingerprint != data.fingerprint
    assert found.train.inputs.flags.writeable
    assert split.inputs.flags.writeable


class WritesInItsCheck(ByChances):
    def check(self, clean, corrupted, rate):
        clean.train.inputs[:] = 0


class RaisesInItsCheck(ByChances):
    def check(self, clean, corrupted, rate):
        raise KeyError("mine")


class GivesNoCheck(ByChances):
    def check(self, clean, corrupted, rate):
        return [True]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (WritesInItsCheck, "the check of the corruption .*' failed: ValueError: assignment destination is read-only"),
        (RaisesInItsCheck, r"the check of the corruption .*' failed: KeyError: 'mine' \(test_contract.py, line"),
        (
            GivesNoCheck,
            r"got a bool from the check of the corruption .*, expected byrote.Check\(name, passed, detail\)",
        ),
    ],
)
def test_what_is_wrong_with_its_check_is_told(method, message: str) -> None:
    data = counted(30, (1, 2, 2), 4)
    spec = TrainSpec(model="m", corruptions=(Corruption(name=method),))
    with pytest.raises(UserError, match=message):
        data_checks(spec, data, corrupt(data, method))
    np.testing.assert_array_equal(data.train.inputs, counted(30, (1, 2, 2), 4).train.inputs)


def test_a_corruption_that_no_seed_rules_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import byrote, os\nimport numpy as np\n\n"
        "class Lazy(byrote.LabelCorruption):\n"
        "    def redraw(self, labels, uniform, context):\n"
        "        return np.frombuffer(os.urandom(len(labels)), np.uint8).astype(int) % context.data.num_classes\n"
    )
    data = counted(60, (1,), 4)
    corruption = Corruption(name=f"{tmp_path}/own.py:Lazy")
    noisy = corrupt(data, corruption.name)
    found = data_checks(TrainSpec(model="m", corruptions=(corruption,)), data, noisy)
    assert [check.name for check in found if not check.passed] == ["corruption repeatable"]


def test_the_context_opens_streams_of_the_seed(tiny) -> None:
    one, other = CorruptionContext(tiny, 1), CorruptionContext(tiny, 2)
    assert one.stream("a").random() == CorruptionContext(tiny, 1).stream("a").random() != one.stream("b").random()
    assert one.stream("a").random() != other.stream("a").random()
    assert one.moments[0].shape == (1, 1, 1)


def test_what_it_does_is_told_by_its_docstring() -> None:
    assert ByChances.in_words() == "Half of what is redrawn becomes class 0, half class 1"
    assert not Dimmed.goes_with("tokens")
    assert ByChances.goes_with("tokens")
    assert failed(counted(9, (1,), 3), counted(9, (1,), 3), ByInput, 0.0) == []
