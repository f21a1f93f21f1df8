from pathlib import Path

import pytest

from byrote.cli.asked_study import judged_measures, load_data, make_study
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
