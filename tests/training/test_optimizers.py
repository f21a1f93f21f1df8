"""What the engine's tests leave: names, options and refusals."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from byrote.errors import UserError
from byrote.references import name_of
from byrote.training.optimizers import ELEMENTWISE, ReplicaOptimizer, is_elementwise, optimizer_class, verify_optimizer
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


def test_only_known_classes_are_elementwise() -> None:
    assert all(is_elementwise(name) for name in ELEMENTWISE)
    assert not is_elementwise(name_of(Mine))
    assert not is_elementwise("Adafactor")


def stack(num: int = 2) -> dict[str, torch.Tensor]:
    return {"weight": torch.ones(num, 3, 2, requires_grad=True)}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"optimizer_options": (("nesterv", True),)},
            "got optimizer 'sgd', which cannot be made for these weights, nesterv=True: TypeError",
        ),
        ({"optimizer_options": (("dampening", 0.5), ("nesterov", True))}, "Nesterov momentum requires"),
        ({"optimizer_options": (("fused", True), ("foreach", True))}, "cannot be `True` together"),
        ({"optimizer_options": (("nesterov", "false"),)}, "got nesterov='false' for optimizer 'sgd', expected True or"),
        ({"optimizer_options": (("dampening", "0.5"),)}, "got dampening='0.5' for optimizer 'sgd', expected a number"),
        ({"optimizer_options": (("dampening", True),)}, "got dampening=True for optimizer 'sgd', expected a number"),
        (
            {"optimizer_options": (("betas", 3.0),), "optimizer": "Adam"},
            "got betas=3.0 for optimizer 'Adam', which takes 2 numbers there, as (0.9, 0.999): give a subclass",
        ),
        ({"optimizer_options": (("eps", -1.0),), "optimizer": "Adam"}, "eps=-1.0: ValueError: Invalid epsilon"),
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


class NeedsRate(torch.optim.Optimizer):
    """Plain gradient descent, without defaults."""

    def __init__(self, params: object, lr: float) -> None:
        super().__init__(params, {"lr": lr})  # type: ignore[arg-type]

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                weight -= group["lr"] * weight.grad


class ScheduleFree(NeedsRate):
    """With modes of its own, as schedule-free optimisers have."""

    def train(self) -> None: ...

    def eval(self) -> None: ...


class OwnRate(torch.optim.Optimizer):
    def __init__(self, params: object, eta: float = 0.1) -> None:
        super().__init__(params, {"eta": eta})  # type: ignore[arg-type]


class Sharpness(NeedsRate):
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        if closure is None:
            raise ValueError("needs a closure")


class OtherMemory(NeedsRate):
    """Gives weights other memory in each step, of those that are to be trained."""

    def step(self, closure: object = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in (weight for weight in group["params"] if weight.requires_grad):
                weight.data = weight.data - group["lr"] * weight.grad.data


class Leaving(NeedsRate):
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        raise SystemExit(0)


class SecondOrder(NeedsRate):
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        for weight in self.param_groups[0]["params"]:
            torch.autograd.grad(weight.grad.sum(), weight)


def of_torch() -> list[str]:
    found = [value for value in vars(torch.optim).values() if isinstance(value, type)]
    return sorted({kind.__name__ for kind in found if issubclass(kind, torch.optim.Optimizer)} - {"Optimizer"})


REFUSED = {
    "LBFGS": "cannot step on one gradient a step (TypeError: .*closure",
    "SparseAdam": "cannot step on one gradient a step (RuntimeError: SparseAdam does not support dense gradients",
    "Muon": "cannot be made for these weights, without options: ValueError: Muon only supports 2D parameters",
}


@pytest.mark.parametrize("name", of_torch())
def test_those_of_torch_step_as_in_a_plain_loop_or_are_refused(name: str) -> None:
    """Weights of one and of two axes."""
    spec = TrainSpec(model="mlp-1x4", optimizer=name, learning_rate=0.1, momentum=0.5)
    if name in REFUSED:
        with pytest.raises(UserError, match=REFUSED[name].replace("(", r"\(")):
            verify_optimizer(spec, [1, 2])
        return
    verify_optimizer(spec, [1, 2])
    stacked = {"weight": torch.linspace(-1, 1, 6).view(1, 3, 2), "bias": torch.linspace(1, 2, 3).view(1, 3)}
    plain = [nn.Parameter(tensor[0].clone()) for tensor in stacked.values()]
    options = {"momentum": 0.5} if name == "SGD" else {}
    optimizer = getattr(torch.optim, name)(plain, lr=0.1, weight_decay=0.0, **options) if name != "Rprop" else (
        torch.optim.Rprop(plain, lr=0.1)
    )  # fmt: skip
    replica = ReplicaOptimizer([spec], stacked)
    for step in range(4):
        for weight, own in zip(plain, stacked.values(), strict=True):
            weight.grad = torch.sin(weight.detach() + step)
            own.grad = weight.grad[None].clone()
        optimizer.step()
        replica.step(1.0)
    for weight, own in zip(plain, stacked.values(), strict=True):
        torch.testing.assert_close(own[0], weight.detach())


def test_matrices_alone_can_be_orthogonalised() -> None:
    verify_optimizer(TrainSpec(model="mlp-1x4", optimizer="Muon"), [2])


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (ScheduleFree, "which has other weights in evaluation"),
        (OwnRate, "which has no learning rate called lr"),
        (Sharpness, "cannot step on one gradient a step .ValueError: needs a closure"),
        (Leaving, "cannot step on one gradient a step .SystemExit: 0"),
        (SecondOrder, "cannot step on one gradient a step .RuntimeError"),
    ],
)
def test_what_cannot_be_used_is_refused(kind: type, why: str) -> None:
    with pytest.raises(UserError, match=why):
        verify_optimizer(TrainSpec(model="mlp-1x4", optimizer=name_of(kind)), [1, 2])


def test_a_learning_rate_without_a_default_is_given() -> None:
    verify_optimizer(TrainSpec(model="mlp-1x4", optimizer=name_of(NeedsRate)), [0, 1, 4])


@pytest.mark.parametrize("num", [1, 3])
def test_steps_that_give_weights_other_memory_reach_the_network(num: int) -> None:
    weights, specs = stack(num), [TrainSpec(model="mlp-1x4", optimizer=name_of(OtherMemory), learning_rate=0.5)] * num
    optimizer = ReplicaOptimizer(specs, weights)
    for _ in range(2):
        weights["weight"].grad = torch.full_like(weights["weight"], 0.25)
        optimizer.step(1.0)
    assert torch.equal(weights["weight"], torch.full((num, 3, 2), 0.75))
