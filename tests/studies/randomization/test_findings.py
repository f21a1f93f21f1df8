import re

import numpy as np
import pytest

from byrote.data.corruptions.contract import LabelCorruption
from byrote.studies.randomization.study import RandomizationStudy

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
MEMORISES, LEARNS, NOISE, ORDER, TIME, ERROR, SLOW = range(7)


@pytest.fixture
def verdict(data, make_outcome):
    """The findings where runs are as in GOOD, except for `changes`, by condition."""

    def give(changes=None, *, seeds=3, drop=0, models=("net",), **options):
        study = RandomizationStudy(data=data, models=models, seeds=seeds, **({"rates": (0.0, 0.5, 1.0)} | options))
        outcomes = []
        for spec in study.tasks():
            fit, accuracy, start, norm, cosine = GOOD[spec.corruption, spec.corruption_rate]
            losses = np.r_[np.full(start - 2, np.log(10)), np.full(52 - start, 0.0)]
            fields = {"steps_to_fit": fit, "test_accuracy": accuracy, "losses": losses}
            own = (changes or {}).get(spec.corruption, {})
            fields |= {"gradient_norm": norm, "cosine": cosine} | (own(spec.seed) if callable(own) else own)
            if spec.corruption == "random-labels":  # seeds that all agree would decide nothing
                fields["gradient_norm"] *= 1 + 1e-5 * spec.seed
                fields["cosine"] += 1e-5 * spec.seed
            outcomes.append(make_outcome(spec, **fields))
        return study.verdict(study.summarise(outcomes[drop:]))

    return give


def test_an_exemplary_network_supports_every_claim(verdict):
    found = verdict()
    assert [finding.outcome for finding in found] == ["supported"] * 7
    assert "fits random labels of all 40 examples under this recipe (train accuracy 1.000, 3 seeds): bounds on the" in (
        found[MEMORISES].statement
    )
    assert "tests at an accuracy of 0.100, at chance (10.0%; " in found[MEMORISES].statement
    assert "With true labels net gets 90.0% of 1,000 test examples" in found[LEARNS].statement
    assert "fits shuffled pixels, random pixels and Gaussian inputs of all 40" in found[NOISE].statement
    assert "250 on random pixels, 300 on Gaussian inputs, 400 on random labels" in (found[ORDER].statement)
    assert "On random labels it takes 1.53 times (95% interval 1.53 to 1.53) as many as on random pixels and 1.31" in (
        found[ORDER].statement
    )
    assert (
        "takes 4.00 times (95% interval 4.00 to 4.00) as many steps to fit at rate 1 as at 0; on average 1.00 at"
        in (found[TIME].statement)
    )
    assert "0.100 at rate 0, 0.500 at rate 0.5, 0.900 at rate 1" in found[ERROR].statement
    assert "gets 90.0% of 1,000 test examples (95% interval 88.0% to 91.7%), where guessing, which is" in (
        found[ERROR].statement
    )
    assert (
        "mean norm of 2 (on true labels: 1; 2.00 times (95% interval 2.00 to 2.00) as large)" in found[SLOW].statement
    )


def test_one_seed_decides_what_networks_can_and_nothing_that_compares_runs(verdict):
    found = verdict(seeds=1)
    assert [finding.outcome for finding in found] == ["supported"] * 3 + ["no conclusion"] * 4
    for finding in found[ORDER:]:
        assert "Three seeds that agree would tell (`--seeds 3`)" in finding.statement


def jitter(low, high):
    """Steps to fit that differ by seed."""
    return lambda seed: {"steps_to_fit": (low, high, (low + high) // 2)[seed % 3]}


@pytest.mark.parametrize(
    ("changes", "which", "outcome", "words"),
    [
        (
            {"random-labels": {"steps_to_fit": None}},
            MEMORISES,
            "no conclusion",
            r"3 of 3 runs stopped before they had fitted \(net, random labels, seed 0: train .* try `--epochs 400`",
        ),
        ({"random-labels": {"steps_to_fit": None}}, TIME, "no conclusion", "3 of 9 runs stopped"),
        ({"random-labels": {"steps_to_fit": None}}, ERROR, "no conclusion", "3 of 9 runs stopped"),
        ({"random-labels": {"steps_to_fit": None}}, NOISE, "supported", "fits shuffled pixels"),
        ({"gaussian": {"steps_to_fit": None}}, NOISE, "no conclusion", "Gaussian inputs, seed 0"),
        (
            {"random-labels": {"steps_to_fit": None, "stop_reason": "non-finite loss"}},
            MEMORISES,
            "no conclusion",
            "no longer finite in 3 of 3 .* they have diverged, .* try `--learning-rate 0.001`",
        ),
        ({"random-labels": {"failed": ("rate",)}}, MEMORISES, "no conclusion", r"in 3 of 3 runs \(rate\)"),
        ({"true-labels": {"failed": ("rate",)}}, MEMORISES, "supported", "vacuous"),
        ({"true-labels": {"failed": ("rate",)}}, SLOW, "no conclusion", "A self-check failed"),
        ({"random-labels": {"test_accuracy": 0.2}}, MEMORISES, "supported", "0.200, away from chance"),
        ({"random-labels": {"ceiling": 0.9}}, MEMORISES, "supported", "different labels allow, 0.900 at most"),
        ({"random-labels": {"ceiling": 0.1, "train_accuracy": 0.1}}, MEMORISES, "no conclusion", "well by luck with p"),
        ({"random-labels": {"steps_to_fit": 1100}}, TIME, "not supported", "11.00 times"),
        ({"random-labels": {"steps_to_fit": 90}}, TIME, "not supported", "0.90 times"),
        ({"random-labels": {"steps_to_fit": 100}}, TIME, "no conclusion", "1.00 times .* would not tell"),
        ({"random-labels": jitter(90, 200)}, TIME, "no conclusion", "As these seeds differ, 9 would tell"),
        ({"random-labels": jitter(400, 500)}, TIME, "supported", "4.50 at rate 1"),
        ({"partial-labels": {"steps_to_fit": 90}}, TIME, "supported", "0.90 at rate 0.5"),
        ({"partial-labels": {"test_accuracy": 0.02}}, ERROR, "not supported", "0.980 at rate 0.5"),
        ({"partial-labels": {"test_accuracy": 0.07}}, ERROR, "no conclusion", "Some .* test examples would tell"),
        # A fall of exactly four points, to the last bit: no number of examples would tell.
        (
            {"partial-labels": {"test_accuracy": 0.04}, "random-labels": {"test_accuracy": 0.08}},
            ERROR,
            "no conclusion",
            "More seeds, or levels further apart, would tell",
        ),
        ({"random-labels": {"test_accuracy": 0.2}}, ERROR, "not supported", "away from chance"),
        (
            {"true-labels": {"test_accuracy": 0.11}, "partial-labels": {"test_accuracy": 0.1}},
            ERROR,
            "no conclusion",
            "",
        ),
        ({"gaussian": {"losses": np.full(50, 9.0)}}, ORDER, "not supported", "100 on Gaussian inputs"),
        (
            {"gaussian": NEVER, "random-labels": NEVER},
            ORDER,
            "no conclusion",
            "not within its steps on Gaus.* Try `--epochs 400`",
        ),
        ({"random-labels": NEVER}, ORDER, "supported", "not within its steps on random labels"),
        ({"gaussian": NEVER}, ORDER, "not supported", "not within its steps on Gaussian inputs"),
        ({"random-labels": NEVER}, SLOW, "supported", "not within its steps on random labels"),
        ({"true-labels": NEVER}, SLOW, "no conclusion", "did not start to fall even on true labels .* `--epochs 400`"),
        ({"random-labels": {"losses": np.zeros(50)}}, SLOW, "no conclusion", "takes 1.00 times .* as many"),
        ({"random-labels": {"cosine": 0.6}}, SLOW, "not supported", r"more by 0.10 \(95%"),
        ({"random-labels": {"gradient_norm": 0.5}}, SLOW, "not supported", "0.50 times"),
    ],
)
def test_what_runs_show_decides(verdict, changes, which, outcome, words):
    finding = verdict(changes)[which]
    assert finding.outcome == outcome, finding.statement
    assert re.search(words, finding.statement), finding.statement


def test_a_claim_about_several_models_is_a_family(verdict):
    """What would be supported alone, at p = 0.03, is not among four."""
    growth = {"random-labels": jitter(200, 400)}
    alone = verdict(growth, settings=())
    several = verdict(growth, settings=(), models=["a", "b", "c", "d"])
    of_time = [finding.outcome for finding in several if "time to fit" in finding.claim]
    assert [finding.outcome for finding in alone if "time to fit" in finding.claim] == ["supported"]
    assert of_time == ["no conclusion"] * 4


def test_gradients_that_stay_large_are_told_from_gradients_that_start_so(verdict, data, make_outcome):
    study = RandomizationStudy(data=data, models=["net"], settings=["true-labels", "random-labels"], rates=(), seeds=3)
    outcomes = list(map(make_outcome, study.tasks()))
    for seed, true in enumerate(outcomes[::2]):
        true.early["gradient_norm"][25:] = 0.1 + 1e-5 * seed
        true.early["gradient_cosine"][1:] = 0.6
    (finding,) = study.verdict(study.summarise(outcomes))[-1:]
    assert "that those under random labels start larger does not show, they stay while the others shrink" in (
        finding.statement
    )


def test_seeds_that_share_their_weights_are_told(verdict):
    told = "All seeds start from the same weights"
    same = {"random-labels": {"initial_weights": "pretrained"}}
    assert told in verdict(same, seeds=2, settings=["random-labels"], rates=())[MEMORISES].statement
    assert told not in verdict(seeds=2)[MEMORISES].statement


def test_runs_that_have_not_finished_decide_nothing(verdict):
    outcomes = [finding.outcome for finding in verdict(drop=1)]  # true labels are missing
    assert outcomes == ["supported", "no conclusion", "supported", "supported", *["no conclusion"] * 3]
    assert "1 of 9 runs have not finished" in verdict(drop=1)[TIME].statement


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"settings": (), "rates": (0.0, 1.0)}, 4),  # two levels show no smooth rise
        ({"settings": ("true-labels", "gaussian"), "rates": ()}, 2),
        ({"settings": ("true-labels",), "rates": ()}, 1),
        ({"settings": (), "rates": (0.5,)}, 0),
    ],
)
def test_only_claims_that_were_put_to_the_test_are_judged(verdict, options, count):
    assert len(verdict(**options)) == count


def by_rote(data, make_outcome, *settings: object, **fields: object):
    """The findings of what is learned by rote."""
    study = RandomizationStudy(data=data, models=["net"], seeds=2).under(settings)
    outcomes = [make_outcome(spec, **fields) for spec in study.tasks()]
    found = study.verdict(study.summarise(outcomes))
    return {finding.claim: finding for finding in found if "by rote" in finding.claim}


def test_labels_that_the_class_tells_are_no_question_of_memory(data, make_outcome):
    found = by_rote(
        data, make_outcome, "constant-class", "asymmetric-labels", "asymmetric-labels=0.5", "swapped-labels"
    )
    outcomes = {claim: finding.outcome for claim, finding in found.items()}
    assert outcomes == {
        "net can learn constant class by rote": "no conclusion",
        "net can learn asymmetric labels by rote": "no conclusion",
        "net can learn asymmetric labels 50% by rote": "supported",
        "net can learn swapped labels by rote": "supported",
    }
    statement = found["net can learn constant class by rote"].statement
    assert "fits constant class of 40 examples under this recipe (train accuracy 1.000, 2 seeds)" in statement
    assert "the true class alone tells 100.0% of these labels" in statement
    statement = found["net can learn asymmetric labels 50% by rote"].statement
    assert "tells 50.0% of these labels, and what is fitted beyond them it remembers" in statement


def test_labels_of_an_unknown_law_and_inputs_that_keep_structure_show_no_memory(data, make_outcome):
    class ByInput(LabelCorruption):
        def redraw(self, labels, uniform, context):
            return 1 - labels % 2

    found = by_rote(data, make_outcome, ByInput, "additive-noise", "gaussian=0.5")
    assert list(found) == ["net can learn ByInput by rote"]
    assert found["net can learn ByInput by rote"].outcome == "no conclusion"
    assert "By what chances these labels come from the true ones is not known" in (
        found["net can learn ByInput by rote"].statement
    )


def test_other_labels_that_are_not_fitted_support_nothing(data, make_outcome):
    (finding,) = by_rote(data, make_outcome, "swapped-labels=0.5", steps_to_fit=None).values()
    assert finding.outcome == "no conclusion"
    assert "stopped before they had fitted (net, swapped labels 50%, seed 0" in finding.statement


def test_what_never_starts_takes_so_many_times_at_least(verdict):
    found = verdict({"random-labels": NEVER})
    assert "On random labels it takes at least 10.00 times" in found[SLOW].statement
    found = verdict({"gaussian": NEVER})
    assert re.search(r"as many as on random pixels and at most \d.* as many as on Gaussian", found[ORDER].statement)


def test_a_network_that_starts_before_two_batches_has_no_cosine(verdict):
    """Nothing is said of a difference that was not measured."""
    found = verdict({"true-labels": {"cosine": np.nan}}, seeds=1)
    assert found[SLOW].outcome == "no conclusion"
    assert "Its gradients until then are not recorded" in found[SLOW].statement
    assert "nan" not in found[SLOW].statement.split()
