from __future__ import annotations

import numpy as np
from made_up_scores import made_up
from presented import assert_draws_its_data, is_whole, page_of, rows

from byrote.data.dataset import Dataset, Split
from byrote.studies.memorization.study import MemorizationStudy


def shown(study, share_out=lambda _: np.linspace(0, 1, 121)):
    results = made_up(study, share_out)
    table = study.summarise(results)
    return study.page(results, table, study.verdict(table))


def test_the_page_shows_scores_who_is_told_and_the_most_memorised(tiny):
    page = shown(MemorizationStudy(tiny, "mlp-1x4", networks=512, influential=2))
    assert [section.id for section in page.sections] == [
        "scores-mlp-1x4-0",
        "membership-mlp-1x4-0",
        "influence-mlp-1x4-0",
    ]
    for figure in page.figures:
        assert_draws_its_data(figure)
    assert all(is_whole(section.table) for section in page.sections)
    scores = page.sections[0]
    assert page.headline.startswith("50.0% of the labels that mlp-1x4 is trained on are known by rote")
    assert [picture.place for picture in scores.pictures[0].pictures][:2] == ["row 0", "row 1"]
    assert scores.pictures[0].pictures[0].caption == "0: 100% with it, 0% without"
    assert rows(scores.table)["most memorised"][0][1:4] == ["1", "100.0%", "0.0%"]
    assert rows(scores.table)[""][0][:2] == ["all examples", "121"]
    assert len(rows(scores.table)["classes"]) == 10
    assert rows(page.sections[1].table)[""][0][0] == "LiRA"
    assert "row 1" in rows(page.sections[2].table)[""][0][1]


def test_noise_and_size_are_drawn_where_there_are_several(tiny):
    def of_size(calculation):
        return np.full(121, 1 - len(calculation.model) / 20)

    page = shown(MemorizationStudy(tiny, "mlp-1x{width}", networks=16, noise=(0.0, 0.2)), of_size)
    assert page.sections[0].id == "growth"
    assert len(page.figures[0].data) == len(rows(page.sections[0].table)[""])
    page = shown(MemorizationStudy(tiny, "mlp-1x4", networks=16, noise=(0.0, 0.2)))
    assert page.figures[0].spec["layer"][0]["encoding"]["x"]["field"] == "label_rate"
    assert "wrong labels" in [row[0] for row in rows(page.sections[3].table)[""]]


def test_vectors_have_rows_and_no_pictures(tiny):
    train, test = (
        Split.clean(part.inputs.reshape(len(part), -1).astype(np.float32), part.labels)
        for part in (tiny.train, tiny.test)
    )
    page = shown(MemorizationStudy(Dataset("vectors", train, test, tiny.class_names), "mlp-1x4", networks=16))
    assert page.sections[0].pictures == []


def test_without_results_there_is_no_conclusion(tiny):
    study = MemorizationStudy(tiny, "mlp-1x4", networks=16)
    page = page_of(study, [], study.summarise([]))
    assert page.headline == "No conclusion about memorization."
    assert page.sections == []
