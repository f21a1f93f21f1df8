import re
from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Split
from byrote.studies.implicit.study import ImplicitStudy

N_TEST = 2000
EARLY, EARLY_TWIN, TEST, SPEED = range(4)
# What an exemplary pair does: test accuracies along training, validation accuracies, running training accuracies.
WITH = {
    "test": [0.5, 0.7, 0.8, 0.79, 0.78, 0.78],
    "validation": [0.5, 0.7, 0.8, 0.9, 0.8, 0.7],
    "running": [0.5, 0.9, 0.95, 1, 1, 1],
}
WITHOUT = WITH | {"test": [0.5, 0.6, 0.7, 0.7, 0.7, 0.7], "running": [0.3, 0.5, 0.8, 0.9, 0.95, 1]}


@pytest.fixture
def verdict(data, make_outcome):
    """The findings for a pair, each twin with these changes to what it does."""
    labels = np.arange(N_TEST) % 10
    images = np.random.default_rng(0).integers(0, 256, (N_TEST, 1, 6, 6), dtype=np.uint8)
    split = Split.clean(images, labels)

    def give(own=None, other=None, *, seeds=1, drop=0, name="made up", models=("net", "net-no-batchnorm"), **options):
        study = ImplicitStudy(data=replace(data, name=name, test=split), models=models, seeds=seeds, **options)
        outcomes = []
        for spec in study.tasks():
            does = WITH | (own or {}) if spec.model == models[0] else WITHOUT | (other or {})
            # Seeds differ a little.
            test = np.array(does["test"]) + 0.002 * spec.seed
            last = float(test[~np.isnan(test)][-1])
            epoch = np.arange(1.0, len(test) + 1)
            curve = {"epoch": epoch, "step": 10 * epoch, "test_accuracy": test}
            curve["validation_accuracy"] = np.array(does["validation"])
            curve["running_accuracy"] = np.array(does["running"], dtype=float)
            curve["train_accuracy"] = np.array(does.get("train", does["running"]), dtype=float)
            fields = {
                name: does[name] for name in ("steps_to_fit", "failed", "stop_reason", "steps_run") if name in does
            }
            outcomes.append(
                make_outcome(
                    spec,
                    curve=curve,
                    test_accuracy=last,
                    test_predictions=np.where(np.arange(N_TEST) < round(last * N_TEST), labels, 10),
                    **(
                        {"n_test": N_TEST, "n_train": does.get("n_train", 36), "steps_run": 60, "epochs_run": 6}
                        | fields
                    ),
                )
            )
        return study.verdict(study.summarise(outcomes[drop:]))

    return give


def test_an_exemplary_pair(verdict):
    found = verdict()
    assert [finding.outcome for finding in found] == ["no conclusion", "no conclusion", "supported", "no conclusion"]
    early = found[EARLY].statement
    assert (
        "net tests at 79.0% when best on 4 validation examples (after 40 of 60 steps; evaluated after 6 of 6" in early
    )
    assert "at 78.0% at the end: +1.0 points (95% interval over 2,000 test examples, one seed: " in early
    assert "within noise, while a gain of up to 3.5 points is not ruled out; more test examples would tell." in early
    assert early.endswith("Choosing by the test set itself would have added 1.0 points of optimism.")
    assert (
        "net tests at 78.0% and net-no-batchnorm at 70.0% after 60 steps (n = 36): +8.0 points" in found[TEST].statement
    )
    assert "it helps." in found[TEST].statement
    assert "reached 50%: 10 with it, 20 without; 90%: 20 with it, 40 without; 99%: 40 with it, 60 without (exact" in (
        found[SPEED].statement
    )
    assert "(exact to one epoch, 10 steps; one seed" in found[SPEED].statement
    assert "it takes 0.50 times the steps. Three seeds would tell." in found[SPEED].statement


def test_seeds_give_intervals(verdict):
    found = verdict(seeds=3)
    assert [finding.outcome for finding in found] == ["no conclusion", "no conclusion", "supported", "supported"]
    # Equally many with every seed; but all were tested on the same 2,000 examples.
    assert "+1.0 points (95% interval over 3 seeds: -1.5 to +3.5; p =" in found[EARLY].statement
    assert "by Holm over 3 differences): within noise" in found[EARLY].statement
    assert re.search(r"\+8.0 points \(95% interval over 3 seeds: \+\d", found[TEST].statement)
    assert "95% interval 0.30 to 0.82, rounding included." in found[SPEED].statement


LATE = {"validation": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}
NAN = np.nan


@pytest.mark.parametrize(
    ("own", "other", "which", "outcome", "words"),
    [
        ({"test": [0.5, 0.9, 0.9, 0.9, 0.8, 0.7]}, {}, EARLY, "supported", r"\+20.0 points .* it helps"),
        ({"test": [0.5, 0.6, 0.6, 0.6, 0.7, 0.9]}, {}, EARLY, "not supported", r"-30.0 points .* it costs"),
        (LATE, {}, EARLY, "no conclusion", "within noise"),
        ({"steps_to_fit": None}, {}, EARLY, "no conclusion", "The one run stopped before it had fitted"),
        ({"validation": [NAN] * 6, "n_train": 40}, {}, EARLY, "no conclusion", "No examples were held out"),
        ({"test": [NAN, NAN, NAN, 0.5, 0.6, 0.6]}, {}, EARLY, "no conclusion", "evaluated only 3 times"),
        ({"failed": ("rate",)}, {}, EARLY, "no conclusion", "A self-check failed"),
        ({"failed": ("rate",)}, {}, EARLY_TWIN, "no conclusion", "within noise"),
        ({}, {"test": [0.5, 0.6, 0.7, 0.7, 0.7, 0.9]}, TEST, "not supported", r"-12.0 points .* it costs"),
        ({}, {"test": [0.5, 0.6, 0.7, 0.7, 0.7, 0.78]}, TEST, "not supported", "no help here"),
        ({}, {"steps_to_fit": None}, TEST, "no conclusion", "stopped before they had fitted .* a difference of speed"),
        ({}, {"n_train": 30}, TEST, "no conclusion", "net was trained on 36 examples and net-no-batchnorm on 30"),
        ({}, {"steps_run": 50}, SPEED, "no conclusion", "on 60 steps and net-no-batchnorm on 50"),
        ({}, {"steps_to_fit": None}, SPEED, "supported", "0.50 times the steps"),
        (
            {},
            {"stop_reason": "non-finite loss", "running": [0.1] * 6},
            SPEED,
            "supported",
            "20 with it, not within its steps without",
        ),
        ({"running": [0.1] * 6}, {"running": [0.1] * 6}, SPEED, "no conclusion", "Neither net nor net-no-batchnorm"),
        ({"running": [0.1] * 5 + [1]}, {}, SPEED, "not supported", "1.50 times"),
        ({"train": [0.2] * 6}, {}, SPEED, "supported", "stays behind by up to 80 points: the running averages lag"),
    ],
)
def test_each_way_a_claim_can_come_out(verdict, own, other, which, outcome, words):
    finding = verdict(own, other, seeds=3 if which == SPEED else 1)[which]
    assert finding.outcome == outcome, finding
    assert re.search(words, finding.statement), finding


def test_missing_runs_decide_nothing(verdict):
    found = verdict(drop=1)
    assert [finding.outcome for finding in found] == ["no conclusion"] * 4
    assert "The one run has not finished" in found[EARLY].statement
    assert "1 of 2 runs have not finished" in found[TEST].statement


def test_the_papers_pair_stands_beside_ours_on_its_data_alone(verdict):
    pair = ("inception", "inception-no-batchnorm")
    assert "The paper has, at n = 50,000, 85.75% and 82.00%, +3.75 points." in (
        verdict(name="cifar10:DIR", models=pair)[TEST].statement
    )
    assert "The paper" not in verdict(models=pair)[TEST].statement
    assert "The paper" not in verdict(name="cifar10:DIR")[TEST].statement
    noisy = verdict(name="cifar10:DIR", models=pair, rates=(0.4,))
    assert "The paper" not in noisy[TEST].statement
    assert noisy[TEST].claim.endswith("when 40% of the labels are redrawn")
