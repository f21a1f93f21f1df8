import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from byrote.audits.reading import read_material
from byrote.audits.subjects import make_subject, metric_asked
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


class Fits:
    def fit(self, x, y):
        return self


def unseeded(table, labels):
    return 0.5


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Fits, "got Fits, which has fit and is no estimator of scikit-learn: derive it from ClassifierMixin"),
        (unseeded, r"got unseeded\(table, labels\), expected pipeline\(table, labels, seed\) -> score"),
    ],
)
def test_what_nearly_is_an_estimator_or_a_pipeline(setting, model, message):
    with pytest.raises(UserError, match=message):
        make_subject(model, *setting)


def test_what_is_no_model(setting):
    with pytest.raises(UserError, match="got no model and no predictions"):
        make_subject(None, *setting)
    with pytest.raises(UserError, match="expected a network"):
        make_subject(3, *setting)
    with pytest.raises(UserError, match="got learning_rate, which an estimator of scikit-learn has no use for"):
        make_subject(GaussianNB(), *setting, learning_rate=0.1)
    with pytest.raises(UserError, match="got a model and predictions"):
        make_subject(GaussianNB(), *setting, predictions=np.zeros(60))


def test_the_metric_follows_the_model_and_never_the_labels():
    assert metric_asked(Ridge, None) == metric_asked("sklearn.linear_model:Ridge", None) == "r2"
    assert metric_asked(make_pipeline(StandardScaler(), Ridge()), "neg_max_error") == "neg_max_error"
    assert (
        metric_asked(GaussianNB(), None) == metric_asked("mlp-1x8", None) == metric_asked(pipeline, None) == "accuracy"
    )
    assert metric_asked("mlp-1x8", "r2", train_fn=pipeline) == metric_asked(None, "r2", predictions="p.csv") == "r2"
    for model, metric, sentence in (
        (GaussianNB, "r2", "a score of quantities, of GaussianNB, which is no regressor .*: give a regressor, or"),
        (Ridge(), "accuracy", "a score of classes, of Ridge, which is a regressor .*: give another, such as r2"),
        ("mlp-1x8", "r2", "of mlp-1x8, which byrote's engine would train, and it trains classifiers alone"),
    ):
        with pytest.raises(UserError, match=sentence):
            metric_asked(model, metric)


@pytest.mark.parametrize(("model", "what"), [(GaussianNB(), "an estimator of scikit-learn"), (pipeline, "pipeline")])
def test_what_takes_one_table_is_refused_for_several_inputs(setting, model, what):
    inputs = {"age": np.arange(40.0), "meta": np.eye(40)}
    several = read_material((inputs, np.arange(40) % 2))
    with pytest.raises(UserError, match=rf"{what}.* for data with the inputs age and meta, expected a network"):
        make_subject(model, several, setting[1])
    with pytest.raises(UserError, match=r"'mlp-1x8' for the inputs age and meta: models in the box take one"):
        make_subject("mlp-1x8", several, setting[1])
    with pytest.raises(UserError, match=r"got model 'mlp-1', expected one of .* did you mean"):
        make_subject("mlp-1", several, setting[1])
