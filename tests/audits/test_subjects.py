import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from byrote.audits.reading import read_material
from byrote.audits.subjects import make_subject
from byrote.errors import UserError
from byrote.runs.store import Store


@pytest.fixture(scope="module")
def setting(tiny, tmp_path_factory):
    return read_material(tiny), Store(tmp_path_factory.mktemp("subjects") / "runs.db")


def pipeline(table, labels, seed):
    return 0.5


def made_by_a_function():
    return make_pipeline(StandardScaler(), GaussianNB())


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (made_by_a_function, "EstimatorSubject"),
        (lambda: GaussianNB(), "EstimatorSubject"),
        (GaussianNB(), "EstimatorSubject"),
        ("sklearn.naive_bayes:GaussianNB", "EstimatorSubject"),
        ("mlp-1x8", "NetworkSubject"),
        (pipeline, "WholePipeline"),
    ],
)
def test_what_each_model_becomes(setting, model, kind):
    assert type(make_subject(model, *setting)).__name__ == kind


def test_what_is_no_model(setting):
    with pytest.raises(UserError, match="got no model and no predictions"):
        make_subject(None, *setting)
    with pytest.raises(UserError, match="expected a network"):
        make_subject(3, *setting)
    with pytest.raises(UserError, match="got learning_rate, which a classifier of scikit-learn has no use for"):
        make_subject(GaussianNB(), *setting, learning_rate=0.1)
    with pytest.raises(UserError, match="got a model and predictions"):
        make_subject(GaussianNB(), *setting, predictions=np.zeros(60))
