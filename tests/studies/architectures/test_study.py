from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.models.matching import num_parameters
from byrote.runs.run import run
from byrote.studies.architectures.study import (
    ARCHITECTURES,
    ArchitectureStudy,
    architectures_study,
    switchboards,
)
from byrote.studies.paper_settings import PAPER_STEPS
from byrote.training.recipe import Recipe

MLP = "mlp-3x{width}"


SWITCHBOARD = "switchboard-3x{width}"


def images(side: int, n: int = 4000) -> Dataset:
    split = Split.clean(np.zeros((n, 1, side, side), dtype=np.uint8), np.arange(n) % 10)
    return Dataset("made up", split, replace(split), tuple("abcdefghij"))


@pytest.fixture
def small(data):
    """One architecture beside two switchboards, on half of 40 examples."""
    return ArchitectureStudy(data=data, models=[MLP], parameters=2000, n_train=20, switches=["skip"])


def test_an_architecture_is_tried_on_true_and_on_more_and_more_random_labels(small):
    plan = [spec for spec in small.tasks() if spec.model.startswith("mlp")]
    assert [(spec.corruption, spec.n_train, spec.stop) for spec in plan] == (
        [("true-labels", 20, "at_steps")] * 4 + [("random-labels", n, "at_interpolation") for n in (5, 10, 20, 40)]
    )
    alone = [(spec.augmentation, spec.dropout, spec.weight_decay) for spec in plan[:4]]
    assert alone == [("none", 0, 0), ("random-crop", 0, 0), ("none", 0.5, 0), ("none", 0, 5e-4)]
    assert {spec.steps for spec in plan[:4]} == {800}


@pytest.mark.parametrize(("n", "batch_size", "epochs"), [(20, 8, 133), (20, 64, 400), (40, 8, 80)])
def test_random_labels_have_as_many_steps_at_most(data, n, batch_size, epochs):
    recipe = Recipe(stop="at_steps", steps=400, batch_size=batch_size)
    plan = ArchitectureStudy(data=data, models=[MLP], parameters=2000, n_train=n, recipe=recipe, switches=[]).tasks()
    (same,) = [spec for spec in plan if spec.corruption == "random-labels" and spec.n_train == n]
    assert (same.epochs, same.steps) == (epochs, None)
    assert same.epochs * -(-n // batch_size) <= 400


def test_every_combination_of_switches_is_tried_on_both_labellings(data):
    study = ArchitectureStudy(data=data, models=[MLP], parameters=2000, switches=["shared", "local"], seeds=2)
    boards = [spec for spec in study.tasks() if spec.model.startswith("switchboard")]
    assert len(boards) == 4 * 2 * 2
    assert list(study.combinations) == [
        SWITCHBOARD,
        f"{SWITCHBOARD}+local",
        f"{SWITCHBOARD}+shared",
        f"{SWITCHBOARD}+local+shared",
    ]
    assert study.combinations[f"{SWITCHBOARD}+local"] == {"shared": False, "local": True}


def test_depth_is_a_switch_at_matched_size(data):
    study = ArchitectureStudy(data=data, models=[MLP], parameters=20_000, switches=["deep", "skip"])
    deep = "switchboard-6x{width}+skip"
    assert list(study.combinations) == [
        SWITCHBOARD,
        f"{SWITCHBOARD}+skip",
        "switchboard-6x{width}",
        deep,
    ]
    assert study.combinations[deep] == {"deep": True, "skip": True}
    assert {spec.model for spec in study.tasks()} >= {study.matched[deep], study.matched[SWITCHBOARD]}


def test_runs_that_architectures_and_switchboards_share_appear_once(data):
    models = [MLP, f"{SWITCHBOARD}+skip"]
    plan = ArchitectureStudy(data=data, models=models, parameters=2000, switches=["skip"]).tasks()
    assert len({spec.canonical_json() for spec in plan}) == len(plan)


def test_sizes_are_matched_and_models_of_their_own_size_left(data):
    study = ArchitectureStudy(data=data, models=[MLP, "mlp-1x8"], parameters=5000, switches=["shared"])
    counts = [num_parameters(model, input_shape=(1, 6, 6), num_classes=10) for model in study.matched.values()]
    assert study.matched["mlp-1x8"] == "mlp-1x8"
    assert counts[0] == pytest.approx(5000, rel=0.05)
    assert counts[2:] == pytest.approx([5000] * 2, rel=0.15)


def test_a_recipe_changes_all_of_them(small):
    changed = small.with_recipe(batch_size=4)
    assert {spec.batch_size for spec in changed.tasks()} == {4}
    assert [spec.model for spec in changed.tasks()] == [spec.model for spec in small.tasks()]


@pytest.mark.parametrize(
    ("side", "parameters", "n", "steps", "rates"),
    [
        (32, 100_000, 1000, 800, {"inception": 0.1, "resnet": 0.1, "mlp": 0.01, "vit": 0.05}),
        (8, 30_000, 500, 800, {"inception": 0.1, "resnet": 0.1, "mlp": 0.05, "vit": 0.05}),
    ],
)
def test_laptop_scale_follows_the_size_of_images(side, parameters, n, steps, rates):
    study = architectures_study(images(side), "laptop")
    plan = study.tasks()
    assert study.parameters == parameters
    assert {spec.n_train for spec in plan} == {n // 4, n // 2, n, 2 * n}
    assert {spec.steps for spec in plan} == {steps, None}
    assert {spec.crop for spec in plan} == {28 if side == 32 else None}
    for kind, rate in rates.items():
        own = [s for s in plan if s.model.startswith(kind) and not s.model.endswith("-no-batchnorm")]
        assert {spec.learning_rate for spec in own} == {rate}
    assert {s.learning_rate for s in plan if "batchnorm" in s.model} == {0.1}


def test_paper_scale_takes_all_examples_at_the_size_of_inception():
    study = architectures_study(images(32), "paper", models=["inception-w{width}", "inception"])
    plan = study.tasks()
    assert {spec.n_train for spec in plan if spec.corruption == "true-labels"} == {None}
    assert {spec.n_train for spec in plan} == {1000, 2000, None}
    assert {spec.steps for spec in plan} == {PAPER_STEPS, None}
    assert {spec.learning_rate for spec in plan} == {0.1}


def test_vectors_have_perceptrons_alone():
    split = Split.clean(np.zeros((40, 6), dtype=np.float32), np.arange(40) % 10)
    plan = architectures_study(Dataset("made up", split, split, tuple("abcdefghij")), "laptop").tasks()
    assert {spec.model.partition("-")[0] for spec in plan} == {"mlp"}
    assert {spec.augmentation for spec in plan} == {"none"}


def test_models_of_ones_own_come_without_switchboards():
    assert not architectures_study(images(8), "laptop", models=["mlp-1x8"]).combinations
    assert architectures_study(images(8), "laptop").architectures == list(ARCHITECTURES)
    assert switchboards(()) == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"switches": ["skipp"]}, "got switches skipp, expected names out of local, shared"),
        ({"ladder": (0.5, 2.0)}, "with 1 among them"),
        ({"ladder": (0.0, 1.0)}, "positive multiples"),
        ({"recipe": Recipe()}, "give stop='at_steps'"),
        ({"recipe": Recipe(stop="at_steps", steps=9, dropout=0.5)}, "dropout=0.5 for .*, but architectures chooses"),
        ({"recipe": Recipe(stop="at_steps", steps=9, validation=0.1)}, "got validation=0.1"),
        ({"models": []}, "expected a list of different names"),
    ],
)
def test_what_is_no_comparison_is_refused(data, changes, words):
    with pytest.raises(UserError, match=words):
        ArchitectureStudy(data=data, **({"models": [MLP]} | changes))


def test_columns_relate_runs_to_true_labels_without_regularisers(small, make_outcome):
    outcomes = []
    for spec in small.tasks():
        regularised = bool(spec.weight_decay or spec.dropout or spec.augmentation != "none")
        steps = 50 if spec.corruption == "true-labels" else 200
        outcomes.append(make_outcome(spec, steps_to_fit=steps, test_accuracy=0.6 if regularised else 0.5))
    table = small.summarise(outcomes)
    mlp = table[table["family"] == MLP]
    random = mlp[mlp["corruption"] == "random-labels"]
    assert random["ladder"].tolist() == [0.25, 0.5, 1, 2]
    np.testing.assert_array_equal(random["relative_time_to_fit"], [np.nan, np.nan, 4, np.nan])
    assert mlp["regularizer"][:5].tolist() == ["", "augmentation", "dropout", "weight_decay", ""]
    np.testing.assert_allclose(mlp["gain"][:4], [np.nan, 0.1, 0.1, 0.1])
    assert mlp["gain"][4:].isna().all()
    np.testing.assert_allclose(random["log2_steps_to_fit"], np.log2(200))
    assert mlp["switch_skip"].isna().all()
    boards = table[table["family"] != MLP]
    assert boards["switch_skip"].tolist() == [False, False, True, True]
    assert small.summarise([]).empty


@pytest.mark.slow
def test_a_real_run_tells_what_each_memorises(tiny, tmp_path):
    recipe = Recipe(learning_rate=0.05, stop="at_steps", steps=8, batch_size=30, dense_steps=0)
    study = ArchitectureStudy(
        data=tiny,
        models=["mlp-1x{width}", "switchboard-3x{width}+local+shared"],
        parameters=4000,
        recipe=recipe,
        n_train=60,
        ladder=(0.5, 1.0),
        switches=["skip"],
    )
    table = study.summarise(run(study, tmp_path / "runs.db"))
    found = study.verdict(table)
    assert len(table) == 2 * 6 + 2 * 2
    assert len(found) == 2 + 2 + 2
    assert {finding.outcome for finding in found[2:]} == {"no conclusion"}
    assert "Random labels of the same 60 examples take" in found[0].statement or "Within 8 steps" in found[0].statement
