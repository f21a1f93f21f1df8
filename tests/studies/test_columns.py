"""What the columns of every study's table promise, held against a small table of each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

import byrote
from byrote.studies.judge.zoo import CONDITIONS
from byrote.studies.min_norm.rows import KernelRow
from byrote.studies.registry import STUDIES
from byrote.studies.study import Study
from byrote.theory.kernels.implicit_bias import ImplicitBias
from byrote.training.recipe import Recipe

STEPS = Recipe(steps=2, dense_steps=0)
EPOCHS = Recipe(epochs=2, learning_rate=0.1, dense_steps=0)
MODELS = ["mlp-1x4"]
ROWS = (KernelRow("inputs"), KernelRow("inputs", regularized=True))


def _zoo(data: byrote.Dataset) -> byrote.ZooStudy:
    return byrote.ZooStudy(data, MODELS, recipe=EPOCHS, conditions=CONDITIONS[:2], grid={"batch_size": (16, 32)})


SMALL: dict[str, Callable[[byrote.Dataset], Study]] = {
    "ArchitectureStudy": lambda data: byrote.ArchitectureStudy(
        data, ["mlp-1x{width}"], parameters=200, ladder=(1.0,), switches=("local",), recipe=STEPS
    ),
    "BoundsStudy": lambda data: byrote.BoundsStudy(data, "mlp-1x4", EPOCHS, pac_bayes_steps=2, pac_bayes_draws=2),
    "ExpressivityStudy": lambda data: byrote.ExpressivityStudy(
        data, ["mlp-1x{width}"], n_train=16, most_trained=8, chosen=(1,)
    ),
    "ImplicitStudy": lambda data: byrote.ImplicitStudy(data, MODELS, recipe=STEPS.changed(validation=0.2)),
    "JudgeStudy": lambda data: byrote.JudgeStudy(_zoo(data), ["frobenius", "margin"]),
    "LargestNStudy": lambda data: byrote.LargestNStudy(data, "mlp-1x4", EPOCHS, n_train=8, draws=1),
    "MemorizationStudy": lambda data: byrote.MemorizationStudy(
        data, "mlp-1x4", EPOCHS, n_train=20, networks=16, noise=(0.0, 0.5), influential=2
    ),
    "MinNormStudy": lambda data: byrote.MinNormStudy(data, ROWS, n_train=20, curve=(), label_draws=1),
    "OverparameterizationStudy": lambda data: byrote.OverparameterizationStudy(
        data, ["mlp-1x{width}"], ratios=(1.0, 4.0, 16.0), rates=(1.0,), recipe=STEPS
    ),
    "RademacherStudy": lambda data: byrote.RademacherStudy(data, "mlp-1x4", EPOCHS, n_train=8, draws=2),
    "RandomizationStudy": lambda data: byrote.RandomizationStudy(data, MODELS, recipe=EPOCHS),
    "RegularizationStudy": lambda data: byrote.RegularizationStudy(data, MODELS, recipe=STEPS),
    "ShatteringStudy": lambda data: byrote.ShatteringStudy(data, "mlp-1x4", EPOCHS, n_train=2),
    "StabilityStudy": lambda data: byrote.StabilityStudy(data, "mlp-1x4", EPOCHS, n_train=20, replacements=2),
    "StrengthStudy": lambda data: byrote.StrengthStudy(
        data, MODELS, recipe=STEPS, sizes=3, strengths={"weight_decay": (0.0, 0.1)}
    ),
    "Table1Study": lambda data: byrote.Table1Study(data, MODELS, recipe=STEPS.changed(weight_decay=1e-3)),
    "Table2Study": lambda data: byrote.Table2Study(
        data, MODELS, recipe=STEPS.changed(augmentation="random-crop", dropout=0.5, weight_decay=1e-3)
    ),
    "Table4Study": lambda data: byrote.Table4Study(data, MODELS, recipe=STEPS, weight_decays=(0.0, 1e-3)),
    "ZooStudy": _zoo,
}
NAMES = sorted({known.study.partition(":")[2] for known in STUDIES.values()})


@pytest.fixture(scope="module")
def data() -> byrote.Dataset:
    """Sixty small images of three classes that are easily told apart, and thirty to test on."""
    generator = np.random.default_rng(0)
    labels = np.arange(90) % 3
    images = (generator.integers(0, 100, (90, 1, 6, 6)) + 70 * labels[:, None, None, None]).astype(np.uint8)
    return byrote.from_arrays(images[:60], labels[:60], images[60:], labels[60:], name="small")


@pytest.fixture
def few_steps(monkeypatch) -> None:
    """Where a study gives no say in it."""
    monkeypatch.setattr("byrote.studies.expressivity.study._FEWEST_STEPS", 2)
    monkeypatch.setattr("byrote.studies.expressivity.study._STEPS_AN_EXAMPLE", 0)
    monkeypatch.setattr("byrote.studies.min_norm.study.ImplicitBias", partial(ImplicitBias, num_steps=2))


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_in_snake_case_and_say_what_they_hold(name):
    columns = getattr(byrote, name).columns
    names = [column.name for column in columns]
    assert len(set(names)) == len(names)
    assert [each for each in names if not re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", each)] == []
    assert [column for column in columns if not column.told.endswith(".") or len(column.told.split()) < 3] == []
    assert names[0] == "study"


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("name", NAMES)
def test_a_table_has_the_columns_that_are_declared(name, data, tmp_path):
    study = SMALL[name](data)
    table = study.summarise(byrote.run(study, tmp_path / "runs.db", device="cpu", quiet=True))
    empty = study.summarise([])
    assert len(table)
    assert len(empty) == 0
    declared = {column.name: column.dtype for column in study.columns}
    for own in (table, empty):
        assert [(column, str(dtype)) for column, dtype in own.dtypes.items()] == list(declared.items())
    assert study.verdict(empty) is not None


def test_public_studies_are_those_that_are_registered():
    public = [found for name in dir(byrote) if inspect.isclass(found := getattr(byrote, name))]
    studies = {each.__name__ for each in public if issubclass(each, Study) and not inspect.isabstract(each)}
    assert studies == set(NAMES)
