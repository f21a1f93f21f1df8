import numpy as np
import pytest

from byrote.errors import UserError
from byrote.runs.run import run
from byrote.studies.rademacher.findings import STUMPS
from byrote.studies.rademacher.shattering import ShatteringStudy
from byrote.studies.rademacher.study import RademacherStudy, rademacher_study
from byrote.theory.complexity.rademacher import generalization_bound
from byrote.theory.complexity.stumps import StumpComplexity
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

RECIPE = Recipe(preprocessing="standardize", learning_rate=0.1, batch_size=32, epochs=60)


def test_every_size_is_measured_for_every_width_seed_and_draw_and_for_stumps(tiny):
    study = RademacherStudy(tiny, "mlp-1x{width}", RECIPE, seeds=2, n_train=96, draws=8)
    plan = study.plan()
    assert study.sizes == [6, 12, 24, 48, 96]
    stumps = [each.task for each in plan if isinstance(each.task, StumpComplexity)]
    assert [each.n_train for each in stumps] == study.sizes
    runs = [each for each in plan if isinstance(each.task, TrainSpec)]
    assert [(each.task.model, each.task.n_train, each.labels["repeat"], each.labels["draw"]) for each in runs] == [
        (model, n, repeat, draw)
        for model in study.models
        for n in study.sizes
        for repeat in (0, 1)
        for draw in range(8)
    ]
    assert {each.task.corruption for each in runs} == {"random-labels"}
    assert len({each.key(tiny) for each in plan}) == len({each.task for each in plan}) == len(plan)


def test_all_runs_of_one_size_have_one_data_set_of_fair_signs(tiny):
    study = RademacherStudy(tiny, "mlp-1x4", RECIPE, seeds=2, n_train=96, draws=3)
    for first, second in zip(study.plan(), study.plan(), strict=True):
        assert first.data is second.data
        if isinstance(first.task, TrainSpec):
            assert first.data is study.flips[first.task.n_train]
    assert [len(flips.train) for flips in study.flips.values()] == study.sizes


def test_all_sizes_get_as_many_steps(tiny):
    tasks = RademacherStudy(tiny, "mlp-1x4", RECIPE, n_train=96).tasks()
    epochs = {each.n_train: each.epochs for each in tasks if isinstance(each, TrainSpec)}
    assert epochs == {96: 60, 48: 90, 24: 180, 12: 180, 6: 180}


def test_few_examples_have_fewer_sizes(tiny):
    assert RademacherStudy(tiny, n_train=3).sizes == [1, 3]
    assert RademacherStudy(tiny).largest == 121


@pytest.mark.parametrize("exhaustive", [True, False])
def test_no_draws_are_refused(tiny, exhaustive):
    with pytest.raises(UserError, match="got draws=0"):
        rademacher_study(tiny, recipe=RECIPE, draws=0, exhaustive=exhaustive)


def test_draws_with_every_labeling_are_refused(tiny):
    with pytest.raises(UserError, match="got draws=4 with exhaustive, which trains every labeling"):
        rademacher_study(tiny, recipe=RECIPE, n_train=3, draws=4, exhaustive=True)


def test_exhaustive_asks_for_all_labelings(tiny):
    analysis = rademacher_study(tiny, model="mlp-1x4", recipe=RECIPE, n_train=5, exhaustive=True)
    assert isinstance(analysis, ShatteringStudy)
    assert isinstance(rademacher_study(tiny, model="mlp-1x4", recipe=RECIPE), RademacherStudy)


@pytest.mark.slow
def test_a_small_network_from_training_to_verdict(tiny, tmp_path):
    analysis = RademacherStudy(tiny, "mlp-1x{width}", RECIPE, n_train=24, draws=6)
    results = run(analysis, tmp_path / "runs.db", device="cpu", quiet=True)
    table = analysis.summarise(results)
    assert len(table) == 5 * (1 + len(analysis.models))
    assert set(table["model"]) == {STUMPS, *analysis.models}
    stumps, reached = table[table["model"] == STUMPS], table[table["model"] != STUMPS]
    assert (reached["low"] <= reached["complexity"]).all()
    assert (table["complexity"] <= 1).all()
    assert (stumps["complexity"] <= stumps["upper_bound"]).all()
    # Up to 16 examples all signs are gone through; of 24, they are drawn, and the interval has half of the 5%.
    drawn = stumps["n_train"] == 24
    for own, limit, risk in ((stumps[~drawn], "high", 0.05), (stumps[drawn], "high", 0.025), (reached, "low", 0.05)):
        bounds = [generalization_bound(0.0, *pair, risk) for pair in zip(own[limit], own["n_train"], strict=True)]
        np.testing.assert_allclose(own["bound"], bounds)
    found = {finding.claim: finding for finding in analysis.verdict(table)}
    wide = analysis.models[-1]
    near = found[f"{wide} fits coin flips: its Rademacher complexity is near 1"]
    assert near.outcome == "no conclusion"
    assert near.statement.endswith("More draws (`--draws 12`), or more examples, would tell.")
    assert found["What training reaches grows with width"].outcome == "supported"
    assert analysis.summarise(results[:1])["model"].tolist() == [STUMPS]


def test_what_is_missing_decides_nothing(tiny):
    analysis = RademacherStudy(tiny, "mlp-1x{width}")
    table = analysis.summarise([])
    findings = analysis.verdict(table)
    assert {finding.outcome for finding in findings} == {"no conclusion"}
    assert len(findings) == 3 * len(analysis.models) + 1
