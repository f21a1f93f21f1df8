import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

import byrote
from byrote.audits.regularizers_stage import RegularizersStage, factors_of
from byrote.training.recipe import Recipe


def audited(model, data, **options):
    return byrote.audit(model, data, stages=["regularizers"], quiet=True, **options)


@pytest.fixture(scope="module")
def wide():
    """Ten of three hundred columns tell the class; weights that stay small do not fit the others."""
    draw = np.random.default_rng(0)
    labels = np.arange(560) % 2
    x = draw.standard_normal((560, 300)).astype(np.float32)
    x[:, :10] += 0.5 * (2 * labels[:, None] - 1)
    return byrote.from_arrays(x[:60], labels[:60], x[60:], labels[60:])


@pytest.fixture(scope="module")
def harmed(tiny):
    return audited("mlp-1x16", tiny, steps=40, learning_rate=0.1, weight_decay=0.5)


def test_what_is_there_is_switched_off():
    assert factors_of("mlp-1x8", Recipe()) == {}
    recipe = Recipe(weight_decay=0.01, dropout=0.5, augmentation="random-crop")
    assert factors_of("mlp-1x8", recipe) == {
        "augmentation": ("none", "random-crop"),
        "dropout": (0.0, 0.5),
        "weight_decay": (0.0, 0.01),
    }
    assert factors_of("inception", Recipe()) == {"batch_norm": ("inception-no-batchnorm", "inception")}


def test_one_that_harms(harmed):
    (finding,) = harmed.findings
    assert finding.outcome == "not supported"
    assert "Weight decay (0.5 instead of 0.0)" in finding.statement
    assert "It harms" in finding.statement


def test_its_page(harmed):
    (section,) = RegularizersStage().sections(harmed.case, harmed.results["regularizers"])
    assert [row[0] for row in section.table.blocks[""]] == ["no regulariser", "weight decay"]
    assert section.figures[0].spec["layer"]


def test_two_share_what_they_add_together(tiny):
    figures = (
        audited("mlp-1x16", tiny, steps=20, learning_rate=0.1, weight_decay=0.1, dropout=0.3)
        .results["regularizers"]
        .figures
    )
    added = sum(each["effect"]["mean"] for each in figures["regularizers"])
    tests = [each["test"]["mean"] for each in figures["combinations"]]
    assert added == pytest.approx(tests[-1] - tests[0], abs=1e-9)
    assert [each["on"] for each in figures["combinations"]] == [
        [],
        ["weight_decay"],
        ["dropout"],
        ["dropout", "weight_decay"],
    ]


@pytest.mark.slow
def test_one_that_earns_its_keep(wide):
    (finding,) = audited("mlp-1x64", wide, steps=150, learning_rate=0.05, weight_decay=0.1).findings
    assert finding.outcome == "supported"


def test_what_has_none_is_skipped(tiny):
    audit = audited("mlp-1x16", tiny)
    assert audit.results["regularizers"].status == "skipped"
    assert "no regulariser to judge" in audit.findings[0].statement
    audit = audited(DecisionTreeClassifier(), tiny)
    assert "is no network that byrote trains" in audit.findings[0].statement
    assert RegularizersStage().estimate(audit.case).seconds == 0


@pytest.mark.slow
def test_a_budget_takes_a_smaller_version():
    stage = RegularizersStage()
    options = {"weight_decay": 0.1, "quiet": True}
    case = byrote.audit("mlp-1x16", byrote.load("digits"), stages=["data"], budget=1e-3, **options).case
    assert "instead of 1,437 rows" in stage.estimate(case, 1e-9).smaller
    assert stage.run(case, 1e-9).status == "skipped"
