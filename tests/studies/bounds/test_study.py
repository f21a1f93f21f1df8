import json

import pytest

from byrote.cli import main
from byrote.errors import UserError
from byrote.runs.run import run
from byrote.studies.bounds.calculations import column
from byrote.studies.bounds.study import BoundsStudy
from byrote.theory.measures.catalog import MEASURES
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

RECIPE = Recipe(learning_rate=0.1, batch_size=20, epochs=100)
FAST = {"pac_bayes_steps": 2, "pac_bayes_draws": 2}


def test_every_seed_is_trained_on_both_labels_and_measured(tiny):
    plan = BoundsStudy(tiny, "mlp-1x16", RECIPE, seeds=2).plan()
    specs = [planned.task for planned in plan[:4]]
    assert [(spec.seed, spec.corruption) for spec in specs] == [
        (0, "true-labels"),
        (0, "random-labels"),
        (1, "true-labels"),
        (1, "random-labels"),
    ]
    assert [planned.task.reads for planned in plan[4:]] == [(spec,) for spec in specs]
    assert [planned.labels["corruption"] for planned in plan] == 2 * ["true-labels", "random-labels"] * 2
    assert len({planned.key(tiny) for planned in plan}) == 8


def test_a_family_has_all_its_members(tiny):
    study = BoundsStudy(tiny, "mlp-1x{width}", RECIPE)
    assert {task.model for task in study.tasks() if isinstance(task, TrainSpec)} == set(study.models)
    assert len(study.models) > 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"pac_bayes_steps": 0}, "got pac_bayes_steps=0, expected at least 1"),
        ({"pac_bayes_draws": 0}, "got pac_bayes_draws=0"),
        ({"seeds": 0}, "got seeds=0"),
        ({"n_train": 5000}, "got n_train=5000 for tiny, which has 121"),
        ({"model": "mlp"}, "got model 'mlp'"),
    ],
)
def test_wrong_input_is_one_sentence(tiny, changes, told):
    with pytest.raises(UserError, match=told):
        BoundsStudy(tiny, **({"recipe": RECIPE} | changes))


@pytest.mark.slow
def test_a_small_network_from_training_to_verdict(tiny, tmp_path):
    analysis = BoundsStudy(tiny, model="mlp-1x64", recipe=RECIPE, seeds=3, n_train=60, **FAST)
    table = analysis.summarise(run(analysis, tmp_path / "runs.db", quiet=True))
    assert len(table) == 6
    assert table["fitted"].all()
    assert (table["vc_error_bound"] == table["vc"] + 1 - table["train_accuracy"]).all()
    assert "path_norm_error_bound" not in table
    assert (table["learning_rate"] == 0.1).all()
    found = {finding.claim: finding for finding in analysis.verdict(table)}
    assert len(found) == len(MEASURES)
    # Known orderings: what only counts is the same, what grows while noise is fitted is larger.
    assert found["Number of parameters tells true labels from random ones"].outcome == "not supported"
    assert found["VC dimension tells true labels from random ones"].outcome == "not supported"
    # Not early-loss: networks that interpolate true labels have stopped before the epoch at which it looks.
    assert table.loc[table["epochs_run"] < 10, "early_loss"].isna().all()
    for name in ("distance", "path-norm", "spectral-complexity", "frobenius", "hessian-trace"):
        means = table.groupby("corruption")[column(name)].mean()
        assert means["true-labels"] < means["random-labels"], name


@pytest.mark.slow
def test_the_command_leaves_a_scoreboard_and_prints_every_badge(tmp_path, capsys):
    flags = ["--n-train", "60", "--seeds", "2", "--learning-rate", "0.1", "--batch-size", "20"]
    pac_bayes = ["--pac-bayes-steps", "2", "--pac-bayes-draws", "2"]
    out = tmp_path / "out"
    command = ["measure", "bounds", "--data", "digits", "--models", "mlp-1x64", "--out", str(out), *flags, *pac_bayes]
    assert main(command) == 0
    told = capsys.readouterr()
    assert told.out.count(" tells true labels from random ones: ") == len(MEASURES)
    assert "8 of 8 runs and calculations" in told.out
    assert "measures of mlp-1x64, random-labels, seed 1: " in told.err
    page = (out / "report.html").read_text()
    assert "Scoreboard of mlp-1x64" in page
    assert {path.name for path in (out / "figures").iterdir()} == {"scoreboard-mlp-1x64.csv", "scoreboard-mlp-1x64.svg"}
    # What was not given is this command's own: long enough for random labels.
    header, first = (out / "results.csv").read_text().splitlines()[:2]
    assert json.loads(dict(zip(header.split(","), first.split(","), strict=False))["epochs"]) == 1000


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--pac-bayes-steps", "0"], "byrote: got --pac-bayes-steps 0, expected at least 1"),
        (["--models", "mlp-1x"], "byrote: got model 'mlp-1x'"),
    ],
)
def test_the_command_says_what_is_wrong(flags, told, tmp_path, capsys):
    assert main(["measure", "bounds", "--data", "digits", "--out", str(tmp_path), *flags]) == 2
    assert told in capsys.readouterr().err
