import pytest
from fake_engine import assert_equal, fake_key, make_outcome
from squares import DATA, Square

from byrote.errors import UserError
from byrote.runs.listing import Choice, listed, remove
from byrote.runs.store import Store
from byrote.theory.calculation import compute
from byrote.training.spec import Corruption, TrainSpec

SPECS = [
    TrainSpec(model="mlp-1x8", seed=0),
    TrainSpec(model="net.py:Net", seed=1, corruptions=(Corruption(name="partial-labels", rate=0.5),)),
]


@pytest.fixture
def filled(url, tmp_path):
    store = Store(url, weights=tmp_path / "weights")
    for spec in SPECS:
        store.put(make_outcome(spec, keep_weights=True))
    store.put(compute(Square(number=3), DATA))
    return store


@pytest.mark.parametrize(
    ("choice", "labels"),
    [
        (Choice(), ["mlp-1x8, true-labels, seed 0", "Net, partial-labels 0.5, seed 1", "Square on four points"]),
        (Choice(model="Net"), ["Net, partial-labels 0.5, seed 1"]),
        (Choice(model="net.py:Net"), ["Net, partial-labels 0.5, seed 1"]),
        (Choice(corruption="true-labels"), ["mlp-1x8, true-labels, seed 0"]),
        (Choice(key="mlp"), ["mlp-1x8, true-labels, seed 0"]),
        (Choice(data="others"), []),
        (Choice(before="2020-01-01"), []),
        (Choice(unreadable=True), []),
    ],
)
def test_what_fits_is_listed(filled, choice, labels):
    assert sorted(each.label for each in listed(filled, choice)) == sorted(labels)
    assert all(each.num_bytes > 10 for each in listed(filled, choice))


def test_what_is_removed_is_gone_with_its_weights_and_the_rest_stays(filled):
    (gone,) = listed(filled, Choice(model="Net"))
    remove(filled, [gone])
    assert not filled.folder().files(gone.key)[0].exists()
    assert filled.finished([fake_key(spec) for spec in SPECS], weights=True) == {fake_key(SPECS[0])}
    assert_equal(filled.outcomes()[0], make_outcome(SPECS[0]))


def test_a_date_that_is_none_is_one_sentence():
    with pytest.raises(UserError, match="got the date 'soon', expected one such as 2026-03-31"):
        Choice(before="soon")
