import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.studies.table1.rows import LADDER, ROWS, Table1Row, orderings, published_rows, rows_of


def test_the_paper_has_nineteen_rows_of_five_models(data):
    rows = published_rows()
    assert len(rows) == 19
    assert rows["alexnet", Table1Row(random_crop=True)] == (1_387_786, 99.82, 79.66)
    models = {model for model, _ in rows}
    assert {(model, row) for model in models for row in rows_of(model, data)} == set(rows)


def test_other_models_get_the_rows_of_inception(data):
    assert rows_of("resnet", data) == ROWS == rows_of("inception", data)


def test_vectors_are_not_cropped():
    split = Split.clean(np.zeros((40, 6), dtype=np.float32), np.arange(40) % 10)
    vectors = Dataset("made up", split, split, tuple("abcdefghij"))
    assert rows_of("resnet", vectors) == (Table1Row(weight_decay=True), Table1Row(), Table1Row(random_labels=True))


def test_the_paper_allows_eighteen_orderings_two_of_them_against_weight_decay(data):
    rows = {model: rows_of(model, data) for model in (*LADDER, "inception-no-batchnorm")}
    tried = orderings(rows, as_published=True)
    rivals = [ordering.rival for ordering in tried]
    assert {rival: rivals.count(rival) for rival in rivals} == {
        "no_crop": 4,
        "no_weight_decay": 7,
        "weight_decay_alone": 2,
        "no_batch_norm": 2,
        "next_model": 3,
    }
    assert len({ordering.claim for ordering in tried}) == len(tried)
    assert [ordering.claim for ordering in tried if ordering.reversed] == [
        "Weight decay lowers the test accuracy of inception beside random crop",
        "Weight decay lowers the test accuracy of mlp-1x512",
    ]
    assert not any(ordering.reversed for ordering in orderings(rows, as_published=False))


@pytest.mark.parametrize(
    ("models", "claims"),
    [
        (["inception", "mlp-1x512"], {"inception generalises better than mlp-1x512 without explicit regularisers"}),
        (
            ["resnet", "resnet-no-batchnorm"],
            {
                "Batch norm raises the test accuracy of resnet beside random crop and weight decay",
                "Batch norm raises the test accuracy of resnet",
                "Random cropping raises the test accuracy of resnet more than weight decay does",
                "Random cropping raises the test accuracy of resnet-no-batchnorm beside weight decay",
            },
        ),
    ],
)
def test_orderings_are_between_rows_that_are_there(data, models, claims):
    tried = orderings({model: rows_of(model, data) for model in models}, as_published=True)
    assert claims <= {ordering.claim for ordering in tried}
    assert len({ordering.claim for ordering in tried}) == len(tried)
