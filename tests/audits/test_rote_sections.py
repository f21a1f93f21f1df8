from presented import assert_draws_its_data, is_whole
from sklearn.naive_bayes import GaussianNB

import byrote
from byrote.audits.rote_stage import RoteStage


def test_sections_show_scores_the_rows_most_known_by_rote_and_who_is_told(tiny):
    audit = byrote.audit(GaussianNB(), tiny, stages=["rote"], quiet=True)
    result = audit.results["rote"]
    scores, members = RoteStage().sections(audit.case, result)
    for section in (scores, members):
        assert is_whole(section.table)
        for figure in section.figures:
            assert_draws_its_data(figure)
    (row,) = scores.pictures
    first = result.tables["rote.csv"].iloc[0]
    assert row.pictures[0].place == first["place"]
    assert row.pictures[0].caption.startswith(f"{first['label']}: ")
    assert row.pictures[0].image.startswith("data:image/png")
    assert scores.figures[0].data["rows"].sum() == len(tiny.train)
    assert [block[0] for block in members.table.blocks[""]] == ["LiRA", "RMIA"]
