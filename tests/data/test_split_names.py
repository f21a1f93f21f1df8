import pytest

from byrote.data.split_names import listed, split_of


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train-00000-of-00002.parquet", "train"),
        ("seg_train", "train"),
        ("TrainSet", "train"),
        ("training", "train"),
        ("test_images", "test"),
        ("val2017", "val"),
        ("Validation", "validation"),
        ("dev", "dev"),
        ("trainer", None),
        ("contest", None),
        ("cats", None),
        ("", None),
    ],
)
def test_a_word_of_a_name_means_a_split(name: str, split: str | None) -> None:
    assert split_of(name) == split


def test_many_names_are_cut() -> None:
    assert listed("abcdef") == "a, b, c, d, e, f"
    assert listed("abcdefg") == "a, b, c, d, e, … and 2 more"
