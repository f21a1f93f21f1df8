from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.models.catalog import takes_dropout
from byrote.runs.run import run
from byrote.studies.paper_settings import WEIGHT_DECAY
from byrote.studies.regularization.study import RegularizationStudy, regularization_study
from byrote.studies.table1.study import table1_study
from byrote.training.recipe import Recipe

AT_STEPS = Recipe(stop="at_steps", steps=8)
BOTH = {"dropout": (0.0, 0.5), "weight_decay": (0.0, 0.1)}
VARIED = {"model", "corruptions", "seed", "augmentation", "dropout", "weight_decay"}


@pytest.fixture(scope="module")
def vectors() -> Dataset:
    split = Split.clean(np.zeros((40, 6), dtype=np.float32), np.arange(40) % 10)
    return Dataset("made up", split, split, tuple("abcdefghij"))


@pytest.fixture(scope="module")
def large() -> Dataset:
    split = Split.clean(np.zeros((3000, 3, 32, 32), dtype=np.uint8), np.arange(3000) % 10)
    return Dataset("made up", split, replace(split), tuple("abcdefghij"))


def test_a_plan_is_the_whole_grid_once_on_both_labellings(data):
    study = RegularizationStudy(data=data, models=["a", "inception"], seeds=[3, 5])
    plan = study.tasks()
    assert plan == study.tasks()
    assert len(set(plan)) == len(plan) == 2 * 2 * (2**3 + 2**4)
    assert {spec.corruption for spec in plan} == {"true-labels", "random-labels"}
    for names in ({"a"}, {"inception", "inception-no-batchnorm"}):
        own = [spec for spec in plan if spec.model in names]
        # All cells are alike but for what the grid varies.
        assert len({spec.model_dump_json(exclude=VARIED) for spec in own}) == 1
        first = [spec for spec in own if spec.seed == 3 and spec.corruption == "true-labels"]
        assert {(s.augmentation, s.dropout, s.weight_decay) for s in first} == {
            (augmentation, dropout, weight_decay)
            for augmentation in ("none", "random-crop")
            for dropout in (0.0, 0.5)
            for weight_decay in (0.0, WEIGHT_DECAY)
        }
        assert {spec.model for spec in first} == names


@pytest.mark.parametrize("models", [["inception"], ["inception", "inception-no-batchnorm"]])
def test_a_model_and_its_twin_without_batch_norm_are_one_architecture(data, models):
    study = RegularizationStudy(data=data, models=models, recipe=dict.fromkeys(models, AT_STEPS))
    assert study.architectures == ["inception"]
    assert len(study.tasks()) == 2**4 * 2


def test_a_twin_alone_is_an_architecture_without_that_factor(data):
    study = RegularizationStudy(data=data, models=["inception-no-batchnorm"])
    assert study.architectures == ["inception-no-batchnorm"]
    assert "batch_norm" not in study.factors_of("inception-no-batchnorm")


def build_without_dropout(*, input_shape: tuple[int, ...], num_classes: int) -> None:
    """A factory to be named, not to be called."""


def build_with_dropout(*, input_shape: tuple[int, ...], num_classes: int, dropout: float = 0.0) -> None:
    """Likewise."""


def test_dropout_is_a_factor_of_models_that_take_it(data):
    study = RegularizationStudy(data=data, models=[build_without_dropout, build_with_dropout])
    own = [list(study.factors_of(model)) for model in study.model_names]
    assert own == [["augmentation", "weight_decay"], ["augmentation", "dropout", "weight_decay"]]
    assert [takes_dropout(model) for model in study.model_names] == [False, True]


def test_each_model_may_have_its_own_factors_and_its_own_twin(data):
    study = RegularizationStudy(
        data=data,
        models=["a", "b"],
        factors={"a": BOTH, "b": {"batch_norm": ("b-plain", "b")}},
        recipe=AT_STEPS,
    )
    assert [len([s for s in study.tasks() if s.model in names]) for names in ({"a"}, {"b", "b-plain"})] == [8, 4]
    assert {s.model for s in study.tasks()} == {"a", "b", "b-plain"}


def test_a_recipe_may_hold_a_level_of_the_grid_and_nothing_else(data):
    study = RegularizationStudy(data=data, models=["a"], factors=BOTH).with_recipe(weight_decay=0.1)
    assert {spec.weight_decay for spec in study.tasks()} == {0.0, 0.1}
    with pytest.raises(UserError, match=r"got weight_decay=0.2 for a, but the grid trains it at 0.0 and 0.1: leave"):
        study.with_recipe(weight_decay=0.2)
    with pytest.raises(UserError, match=r"got dropout=0.3 for a, but regularization chooses"):
        RegularizationStudy(data=data, models=["a"], factors={"weight_decay": (0.0, 0.1)}).with_recipe(dropout=0.3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": Recipe()}, "got stop='at_interpolation' for a, but the grid compares final accuracies"),
        ({"factors": {}}, "expected some out of augmentation, dropout, weight_decay, batch_norm"),
        ({"factors": {"learning_rate": (0.1, 0.2)}}, "expected some out of augmentation"),
        ({"factors": {"dropout": (0.0, 0.2, 0.5)}}, r"got dropout=\(0.0, 0.2, 0.5\) for a, expected two levels"),
        ({"factors": {"dropout": (0.5, 0.5)}}, r"expected two levels, \(off, on\)"),
        ({"factors": {"b": BOTH}}, "got factors for b but not for the model a"),
        ({"factors": {"batch_norm": ("a", "b")}}, "expected the model without it, then a"),
        ({"models": ["a", "a"]}, "expected a list of different names"),
    ],
)
def test_what_cannot_be_planned_is_refused(data, options, message):
    with pytest.raises(UserError, match=message):
        RegularizationStudy(data=data, **({"models": ["a"], "recipe": AT_STEPS} | options))


def test_the_table_says_what_is_on(data, make_outcome):
    study = RegularizationStudy(data=data, models=["a", "inception"])
    table = study.summarise([make_outcome(spec) for spec in study.tasks()])
    alone = table[table["architecture"] == "a"]
    assert alone["batch_norm_on"].isna().all()
    assert ((alone["dropout"] == 0.5) == alone["dropout_on"]).all()
    assert ((alone["augmentation"] == "random-crop") == alone["augmentation_on"]).all()
    pair = table[table["architecture"] == "inception"]
    assert ((pair["model"] == "inception") == pair["batch_norm_on"]).all()
    assert pair["num_on"].value_counts().tolist() == [12, 8, 8, 2, 2]
    assert pd.isna(alone["batch_norm_on"].iloc[0])


def test_the_table_of_no_outcomes_is_empty_and_supports_nothing(data):
    study = RegularizationStudy(data=data, models=["a"])
    table = study.summarise([])
    assert table.empty
    assert {finding.outcome for finding in study.verdict(table)} == {"no conclusion"}


def test_scales(large, vectors):
    laptop = regularization_study(large, "laptop", seeds=3)
    assert laptop.architectures == ["mlp-1x512", "conv-small"]
    assert len(laptop.tasks()) == 2 * 2**3 * 2 * 3
    paper = regularization_study(large, "paper")
    assert paper.architectures == ["mlp-3x512", "alexnet", "inception"]
    assert {spec.n_train for spec in paper.tasks()} == {None}
    assert {spec.learning_rate for spec in paper.tasks() if "inception" in spec.model} == {0.1}
    # Table 1 of these models is a part of the grid, and trained once.
    assert set(table1_study(large, "paper", models=["mlp-3x512", "alexnet"]).tasks()) <= set(paper.tasks())
    assert {spec.n_train for spec in regularization_study(vectors, "laptop", models=["mlp-1x8"]).tasks()} == {None}


@pytest.mark.slow
def test_a_small_grid_from_end_to_end(tiny, tmp_path):
    study = RegularizationStudy(
        data=tiny,
        models=["mlp-1x8"],
        factors={"augmentation": ("none", "random-crop"), "dropout": (0.0, 0.5)},
        seeds=2,
        n_train=60,
        recipe=AT_STEPS,
    )
    table = study.summarise(run(study, tmp_path / "runs.db", device="cpu"))
    assert len(table) == 16
    assert set(table["stop_reason"]) == {"steps"}
    assert set(table["failed_checks"]) == {""}
    found = study.verdict(table)
    assert [finding.outcome for finding in found[:2]] == ["no conclusion", "no conclusion"]
    assert "stopped before they had fitted" in found[0].statement
    assert "95% interval" in found[2].statement
