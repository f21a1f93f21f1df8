import numpy as np
from sklearn.neighbors import KNeighborsClassifier

import byrote
from byrote.audits.data_sections import sections_of_data


def test_the_score_the_copies_and_the_classes_have_a_section_each():
    draw = np.random.default_rng(0)
    x, y = draw.integers(0, 256, (200, 1, 10, 10)).astype(np.uint8), np.arange(200) % 2
    x[150:160] = x[:10]
    data = {"test": (x[150:], y[150:]), "stages": ["data"], "quiet": True}
    audit = byrote.audit(KNeighborsClassifier(1), (x[:150], y[:150]), **data)
    figures = audit.results["data"].figures
    sections = sections_of_data(audit.case, figures)
    assert [section.title for section in sections] == ["The honest score", "Copies", "Classes"]
    score, copies, classes = sections
    assert score.table.blocks[""][1][3] == "40"
    assert copies.table.blocks[""][0][1] == "10"
    assert [row.title for row in copies.pictures] == ["Identical"]
    assert len(copies.pictures[0].pictures) == 12
    assert classes.table.blocks[""] == [["0", "75", "25"], ["1", "75", "25"]]
    without = {name: value for name, value in figures.items() if name != "score"}
    assert [section.title for section in sections_of_data(audit.case, without)] == ["Copies", "Classes"]
