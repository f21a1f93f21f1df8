from byrote.studies.stability.calculations import LOSSES, POINTS
from byrote.studies.stability.rows import COLUMNS, rows
from byrote.theory.calculation import compute
from byrote.theory.complexity.convex_stability import RidgeStability


def test_each_column_has_a_sentence_and_a_name_in_snake_case():
    assert all(name.isidentifier() and name == name.lower() for name in COLUMNS)
    assert all(sentence.endswith(".") for sentence in COLUMNS.values())
    assert {f"{loss}_at_{point}_largest" for loss in LOSSES for point in POINTS} < COLUMNS.keys()


def test_every_table_has_all_columns(tiny):
    (row,) = rows("stability", [compute(RidgeStability(n_train=20), tiny)]).to_dict("records")
    assert list(row) == list(rows("stability", [])) == list(COLUMNS)
    assert (row["study"], row["calculation"], row["num_trained"]) == ("stability", "RidgeStability", 10)
