import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

import byrote
from byrote.audits.data_findings import findings_of_data


def audited(data):
    return byrote.audit(DecisionTreeClassifier(), data, stages=["data"], quiet=True)


def outcome(audit, claim):
    return next(finding.outcome for finding in audit.findings if claim in finding.claim)


def test_a_part_of_the_rows_supports_nothing():
    draw = np.random.default_rng(0)
    audit = audited((draw.standard_normal((400, 10)), draw.integers(0, 2, 400)))
    figures = audit.results["data"].figures
    whole, part = (
        findings_of_data(audit.case, figures | {"copies_looked_for_among": num}, audit.significant["data"])[:2]
        for num in (figures["num_train"] + figures["num_test"], 100)
    )
    assert [finding.outcome for finding in whole] == ["supported"] * 2
    assert [finding.outcome for finding in part] == ["no conclusion"] * 2


def test_an_order_is_claimed_where_chance_does_not_give_it():
    draw = np.random.default_rng(0)
    data = draw.standard_normal((300, 6))
    in_order = byrote.audit(
        DecisionTreeClassifier(),
        (data, np.repeat([0, 1], 150)),
        test=(draw.standard_normal((50, 6)), draw.integers(0, 2, 50)),
        stages=["data"],
        quiet=True,
    )
    assert outcome(in_order, "Rows are in no order") == "not supported"
    few = byrote.audit(
        DecisionTreeClassifier(),
        (data[:5], [0, 0, 0, 1, 1]),
        test=(data[5:9], [0, 1, 0, 1]),
        stages=["data"],
        quiet=True,
    )
    assert not any("Rows are in no order" in finding.claim for finding in few.findings)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "copies would hardly stand out here"),
        ((np.arange(80.0).reshape(20, 4), np.arange(20) % 2), "rows that differ are too few or all as far apart"),
        ((np.arange(400) % 2 ** np.arange(1, 6)[:, None] > 0).T.astype(float), None),
    ],
    ids=["images that resemble one another", "few rows", "columns of two values"],
)
def test_copies_that_nobody_would_find_leave_no_conclusion(tiny, data, words):
    given = tiny if data is None else data if isinstance(data, tuple) else (data, np.arange(400) // 7 % 2)
    audit = audited(given)
    assert outcome(audit, "No example has a copy") != "supported"
    assert outcome(audit, "rows which training does not know") != "supported"
    assert words is None or all(words in finding.statement for finding in audit.findings[:2])


def test_a_rare_class_keeps_its_name():
    draw = np.random.default_rng(0)
    audit = audited((draw.standard_normal((200, 10)), np.where(np.arange(200) % 40 == 0, "yes", "no")))
    (found,) = (finding for finding in audit.findings if "Every class has its share" in finding.claim)
    assert found.outcome == "not supported"
    assert found.statement.startswith("The class yes has less than a fifth of what equal classes would have; ")


@pytest.mark.parametrize(("num", "expected"), [(60, "no conclusion"), (300, "not supported")])
def test_a_column_that_is_always_right_is_cleared_by_no_lack_of_rows(num, expected):
    data = np.random.default_rng(0).standard_normal((num, 2))
    assert outcome(audited((data, (data[:, 0] > 0).astype(int))), "No single column") == expected
    assert outcome(audited((data, np.arange(num) % 2)), "No single column") == "supported"
