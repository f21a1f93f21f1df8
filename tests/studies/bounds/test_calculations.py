import math

import pytest
import torch
from torch import nn
from trained_at_once import training_context

from byrote.references import name_of
from byrote.studies.bounds.calculations import NetworkMeasures, column, column_of_reason
from byrote.studies.bounds.study import CONDITIONS
from byrote.theory.calculation import compute
from byrote.theory.measures.catalog import MEASURES
from byrote.training.spec import TrainSpec

SLOWLY = {"learning_rate": 0.02, "batch_size": 20, "epochs": 200}
"""So that runs last beyond the epoch at which early-loss looks."""


def tanh_net(*, input_shape, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), 8), nn.Tanh(), nn.Linear(8, num_classes))


def measures(data, corruption="true-labels", **fields):
    stages = []
    own = {"model": "mlp-1x32", "n_train": 60, "corruptions": CONDITIONS[corruption]} | SLOWLY | fields
    calculation = NetworkMeasures(spec=TrainSpec(**own), pac_bayes_steps=5, pac_bayes_draws=5)
    return compute(calculation, data, training_context(lambda *stage: stages.append(stage))).values, stages


def test_a_trained_network_has_every_measure(tiny):
    values, stages = measures(tiny)
    assert values["fitted"]
    assert values["n_train"] == 60
    assert {name for name in MEASURES if math.isnan(values[column(name)])} == set()
    assert values["parameters"] == 64 * 32 + 32 + 32 * 10 + 10
    assert {name for name, _ in stages} == {"training", *(measure.title for measure in MEASURES.values())}
    assert all(0 <= share <= 1 for _, share in stages)


def test_random_labels_are_another_network_from_the_same_weights(tiny):
    true, random = (measures(tiny, labels)[0] for labels in CONDITIONS)
    assert true["vc"] == random["vc"]
    assert true["early_loss"] < random["early_loss"]
    assert true["distance"] < random["distance"]


def test_what_does_not_exist_for_a_network_is_said(tiny):
    values, _ = measures(tiny, model=name_of(tanh_net))
    assert math.isnan(values["path_norm"])
    assert "got the module '2', a Tanh" in values["path_norm_why_not"]
    assert values["sharpness"] > 0
    assert values["sharpness_why_not"] == ""


class _Bent(torch.autograd.Function):
    """A user's own step that can be differentiated once."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (1 - x.tanh() ** 2)


class OnceDifferentiable(nn.Module):
    def __init__(self, *, input_shape, num_classes):
        super().__init__()
        self.first, self.out = nn.Linear(math.prod(input_shape), 8), nn.Linear(8, num_classes)

    def forward(self, x):
        return self.out(_Bent.apply(self.first(x.flatten(1))))


def test_a_measure_that_fails_costs_itself_alone(tiny):
    values, _ = measures(tiny, model=name_of(OnceDifferentiable))
    lost = {name for name in MEASURES if math.isnan(values[column(name)])}
    assert {"top-eigenvalue", "hessian-trace", "path-norm"} <= lost
    assert not lost & {"sharpness", "distance", "margin", "parameters", "steps-to-fit"}
    assert "second derivative is not what differences of its gradients are" in values["top_eigenvalue_why_not"]
    assert {name for name in MEASURES if values[column_of_reason(name)]} == lost


def test_a_network_that_diverged_has_no_measures(tiny):
    values, _ = measures(tiny, learning_rate=1e12, loss="squared-error", epochs=3)
    assert values["stop_reason"] == "non-finite loss"
    assert all(math.isnan(values[column(name)]) for name in MEASURES)


@pytest.mark.parametrize("own", [{"model": "own.py:Net"}, {"model": "mlp-1x8", "optimizer": "own.py:Descent"}])
def test_the_users_own_code_is_part_of_the_key(own):
    calculation = NetworkMeasures(spec=TrainSpec(**own))
    assert {"own.py:Net", "own.py:Descent"} & set(calculation.all_references)
