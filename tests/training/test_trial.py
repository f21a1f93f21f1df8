"""What is found out on a few examples: faults, networks that a stack would change, and layouts of memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.training.replicas import Replicas
from byrote.training.spec import TrainSpec
from byrote.training.trial import goes_with_channels_last, left_as_they_were, verify, why_not_stackable


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.out = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.hidden(x).relu())

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(x)


class PlainAttribute(Net):
    def __init__(self) -> None:
        super().__init__()
        self.directions = torch.randn(6, 6)

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(torch.cos(x @ self.directions))


class OwnNumber(Net):
    """A float of its own; the network that stands for all in a stack would lend it to them."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = float(torch.rand(()))

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(x * self.scale)


class OwnWiring(Net):
    def __init__(self) -> None:
        super().__init__()
        self.columns = torch.randperm(6).tolist()

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(x[:, self.columns])


class Closure(Net):
    def __init__(self) -> None:
        super().__init__()
        noise = torch.randn(5)
        self.hidden = lambda x: self.first(x) + noise  # type: ignore[method-assign]


class TrainingAttribute(Net):
    """Another in training alone."""

    def __init__(self) -> None:
        super().__init__()
        self.mask = (torch.rand(5) > 0.5).float()

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(x) * self.mask if self.training else self.first(x)


class GradientHook(Net):
    def __init__(self) -> None:
        super().__init__()
        self.first.weight.register_hook(lambda gradient: gradient * torch.eye(5, 6))


class RunningMean(Net):
    """Kept in an attribute from one call to the next."""

    mean: torch.Tensor | float = 0.0

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.first(x)
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * hidden.mean(0).detach()
        return hidden - self.mean


class MaskedWeights(Net):
    """Changes its own weights in place, as old pruning code does."""

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        self.first.weight.data.clamp_(-0.1, 0.1)
        return self.first(x)


SHARED = torch.randn(6, generator=torch.Generator().manual_seed(0))


class ModuleLevel(Net):
    """One tensor for all networks, which none changes: as good in a stack as alone."""

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(x + SHARED)


class InPlace(Net):
    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        x += 1
        return self.first(x.mul_(0.5))


class ViewOfWeights(nn.Module):
    """The best constant: what it gives lies where its weights lie."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.randn(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scores.expand(len(x), -1)


def old_weight_norm() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Sequential(nn.utils.weight_norm(nn.Linear(6, 5)), nn.ReLU(), nn.Linear(5, 3))


def batch_norm_net() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 3))


def made(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def inputs(*shape: int) -> torch.Tensor:
    return torch.rand(8, *(shape or (6,)), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (PlainAttribute, "other outputs in a stack than alone"),
        (OwnNumber, "other outputs"),
        (OwnWiring, "other outputs"),
        (Closure, "other outputs"),
        (TrainingAttribute, "other outputs"),
        (GradientHook, "other gradients"),
        (RunningMean, "a stack of it fails"),
        (lambda: parametrizations.weight_norm(nn.Linear(6, 3)), "Expected all models to be of the same class"),
    ],
)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_a_stack_would_change_is_trained_alone(make: Callable[[], nn.Module], what: str, precision: str) -> None:
    refusal = why_not_stackable([made(make, seed) for seed in range(3)], inputs(), precision)
    assert refusal is not None
    assert what in refusal


@pytest.mark.parametrize(
    "make",
    [Net, ModuleLevel, InPlace, ViewOfWeights, old_weight_norm, batch_norm_net],
)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_a_stack_leaves_as_it_is_is_stacked(make: Callable[[], nn.Module], precision: str) -> None:
    assert why_not_stackable([made(make, seed) for seed in range(12)], inputs(), precision) is None


@pytest.mark.parametrize("make", [Net, RunningMean, MaskedWeights, lambda: nn.Sequential(Net(), nn.BatchNorm1d(3))])
def test_trials_leave_networks_as_they_were(make: Callable[[], nn.Module]) -> None:
    networks = [made(make, seed) for seed in range(2)]
    before = [dict(vars(network)) for network in networks]
    weights = [{name: value.clone() for name, value in network.state_dict().items()} for network in networks]
    own = [list(network.parameters()) for network in networks]
    why_not_stackable(networks, inputs())
    with left_as_they_were(networks):
        Replicas([networks[0]])(inputs()[None], training=True).sum().backward()
        networks[0].eval()
        networks[0].added = 3
    for network, attributes, state, parameters in zip(networks, before, weights, own, strict=True):
        assert vars(network).keys() == attributes.keys()
        assert network.training
        assert getattr(network, "mean", 0.0) == 0.0
        for name, value in network.state_dict().items():
            assert torch.equal(value, state[name])
        for parameter, same in zip(network.parameters(), parameters, strict=True):
            assert parameter is same
            assert parameter.grad is None


class Viewing(nn.Module):
    def __init__(self, flatten: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.conv, self.out, self.flatten = nn.Conv2d(2, 3, 3, padding=1), nn.Linear(75, 4), flatten

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.flatten(self.conv(x).relu()))


@pytest.mark.parametrize(
    ("flatten", "goes"),
    [
        (lambda x: x.flatten(1), True),
        (lambda x: x.reshape(len(x), -1), True),
        (lambda x: x.view(len(x), -1), False),
        # Without an error, but with other numbers.
        (lambda x: x.as_strided((len(x), 75), (75, 1)), False),
    ],
    ids=["flatten", "reshape", "view", "as_strided"],
)
def test_the_layout_of_memory_is_one_that_the_network_goes_with(
    flatten: Callable[[torch.Tensor], torch.Tensor], goes: bool
) -> None:
    network = made(lambda: Viewing(flatten), 0)
    assert goes_with_channels_last([network], inputs(2, 5, 5)) == goes
    assert network.conv.weight.is_contiguous(memory_format=torch.channels_last) == goes  # type: ignore[union-attr,operator]


def tried(network: nn.Module, data: Dataset, size: int, **fields: object) -> None:
    spec = TrainSpec(model="mlp-1x4", **fields)  # type: ignore[arg-type]
    verify(network, torch.rand(2, 1, 8, 8), spec=spec, data=data, smallest_batch=size)


def test_batch_norm_on_one_example_is_said_before_training(tiny: Dataset) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10))
    tried(network, tiny, size=2)
    with pytest.raises(UserError, match="batch norm is undefined on a batch of one example, as batch_size=1 makes it"):
        tried(network, tiny, size=1, batch_size=1)
    with pytest.raises(UserError, match="as a training set of one example makes it"):
        tried(network, tiny, size=1)
    images = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 10))
    tried(images, tiny, size=1, batch_size=1)  # one image has many values a channel


class FailsInTraining(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.out(x.flatten(1))
        return scores.sigmoid_().exp_().mul_(scores) if self.training else scores


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Linear(64, 10), r"failed in evaluation mode on 2 inputs of shape \(1, 8, 8\)"),
        (FailsInTraining(), "failed in training mode on 2 inputs.*modified by an inplace operation"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 9)), r"outputs of shape \(2, 9\) for 2 inputs, expected \(2, 10\)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 10).requires_grad_(False)), "do not depend on any weight"),
    ],
    ids=["evaluation", "training", "shape", "frozen"],
)
def test_what_cannot_be_trained_is_said(tiny: Dataset, network: nn.Module, message: str) -> None:
    with pytest.raises(UserError, match=message):
        tried(network, tiny, size=2)
