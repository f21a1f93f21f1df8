"""Each claim of Table 1, with outcomes made up for every way that it can come out."""

from dataclasses import replace

import numpy as np
import pytest

from byrote.studies.table1.rows import Table1Row
from byrote.studies.table1.study import table1_study

CROP, DECAY, BOTH, NONE = Table1Row(random_crop=True), Table1Row(weight_decay=True), Table1Row(True, True), Table1Row()
RANDOM = Table1Row(random_labels=True)
N_TEST = 40

CROPPING = "Random cropping raises the test accuracy of resnet"
DECAYING = "Weight decay raises the test accuracy of resnet"
RANDOM_LABELS = "resnet fits random labels without regularisers, and tests at chance"
UNNECESSARY = "resnet generalises without explicit regularisers: they are not necessary"
COUNT = "Test accuracies are in the paper's order, though on other data"


@pytest.fixture
def judge(data, make_outcome):
    """Findings by claim: `right` of 40 test examples (4 is chance) and further `fields` of an outcome by row or
    by model and row; a list has a number for each seed."""

    def findings(right, fields=None, *, models=("resnet",), seeds=1, name="made up", without=()):
        study = table1_study(replace(data, name=name), "paper", seeds=seeds, models=list(models))
        outcomes = []
        for index, spec in enumerate(study.tasks()):
            row = Table1Row(spec.augmentation != "none", spec.weight_decay > 0, spec.label_rate == 1)
            if row in without or (spec.model, row) in without:
                continue
            count = right.get((spec.model, row), right.get(row, 4 if row == RANDOM else 20))
            count = count[spec.seed] if isinstance(count, list) else count
            predictions = (data.test.true_labels + 1) % 10
            predictions[:count] = data.test.true_labels[:count]
            own = (fields or {}).get((spec.model, row), (fields or {}).get(row, {}))
            made = {"test_predictions": predictions, "test_accuracy": count / N_TEST, "key": str(index)} | own
            outcomes.append(make_outcome(spec, n_test=N_TEST, **made))
        return {finding.claim: finding for finding in study.verdict(study.summarise(outcomes))}

    return findings


@pytest.mark.parametrize(
    ("right", "claim", "outcome", "says"),
    [
        ({CROP: 40}, CROPPING, "supported", "+50.0 points (95% interval over 40 test examples, one seed"),
        ({CROP: 2}, CROPPING, "not supported", "-45.0 points"),
        ({CROP: 23}, CROPPING, "no conclusion", "within noise"),
        ({CROP: 20}, CROPPING, "no conclusion", "+0.0 points"),
        (
            {BOTH: 40},
            f"{CROPPING} beside weight decay",
            "supported",
            "resnet with random crop and weight decay",
        ),
        ({BOTH: 40}, f"{DECAYING} beside random crop", "supported", "resnet with random crop 50.0%"),
        ({DECAY: 40}, DECAYING, "supported", "resnet with no regulariser 50.0%"),
        ({CROP: 40}, f"{CROPPING} more than weight decay does", "supported", "resnet with weight decay 50.0%"),
        ({DECAY: 40}, f"{CROPPING} more than weight decay does", "not supported", "-50.0 points"),
        ({}, RANDOM_LABELS, "no conclusion", "which tells nothing of chance: chance is 10.0%, and"),
        ({RANDOM: 30}, RANDOM_LABELS, "not supported", "test accuracy 75.0%, away from chance"),
        (
            {NONE: 36},
            UNNECESSARY,
            "supported",
            "where guessing has 10.0%, of whose errors 61.4% to 97.5% are gone (99.9% interval over 40 test",
        ),
        ({NONE: 2}, UNNECESSARY, "not supported", "where guessing has 10.0%, of whose errors 0.0% to 20.5% are gone"),
        ({NONE: 16}, UNNECESSARY, "no conclusion", "of whose errors"),
    ],
)
def test_accuracies_decide(judge, right, claim, outcome, says):
    found = judge(right)[claim]
    assert found.outcome == outcome
    assert says in found.statement


def test_seeds_decide_where_there_are_several(judge):
    assert judge({CROP: [38, 40, 39]}, seeds=3)[CROPPING].outcome == "supported"
    scattered = judge({CROP: [40, 12, 30]}, seeds=3)[CROPPING]
    assert scattered.outcome == "no conclusion"
    assert "95% interval over 3 seeds" in scattered.statement


def test_many_orderings_are_read_with_more_caution(judge):
    # Six more right, none fewer: p = 2^-5 by itself, but not as the best of five.
    found = judge({CROP: 26})[CROPPING]
    assert found.outcome == "no conclusion"
    assert "p = 0.16 by Holm over 5 orderings" in found.statement


@pytest.mark.parametrize(
    ("fields", "claim", "reason"),
    [
        ({CROP: {"failed": ("moments",)}}, CROPPING, "A self-check failed in 1 of 2 runs (moments)"),
        ({NONE: {"stop_reason": "non-finite loss"}}, CROPPING, "no longer finite"),
        ({RANDOM: {"steps_to_fit": None}}, RANDOM_LABELS, "The one run stopped before it had fitted"),
        ({NONE: {"steps_to_fit": None}}, UNNECESSARY, "stopped before it had fitted (resnet, true labels, seed 0"),
    ],
)
def test_blemished_runs_decide_nothing(judge, fields, claim, reason):
    found = judge({CROP: 40, NONE: 20}, fields)[claim]
    assert found.outcome == "no conclusion"
    assert reason in found.statement


def test_what_naming_one_class_fits_by_luck_is_not_called_fitted(judge):
    for ceiling, fitted in ((0.1, False), (1.0, True)):
        found = judge({}, {RANDOM: {"ceiling": ceiling, "train_accuracy": ceiling}})[RANDOM_LABELS]
        assert ("well by luck with p" in found.statement, found.reading.fitted) == (not fitted, fitted)


def test_missing_runs_decide_nothing(judge):
    found = judge({CROP: 40}, without=[NONE])
    assert all(found[claim].statement.startswith("1 of 2 runs have not finished") for claim in (CROPPING, DECAYING))
    assert found[UNNECESSARY].statement.startswith("The one run has not finished")
    assert found[f"{CROPPING} more than weight decay does"].outcome == "supported"


def test_a_regulariser_may_help_without_a_fit_but_not_a_network_that_has_not_fitted_without_it(judge):
    assert judge({CROP: 40}, {CROP: {"steps_to_fit": None}})[CROPPING].outcome == "supported"
    unfitted = judge({CROP: 40}, {NONE: {"steps_to_fit": None}})[CROPPING]
    assert unfitted.outcome == "no conclusion"
    assert "stopped before it had fitted" in unfitted.statement


def test_batch_norm_is_compared_between_two_models(judge):
    models = ["inception", "inception-no-batchnorm"]
    claim = "Batch norm raises the test accuracy of inception"
    assert judge({("inception", NONE): 40}, models=models)[claim].outcome == "supported"
    assert judge({("inception", NONE): 1}, models=models)[claim].outcome == "not supported"
    assert judge({("inception", DECAY): 40}, models=models)[f"{claim} beside weight decay"].outcome == "supported"


def test_architectures_compare_on_equally_many_examples_alone(judge):
    models = ["alexnet", "mlp-1x512"]
    claim = "alexnet generalises better than mlp-1x512 without explicit regularisers"
    right = {("alexnet", NONE): 40}
    assert judge(right, models=models)[claim].outcome == "supported"
    unequal = judge(right, {("alexnet", NONE): {"n_train": 2000}}, models=models)[claim]
    assert unequal.outcome == "no conclusion"
    assert unequal.statement.startswith("alexnet was trained on 2,000 examples and mlp-1x512 on 40")


def test_on_cifar10_the_papers_own_order_is_expected(judge):
    sizes = {DECAY: {"parameters": 1_209_866}, NONE: {"parameters": 1_209_866}}
    found = judge({NONE: 40}, sizes, models=["mlp-1x512"], name="cifar10")
    lower = found["Weight decay lowers the test accuracy of mlp-1x512"]
    assert lower.outcome == "supported"
    assert lower.statement.endswith("The paper has, at n = 50,000, 50.39% and 50.51%, -0.12 points.")
    elsewhere = judge({NONE: 40}, sizes, models=["mlp-1x512"])
    assert elsewhere["Weight decay raises the test accuracy of mlp-1x512"].outcome == "not supported"


@pytest.mark.parametrize(
    ("right", "outcome", "says"),
    [
        (
            {CROP: 40, BOTH: 40},
            "no conclusion",
            "Of 5 orderings expected from the paper that these rows can try, 3 hold here",
        ),
        ({DECAY: 4, BOTH: 40}, "not supported", "1 are contradicted"),
        ({BOTH: 40}, "no conclusion", "2 hold here"),
        ({CROP: 4}, "not supported", "2 are contradicted and 2 undecided."),
        ({}, "no conclusion", "0 are contradicted and 5 undecided."),
    ],
)
def test_orderings_are_counted(judge, right, outcome, says):
    found = judge(right)[COUNT]
    assert found.outcome == outcome
    assert says in found.statement, found.statement


def test_only_pairs_that_the_paper_has_count_as_its_orderings(judge):
    found = judge({}, models=["inception", "resnet"], name="cifar10")
    own, others = (
        found[f"Test accuracies are in the paper's order{more}"] for more in ("", ", though of other networks")
    )
    assert own.statement == (
        "Of the paper's 5 orderings that these rows can try, 0 hold here, 0 are contradicted and 5 undecided."
    )
    assert others.statement.startswith("Of 5 orderings expected from the paper that")
    assert sum("paper's order" in claim for claim in judge({}, name="cifar10")) == 1


def test_naming_the_largest_class_is_no_generalising(unequal, make_outcome):
    """95% right where 95% are of one class; and what is right of the other shows in balanced accuracy."""
    study = table1_study(unequal, "paper", models=["net"])

    def outcome(predicted):
        accuracy = float((predicted == unequal.test.true_labels).mean())
        fields = {"test_predictions": predicted, "test_accuracy": accuracy, "n_test": 40, "num_classes": 2}
        found = [make_outcome(spec, key=str(place), **fields) for place, spec in enumerate(study.tasks())]
        return next(one for one in study.verdict(study.summarise(found)) if "not necessary" in one.claim)

    constant = outcome(np.zeros(40, dtype=np.int64))
    assert constant.outcome != "supported"
    assert "a test accuracy of 95.0% (71.5% to 99.3%), where guessing has 95.0%, of whose errors 0.0%" in (
        constant.statement
    )
    assert "and a balanced accuracy of 50.0%" in constant.statement
