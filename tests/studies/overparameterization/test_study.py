from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.models.matching import num_parameters
from byrote.runs.run import run
from byrote.studies.overparameterization.study import (
    RATIOS,
    OverparameterizationStudy,
    overparameterization_study,
)
from byrote.training.recipe import Recipe

FAMILY = "mlp-1x{width}"


def images(side: int, n: int) -> Dataset:
    split = Split.clean(np.zeros((n, 3, side, side), dtype=np.uint8), np.arange(n) % 10)
    return Dataset("made up", split, replace(split), tuple("abcdefghij"))


def test_every_size_sees_every_labelling_with_every_seed(data):
    study = OverparameterizationStudy(data=data, ratios=(4.0, 40.0, 12.0), rates=(0.0, 0.5), seeds=2)
    plan = study.tasks()
    assert study.sizes == {FAMILY: ["mlp-1x3", "mlp-1x10", "mlp-1x34"]}
    assert [(spec.model, spec.label_rate, spec.seed) for spec in plan] == [
        (model, rate, seed) for model in study.sizes[FAMILY] for rate in (0.0, 0.5) for seed in (0, 1)
    ]
    assert len({spec.canonical_json() for spec in plan}) == len(plan)
    assert {(spec.stop, spec.schedule, spec.steps) for spec in plan} == {("at_steps", "constant", 10_000)}


def test_sizes_follow_the_number_of_examples():
    study = overparameterization_study(images(28, 5000), "laptop")
    fewer = replace(study, n_train=1000)
    for some in (study, fewer):
        counts = [num_parameters(model, input_shape=(3, 28, 28), num_classes=10) for model in some.sizes[FAMILY]]
        n = some.num_examples(FAMILY)
        assert counts == sorted(counts)
        assert counts[-1] == pytest.approx(max(RATIOS) * n, rel=0.03)
        assert counts[0] < 3 * n
    assert study.num_examples(FAMILY) == 4000


def test_few_examples_are_all_taken(data):
    assert {spec.n_train for spec in overparameterization_study(data, "laptop").tasks()} == {None}


def test_paper_scale_takes_all_examples_for_as_many_epochs():
    laptop, paper = (overparameterization_study(images(32, 5000), scale).tasks() for scale in ("laptop", "paper"))
    assert ({spec.n_train for spec in laptop}, {spec.n_train for spec in paper}) == ({4000}, {None})
    assert ({spec.steps for spec in laptop}, {spec.steps for spec in paper}) == ({300 * 32}, {300 * 40})
    assert {spec.crop for spec in paper} == {28}
    assert {spec.learning_rate for spec in paper} == {0.02}


def test_other_families_are_trained_at_their_own_rate(data):
    study = overparameterization_study(data, "laptop", models=["mlp-1x{width}", "mlp-2x{width}"])
    assert {spec.model[:5]: spec.learning_rate for spec in study.tasks()} == {"mlp-1": 0.05, "mlp-2": 0.01}
    assert {spec.schedule for spec in study.tasks()} == {"constant"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"models": ["mlp-1x512"]}, "expected a model's name with one {width}"),
        ({"rates": (0.0, 1.5)}, "expected label corruptions between 0 and 1"),
        ({"rates": ()}, "expected label corruptions between 0 and 1"),
        ({"ratios": (0.0, 1.0)}, "expected positive numbers of parameters per example"),
        ({"ratios": (4.0, 4.1, 40.0)}, r"2 sizes \(mlp-1x3, mlp-1x34\), expected at least three"),
        ({"recipe": Recipe()}, "compare after equal training"),
        ({"seeds": 0}, "expected a number of seeds"),
    ],
)
def test_what_makes_no_sweep_is_refused(data, changes, words):
    with pytest.raises(UserError, match=words):
        OverparameterizationStudy(data=data, **changes)


@pytest.mark.slow
def test_a_real_sweep_tells_sizes_apart(tiny, tmp_path):
    recipe = Recipe(learning_rate=0.05, schedule="constant", stop="at_steps", steps=150, batch_size=32, dense_steps=0)
    study = OverparameterizationStudy(data=tiny, ratios=(1.0, 10.0, 100.0), recipe=recipe, n_train=60, rates=(0.0, 1.0))
    table = study.summarise(run(study, tmp_path / "runs.db"))
    assert len(table) == 6
    assert set(table["family"]) == {FAMILY}
    np.testing.assert_allclose(table["parameters_per_example"], table["parameters"] / 60)
    random = table[table["label_rate"] == 1].sort_values("parameters")
    assert random["train_accuracy"].is_monotonic_increasing
    assert random["fitted"].tolist() == [False, False, True]
    found = study.verdict(table)
    assert len(found) == 4
    assert found[-1].outcome == "supported"
    assert "Random labels of 60 examples are fitted from mlp-1x80 (1e+02 parameters" in found[-1].statement


def test_runs_that_are_missing_decide_nothing(data):
    study = OverparameterizationStudy(data=data)
    assert {finding.outcome for finding in study.verdict(study.summarise([]))} == {"no conclusion"}
