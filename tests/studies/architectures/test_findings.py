from __future__ import annotations

import re

import pytest

from byrote.studies.architectures.findings import headline
from byrote.studies.architectures.study import ArchitectureStudy

MODELS = [f"mlp-{depth}x{{width}}" for depth in range(1, 7)]
CAPACITY, TIME, SWITCH_ACCURACY, SWITCH_TIME = range(-4, 0)
# Test accuracy, largest number of random labels fitted, steps to fit 20 of them.
GOOD = {1: (0.3, 40, 100), 2: (0.4, 40, 150), 3: (0.5, 20, 200), 4: (0.6, 20, 300), 5: (0.7, 10, 400), 6: (0.8, 5, 500)}


@pytest.fixture
def verdict(data, make_outcome):
    """The findings where architectures are as in GOOD, except for `changes`, by depth."""

    def give(
        changes=None, *, depths=range(1, 7), seeds=1, drop=0, n_test=1000, board=None, text=False, of=data, **options
    ):
        study = ArchitectureStudy(
            data=of,
            models=[MODELS[depth - 1] for depth in depths],
            parameters=2000,
            n_train=20,
            seeds=seeds,
            **({"switches": ["shared", "skip"]} | options),
        )
        outcomes = []
        for spec in study.tasks():
            true = spec.corruption == "true-labels"
            if spec.model.startswith("mlp"):
                accuracy, largest, steps = (GOOD | (changes or {}))[int(spec.model[4])]
                fits = true or spec.n_train <= largest
                time = (50 if true else steps) if fits else None
            else:
                shared, skip = ("+shared" in spec.model), ("+skip" in spec.model)
                accuracy, time = (board or _board)(shared, skip, spec.seed)
                time = 50 if true else time
            gained = 0.02 * bool(spec.dropout) - 0.03 * (spec.augmentation != "none")
            outcomes.append(make_outcome(spec, steps_to_fit=time, test_accuracy=accuracy + gained, n_test=n_test))
        table = study.summarise(outcomes[drop:])
        found = study.verdict(table)
        return headline(found) if text else found

    return give


def _board(shared, skip, seed):
    return 0.4 + 0.1 * shared + 0.001 * (seed % 2), 100 * 2**shared


def test_an_exemplary_set_of_architectures(verdict):
    found = verdict()
    assert [finding.outcome for finding in found] == (
        ["supported"] * 4 + ["no conclusion"] * 2 + ["supported", "no conclusion"] + ["no conclusion"] * 2
    )
    assert re.search(
        r"mlp-1x\d+ \(7 parameters\) tests at 30.0% after 800 steps on 20 true labels \(95% interval over 1,000 test "
        r"examples, one seed: .*\). It has a test accuracy of 30.0% .*, where guessing has 10.0%, .*. It fits random "
        r"labels of 40 examples, the most that were tried. "
        r"Random labels of the same 20 examples take 100 steps to fit, 2.0 times as many as true ones. "
        r"Each alone, regularisers change test accuracy: random crop by -3.0 points, dropout by \+2.0 points",
        found[0].statement,
    )
    assert "fits random labels of 20 examples, and not of 40" in found[2].statement
    assert "Within 800 steps it fits random labels of 5 examples, and not of 10." in found[5].statement
    assert "correlation of -0.9" in found[CAPACITY].statement
    assert "only 6 points" in found[CAPACITY].statement
    assert "2 of 6 have no such figure" in found[TIME].statement


def test_test_examples_that_are_in_training_do_not_count(verdict, leaking):
    before = verdict(seeds=3)
    leaking(ArchitectureStudy)
    for own, other in zip(verdict(seeds=3), before, strict=True):
        assert own.outcome == other.outcome
        assert own.statement.replace(" that are not in training", "") == other.statement


@pytest.mark.parametrize(
    ("changes", "which", "outcome", "words"),
    [
        ({1: (0.1, 40, 100)}, 0, "not supported", "tests at 10.0%"),
        ({1: (0.1, 5, 100)}, 0, "not supported", "not of 10"),
        ({1: (0.3, 3, 100)}, 0, "no conclusion", "does not fit random labels of even 5 examples"),
        ({d: (0.1 * d, 40, 100 * d) for d in range(1, 7)}, TIME, "supported", r"correlation of \+1.00"),
        ({d: (0.1 * d, 40, 700 - 100 * d) for d in range(1, 7)}, TIME, "not supported", "correlation of -1.00"),
        ({d: (0.1 * d, 40, 100) for d in range(1, 7)}, CAPACITY, "no conclusion", "All 6 fit random labels of 40"),
        (
            {d: (0.1 * d, 10, 100) for d in range(1, 7)},
            CAPACITY,
            "no conclusion",
            "labels of 10 examples",
        ),
        ({d: (0.1 * d, [5, 10, 20, 20, 40, 40][d - 1], 100) for d in range(1, 7)}, CAPACITY, "not supported", r"\+0.9"),
        ({2: (0.9, 40, 100)}, CAPACITY, "no conclusion", "the order may be chance"),
    ],
)
def test_what_runs_show_decides(verdict, changes, which, outcome, words):
    finding = verdict(changes, switches=["shared", "skip"])[which]
    assert finding.outcome == outcome
    assert re.search(words, finding.statement), finding.statement


def test_few_test_examples_do_not_show_that_nothing_is_learned(verdict):
    assert verdict({1: (0.1, 40, 100)}, n_test=20)[0].outcome == "no conclusion"
    assert verdict({1: (0.8, 40, 100)}, n_test=20)[0].outcome == "supported"


def test_times_that_are_all_alike_are_in_no_order(verdict):
    finding = verdict({d: (0.1 * d, 40, 100) for d in range(1, 7)})[TIME]
    assert finding.outcome == "no conclusion"
    assert finding.statement == "All 6 architectures are alike in one of the two."


def test_few_architectures_have_no_rank_correlation(verdict):
    found = verdict(depths=[1, 3, 5])
    assert "3 architectures are too few for a rank correlation: an interval takes 4." in found[CAPACITY].statement


def test_one_seed_does_not_say_which_switch_matters(verdict):
    finding = verdict()[SWITCH_ACCURACY]
    assert finding.claim == "shared or skip changes the test accuracy of a switchboard on true labels"
    assert "shared (on instead of off) +10.0 points" in finding.statement


def test_several_seeds_say_which_switch_matters(verdict):
    found = verdict(depths=[1], seeds=3, board=lambda shared, skip, seed: (0.4 + 0.1 * shared + 0.001 * seed, 100))
    assert found[SWITCH_ACCURACY].outcome == "supported"
    assert "These matter, by Shapley value: shared" in found[SWITCH_ACCURACY].statement
    assert found[SWITCH_TIME].outcome == "no conclusion"  # "Not to be told from nothing" is no proof of nothing.


def test_a_switchboard_that_does_not_fit_leaves_time_open(verdict):
    found = verdict(board=lambda shared, skip, seed: (0.4, None if shared else 100))
    assert found[SWITCH_TIME].outcome == "no conclusion"
    assert "2 of 4 runs stopped before they had fitted" in found[SWITCH_TIME].statement
    assert found[SWITCH_ACCURACY].outcome == "no conclusion"


def test_missing_runs_leave_an_architecture_out(verdict):
    found = verdict(drop=1)
    assert found[0].statement.startswith("1 of 5 runs have not finished")
    assert "1 of 6 have no such figure" in found[CAPACITY].statement
    assert len(verdict(switches=[])) == 6 + 2


def test_the_headline_counts_and_names_the_best(verdict):
    assert verdict(text=True) == "4 of 6 architectures can learn by rote; mlp-6 has the highest test accuracy, 80.0%."
    alike = verdict({6: (0.7, 5, 500)}, text=True)
    assert alike == "4 of 6 architectures can learn by rote; mlp-5 and mlp-6 have the highest test accuracy, 70.0%."
    assert verdict(text=True, drop=1000) == "No conclusion about architectures."


def test_naming_the_largest_class_is_no_generalising(verdict, unequal):
    finding = verdict({1: (0.95, 40, 100)}, n_test=10_000, of=unequal)[0]
    assert finding.outcome != "supported"
    assert "where guessing has 95.0%" in finding.statement
