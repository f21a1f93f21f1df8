import re

import numpy as np
import pytest

SHRINKS, BEST, WORTH = range(3)


@pytest.fixture
def verdict(strengths):
    """The findings on one model and dropout."""

    def give(*args, **options):
        study, _, table = strengths(*args, **options)
        return study.verdict(table)

    return give


def costs_from(first):
    return lambda strength, n: -10 * (strength >= first)


def shrinks_from(first):
    return lambda strength, n: n <= (10 if strength >= first else 20)


@pytest.mark.parametrize(
    ("right", "fits", "outcome", "words"),
    [
        (
            costs_from(3),
            shrinks_from(2),
            "supported",
            "from dropout 0.5 on; test accuracy first falls .* at dropout 0.8",
        ),
        (costs_from(9), shrinks_from(1), "supported", "dropout 0.2 on, and no strength costs test accuracy"),
        (costs_from(2), shrinks_from(2), "not supported", "shrinks from dropout 0.5 on; test accuracy"),
        (costs_from(1), shrinks_from(3), "not supported", "falls beyond noise at dropout 0.2"),
        (costs_from(2), shrinks_from(9), "not supported", "From no strength on is the largest n fitted a smaller"),
        (costs_from(9), lambda strength, n: n <= (10 if strength == 1 else 20), "not supported", "From no strength on"),
        (costs_from(2), lambda strength, n: True, "no conclusion", "the whole ladder is fitted, which is too short"),
        (costs_from(9), lambda strength, n: False, "no conclusion", "Without it not even the smallest n"),
        (costs_from(9), lambda strength, n: not strength, "supported", r"0.2, less than 10 \(train accuracy 40.0%\)"),
    ],
)
def test_what_shrinks_first_decides(verdict, right, fits, outcome, words):
    finding = verdict(right, fits)[SHRINKS]
    assert finding.claim.endswith("stronger dropout shrinks what net memorises before it costs test accuracy")
    assert finding.outcome == outcome
    assert re.search(words, finding.statement), finding.statement


def test_the_statement_has_every_strength_with_its_figures(verdict):
    finding = verdict(costs_from(3), shrinks_from(2))[SHRINKS]
    assert finding.claim.startswith("Within 39,100 steps, ")
    statement = finding.statement
    assert "Largest n whose random labels are fitted: without it, 20 (but not 40" in statement
    assert (
        "with dropout 0.2, 20 (but not 40: train accuracy 40.0%), test accuracy +0.0 points (-1.6 to +1.6)" in statement
    )
    assert "with dropout 0.8, 10 (but not 20: train accuracy 40.0%), test accuracy -25.0 points" in statement
    assert "(95% intervals over 3 seeds; tested on true labels of n = 40)" in statement


def test_at_its_best_it_still_fits(verdict):
    finding = verdict(lambda strength, n: 3 * (strength == 2), shrinks_from(2))[BEST]
    assert finding.outcome == "supported"
    assert "Of 3 strengths none tests better than dropout 0.5: it has a test accuracy of 77.5%" in finding.statement
    assert "is 10 (but not 20: train accuracy 40.0%) with it, and 20 (but not 40" in finding.statement
    assert "strengths are shown here, not chosen" in finding.statement


def test_one_strength_is_told_as_one(verdict):
    found = verdict(strengths={"dropout": (0.0, 0.5)})
    assert found[BEST].statement.startswith("There is one strength, dropout 0.5: it has a test accuracy of 70.0%")
    assert "It is the only strength: +0.0 points" in found[WORTH].statement


def test_at_its_best_it_fits_nothing(verdict):
    finding = verdict(lambda strength, n: 3 * (strength == 2), lambda strength, n: strength != 2)[BEST]
    assert finding.outcome == "no conclusion"
    assert "is less than 10" in finding.statement


@pytest.mark.parametrize(
    ("right", "outcome", "words"),
    [
        (lambda strength, n: 14 * (strength == 2), "supported", r"^dropout 0.5 is worth 3.4 times the data \(95%"),
        (
            lambda strength, n: -(9 + strength) * (strength > 0),
            "not supported",
            "by Holm over the strengths, 95% intervals",
        ),
        (lambda strength, n: 0, "no conclusion", "worth 1.0 times the data"),
        (lambda strength, n: -2 * (strength == 1), "no conclusion", "Of 3 strengths none tests better there: "),
        (lambda strength, n: 20 * (strength == 1), "supported", "more than 4"),
    ],
)
def test_worth(verdict, right, outcome, words):
    finding = verdict(right)[WORTH]
    assert finding.claim == "Dropout is worth more training data to net"
    assert finding.outcome == outcome
    assert re.search(words, finding.statement), finding.statement


def test_one_seed_is_compared_over_test_examples(verdict):
    found = verdict(costs_from(3), shrinks_from(2), seeds=1)
    assert found[SHRINKS].outcome == "no conclusion"  # of forty examples, several may be lost unseen
    assert "to the ladder's factor of 2, which noise may hide: three seeds would tell; test" in found[SHRINKS].statement
    assert "one seed, 95% intervals over 40 test examples" in found[SHRINKS].statement
    assert "one seed, so no interval" in found[WORTH].statement
    assert verdict(lambda strength, n: 3, seeds=1)[WORTH].outcome == "no conclusion"  # three of forty are chance


def test_noise_costs_nothing_and_leaves_a_cost_open(verdict):
    generator = np.random.default_rng(0)
    finding = verdict(lambda strength, n: int(generator.integers(-2, 3)), shrinks_from(2))[SHRINKS]
    assert finding.outcome == "no conclusion"
    assert "points open, and no strength costs test accuracy beyond noise" in finding.statement


@pytest.mark.parametrize(
    ("own", "drop", "words"),
    [
        (lambda spec: {"failed": ("rate",)} if spec.dropout == 0.5 else {}, 0, "A self-check failed"),
        (lambda spec: {"stop_reason": "non-finite loss"} if spec.dropout == 0.5 else {}, 0, "no longer finite"),
        (lambda spec: {}, 40, "have not finished"),
    ],
)
def test_runs_that_decide_nothing(verdict, own, drop, words):
    for finding in verdict(own=own, drop=drop):
        assert finding.outcome == "no conclusion"
        assert words in finding.statement
