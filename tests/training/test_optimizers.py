"""What the engine's tests leave: names, options and refusals."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from byrote.errors import UserError
from byrote.references import name_of
from byrote.training.optimizers import ELEMENTWISE, ReplicaOptimizer, is_elementwise, optimizer_class
from byrote.training.spec import TrainSpec


class Mine(torch.optim.SGD): ...


@pytest.mark.parametrize(
    ("name", "expected"), [("sgd", torch.optim.SGD), ("ADAMW", torch.optim.AdamW), (name_of(Mine), Mine)]
)
def test_names(name: str, expected: type) -> None:
    assert optimizer_class(name) is expected


@pytest.mark.parametrize("name", ["sdg", "lr_scheduler", f"{__file__}:pytest", "optim"])
def test_what_is_no_optimizer_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="expected sgd, a class of torch"):
        optimizer_class(name)


def test_closures_are_refused() -> None:
    with pytest.raises(UserError, match="LBFGS', whose steps need a closure"):
        optimizer_class("lbfgs")


def test_only_known_classes_are_elementwise() -> None:
    assert all(is_elementwise(name) for name in ELEMENTWISE)
    assert not is_elementwise(name_of(Mine))
    assert not is_elementwise("Adafactor")


def stack(num: int = 2) -> dict[str, torch.Tensor]:
    return {"weight": torch.ones(num, 3, 2, requires_grad=True)}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"optimizer_options": (("nesterv", True),)}, "optimizer 'sgd' refused its options"),
        ({"optimizer_options": (("dampening", 0.5), ("nesterov", True))}, "Nesterov momentum requires"),
        ({"optimizer_options": (("fused", True), ("foreach", True))}, "cannot be `True` together"),
        ({"optimizer_options": (("lr", 0.5),)}, "got 'lr' among the options of 'sgd': set learning_rate instead"),
        ({"optimizer_options": (("momentum", 0.5),)}, "set momentum instead"),
        ({"optimizer_options": (("weight_decay", 0.5),), "optimizer": "adamw"}, "set weight_decay instead"),
        ({"optimizer": "Rprop", "weight_decay": 0.1}, "got weight_decay=0.1 for optimizer 'Rprop', which has none"),
    ],
    ids=str,
)
def test_wrong_options_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as error:
        ReplicaOptimizer([TrainSpec(model="mlp-1x4", **fields)] * 2, stack())
    assert message in str(error.value)


@pytest.mark.parametrize("option", ["foreach", "fused"])
def test_the_users_choice_of_kernel_stands(option: str) -> None:
    spec = TrainSpec(model="mlp-1x4", optimizer_options=((option, False),), momentum=0.0)
    parameters = stack()
    optimizer = ReplicaOptimizer([spec, spec.model_copy(update={"learning_rate": 1.0})], parameters)
    parameters["weight"].grad = torch.ones(2, 3, 2)
    optimizer.step(0.5)
    torch.testing.assert_close(parameters["weight"].detach()[:, 0, 0], torch.tensor([1 - 0.005, 0.5]))


def test_weights_that_are_part_of_a_larger_tensor_take_their_own_steps() -> None:
    """Fused steps go through memory, where other numbers lie between these weights."""
    whole = torch.zeros(4, 6)
    weight = nn.Parameter(whole[:, :3])
    view = weight.detach()[None]
    optimizer = ReplicaOptimizer([TrainSpec(model="mlp-1x4", learning_rate=1.0)], {"weight": view})
    for _ in range(2):
        view.grad = torch.arange(12.0).view(1, 4, 3)
        optimizer.step(1.0)
    torch.testing.assert_close(weight.detach(), -(1 + 1.9) * torch.arange(12.0).view(4, 3))
    assert (whole[:, 3:] == 0).all()
