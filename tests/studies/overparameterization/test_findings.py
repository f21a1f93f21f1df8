from __future__ import annotations

import re

import numpy as np
import pytest

from byrote.studies.overparameterization.findings import headline
from byrote.studies.overparameterization.study import OverparameterizationStudy

SMALL_GAP, NO_HARM, TRUE_PEAK, NOISY_PEAK, MEMORISES = range(5)
# Test errors and the first size that fits, by label rate.
GOOD = {
    0.0: ((0.5, 0.2, 0.1, 0.1, 0.1, 0.08), 2),
    0.2: ((0.6, 0.3, 0.4, 0.6, 0.3, 0.2), 3),
    1.0: ((0.9,) * 6, 4),
}


@pytest.fixture
def verdict(data, make_outcome):
    """The findings where runs are as in GOOD, except for `changes`, by label rate."""

    def give(changes=None, *, seeds=1, noise=0.0, drop=0, failed=None, n_test=20_000, of=data, **options):
        study = OverparameterizationStudy(data=of, ratios=(0.7, 2.5, 5.0, 10.0, 20.0, 80.0), seeds=seeds, **options)
        (models,) = study.sizes.values()
        generator = np.random.default_rng(0)
        outcomes = []
        for spec in study.tasks():
            errors, threshold = (GOOD | (changes or {}))[spec.label_rate]
            size = models.index(spec.model)
            outcomes.append(
                make_outcome(
                    spec,
                    key=f"{spec.model}-{spec.label_rate}-{spec.seed}",
                    steps_to_fit=100 if threshold is not None and size >= threshold else None,
                    test_accuracy=1 - errors[size] + noise * generator.standard_normal(),
                    n_test=n_test,
                    parameters=47 * int(spec.model.partition("x")[2]) + 10,
                    failed=("rate",) if spec.label_rate == failed else (),
                )
            )
        return study.verdict(study.summarise(outcomes[drop:]))

    return give


def test_an_exemplary_family_supports_what_it_can(verdict):
    found = verdict()
    assert [finding.outcome for finding in found] == ["supported"] * 2 + ["not supported"] + ["supported"] * 2
    assert re.search(
        r"mlp-1x68 \(80 parameters per example\) fits 40 true labels with a gap of 8.0 points \(99.9% interval "
        r"over 20,000 test examples, one seed: 7.\d to 8.\d points\) .* leave 90.0 points \(less",
        found[SMALL_GAP].statement,
    )
    assert "8.0% at mlp-1x68 (80 parameters per example) and 10.0% at the best of the smaller" in (
        found[NO_HARM].statement
    )
    assert "Test error is 30.0% at mlp-1x2 (2.6 parameters per example), rises to 60.0% at mlp-1x8" in (
        found[NOISY_PEAK].statement
    )
    assert "and falls to 20.0% at mlp-1x68" in found[NOISY_PEAK].statement
    assert "not of the one seed" in found[NOISY_PEAK].statement
    assert "are fitted from mlp-1x17 (20 parameters per example) on" in found[MEMORISES].statement
    assert "The size before, mlp-1x8 (9.7 parameters per example), keeps a training error of 60.0%" in (
        found[MEMORISES].statement
    )
    assert headline(found) == "Test error peaks where networks just begin to fit, and falls again beyond."


def test_test_examples_that_are_in_training_do_not_count(verdict, leaking):
    before = verdict()
    leaking(OverparameterizationStudy)
    for own, other in zip(verdict(), before, strict=True):
        assert own.outcome == other.outcome
        assert own.statement.replace(" that are not in training", "") == other.statement


@pytest.mark.parametrize(
    ("changes", "which", "outcome", "words"),
    [
        ({0.0: ((0.9, 0.8, 0.7, 0.7, 0.7, 0.6), 2)}, SMALL_GAP, "not supported", "a gap of 60.0 points"),
        ({0.0: (GOOD[0.0][0], None)}, SMALL_GAP, "no conclusion", "has not fitted the true labels"),
        ({0.0: (GOOD[0.0][0], None)}, NO_HARM, "no conclusion", "threshold was not reached"),
        ({0.0: ((0.5, 0.2, 0.1, 0.2, 0.2, 0.3), 2)}, NO_HARM, "not supported", "30.0% at mlp-1x68"),
        ({0.0: ((0.5, 0.2, 0.1, 0.1, 0.1, 0.11), 2)}, NO_HARM, "supported", "are within noise"),
        ({0.0: ((0.5, 0.2, 0.1, 0.1, 0.1, 0.135), 2)}, NO_HARM, "no conclusion", "less than 4.0 points even so"),
        ({0.0: (GOOD[0.0][0], 5)}, NO_HARM, "no conclusion", "Only the largest size"),
        ({0.0: (GOOD[0.0][0], 0)}, TRUE_PEAK, "no conclusion", "Already the smallest size"),
        ({0.2: ((0.6, 0.3, 0.31, 0.31, 0.3, 0.2), 3)}, NOISY_PEAK, "not supported", "The peak is within noise"),
        ({0.2: ((0.6, 0.5, 0.4, 0.3, 0.2, 0.1), 3)}, NOISY_PEAK, "not supported", "No size within a factor of 4"),
        ({0.2: ((0.1, 0.6, 0.1, 0.1, 0.1, 0.1), 5)}, NOISY_PEAK, "no conclusion", "would not be seen to fall again"),
        ({0.2: ((0.5, 0.2, 0.1, 0.3, 0.6, 0.2), 5)}, NOISY_PEAK, "supported", "rises to 60.0% at mlp-1x17"),
        (
            {0.2: (GOOD[0.2][0], None)},
            NOISY_PEAK,
            "no conclusion",
            "60.0%.*Add larger sizes, or try `--",
        ),
        ({1.0: (GOOD[1.0][0], None)}, MEMORISES, "no conclusion", "has not fitted the random labels"),
        ({1.0: (GOOD[1.0][0], 0)}, MEMORISES, "supported", r"fitted from mlp-1x1 .* on\. Test error"),
    ],
)
def test_what_runs_show_decides(verdict, changes, which, outcome, words):
    finding = verdict(changes)[which]
    assert finding.outcome == outcome
    assert re.search(words, finding.statement), finding.statement


def test_no_more_parameters_than_examples_is_no_overparameterization(verdict, data, make_outcome):
    study = OverparameterizationStudy(data=data, ratios=(2.0, 4.0, 8.0), rates=(0.0,))
    outcomes = [make_outcome(spec, parameters=40) for spec in study.tasks()]
    finding = study.verdict(study.summarise(outcomes))[SMALL_GAP]
    assert finding.outcome == "no conclusion"
    assert "has no more than that" in finding.statement


def test_several_seeds_tell_noise_by_their_spread(verdict):
    calm, wild = verdict(seeds=4, noise=0.005)[NOISY_PEAK], verdict(seeds=4, noise=0.3)[NOISY_PEAK]
    assert (calm.outcome, wild.outcome) == ("supported", "no conclusion")
    assert "by Tukey's test" in calm.statement
    assert "95% interval" in verdict(seeds=4, noise=0.005)[SMALL_GAP].statement


def test_noise_decides_nothing(verdict):
    """Few test examples, or seeds that differ: a network that is twice as bad is not shown to do no harm."""
    worse = {0.0: ((0.5, 0.2, 0.1, 0.1, 0.1, 0.19), 2), 0.2: ((0.6, 0.3, 0.31, 0.31, 0.3, 0.2), 3)}
    for found in (verdict(worse, n_test=100), verdict(worse, seeds=2, noise=0.05)):
        assert [found[which].outcome for which in (NO_HARM, TRUE_PEAK, NOISY_PEAK)] == ["no conclusion"] * 3
    assert headline(found) == "It is not decided how test error goes on with more parameters than it takes to fit."


def test_where_nothing_is_learnt_nothing_is_seen_to_be_harmed(verdict):
    found = verdict({0.0: ((0.9,) * 6, 2)})[NO_HARM]
    assert found.outcome == "no conclusion"
    assert "a test error of 90.0%, where guessing has 90.0%: less than 4.0 points are learnt" in found.statement


def test_missing_and_failed_runs_decide_nothing(verdict):
    assert verdict(drop=1)[SMALL_GAP].statement.startswith("1 of 6 runs have not finished")
    failed = verdict(failed=0.2)
    assert [finding.outcome for finding in failed][NOISY_PEAK] == "no conclusion"
    assert failed[MEMORISES].outcome == "supported"


def test_only_labellings_that_were_tried_are_judged(verdict):
    assert len(verdict(rates=(0.2,))) == 1
    assert len(verdict(rates=(1.0,))) == 1
    assert len(verdict(rates=(0.0,))) == 3


def test_the_headline_says_what_is_left(verdict):
    flat = {0.2: ((0.6, 0.5, 0.4, 0.3, 0.2, 0.1), 3)}
    assert headline(verdict(flat)) == "More parameters than it takes to fit do no harm."
    worse = {0.0: ((0.5, 0.2, 0.1, 0.2, 0.2, 0.3), 2)}
    assert headline(verdict(flat | worse)) == "More parameters than it takes to fit raise test error."
    late = {0.0: ((0.5, 0.2, 0.1, 0.2, 0.2, 0.3), 5)}
    assert headline(verdict(flat | late)) == "Test error shows no peak where networks begin to fit."
    assert headline(verdict(drop=18)) == "No conclusion about more parameters than examples."


def test_the_gap_of_naming_the_largest_class_is_what_rote_leaves(verdict, unequal):
    """A gap of 8 points is small on ten classes, and more than rote leaves where 95% are of one."""
    finding = verdict(of=unequal)[SMALL_GAP]
    assert finding.outcome == "not supported"
    assert "leave 5.0 points" in finding.statement
