import re
from dataclasses import replace

import numpy as np
import pytest

from byrote.studies.regularization.findings import attribution_of, label
from byrote.studies.regularization.study import RegularizationStudy

NECESSARY, SUFFICIENT, ACCURACY, GAP, RACE = range(5)
GAINS = {"augmentation": 0.1, "dropout": 0.02, "weight_decay": 0.01, "batch_norm": 0.03}


@pytest.fixture
def verdict(data, make_outcome):
    """The findings where each regulariser that is on raises test accuracy by its gain, from 0.5, and all fit.

    `own` gives further fields for a run: a function of its row (what is on, labels, seed).
    """

    def give(
        *,
        gains=None,
        seeds=3,
        own=lambda on, random, seed: {},
        drop=0,
        noise=0.0002,
        models=("net",),
        of=data,
        **options,
    ):
        study = RegularizationStudy(data=of, models=models, seeds=seeds, **options)
        generator = np.random.default_rng(0)
        outcomes = []
        for spec in study.tasks():
            random = spec.corruption == "random-labels"
            on = {
                "augmentation": spec.augmentation != "none",
                "dropout": spec.dropout > 0,
                "weight_decay": spec.weight_decay > 0,
                "batch_norm": spec.model == "inception",
            }
            gained = sum((GAINS | (gains or {}))[name] for name, is_on in on.items() if is_on)
            accuracy = 0.1 if random else 0.5 + gained + noise * generator.standard_normal()
            fields = {"test_accuracy": accuracy, "n_test": 20_000} | own(on, random, spec.seed)
            outcomes.append(make_outcome(spec, **fields))
        return study.verdict(study.summarise(outcomes[drop:]))

    return give


def none_on(on) -> bool:
    return not any(on.values())


def all_on(on) -> bool:
    return all(is_on for name, is_on in on.items() if name != "batch_norm")


def test_exemplary_runs_support_every_claim(verdict):
    found = verdict()
    assert [finding.outcome for finding in found] == ["supported"] * 5
    assert re.search(
        r"Without any, net fits 40 true labels \(train accuracy 100.0%\) and has a test accuracy of 50.0% \(49.\d% to "
        r"50.\d%\), where guessing has 10.0%, of whose errors 4\d.\d% to 4\d.\d% are gone \(95% interval over 3 seeds "
        r"that share 20,000 test examples\). The best of 8 combinations, augmentation, dropout and weight decay, has a "
        r"test accuracy of 63.0% .*: without any, 7\d% to 7\d% of its lead over guessing in test accuracy are there",
        found[NECESSARY].statement,
    )
    assert "it reaches a train accuracy of 100.0% on random labels of 40 examples" in found[SUFFICIENT].statement
    assert "Of 8 combinations, 8 fit random labels with every seed." in found[SUFFICIENT].statement
    assert re.search(r"augmentation \(random-crop instead of none\) \+10.0 points \(simul", found[ACCURACY].statement)
    assert "generalization gap" in found[GAP].statement
    assert re.search(
        r"a lead of \+\d.\d points \(95% interval over 3 seeds that share 20,000 test examples: \+",
        found[RACE].statement,
    )


def test_test_examples_that_are_in_training_do_not_count(verdict, leaking):
    before = verdict()
    leaking(RegularizationStudy)
    found = verdict()
    assert [finding.outcome for finding in found] == ["supported"] * 5
    assert "share 20,000 test examples that are not in training" in found[RACE].statement
    for place in (ACCURACY, GAP, RACE):
        assert found[place].statement.replace(" that are not in training", "") == before[place].statement


def unfit(when):
    return lambda on, random, seed: {"steps_to_fit": None} if when(on, random) else {}


@pytest.mark.parametrize(
    ("own", "which", "outcome", "words"),
    [
        (
            unfit(lambda on, random: none_on(on) and not random),
            NECESSARY,
            "no conclusion",
            r"3 of 3 runs stopped before they had fitted \(net, true labels, seed 0: train accuracy 0.400",
        ),
        (unfit(lambda on, random: none_on(on) and not random), ACCURACY, "supported", "3 of 24 runs had not fitted"),
        (
            unfit(lambda on, random: all_on(on) and random),
            SUFFICIENT,
            "no conclusion",
            "3 of 3 runs stopped.* Of 8 combinations, 7 fit random labels .*, 40.0%, is with augmentation, dropout and",
        ),
        (
            unfit(lambda on, random: on["dropout"] and not all_on(on) and random),
            SUFFICIENT,
            "supported",
            "Of 8 combinations, 5 fit random labels with every seed; the lowest",
        ),
        (
            lambda on, random, seed: {"test_accuracy": 0.1} if none_on(on) and not random else {},
            NECESSARY,
            "not supported",
            "0% to 1% of its lead",
        ),
        (
            # A lead of 26.5 points makes it.
            lambda on, random, seed: {"test_accuracy": 0.365} if none_on(on) and not random else {},
            NECESSARY,
            "no conclusion",
            r"4\d% to 5\d% of its lead",
        ),
        (
            lambda on, random, seed: {} if random else {"test_accuracy": 0.05 + 0.04 * (not none_on(on))},
            NECESSARY,
            "not supported",
            "a test accuracy of 9.0% .*: there is no lead over guessing",
        ),
        (
            lambda on, random, seed: {"failed": ("rate",)} if none_on(on) and not random else {},
            NECESSARY,
            "no conclusion",
            "A self-check failed in 3 of 3 runs",
        ),
        (
            lambda on, random, seed: {"failed": ("rate",)} if none_on(on) and not random else {},
            RACE,
            "no conclusion",
            "A self-check failed in 3 of 24 runs",
        ),
        (
            lambda on, random, seed: {"stop_reason": "non-finite loss"} if all_on(on) and not random else {},
            GAP,
            "no conclusion",
            "no longer finite in 3 of 24 runs",
        ),
        (
            lambda on, random, seed: {"stop_reason": "non-finite loss"} if all_on(on) and not random else {},
            NECESSARY,
            "supported",
            "best of 7 combinations, augmentation and dropout,",
        ),
        (
            lambda on, random, seed: {"stop_reason": "non-finite loss"} if all_on(on) and random else {},
            ACCURACY,
            "supported",
            "These matter",
        ),
    ],
)
def test_what_runs_show_decides(verdict, own, which, outcome, words):
    finding = verdict(own=own)[which]
    assert finding.outcome == outcome
    assert re.search(words, finding.statement), finding.statement


@pytest.mark.parametrize(
    ("gains", "which", "outcome", "words"),
    [
        (dict.fromkeys(GAINS, 0.0), ACCURACY, "no conclusion", "Not to be told from nothing"),
        (dict.fromkeys(GAINS, -0.05), ACCURACY, "not supported", "These matter"),
        (dict.fromkeys(GAINS, -0.05), GAP, "not supported", "These matter"),
        ({"weight_decay": 0.2}, RACE, "not supported", r"weight decay by \+20.0: a lead of -10.0"),
        ({"weight_decay": 0.1}, RACE, "no conclusion", r"a lead of .0.0 points"),
    ],
)
def test_effects_decide(verdict, gains, which, outcome, words):
    finding = verdict(gains=gains)[which]
    assert finding.outcome == outcome
    assert re.search(words, finding.statement), finding.statement


def test_regularisers_whose_seeds_tie_are_told_apart_by_their_examples(verdict):
    """Augmentation alone has this many more right of 2,000 test examples, with every seed."""

    def lead(examples):
        own = {"augmentation": 0.1 + examples / 2000, "weight_decay": 0.1}
        return verdict(gains=own, seeds=2, noise=0.0)[RACE]

    assert (lead(1).outcome, lead(40).outcome) == ("no conclusion", "supported")
    assert (
        "a lead of +0.1 points (95% interval over 2 seeds that share 20,000 test examples: -0.9 to +1.0)"
        in lead(1).statement
    )


def test_one_seed_has_points_and_no_intervals(verdict):
    found = verdict(seeds=1)
    assert [finding.outcome for finding in found] == ["supported", "supported", *["no conclusion"] * 3]
    assert "there is no interval" in found[ACCURACY].statement
    assert "one seed: no interval, so this may be chance" in found[RACE].statement
    assert "(99.9% interval over 20,000 test examples, one seed)" in found[NECESSARY].statement
    assert "Of 8 combinations, 8 fit random labels." in found[SUFFICIENT].statement


def test_runs_that_have_not_finished_decide_nothing(verdict):
    found = verdict(seeds=1, drop=1)  # without regularisers on true labels
    assert [finding.outcome for finding in found] == ["no conclusion", "supported", *["no conclusion"] * 3]
    assert found[NECESSARY].statement.startswith("The one run has not finished")
    assert found[RACE].statement.startswith("1 of 8 runs have not finished")


def test_batch_norm_is_a_factor_of_an_architecture(verdict):
    found = verdict(models=["inception"])
    assert "batch norm (on instead of off) +3.0" in found[ACCURACY].statement
    assert "The best of 16 combinations" in found[NECESSARY].statement


def test_without_augmentation_there_is_no_race(verdict):
    assert len(verdict(factors={"dropout": (0.0, 0.5), "weight_decay": (0.0, 0.1)})) == 4


def test_a_single_factor_is_a_grid_too(verdict):
    found = verdict(factors={"dropout": (0.0, 0.5)})
    assert [finding.outcome for finding in found] == ["supported"] * 4
    assert "Of 2 combinations, 2 fit" in found[SUFFICIENT].statement


def test_attribution_follows_the_grid_and_not_what_layers_the_models_have(data, make_outcome):
    study = RegularizationStudy(data=data, models=["inception"], factors={"batch_norm": ("plain", "inception")})
    outcomes = [
        replace(make_outcome(spec, test_accuracy=0.5 + 0.1 * (spec.model == "inception")), batch_norm=False)
        for spec in study.tasks()
    ]
    table = study.summarise(outcomes)
    found = attribution_of(
        study.factors_of("inception"), table[table["corruption"] == "true-labels"], 1, "test_accuracy"
    )
    assert found.total.mean == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "no regulariser"),
        (["weight_decay"], "weight decay"),
        (["augmentation", "dropout", "batch_norm"], "augmentation, dropout and batch norm"),
    ],
)
def test_labels(names, words):
    assert label(names) == words


def test_naming_the_largest_class_is_no_generalising(verdict, unequal):
    """Without any regulariser it has 95% right, with all 97%: of a lead of two points it keeps nothing."""
    finding = verdict(
        own=lambda on, random, seed: {"test_accuracy": 0.97 if all_on(on) else 0.95, "n_test": 100_000}, of=unequal
    )[NECESSARY]
    assert finding.outcome == "not supported"
    assert "where guessing has 95.0%" in finding.statement
