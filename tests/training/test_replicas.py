"""What the engine's tests leave: subsets of a stack, states, and how networks are made ready."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from byrote.errors import UserError
from byrote.models.catalog import build_model
from byrote.models.dropout import Dropout
from byrote.randomness import stream_seed
from byrote.training.optimizers import ReplicaOptimizer
from byrote.training.planner import is_convolutional
from byrote.training.replicas import Replicas, prepare
from byrote.training.spec import TrainSpec


def make(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def x(num: int) -> torch.Tensor:
    return torch.rand(num, 5, 3, generator=torch.Generator().manual_seed(0))


def test_a_stack_is_its_networks() -> None:
    networks, stack = [make(seed) for seed in range(3)], Replicas([make(seed) for seed in range(3)])
    for training in (True, False):
        expected = torch.stack([net.train(training)(part) for net, part in zip(networks, x(3), strict=True)])
        torch.testing.assert_close(stack(x(3), training=training), expected)
    for replica, network in enumerate(networks):
        for name, value in stack.state(replica).items():
            torch.testing.assert_close(value, network.state_dict()[name])


def test_members_and_kept_replicas() -> None:
    stack = Replicas([make(seed) for seed in range(4)])
    whole = stack(x(4), training=False)
    torch.testing.assert_close(stack(x(4)[[3, 1]], training=False, members=[3, 1]), whole[[3, 1]])
    states = [stack.state(replica) for replica in range(4)]
    stack.keep([1, 3])
    assert stack.num_replicas == 2
    torch.testing.assert_close(stack(x(4)[[1, 3]], training=False), whole[[1, 3]])
    assert all(torch.equal(value, states[3][name]) for name, value in stack.state(1).items())
    assert all(tensor.is_leaf and tensor.requires_grad for tensor in stack.parameters.values())


def test_a_single_network_is_trained_in_place() -> None:
    network = make(0)
    alone = Replicas([network])
    alone(x(1), training=True).sum().backward()
    alone.collect_gradients()
    for name, parameter in network.named_parameters():
        assert torch.equal(alone.parameters[name].grad[0], parameter.grad)  # type: ignore[index, arg-type]
        assert alone.parameters[name].data_ptr() == parameter.data_ptr()
    alone.clear_gradients()
    assert all(parameter.grad is None for parameter in network.parameters())
    assert alone.state(0)["1.num_batches_tracked"] == 1


@pytest.mark.parametrize("num", [1, 2])
def test_a_state_is_a_copy(num: int) -> None:
    stack = Replicas([make(seed) for seed in range(num)])
    before = stack.state(0)["0.weight"].clone()
    stack.state(0)["0.weight"].zero_()
    assert torch.equal(stack.state(0)["0.weight"], before)


def test_dropout_gets_keys_of_its_own() -> None:
    drop = nn.Dropout(0.3)
    network = nn.Sequential(drop, nn.Sequential(nn.Dropout(0.4), nn.Linear(2, 2)), drop)
    notes = prepare(network, seed=7, momentum=None, epsilon=None)
    assert notes == ["2 nn.Dropout replaced by dropout with a key of its own for each run"]
    assert network[0] is network[2]
    dropouts = [module for module in network.modules() if isinstance(module, Dropout)]
    assert [dropout.rate for dropout in dropouts] == [0.3, 0.4]
    assert [dropout.key.item() for dropout in dropouts] == [stream_seed(7, "dropout", i) for i in range(2)]
    assert not any(isinstance(module, nn.Dropout) for module in network.modules())


@pytest.mark.parametrize(("momentum", "epsilon", "expected"), [(None, None, (0.1, 1e-5)), (0.5, 0.1, (0.5, 0.1))])
def test_batch_norm_gets_the_specs_constants(
    momentum: float | None, epsilon: float | None, expected: tuple[float, float]
) -> None:
    network = make(0)
    assert prepare(network, seed=0, momentum=momentum, epsilon=epsilon) == []
    assert (network[1].momentum, network[1].eps) == expected  # type: ignore[index]


class TwoHeaded(nn.Linear):
    """With an auxiliary output in training, as Inception V3 has one."""

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        scores = super().forward(x)
        return (scores, scores) if self.training else scores


@pytest.mark.parametrize("num_replicas", [1, 2])
def test_auxiliary_outputs_are_an_error_that_says_so(num_replicas: int) -> None:
    replicas = Replicas([TwoHeaded(3, 2) for _ in range(num_replicas)])
    inputs = torch.zeros(num_replicas, 4, 3)
    assert replicas(inputs, training=False).shape == (num_replicas, 4, 2)
    with pytest.raises(UserError, match=r"gave an object of type tuple in training mode, .* \(aux_logits=False\)"):
        replicas(inputs, training=True)


NETWORKS = [
    "mlp-2x8",
    "conv-small",
    "alexnet-w0.1",
    "inception-w0.1",
    "inception-w0.1-no-batchnorm",
    "resnet-1x4",
    "resnet-1x4-no-batchnorm",
    "vit-1x32",
    "switchboard-2x32",
    *(f"switchboard-2x32+{switch}" for switch in ("local", "local+shared", "skip", "attention", "norm", "pool")),
]
OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, object], dict[str, object]]] = {
    "sgd": (torch.optim.SGD, {}, {"momentum": 0.0}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}, {"momentum": 0.9}),
    "nesterov": (
        torch.optim.SGD,
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "optimizer_options": (("nesterov", True),)},
    ),
    # With the usual epsilon, weights whose gradient is rounding alone (the bias of attention's keys) go by rounding.
    "adam": (torch.optim.Adam, {"eps": 1e-4}, {"optimizer": "adam", "optimizer_options": (("eps", 1e-4),)}),
    "adamw": (torch.optim.AdamW, {"eps": 1e-4}, {"optimizer": "adamw", "optimizer_options": (("eps", 1e-4),)}),
}
LEAVES: dict[str, dict[int, tuple[int, ...]]] = {
    "early": {1: (0,)},
    "late": {6: (2,)},
    "two at once": {3: (0, 3)},
    "one after another": {1: (1,), 3: (3,), 5: (0,)},
}
"""After how many steps which replicas leave."""


def _pairs() -> Iterator[object]:
    """Each network with each optimiser and with each way to leave; over the networks, each optimiser with each way."""
    for shift, model in enumerate(NETWORKS):
        marks = () if model in {"conv-small", "resnet-1x4"} else (pytest.mark.slow,)
        for number, optimizer in enumerate(OPTIMIZERS):
            yield pytest.param(model, optimizer, list(LEAVES)[(number + shift) % len(LEAVES)], marks=marks)


@pytest.mark.parametrize(("model", "optimizer", "leaves"), list(_pairs()))
def test_those_that_stay_train_as_if_alone(model: str, optimizer: str, leaves: str) -> None:
    """In float64, against plain loops, unfused, with weights in rows."""
    num, num_steps, shape = 4, 8, (3, 8, 8)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(num_steps, num, 4, *shape, dtype=torch.float64, generator=generator)
    labels = torch.randint(10, (num_steps, num, 4), generator=generator)
    kind, options, fields = OPTIMIZERS[optimizer]
    rates = [0.01, 0.01, 0.02, 0.01]

    def build(replica: int) -> nn.Module:
        return build_model(model, input_shape=shape, num_classes=10, seed=replica).double()

    def plain(replica: int, steps: int) -> Mapping[str, torch.Tensor]:
        network = build(replica).train()
        weights = network.parameters()
        steps_of = kind(weights, lr=rates[replica], weight_decay=0.01, foreach=False, **options)  # type: ignore[call-arg]
        for step in range(steps):
            steps_of.zero_grad()
            F.cross_entropy(network(inputs[step, replica]), labels[step, replica]).backward()
            steps_of.step()
        return network.state_dict()

    networks = [build(replica) for replica in range(num)]
    if is_convolutional(networks[0]):
        networks = [network.to(memory_format=torch.channels_last) for network in networks]  # type: ignore[call-overload]
    stack, there = Replicas(networks), list(range(num))
    specs = [TrainSpec(model=model, weight_decay=0.01, learning_rate=rate, **fields) for rate in rates]  # type: ignore[arg-type]
    steps_of_all = ReplicaOptimizer(specs, stack.parameters)
    compared = 0

    def compare(gone: list[int], steps: int) -> None:
        for replica in gone:
            for name, value in plain(replica, steps).items():
                torch.testing.assert_close(stack.state(there.index(replica))[name], value, rtol=1e-8, atol=1e-9)

    for step in range(num_steps):
        if leaving := LEAVES[leaves].get(step):
            compare(list(leaving), step)
            compared += len(leaving)
            kept = [position for position, replica in enumerate(there) if replica not in leaving]
            there = [there[position] for position in kept]
            stack.keep(kept)
            steps_of_all.keep(kept, stack.parameters)
        logits = stack(inputs[step, there], training=True)
        F.cross_entropy(logits.flatten(0, 1), labels[step, there].flatten(), reduction="none").view(
            len(there), -1
        ).mean(1).sum().backward()
        steps_of_all.step(1.0)
        stack.clear_gradients()
    compare(there, num_steps)
    assert compared + len(there) == num
