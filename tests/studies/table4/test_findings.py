"""Each claim of Table 4, with outcomes made up for every way that it can come out."""

from dataclasses import replace

import numpy as np
import pytest

from byrote.studies.table4.study import table4_study
from byrote.training.outcome import CURVE_COLUMNS

DECAY = ("none", 5e-4)
CROP = ("random-crop", 0.0)
WITH_DECAY = "resnet fits random labels with weight decay 0.0005"
WITH_CROP = "resnet fits random labels with random crop"
ALL = "Explicit regularisers of the usual strength do not keep networks from fitting random labels"
STRONG = "Within the steps given, strong weight decay keeps resnet from fitting random labels"

FITS = {"steps_to_fit": 100}
PLATEAU = {"steps_to_fit": None, "losses": [1.5, 1.0, 1.0], "train_accuracy": 0.7}
FALLING = {"steps_to_fit": None, "losses": [1.5, 1.0, 0.5], "train_accuracy": 0.8}
ADRIFT = {"steps_to_fit": None, "losses": [2.3, 2.3, 2.3], "train_accuracy": 0.1}
BROKEN = {"steps_to_fit": None, "losses": [2.3, np.nan], "train_accuracy": 0.1, "stop_reason": "non-finite loss"}


@pytest.fixture
def judge(data, make_outcome):
    """Findings by claim, from what each condition's runs did, FITS if not given; a list has one for each seed."""

    def findings(did, *, models=("resnet",), seeds=1, name="made up", without=()):
        study = table4_study(replace(data, name=name), "paper", seeds=seeds, models=list(models))
        outcomes = []
        for index, spec in enumerate(study.tasks()):
            condition = (spec.augmentation, spec.weight_decay)
            if condition in without:
                continue
            own = did.get(condition, FITS)
            own = dict(own[spec.seed] if isinstance(own, list) else own)
            losses = np.array(own.pop("losses", [0.01]))
            curve = {column: np.full(len(losses), np.nan) for column in CURVE_COLUMNS}
            curve |= {"step": 100.0 * np.arange(1, len(losses) + 1), "train_loss": losses}
            fields = {"curve": curve, "key": str(index), "steps_run": 300, "stop_reason": "steps"}
            outcomes.append(make_outcome(spec, **(fields | own)))
        return {finding.claim: finding for finding in study.verdict(study.summarise(outcomes))}

    return findings


@pytest.mark.parametrize(
    ("did", "outcome", "says"),
    [
        (FITS, "supported", "It fits: train accuracy 100.00% on 40 examples after 300 steps (one seed)."),
        (PLATEAU, "no conclusion", "It converges without fitting: train accuracy 70.00%"),
        (PLATEAU, "no conclusion", "Without regularisers it fits within 100 steps."),
        (ADRIFT, "no conclusion", "It does not converge: train accuracy 10.00%"),
        (BROKEN | {"steps_run": 20}, "no conclusion", "is to diverge: try `--learning-rate"),
        (FALLING, "no conclusion", "but here the loss was still falling."),
        (PLATEAU | {"steps_run": 199}, "no conclusion", "this may only be slower."),
        (FITS | {"failed": ("moments",)}, "no conclusion", "A self-check failed in the one run (moments)"),
    ],
)
def test_a_regulariser_leaves_memorising_or_nothing_follows(judge, did, outcome, says):
    for condition, claim in ((DECAY, WITH_DECAY), (CROP, WITH_CROP)):
        found = judge({condition: did})[claim]
        assert found.outcome == outcome
        assert says in found.statement


def test_nothing_is_prevented_that_does_not_happen_without(judge):
    found = judge({("none", 0.0): PLATEAU, DECAY: PLATEAU})[WITH_DECAY]
    assert found.outcome == "no conclusion"
    assert "Without regularisers it has not been seen to fit either." in found.statement
    assert judge({("none", 0.0): PLATEAU})[WITH_DECAY].outcome == "supported"


def test_a_scan_of_which_nothing_fits_says_why_it_is_open(judge):
    decays = [("none", decay) for decay in (0.0, 1e-5, 1e-4, 5e-4, 1e-3, 1e-2)]
    found = judge(dict.fromkeys(decays, ADRIFT))[STRONG]
    assert found.outcome == "no conclusion"
    assert found.statement.startswith("It fits at none and converges at none of the weight decays tried")
    assert found.statement.endswith("Without regularisers it has not been seen to fit either.")


def test_seeds_must_agree(judge):
    found = judge({DECAY: [FITS, PLATEAU]}, seeds=2)[WITH_DECAY]
    assert found.outcome == "no conclusion"
    assert "1 of 2 seeds have fitted." in found.statement
    strongest = ("none", 1e-2)
    assert judge({strongest: [PLATEAU] * 3}, seeds=3)[STRONG].outcome == "supported"
    # One that fits, is cut short, or whose loss blew up leaves it open, and so do few.
    for last in (FITS, FALLING, BROKEN):
        assert judge({strongest: [PLATEAU, PLATEAU, last]}, seeds=3)[STRONG].outcome == "no conclusion"
    found = judge({strongest: [PLATEAU] * 2}, seeds=2)[STRONG]
    assert found.outcome == "no conclusion"
    assert "Three seeds that agree would tell (`--seeds 3`)" in found.statement


def test_missing_runs_decide_nothing(judge):
    found = judge({}, without=[DECAY])
    assert found[WITH_DECAY].statement.startswith("The one run has not finished")
    assert found[STRONG].statement.startswith("1 of 6 runs have not finished")
    assert found[WITH_CROP].outcome == "supported"


@pytest.mark.parametrize(
    ("did", "outcome", "says"),
    [
        ({}, "not supported", "It fits at all of the weight decays tried: 0 fits (100.0%); 1e-05"),
        ({("none", 1e-2): ADRIFT}, "no conclusion", "It stops fitting at 0.01 and stops converging at 0.01"),
        (
            {("none", 1e-3): PLATEAU, ("none", 1e-2): BROKEN},
            "no conclusion",
            "It stops fitting at 0.001 and stops converging at 0.01",
        ),
        (
            {("none", 1e-2): PLATEAU},
            "no conclusion",
            "0.01 converges without fitting (70.0%, training loss 1.00 where guessing has 2.30)",
        ),
        ({("none", 1e-2): PLATEAU}, "no conclusion", "It stops fitting at 0.01 and converges at all"),
        ({("none", 1e-2): FALLING}, "no conclusion", "It stops fitting at 0.01"),
        (
            {("none", 1e-4): PLATEAU},
            "no conclusion",
            "It fits at the strongest, but not at all, and converges",
        ),
    ],
)
def test_the_scan_says_where_fitting_and_converging_stop(judge, did, outcome, says):
    found = judge(did)[STRONG]
    assert found.outcome == outcome
    assert says in found.statement


@pytest.mark.parametrize(
    ("did", "outcome", "says"),
    [
        ({}, "supported", "Of 3 regularised networks, fitted: 3; undecided: 0."),
        ({DECAY: ADRIFT}, "no conclusion", "fitted: 2; undecided: 1 (resnet with weight decay 0.0005)."),
        ({CROP: FALLING}, "no conclusion", "fitted: 2; undecided: 1 (resnet with random crop)."),
        ({DECAY: FALLING, CROP: FALLING}, "no conclusion", "fitted: 1; undecided: 2 ("),
        ({DECAY: FALLING, CROP: FALLING, ("crop-flip-color", 0.0): FALLING}, "no conclusion", "undecided: 3 ("),
    ],
)
def test_regularisers_of_the_usual_strength_are_counted(judge, did, outcome, says):
    found = judge(did)[ALL]
    assert found.outcome == outcome
    assert says in found.statement


def test_the_papers_figure_is_quoted_on_its_data(judge):
    found = judge({}, models=["alexnet", "inception"], name="cifar10")
    alexnet = found["alexnet fits random labels with weight decay 0.0005"].statement
    assert alexnet.endswith("The paper: failed to converge.")
    cropped = found["inception fits random labels with random crop"].statement
    assert cropped.endswith("The paper: 99.93% on 50,000.")
    assert (
        "The paper"
        not in judge({}, models=["alexnet"])["alexnet fits random labels with weight decay 0.0005"].statement
    )
