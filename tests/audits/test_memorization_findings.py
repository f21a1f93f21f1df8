import pytest

from byrote.audits.memorization_findings import findings_of_memorization, is_unable, share, with_ends

LEAD = {"mean": 0.9, "low": 0.85, "high": 0.95, "n": 4}


def condition(name, accuracy, fits=4, fitted=None, changed=None, test=LEAD):
    return {
        "condition": name,
        "rate": 0.0,
        "fits": fits,
        "num_fitted": fits if fitted is None else fitted,
        "train_accuracy": {"mean": accuracy, "low": None, "high": None, "n": fits},
        "least_train_accuracy": accuracy,
        "ceiling": 1.0,
        "changed_said_as_given": None if changed is None else {"mean": changed},
        "changed_said_as_true": None if changed is None else {"mean": 1 - changed},
        "test": test,
        "seconds": 0.1,
        "steps_to_fit": None,
    }


def figures(**changes):
    kept = changes.pop("kept", {"mean": 0.6, "low": 0.55, "high": 0.65, "n": 4})
    return {
        "num_rows": 1000,
        "num_train": 1000,
        "num_classes": 4,
        "guessing": 0.25,
        "largest_class": 0.25,
        "conditions": [
            condition("true labels", changes.pop("true", 1.0), fitted=changes.pop("num_fitted", 4)),
            condition("20% random labels", 1.0, changed=1.0),
            condition("50% random labels", 1.0, changed=1.0, fitted=changes.pop("half_fitted", 4)),
            condition("random labels", changes.pop("random", 1.0), fits=1, fitted=changes.pop("random_fitted", 1)),
            condition("noise inputs", 1.0, fits=1, test=None),
        ],
        "kept": {"0.2": kept, "0.5": kept},
        "reference": None,
        "why_not_fitted": "",
        "largest_n": {"n": 1000, "tried": 1000},
        **changes,
    }


def test_all_is_well():
    found = findings_of_memorization(
        "m", figures(), {"learns": True, "learns-through": True, "benign": True, "fits-random-labels": True}
    )
    assert [each.outcome for each in found] == ["supported"] * 4
    assert "It is a learner" in found[0].statement
    assert "It learns through them" in found[2].statement
    assert "benign" in found[3].statement


@pytest.mark.parametrize(("largest", "does"), [(0.5, "it sees through most of them"), (0.92, "true one.")])
def test_who_names_the_largest_class_alone_sees_through_nothing(largest, does):
    unequal = figures(num_classes=2, guessing=0.5, largest_class=largest)
    unequal["conditions"][2] = condition("50% random labels", 0.72, changed=0.08, fitted=0)
    assert does in findings_of_memorization("m", unequal, {})[2].statement
    assert ("sees through" in findings_of_memorization("m", unequal, {})[2].statement) == (largest < 0.9)


def test_epochs_beyond_those_of_the_audited_fit_are_said():
    found = findings_of_memorization("m", figures(most_epochs=90), {})
    assert found[0].statement.startswith("On true labels, after up to 90 epochs, it has")


def test_nothing_is_said_where_nothing_is_significant():
    found = findings_of_memorization("m", figures(), {})
    assert [each.outcome for each in found] == ["no conclusion"] * 4


@pytest.mark.parametrize("shape", ["tempered", "catastrophic"])
def test_shapes(shape):
    found = findings_of_memorization("m", figures(), {"learns": True, shape: True})
    assert found[3].outcome == "not supported"
    assert shape in found[3].statement


def test_a_run_that_did_not_fit_has_no_shape():
    stopped = figures(half_fitted=3, random_fitted=0, random=0.9, why_not_fitted="Try `--epochs 400`.")
    found = findings_of_memorization("m", stopped, {"learns": True, "benign": True})
    assert (found[1].outcome, found[3].outcome) == ("no conclusion", "no conclusion")
    assert "`--epochs 400`" in found[1].statement
    assert "does not fit labels" in found[3].statement
    assert "Try" not in found[3].statement  # it is said once
    of_half = figures(half_fitted=3, why_not_fitted="Try `--epochs 400`.")
    assert "`--epochs 400`" in findings_of_memorization("m", of_half, {"learns": True})[3].statement


@pytest.mark.parametrize(
    ("high", "outcome"), [(0.3, "not supported"), (0.59, "not supported"), (0.61, "no conclusion")]
)
def test_hardly_more_than_copying_keeps(high, outcome):
    found = findings_of_memorization(
        "m", figures(kept={"mean": 0.2, "low": 0.1, "high": high, "n": 4}), {"learns": True}
    )
    assert found[2].outcome == outcome


def test_a_memoriser_and_what_may_be_none():
    other = {"score": {"mean": 0.8, "low": 0.75, "high": 0.85, "n": 100}, "p": 1e-4, "little": 0.1}
    (first, *_) = findings_of_memorization("m", figures(reference=other), {"memorises": True})
    assert first.outcome == "not supported"
    assert "It is a memoriser" in first.statement
    assert "surely less than 10.0% beyond that" in first.statement
    (first, *_) = findings_of_memorization("m", figures(reference=other | {"p": 0.4}), {})
    assert first.outcome == "no conclusion"
    assert "may be nothing" in first.statement


def test_what_is_unable_to_fit_swallows_nothing():
    assert "it swallows them" in findings_of_memorization("m", figures(), {})[2].statement
    unable = findings_of_memorization("m", figures(true=0.26, num_fitted=0), {})
    assert "100.0% the wrong label and 0.0% their true one." in unable[2].statement


def test_unable_to_fit():
    assert is_unable(figures(true=0.26, num_fitted=0))
    assert not is_unable(figures(true=0.4, num_fitted=0))
    assert not is_unable(figures())


def test_words():
    assert share(None) == "–"
    assert with_ends({"mean": 0.5, "low": 0.4, "high": 0.6, "n": 3}) == "50.0% (40.0 to 60.0%)"
    assert with_ends({"mean": 0.5, "low": None, "high": None, "n": 1}) == "50.0%"
    assert with_ends(None) == "–"
