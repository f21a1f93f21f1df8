import math

import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.runs.run import run
from byrote.studies.strengths.study import STRENGTHS, StrengthStudy, default_strengths, strengths_study
from byrote.training.recipe import Recipe

AT_STEPS = Recipe(stop="at_steps", steps=100, batch_size=8)
DROPOUT = {"dropout": (0.0, 0.5)}


@pytest.fixture(scope="module")
def vectors() -> Dataset:
    split = Split.clean(np.zeros((400, 6), dtype=np.float32), np.arange(400) % 10)
    return Dataset("made up", split, split, tuple("abcdefghij"))


def test_a_plan_has_each_strength_once_on_true_and_on_random_labels(data):
    study = StrengthStudy(data=data, models=["a", "b"], seeds=2, sizes=3, recipe=AT_STEPS)
    plan = study.tasks()
    assert plan == study.tasks()
    assert len(set(plan)) == len(plan)
    strengths = 5 + 3 + 2
    # The learning curve and two n for each strength on true labels, every n for each and for none on random ones.
    assert len(plan) == 2 * 2 * (3 + 2 * strengths + 3 * (1 + strengths))
    own = [spec for spec in plan if spec.model == "a" and spec.seed == 1]
    regularised = {(s.augmentation, s.dropout, s.weight_decay) for s in own}
    assert regularised == {
        ("none", 0.0, 0.0),
        *(("none", 0.0, level) for level in STRENGTHS["weight_decay"][1:]),
        *(("none", level, 0.0) for level in STRENGTHS["dropout"][1:]),
        *((level, 0.0, 0.0) for level in STRENGTHS["augmentation"][1:]),
    }
    true = [s for s in own if s.corruption == "true-labels"]
    assert {s.n_train for s in true if (s.dropout, s.weight_decay, s.augmentation) == (0, 0, "none")} == {10, 20, 40}
    assert {s.n_train for s in true if s.dropout == 0.5} == {10, 40}
    assert {s.n_train for s in own if s.dropout == 0.5 and s.corruption == "random-labels"} == {10, 20, 40}


def test_every_n_gets_as_many_steps_up_to_an_epoch(data):
    plan = StrengthStudy(data=data, models=["a"], sizes=3, recipe=AT_STEPS).tasks()
    assert {(s.stop, s.steps) for s in plan if s.corruption == "true-labels"} == {("at_steps", 100)}
    random = {s.n_train: s for s in plan if s.corruption == "random-labels"}
    assert {n: (s.stop, s.steps, s.epochs) for n, s in random.items()} == {
        n: ("at_interpolation", None, math.ceil(100 / math.ceil(n / 8))) for n in (10, 20, 40)
    }
    for n, spec in random.items():
        assert 100 <= spec.epochs * math.ceil(n / 8) < 100 + math.ceil(n / 8)


def test_default_strengths_are_those_that_data_and_model_take(data, vectors):
    assert default_strengths("mlp-1x8", data) == STRENGTHS
    assert list(default_strengths("mlp-1x8", vectors)) == ["weight_decay", "dropout"]


def test_each_model_may_have_its_own_strengths_and_n(vectors):
    study = StrengthStudy(
        data=vectors,
        models=["a", "b"],
        n_train={"a": 320, "b": None},
        strengths={"a": DROPOUT, "b": {"weight_decay": (0.0, 0.1, 1.0)}},
    )
    assert study.ladders("a").sizes == [20, 40, 80, 160, 320]
    assert study.ladders("b").sizes == [25, 50, 100, 200, 400]
    assert study.ladders("b").worth_size == 100
    assert {s.weight_decay for s in study.tasks() if s.model == "a"} == {0.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": Recipe()}, "got stop='at_interpolation' for a, but strengths are compared by final accuracies"),
        (
            {"recipe": AT_STEPS.model_copy(update={"dropout": 0.1})},
            "got dropout=0.1 for a, but its ladder starts at 0.0",
        ),
        ({"recipe": AT_STEPS.model_copy(update={"validation": 0.1})}, "got validation=0.1 for a, but every n"),
        (
            {"recipe": AT_STEPS.model_copy(update={"weight_decay": 0.1}), "strengths": DROPOUT},
            "got weight_decay=0.1 for a, but strengths chooses",
        ),
        ({"sizes": 2}, "got sizes=2 for a, expected at least 3, each half of the next"),
        ({"sizes": 4}, "an example of each of the 10 classes"),
        ({"strengths": {}}, "expected some out of weight_decay, dropout, augmentation"),
        ({"strengths": {"momentum": (0.0, 0.9)}}, "expected some out of weight_decay"),
        ({"strengths": {"dropout": (0.0,)}}, r"got dropout=\(0.0,\) for a, expected different levels, none first"),
        ({"strengths": {"dropout": (0.0, 0.5, 0.5)}}, "expected different levels"),
        ({"strengths": {"b": DROPOUT}}, "got strengths for b but not for the model a"),
    ],
)
def test_what_cannot_be_planned_is_refused(data, options, message):
    with pytest.raises(UserError, match=message):
        StrengthStudy(data=data, **({"models": ["a"], "sizes": 3, "recipe": AT_STEPS} | options))


def test_the_table_places_each_run_and_compares_it_with_none(strengths):
    _, _, table = strengths(right=lambda strength, n: 3 * strength if n == 40 else -strength)
    none = table[table["strength"] == 0]
    assert set(none["regularizer"]) == {""}
    true = table[table["corruption"] == "true-labels"]
    assert (true.loc[true["strength"] == 0, ["won_against_none", "lost_against_none"]] == 0).all(axis=None)
    strongest = true[true["strength"] == 3].sort_values("n_train")
    assert set(strongest["regularizer"]) == {"dropout"}
    assert strongest["won_against_none"].tolist() == [0, 0, 0, 9, 9, 9]
    assert strongest["lost_against_none"].tolist() == [3, 3, 3, 0, 0, 0]
    assert table.loc[table["corruption"] == "random-labels", "won_against_none"].isna().all()


def test_without_the_run_that_it_is_compared_with_a_run_has_no_comparison(strengths):
    _, _, table = strengths(seeds=1, drop=1)  # none, on true labels of n = 10
    alone = table[(table["n_train"] == 10) & (table["corruption"] == "true-labels")]
    assert alone["won_against_none"].isna().all()


def test_the_table_of_no_outcomes_is_empty_and_supports_nothing(data):
    study = StrengthStudy(data=data, models=["a"], sizes=3)
    table = study.summarise([])
    assert table.empty
    assert {finding.outcome for finding in study.verdict(table)} == {"no conclusion"}


def test_scales(vectors):
    laptop = strengths_study(vectors, "laptop", seeds=2)
    assert {model: laptop.ladders(model).sizes[-1] for model in laptop.model_names} == {"mlp-1x512": 400}
    paper = strengths_study(vectors, "paper", models=["mlp-3x512"])
    assert {spec.n_train for spec in paper.tasks()} == {25, 50, 100, 200, 400}
    assert {spec.steps for spec in paper.tasks() if spec.corruption == "true-labels"} == {39_100}


@pytest.mark.slow
def test_small_ladders_from_end_to_end(tiny, tmp_path):
    study = StrengthStudy(
        data=tiny,
        models=["mlp-1x8"],
        strengths={"augmentation": ("none", "random-crop")},
        n_train=60,
        sizes=3,
        recipe=Recipe(stop="at_steps", steps=8, learning_rate=0.05),
    )
    table = study.summarise(run(study, tmp_path / "runs.db", device="cpu"))
    assert len(table) == 3 + 2 + 2 * 3
    assert set(table["failed_checks"]) == {""}
    assert table.loc[table["corruption"] == "true-labels", "won_against_none"].notna().all()
    found = study.verdict(table)
    assert len(found) == 3
    assert "times the data (n = 15; one seed, so no interval)" in found[-1].statement
