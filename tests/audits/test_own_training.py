import numpy as np
import pytest
import torch
from torch import nn

from byrote.audits.own_training import TrainingFunctionSubject
from byrote.audits.reading import read_material
from byrote.audits.subject import SubjectFailed
from byrote.data.sources import from_arrays
from byrote.errors import UserError


class Net(nn.Module):
    def __init__(self, in_features, num_classes):
        super().__init__()
        self.layer = nn.Linear(in_features, num_classes)

    def forward(self, x):
        return self.layer(x.flatten(1))


def train(model, train_set):
    inputs, labels = train_set.tensors
    assert inputs.max() <= 1
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(80):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    return model


def test_the_users_function_trains(tiny):
    material = read_material(tiny)
    subject = TrainingFunctionSubject(train, Net, material)
    found = subject.fit(material.train, 0)(material.test)
    assert (found.labels == material.test.labels).mean() > 0.8
    assert found.probabilities.sum(axis=1) == pytest.approx(1)


def test_what_it_gives_is_looked_at(tiny):
    material = read_material(tiny)
    with pytest.raises(UserError, match="got NoneType from the training function"):
        TrainingFunctionSubject(lambda model, data: None, Net, material).fit(material.train, 0)
    wrong = TrainingFunctionSubject(lambda model, data: lambda x: x.flatten(1), Net, material)
    with pytest.raises(UserError, match=r"expected .* scores or"):
        wrong.fit(material.train, 0)(material.test)
    one_score = TrainingFunctionSubject(lambda model, data: lambda x: torch.full((len(x),), 0.7), Net, material)
    with pytest.raises(UserError, match=r"got 0\.6999.* for row 0 .*, expected classes from 0 to 9, or scores of each"):
        one_score.fit(material.train, 0)(material.test)
    with pytest.raises(SubjectFailed, match="ZeroDivisionError"):
        TrainingFunctionSubject(lambda model, data: 1 / 0, Net, material).fit(material.train, 0)


def fit_line(model, train_set):
    inputs, targets = train_set.tensors
    assert targets.dtype == torch.float32
    optimizer = torch.optim.Adam(model.parameters(), 0.1)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs)[:, 0], targets).backward()
        optimizer.step()
    return model


def test_quantities_are_numbers_of_one_output():
    inputs = np.random.default_rng(0).standard_normal((80, 2))
    material = read_material((inputs, 3 * inputs[:, 0] + 1), of_quantities=True)
    found = TrainingFunctionSubject(fit_line, Net, material).fit(material.train, 0)(material.test)
    assert found.labels == pytest.approx(material.test.labels, abs=0.1)
    wrong = TrainingFunctionSubject(lambda model, data: lambda x: x, Net, material)
    with pytest.raises(UserError, match=r"got an array of shape \(16, 2\) .*, expected \(16,\) numbers"):
        wrong.fit(material.train, 0)(material.test)


class OfSeveral(nn.Module):
    def __init__(self, input_shape, num_classes):
        super().__init__()
        self.image, self.hint = nn.Linear(64, num_classes), nn.Embedding(5, num_classes)
        assert input_shape == {"image": (1, 8, 8), "hint": ()}

    def forward(self, image, hint):
        return self.image(image.flatten(1)) + self.hint(hint)


def train_several(model, train_set):
    loader = torch.utils.data.DataLoader(train_set, len(train_set))
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for inputs, labels in list(loader) * 80:
        assert inputs["hint"].dtype == torch.int64
        assert 0.9 < inputs["image"].max() <= 1
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(**inputs), labels).backward()
        optimizer.step()
    return lambda inputs: model(**inputs)


def test_several_inputs_are_a_dict(tiny):
    splits = [({"image": split.inputs, "hint": split.labels // 2}, split.labels) for split in (tiny.train, tiny.test)]
    data = from_arrays(*splits, pixel_max=16.0, kind={"hint": "tokens"})
    material = read_material(data)
    found = TrainingFunctionSubject(train_several, OfSeveral, material).fit(material.train, 0)(material.test)
    assert (found.labels == material.test.labels).mean() > 0.9
