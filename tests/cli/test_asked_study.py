from pathlib import Path

import numpy as np
import pytest

from byrote.cli.asked_study import judged_measures, load_data, make_study, said_of_scale
from byrote.cli.parsing import parse
from byrote.errors import UserError
from byrote.theory.measures.catalog import MEASURES


def asked(words: str):
    return make_study(parse(words.split()), "float32", Path())


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("demo", "randomization"),
        ("reproduce table1 --data digits", "table1"),
        ("measure rademacher --data digits", "rademacher"),
        ("judge vc --data digits", "judge"),
    ],
)
def test_each_command_asks_for_its_study(words, name):
    assert asked(words).name == name


def test_examples_recipe_and_corruptions_are_those_of_the_flags():
    study = asked("reproduce figure1 --data digits --models mlp-1x8 --n-train 30 --epochs 7 --corruptions gaussian")
    assert {(spec.n_train, spec.epochs, spec.precision) for spec in study.tasks()} == {(30, 7, "float32")}
    assert {spec.corruption for spec in study.tasks()} == {"true-labels", "gaussian"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("reproduce table1 --data digits --corruptions gaussian", "got --corruptions for table1, which chooses"),
        ("reproduce min-norm --data digits --epochs 3", "got --epochs, which min-norm has no use for"),
    ],
)
def test_what_a_study_does_not_take_is_refused(words, message):
    with pytest.raises(UserError, match=message):
        asked(words)


def test_all_measures_but_the_slow_ones_are_judged_unless_some_are_named():
    assert judged_measures(parse(["judge", "vc", "--data", "digits"])) == ["vc"]
    everyone = judged_measures(parse(["judge", "--data", "digits"]))
    assert set(everyone) < set(MEASURES)


def test_data_are_those_of_the_flags(tmp_path):
    data = load_data(parse(["reproduce", "table1", "--data", "digits", "--title", "Numerals"]), tmp_path)
    assert data.label == "Numerals"
    np.savez(tmp_path / "words.npz", x=np.arange(40).reshape(8, 5), y=np.arange(8) % 2)
    asked = ["reproduce", "figure1", "--data", f"npz:{tmp_path / 'words.npz'}", "--kind", "tokens"]
    assert load_data(parse(asked), tmp_path).kind == "tokens"


@pytest.mark.parametrize(
    ("words", "n_train", "said"),
    [
        ("measure rademacher --data digits", 200, "up to 200 training examples, 32 draws."),
        ("measure rademacher --data digits --draws 8", 200, "up to 200 training examples, 8 draws."),
        ("measure rademacher --data digits --exhaustive --n-train 3", 3, ""),
        ("measure bounds --data digits --n-train 100", 100, "100 training examples, 300 pac bayes steps"),
        ("judge --data digits", 200, "mlp-1x64 and mlp-3x64, up to 200 training examples, 2 seeds."),
    ],
)
def test_the_quick_scale_is_what_no_flag_says(words, n_train, said):
    command = parse([*words.split(), "--scale", "quick"])
    study = make_study(command, "float32", None)
    sizes = {task.n_train for task in study.tasks() if getattr(task, "n_train", None)}
    assert max(sizes) == n_train
    assert said in said_of_scale(command, study)
    assert bool(said) == bool(said_of_scale(command, study))


def test_few_examples_are_told_where_there_are_more(tmp_path):
    """digits has 1,437 to train on, these data have 40."""
    x = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
    np.savez(tmp_path / "few.npz", x=x, y=np.arange(50) % 2)
    for data, said in (("digits", "The scale is quick: few examples are trained on."), (f"npz:{tmp_path}/few.npz", "")):
        command = parse(f"reproduce strengths --data {data} --scale quick --models mlp-1x8".split())
        assert said_of_scale(command, make_study(command, "float32", None)).startswith(said)
        assert bool(said) == bool(said_of_scale(command, make_study(command, "float32", None)))
