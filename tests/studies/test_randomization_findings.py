import re

import numpy as np
import pytest

from byrote.studies.randomization import RandomizationStudy

# What an exemplary network does: steps to fit, test accuracy, loss until it starts, gradient norm, cosine.
GOOD = {
    ("true-labels", 0.0): (100, 0.9, 20, 1.0, 0.5),
    ("partial-labels", 0.5): (200, 0.5, 25, 1.0, 0.3),
    ("random-labels", 1.0): (400, 0.1, 45, 2.0, 0.1),
    ("shuffled-pixels", 1.0): (120, 0.8, 22, 1.0, 0.5),
    ("random-pixels", 1.0): (250, 0.1, 30, 1.0, 0.5),
    ("gaussian", 1.0): (300, 0.1, 35, 1.0, 0.5),
}
NEVER = {
    "losses": np.full(50, 9.0),
    "curve": {"step": np.array([100.0]), "train_loss": np.array([9.0])},
    "steps_to_fit": None,
}
MEMORISES, NOISE, ORDER, TIME, ERROR, SLOW = range(6)


@pytest.fixture
def verdict(data, make_outcome):
    """The findings where runs are as in GOOD, except for `changes`, by condition."""

    def give(changes=None, *, seeds=1, drop=0, **options):
        study = RandomizationStudy(data=data, models=["net"], seeds=seeds, **({"rates": (0.0, 0.5, 1.0)} | options))
        outcomes = []
        for spec in study.plan():
            fit, accuracy, start, norm, cosine = GOOD[spec.corruption, spec.corruption_rate]
            losses = np.r_[np.full(start - 2, np.log(10)), np.full(52 - start, 0.0)]
            fields = {"steps_to_fit": fit, "test_accuracy": accuracy, "losses": losses}
            fields |= {"gradient_norm": norm, "cosine": cosine} | (changes or {}).get(spec.corruption, {})
            outcomes.append(make_outcome(spec, **fields))
        return study.verdict(study.summarise(outcomes[drop:]))

    return give


def test_an_exemplary_network_supports_every_claim(verdict):
    found = verdict()
    assert [finding.outcome for finding in found] == ["supported"] * 6
    assert "fits random labels of all 40 examples under this recipe (train accuracy 1.000, one seed" in (
        found[MEMORISES].statement
    )
    assert "bounds on the whole class, VC or Rademacher, are vacuous here" in found[MEMORISES].statement
    assert "at chance: 0.100 (95% interval over 1,000 test examples: 0.083 to 0.120)" in found[MEMORISES].statement
    assert "fits shuffled pixels, random pixels and Gaussian inputs of all 40" in found[NOISE].statement
    assert "120 on shuffled pixels, 250 on random pixels, 300 on Gaussian inputs, 400 on random labels" in (
        found[ORDER].statement
    )
    assert "1.00 at rate 0, 2.00 at rate 0.5, 4.00 at rate 1" in found[TIME].statement
    assert "0.100 at rate 0, 0.500 at rate 0.5, 0.900 at rate 1" in found[ERROR].statement
    assert "mean norm of 2 (on true labels: 1) and a mean cosine of 0.10" in found[SLOW].statement


@pytest.mark.parametrize(
    ("changes", "which", "outcome", "words"),
    [
        (
            {"random-labels": {"steps_to_fit": None}},
            MEMORISES,
            "no conclusion",
            r"1 of 1 runs stopped before they had fitted \(net, random labels, seed 0: train accuracy 0.400",
        ),
        ({"random-labels": {"steps_to_fit": None}}, TIME, "no conclusion", "1 of 3 runs stopped"),
        ({"random-labels": {"steps_to_fit": None}}, ERROR, "no conclusion", "1 of 3 runs stopped"),
        ({"random-labels": {"steps_to_fit": None}}, NOISE, "supported", "fits shuffled pixels"),
        ({"gaussian": {"steps_to_fit": None}}, NOISE, "no conclusion", "gaussian, seed 0"),
        ({"random-labels": {"failed": ("rate",)}}, MEMORISES, "no conclusion", r"in 1 of 1 runs \(rate\)"),
        ({"true-labels": {"failed": ("rate",)}}, MEMORISES, "supported", "vacuous"),
        ({"true-labels": {"failed": ("rate",)}}, SLOW, "no conclusion", "A self-check failed"),
        ({"random-labels": {"test_accuracy": 0.2}}, MEMORISES, "supported", "not at chance: 0.200"),
        ({"random-labels": {"ceiling": 0.9}}, MEMORISES, "supported", "leave a train accuracy of 0.900"),
        ({"random-labels": {"steps_to_fit": 1001}}, TIME, "not supported", "10.01 times"),
        ({"random-labels": {"steps_to_fit": 90}}, TIME, "not supported", "no growth"),
        ({"partial-labels": {"steps_to_fit": 90}}, TIME, "supported", "though not at every level"),
        ({"partial-labels": {"test_accuracy": 0.02}}, ERROR, "not supported", "falls between some levels"),
        ({"random-labels": {"test_accuracy": 0.2}}, ERROR, "not supported", "ends away from chance"),
        ({"true-labels": {"test_accuracy": 0.1}}, ERROR, "not supported", "no better than chance on true"),
        ({"gaussian": {"losses": np.full(50, 9.0)}}, ORDER, "not supported", "100 on Gaussian inputs"),
        ({"gaussian": NEVER, "random-labels": NEVER}, ORDER, "no conclusion", "never on Gaussian inputs"),
        ({"random-labels": NEVER}, ORDER, "supported", "never on random labels"),
        ({"gaussian": NEVER}, ORDER, "not supported", "never on Gaussian inputs"),
        ({"random-labels": NEVER}, SLOW, "supported", "never on random labels, so later"),
        ({"true-labels": NEVER}, SLOW, "no conclusion", "did not start to fall even on true labels"),
        ({"random-labels": {"losses": np.zeros(50)}}, SLOW, "not supported", "not later on random labels"),
        ({"random-labels": {"cosine": 0.6}}, SLOW, "not supported", "larger, and not less correlated"),
        ({"random-labels": {"gradient_norm": 0.5}}, SLOW, "not supported", "not larger, and less"),
    ],
)
def test_what_runs_show_decides(verdict, changes, which, outcome, words):
    finding = verdict(changes)[which]
    assert finding.outcome == outcome
    assert re.search(words, finding.statement), finding.statement


def test_gradients_that_stay_large_are_told_from_gradients_that_start_so(verdict, data, make_outcome):
    study = RandomizationStudy(data=data, models=["net"], settings=["true-labels", "random-labels"], rates=())
    true, random = map(make_outcome, study.plan())
    true.early["gradient_norm"][25:] = 0.1
    true.early["gradient_cosine"][1:] = 0.6
    (finding,) = study.verdict(study.summarise([true, random]))[-1:]
    assert "those under random labels do not start large" in finding.statement


def test_several_seeds_have_intervals(verdict):
    found = verdict(seeds=3)
    assert "(train accuracy 1.000, 3 seeds)" in found[MEMORISES].statement
    assert "95% interval over 3 seeds: 0.100 to 0.100" in found[MEMORISES].statement
    assert "(95% interval 4.00 to 4.00)" in found[TIME].statement


def test_seeds_that_share_their_weights_are_told(verdict):
    told = "All seeds start from the same weights"
    same = {"random-labels": {"initial_weights": "pretrained"}}
    assert told in verdict(same, seeds=2, settings=["random-labels"], rates=())[MEMORISES].statement
    assert told not in verdict(seeds=2)[MEMORISES].statement


def test_runs_that_have_not_finished_decide_nothing(verdict):
    outcomes = [finding.outcome for finding in verdict(drop=1)]  # true labels are missing
    assert outcomes == ["supported"] * 3 + ["no conclusion"] * 3
    assert "1 of 3 runs have not finished" in verdict(drop=1)[TIME].statement


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"settings": (), "rates": (0.0, 1.0)}, 3),  # two levels show no smooth rise
        ({"settings": ("true-labels", "gaussian"), "rates": ()}, 1),
        ({"settings": ("true-labels",), "rates": ()}, 0),
        ({"settings": (), "rates": (0.5,)}, 0),
    ],
)
def test_only_claims_that_were_put_to_the_test_are_judged(verdict, options, count):
    assert len(verdict(**options)) == count
