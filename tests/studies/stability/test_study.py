import json

import numpy as np
import pytest

from byrote.cli import main
from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.runs.run import run
from byrote.studies.stability.study import StabilityStudy
from byrote.theory.calculation import Calculation
from byrote.theory.complexity.convex_stability import RidgeStability, SgdStability
from byrote.training.outcome import Progress
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

RECIPE = Recipe(learning_rate=0.1, batch_size=20, epochs=40)


def test_every_seed_is_trained_on_both_labels_beside_what_theory_knows(tiny):
    plan = StabilityStudy(tiny, "mlp-1x16", RECIPE, seeds=2, replacements=20).plan()
    calculations = [each.task for each in plan if isinstance(each.task, Calculation)]
    assert [type(each) for each in calculations[:2]] == [RidgeStability, SgdStability]
    assert [(each.seed, each.corruption) for each in calculations[2:]] == [
        (0, "true-labels"),
        (0, "random-labels"),
        (1, "true-labels"),
        (1, "random-labels"),
    ]
    runs = [each for each in plan if isinstance(each.task, TrainSpec)]
    assert [each.task for each in runs] == [spec for each in calculations[2:] for spec in each.reads]
    assert all(each.labels == {"stack": each.task.stack} for each in runs)
    assert len({each.key(tiny) for each in plan}) == len(plan) == 2 + 4 * (1 + 24)


@pytest.mark.slow
def test_a_kill_loses_the_stack_in_work_at_most(tiny, tmp_path):
    study = StabilityStudy(tiny, "mlp-1x8", Recipe(steps=2), replacements=40)
    stored = []

    def stop(result):
        stored.append(result)
        if isinstance(result.task, TrainSpec) and result.task.stack == "true-labels, seed 0, stack 2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(study, tmp_path / "runs.db", device="cpu", quiet=True, on_result=stop)
    trained = []
    again = run(study, tmp_path / "runs.db", device="cpu", quiet=True, on_progress=trained.append)
    begun = {standing.specs[0].stack for standing in trained if isinstance(standing, Progress)}
    whole = {result.task.stack for result in stored if isinstance(result.task, TrainSpec)} - {
        "true-labels, seed 0, stack 2"
    }
    everyone = {f"{labels}-labels, seed 0, stack {number}" for labels in ("true", "random") for number in range(3)}
    assert begun == everyone - whole != everyone
    assert again.computed[2].values["rounding"] < 1e-6
    assert len(again) == len(study.plan())


@pytest.mark.parametrize(("n_train", "trained", "held_out"), [(None, 108, 12), (45, 45, 5), (120, 120, 1), (2, 2, 1)])
def test_some_examples_are_held_out_to_take_the_places_of_others(tiny, n_train, trained, held_out):
    analysis = StabilityStudy(tiny, "mlp-1x16", RECIPE, n_train=n_train, replacements=2)
    assert (analysis.largest, analysis.num_held_out) == (trained, held_out)


def test_all_networks_take_as_many_steps(tiny):
    analysis = StabilityStudy(tiny, "mlp-1x16", RECIPE, n_train=45, replacements=2)
    assert (analysis.fixed.stop, analysis.fixed.steps) == ("at_steps", 40 * 3)
    given = Recipe(preprocessing="whiten", steps=7)
    assert StabilityStudy(tiny, "mlp-1x16", given, replacements=2).fixed == given


def test_of_few_examples_each_is_replaced_once_where_no_number_is_given(tiny):
    assert [StabilityStudy(tiny, "mlp-1x16", RECIPE, n_train=n).num_replacements for n in (2, 45, 108)] == [2, 45, 64]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"replacements": 0}, "got replacements=0 for n = 108 training examples, expected from 1 to 108"),
        ({"replacements": 46, "n_train": 45}, "got replacements=46 for n = 45 .*`--replacements 45`"),
        ({"n_train": 1, "replacements": 1}, "got n_train=1 of 121 training examples of tiny, expected at least 2"),
        ({"n_train": 121}, "got n_train=121 of 121 training examples of tiny, expected at least 2 and at most 120"),
        ({"n_train": 5000}, "got n_train=5000 for tiny, which has 121"),
        ({"seeds": 0}, "got seeds=0"),
        ({"model": "mlp"}, "got model 'mlp'"),
    ],
)
def test_wrong_input_is_one_sentence(tiny, changes, told):
    with pytest.raises(UserError, match=told):
        StabilityStudy(tiny, **({"recipe": RECIPE} | changes))


def test_one_class_is_refused():
    split = Split.clean(np.zeros((6, 3), dtype=np.float32), np.zeros(6, dtype=np.int64))
    with pytest.raises(UserError, match="got same with one class, whose labels cannot be random"):
        StabilityStudy(Dataset("same", split, split, ("a",), pixel_max=1.0), recipe=RECIPE)


@pytest.mark.slow
def test_a_small_network_from_training_to_verdict(tiny, tmp_path):
    analysis = StabilityStudy(tiny, model="mlp-1x64", recipe=RECIPE, n_train=40, replacements=12)
    table = analysis.summarise(run(analysis, tmp_path / "runs.db", device="cpu", quiet=True))
    networks = table[table["calculation"] == "ReplacementStability"]
    assert (networks["num_fitted"] == 14).all()
    assert set(networks["learning_rate"]) == {0.1}
    found = {finding.claim: finding for finding in analysis.verdict(table)}
    assert len(found) == 3
    assert found["mlp-1x64: a replaced example loses more where labels are random"].outcome == "supported"
    assert found["mlp-1x64: the bound by uniform stability says nothing, on these data"].outcome == "supported"
    assert found["Where theory is exact, what is measured stays below its bound"].outcome == "supported"


def test_calculations_that_are_missing_decide_nothing(tiny):
    analysis = StabilityStudy(tiny, "mlp-1x16", RECIPE, replacements=2)
    table = analysis.summarise([])
    findings = analysis.verdict(table)
    assert {finding.outcome for finding in findings} == {"no conclusion"}
    assert len(findings) == 2


@pytest.mark.slow
def test_the_command_leaves_its_page_and_prints_its_findings(tmp_path, capsys):
    words = "stability --data digits --models mlp-1x64 --n-train 40 --replacements 4 --batch-size 20 --epochs 40"
    arguments = ["measure", *words.split(), "--learning-rate", "0.1", "--device", "cpu", "--out", str(tmp_path)]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "a replaced example loses more where labels are random: " in told
    assert "16 of 16 runs and calculations" in told
    assert "Where theory is exact" in (tmp_path / "report.html").read_text()
    assert len(list((tmp_path / "figures").glob("*.svg"))) == 2
    assert main(arguments) == 0
    assert "16 of 16 runs and calculations are in the store already" in capsys.readouterr().err
    assert json.loads((tmp_path / "study.json").read_text())["arguments"][:2] == ["measure", "stability"]
