import numpy as np
import pytest
import torch

from byrote.audits.networks import NetworkSubject
from byrote.audits.own_training import TrainingFunctionSubject
from byrote.audits.reading import read_material
from byrote.audits.subject import Fit
from byrote.errors import UserError
from byrote.runs.store import Store


@pytest.fixture(scope="module")
def subject(tiny, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("audit") / "runs.db")
    return NetworkSubject("mlp-1x32", read_material(tiny), store, steps=150, learning_rate=0.05)


def test_fits_are_stored_runs(subject):
    material = subject._material
    first, second = subject.fit_all([Fit(material.train, 0), Fit(material.train, 1)])
    found = first(material.test)
    assert (found.labels == material.test.labels).mean() > 0.8
    assert found.probabilities.sum(axis=1) == pytest.approx(1)
    assert (found.probabilities != second(material.test).probabilities).any()
    again = subject.fit(material.train, 0)(material.test)
    assert (again.probabilities == found.probabilities).all()


def test_other_rows_and_other_labels(subject):
    material = subject._material
    part = material.train.take(np.arange(40)).relabelled(np.zeros(40, np.int64))
    assert (subject.fit(part, 0)(material.test).labels == 0).all()


class Asking(torch.nn.Linear):
    def __init__(self, width, num_classes):
        super().__init__(width, num_classes)


def test_what_cannot_be_trained_is_refused_before_anything_is(tiny, tmp_path):
    material, store = read_material(tiny), Store(tmp_path / "runs.db")
    for model, recipe, sentence in (
        (Asking, {}, r"got model '.*:Asking', which cannot be called without width"),
        (torch.nn.Linear(3, 10), {}, "failed: RuntimeError"),
        ("mlp-1x8", {"augmentation": "crops"}, "got augmentation 'crops'"),
    ):
        with pytest.raises(UserError, match=sentence):
            NetworkSubject(model, material, store, **recipe)
    with pytest.raises(UserError, match=r"got model '.*:Asking', which cannot be called without width"):
        TrainingFunctionSubject(lambda model, data: model, Asking, material)


def test_a_network_that_was_handed_over_says_that_it_is_drawn_anew(tiny, tmp_path):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    subject = NetworkSubject(network, read_material(tiny), Store(tmp_path / "runs.db"))
    assert "Sequential instance is a network that was handed over: its trainable weights" in subject.in_words


def test_its_cost_is_estimated(subject):
    assert 0 < subject.seconds_of_fit(subject._material.train) < 60
    assert "stops after 150 steps" in subject.in_words


def test_its_cost_follows_from_the_epochs_that_some_rows_take(tiny, tmp_path):
    made = NetworkSubject("mlp-1x32", read_material(tiny), Store(tmp_path / "runs.db"), learning_rate=0.05)
    rows = made._material.train
    assert made._tried.epochs < made.recipe_for(len(rows)).epochs
    assert 0 < made.seconds_of_fit(rows) <= 5 * made.seconds_of_brief_fits(rows, 5)
