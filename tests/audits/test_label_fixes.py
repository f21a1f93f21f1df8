import pandas as pd
import pytest

from byrote.audits.label_fixes import check_place_of_fixes, label_fixes, write_label_fixes
from byrote.errors import UserError


@pytest.fixture
def listed():
    return pd.DataFrame(
        {
            "place": ["row 3", "row 9"],
            "split": ["train", "test"],
            "given_label": ["a", "b"],
            "suggested_label": ["b", "a"],
            "p_wrong": [0.9, 0.3],
            "p_low": [0.6, 0.0],
            "p_high": [1.0, 0.4],
            "reason": ["r", "s"],
        }
    )


def test_those_that_are_more_likely_wrong_than_right(listed):
    found = label_fixes(listed)
    assert found.to_dict("records") == [
        {
            "split": "train",
            "place": "row 3",
            "given_label": "a",
            "label": "b",
            "p_wrong": 0.9,
            "p_low": 0.6,
            "p_high": 1.0,
            "reason": "r",
            "confirmed": "",
        }
    ]


def test_without_chances_there_is_nothing_to_confirm(listed, tmp_path):
    """As they are read from a stored list of a stage without a conclusion."""
    assert write_label_fixes(tmp_path / "new" / "fixes.csv", listed.assign(p_wrong="")) == 0
    assert (tmp_path / "new" / "fixes.csv").read_text().startswith("split,place,given_label,label,p_wrong")


def test_where_they_may_not_go(tmp_path):
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(UserError, match="which is there already"):
        check_place_of_fixes(tmp_path / "there.csv", ["labels"])
    with pytest.raises(UserError, match="without the stage labels"):
        check_place_of_fixes(tmp_path / "new.csv", ["data"])
