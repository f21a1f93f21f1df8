from sklearn.tree import DecisionTreeClassifier

import byrote
from byrote.audits.memorization_sections import sections_of_memorization


def test_the_ladder_is_drawn_and_all_conditions_are_listed(tiny):
    audit = byrote.audit(DecisionTreeClassifier(), tiny, stages=["memorization"], quiet=True)
    (section,) = sections_of_memorization(audit.case, audit.results["memorization"].figures)
    rows = section.table.blocks[""]
    assert [row[0] for row in rows] == [
        "true labels",
        "20% random labels",
        "50% random labels",
        "random labels",
        "noise inputs",
    ]
    assert rows[3][2] == "100.0%"
    (figure,) = section.figures
    assert list(figure.data["rate"]) == [0, 0.2, 0.5, 1]
    assert figure.spec["layer"]
    assert "All 121 training rows are fitted, 32 draws" in section.note
