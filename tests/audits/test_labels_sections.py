import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

import byrote
from byrote.audits.labels_sections import sections_of_labels


@pytest.fixture(scope="module")
def audit():
    draw = np.random.default_rng(0)
    labels = np.arange(600) % 3
    given = np.where(draw.random(600) < 0.1, (labels + 1) % 3, labels)
    x = draw.standard_normal((600, 6)) + 6 * np.eye(3, 6)[labels]
    return byrote.audit(GaussianNB(), (x, given), stages=["labels"], quiet=True)


def test_the_list_its_rates_and_who_says_so_are_shown(audit):
    sections = sections_of_labels(audit.case, audit.results["labels"])
    assert [section.id for section in sections] == ["wrong-labels", "label-voters", "likely-wrong"]
    false, recall = sections[0].figures
    assert {"length", "false_share", "low", "high"} <= set(false.data)
    assert set(recall.data["errors"]) == {"planted between classes that look alike", "planted uniformly"}
    names = [row[0] for row in sections[1].table.blocks[""]]
    assert sum(name.endswith(" (taken)") for name in names) == 1
    assert [name.removesuffix(" (taken)") for name in names] == ["neighbours", "ridge", "GaussianNB", "all together"]
    table = sections[2].table
    assert len(table.header) == len(table.blocks[""][0]) == 10
    assert "Nothing of your data was changed" in sections[2].note


def test_rates_that_are_not_known_are_not_shown(audit):
    result = audit.results["labels"]
    unknown = type(result)("done", "", dict(result.figures) | {"is_pure": False}, {}, result.tables)
    assert [section.id for section in sections_of_labels(audit.case, unknown)] == ["label-voters", "likely-wrong"]
