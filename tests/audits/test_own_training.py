import pytest
import torch
from torch import nn

from byrote.audits.own_training import TrainingFunctionSubject
from byrote.audits.reading import read_material
from byrote.audits.subject import SubjectFailed
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
    with pytest.raises(SubjectFailed, match="ZeroDivisionError"):
        TrainingFunctionSubject(lambda model, data: 1 / 0, Net, material).fit(material.train, 0)
