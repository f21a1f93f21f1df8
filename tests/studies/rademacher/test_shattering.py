import pandas as pd
import pytest
from trained_at_once import training_context

from byrote.errors import UserError
from byrote.studies.rademacher.shattering import ShatteringStudy
from byrote.theory.calculation import Computed, compute
from byrote.training.recipe import Recipe

RECIPE = Recipe(preprocessing="standardize", learning_rate=0.1, epochs=5)


def table_of(analysis, *, fitted, drop=0, **fields):
    rows = []
    for calculation in analysis.tasks()[drop:]:
        num = min(256, 2**analysis.largest)
        values = {
            "num_labelings": num,
            "num_fitted": num - 3 if not fitted else num,
            "complexity": 1.0 if fitted else 0.99,
            "num_interrupted": 0 if fitted else 3,
            "parameters": 7,
            "failed_checks": "",
        }
        rows.append(Computed("key", calculation, "tiny", values | fields, {}, 1.0, {}))
    return analysis.summarise(rows)


def test_all_labelings_are_covered_block_by_block(tiny):
    plan = ShatteringStudy(tiny, "mlp-1x4", RECIPE, seeds=3, n_train=10).tasks()
    assert [calculation.first for calculation in plan] == [0, 256, 512, 768]
    assert {(calculation.tries, calculation.recipe.epochs) for calculation in plan} == {(3, 50)}
    assert ShatteringStudy(tiny, "mlp-1x4").largest == 10
    steps = Recipe(preprocessing="whiten", steps=4)
    assert ShatteringStudy(tiny, "mlp-1x4", steps, n_train=2).tasks()[0].recipe == steps


@pytest.mark.parametrize("n", [13, 121])
def test_more_than_can_be_gone_through_are_refused(tiny, n):
    with pytest.raises(UserError, match=rf"got n_train={n} with exhaustive, which would train 2\^{n} networks"):
        ShatteringStudy(tiny, "mlp-1x4", n_train=n)


def test_all_fitted_is_shattering(tiny):
    analysis = ShatteringStudy(tiny, "mlp-1x4", n_train=9)
    (finding,) = analysis.verdict(table_of(analysis, fitted=True))
    assert finding.outcome == "supported"
    assert "All 512 labelings are fitted: the VC dimension of the networks of this architecture is at least 9" in (
        finding.statement
    )


def test_a_labeling_that_training_misses_proves_nothing(tiny):
    analysis = ShatteringStudy(tiny, "mlp-1x4", n_train=9)
    (finding,) = analysis.verdict(table_of(analysis, fitted=False))
    assert finding.outcome == "no conclusion"
    assert "506 of 512 labelings are fitted" in finding.statement
    assert "at least 0.990. 6 runs were ended by their limit" in finding.statement


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"drop": 1}, "256 of 512 labelings have not finished"),
        ({"failed_checks": "labels fixed"}, r"A self-check failed \(labels fixed\)"),
    ],
)
def test_what_is_missing_or_failed_decides_nothing(tiny, fields, words):
    analysis = ShatteringStudy(tiny, "mlp-1x4", n_train=9)
    (finding,) = analysis.verdict(table_of(analysis, fitted=True, **fields))
    assert finding.outcome == "no conclusion"
    assert pd.Series([finding.statement]).str.contains(words).all()


def test_nothing_computed_decides_nothing(tiny):
    analysis = ShatteringStudy(tiny, "mlp-1x4", n_train=9)
    (finding,) = analysis.verdict(analysis.summarise([]))
    assert finding.outcome == "no conclusion"


def test_a_wide_network_shatters_real_examples(tiny):
    analysis = ShatteringStudy(tiny, "mlp-1x32", RECIPE, n_train=4)
    table = analysis.summarise([compute(calculation, tiny, training_context()) for calculation in analysis.tasks()])
    assert [finding.outcome for finding in analysis.verdict(table)] == ["supported"]
    assert table["learning_rate"].tolist() == [0.1]
