import pytest

from byrote.studies.strengths.readings import read_capacity, read_gain, read_worth, runs_of, worths


@pytest.fixture
def read(strengths):
    """The ladders and rows of a study of one model."""

    def give(*args, **options):
        study, _, table = strengths(*args, **options)
        return study.ladders("net"), table

    return give


@pytest.mark.parametrize(
    ("fits", "fitted", "unfitted", "words"),
    [
        (lambda strength, n: n <= 20, 20, 40, "20 (but not 40: train accuracy 40.0%)"),
        (lambda strength, n: True, 40, None, "40, the whole ladder"),
        (lambda strength, n: False, None, 10, "less than 10 (train accuracy 40.0%)"),
        (lambda strength, n: n != 10, 40, None, "40, the whole ladder"),
    ],
)
def test_the_largest_n_fitted_comes_with_the_next_of_the_ladder(read, fits, fitted, unfitted, words):
    capacity = read_capacity(*read(fits=fits), "dropout", 1)
    assert (capacity.fitted, capacity.unfitted, str(capacity)) == (fitted, unfitted, words)


def test_every_seed_must_have_fitted(read):
    ladders, table = read(fits=lambda strength, n: True)
    chosen = (table["n_train"] == 40) & (table["seed"] == 1) & (table["corruption"] == "random-labels")
    table.loc[chosen, "fitted"] = False
    assert read_capacity(ladders, table, "", 0).fitted == 20


def test_a_gain_is_over_none_with_the_same_n_and_seeds(read):
    ladders, table = read(right=lambda strength, n: 2 * strength)
    gain = read_gain(ladders, table, "dropout", 2, 40)
    assert gain.difference.mean == pytest.approx(4 / 40)
    assert gain.num_seeds == 3


def test_worth_is_read_off_the_learning_curve_without_regularisers(read):
    ladders, table = read(right=lambda strength, n: 8 * (strength == 1) - 4 * (strength == 2))
    assert read_worth(ladders, table, "dropout", 1).factor == pytest.approx(2)
    assert read_worth(ladders, table, "dropout", 2).factor == 0
    assert [(name, strength) for name, strength, _ in worths(ladders, table)] == [("dropout", s) for s in (1, 2, 3)]


@pytest.mark.parametrize(
    ("own", "words"), [({"failed": ("rate",)}, "A self-check failed"), (None, "have not finished")]
)
def test_what_cannot_be_read_is_a_reason(read, own, words):
    ladders, table = read(own=lambda spec: own or {})
    if own is None:
        table = table[table["seed"] != 0]
    for reading in (
        read_capacity(ladders, table, "", 0),
        read_gain(ladders, table, "dropout", 1, 40),
        read_worth(ladders, table, "dropout", 1),
    ):
        assert words in reading
    assert list(worths(ladders, table)) == []


def test_conditions_and_their_labels(data, read):
    ladders, table = read()
    assert ladders.conditions == [("", 0), ("dropout", 1), ("dropout", 2), ("dropout", 3)]
    assert [ladders.label(*condition) for condition in ladders.conditions] == [
        "none",
        "dropout 0.2",
        "dropout 0.5",
        "dropout 0.8",
    ]
    assert runs_of(table, "dropout", 1, "true-labels", 40)["seed"].tolist() == [0, 1, 2]
    assert runs_of(table.iloc[:0], "dropout", 1, "true-labels").empty
