from dataclasses import replace
from importlib import import_module

import pandas as pd
import pytest

from byrote.errors import UserError
from byrote.runs.run import run
from byrote.studies.largest_n.study import LargestNStudy
from byrote.training.recipe import Recipe

RECIPE = Recipe(preprocessing="standardize", learning_rate=0.1, batch_size=64, epochs=40)


def test_every_width_and_seed_is_one_search(tiny):
    analysis = LargestNStudy(tiny, "mlp-1x{width}", RECIPE, seeds=2, n_train=60, draws=3)
    plan = analysis.tasks()
    assert [(each.model, each.seed) for each in plan] == [(model, seed) for model in analysis.models for seed in (0, 1)]
    assert {(each.n_train, each.draws) for each in plan} == {(60, 3)}


def test_labels_of_one_class_are_refused(tiny):
    with pytest.raises(UserError, match="got tiny with one class, whose labels cannot be random"):
        LargestNStudy(replace(tiny, class_names=("0",)))


def test_no_draws_are_refused(tiny):
    with pytest.raises(UserError, match="got draws=0"):
        LargestNStudy(tiny, recipe=RECIPE, draws=0)


def test_a_network_from_training_to_verdict(tiny, tmp_path):
    analysis = LargestNStudy(tiny, model="mlp-1x32", recipe=RECIPE, n_train=16, draws=2)
    table = analysis.summarise(run(analysis, tmp_path / "runs.db", quiet=True))
    assert table["largest_n"].tolist() == [16]
    fits, saturates = analysis.verdict(table)
    assert fits.outcome == saturates.outcome == "no conclusion"
    assert "The random labels of all 16 examples are fitted" in fits.statement


def test_calculations_that_are_missing_decide_nothing(tiny):
    analysis = LargestNStudy(tiny, "mlp-1x{width}")
    table = analysis.summarise([])
    findings = analysis.verdict(table)
    assert {finding.outcome for finding in findings} == {"no conclusion"}
    assert len(findings) == 2 * len(analysis.models) + 1


@pytest.mark.slow
def test_a_search_that_was_interrupted_trains_nothing_twice(tiny, tmp_path, monkeypatch):
    study = LargestNStudy(tiny, model="mlp-1x16", recipe=RECIPE, n_train=60, draws=2)
    whole = study.summarise(run(study, tmp_path / "whole.db", quiet=True))
    trained, engine = [], import_module("byrote.runs.run").train

    def train(specs, *arguments, **options):
        trained.extend(specs)
        return engine(specs, *arguments, **options)

    stages = set()

    def interrupt(progress):
        if progress.share > 0:
            stages.add(progress.name)
        if len(stages) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("byrote.runs.run.train", train)
    with pytest.raises(KeyboardInterrupt):
        run(study, tmp_path / "runs.db", quiet=True, on_progress=interrupt)
    before, third = trained[:4], trained[4:]
    assert len(third) == 2
    trained.clear()
    resumed = study.summarise(run(study, tmp_path / "runs.db", quiet=True))
    assert trained[:2] == third
    assert not set(trained) & set(before)
    assert len(set(trained)) == len(trained) > 2
    pd.testing.assert_frame_equal(resumed.drop(columns="seconds"), whole.drop(columns="seconds"))
