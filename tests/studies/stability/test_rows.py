from byrote.studies.stability.calculations import LOSSES, POINTS
from byrote.studies.stability.rows import COLUMNS
from byrote.studies.stability.study import StabilityStudy
from byrote.theory.calculation import compute
from byrote.theory.complexity.convex_stability import RidgeStability


def test_every_loss_has_its_columns_at_every_point():
    assert {f"{loss}_at_{point}_largest" for loss in LOSSES for point in POINTS} < {column.name for column in COLUMNS}


def test_every_table_has_all_columns(tiny):
    known = compute(RidgeStability(n_train=20), tiny)
    (row,) = StabilityStudy(tiny).summarise([known]).to_dict("records")
    assert list(row) == [column.name for column in COLUMNS]
    assert (row["study"], row["calculation"], row["num_trained"]) == ("stability", "RidgeStability", 10)
