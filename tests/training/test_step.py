from __future__ import annotations

from functools import partial

import torch
from torch.nn import functional as F

from byrote.models.catalog import build_model
from byrote.training.batches import TrainingBatch
from byrote.training.optimizers import ReplicaOptimizer
from byrote.training.precision import make_numerics
from byrote.training.replicas import Replicas
from byrote.training.spec import TrainSpec
from byrote.training.step import take_step


def test_a_step_is_that_of_each_network_by_itself() -> None:
    specs = [TrainSpec(model="mlp-1x8", seed=seed, learning_rate=0.1 * (seed + 1), momentum=0) for seed in range(2)]
    networks = [build_model("mlp-1x8", input_shape=(5,), num_classes=3, seed=seed).double() for seed in range(2)]
    inputs, labels = torch.rand(2, 7, 5, dtype=torch.float64), torch.randint(3, (2, 7))
    expected, losses, gradients = [], [], []
    for network, spec, x, y in zip(networks, specs, inputs, labels, strict=True):
        loss = F.cross_entropy(network(x), y)
        found = torch.autograd.grad(loss, list(network.parameters()))
        losses.append(loss.detach())
        gradients.append(found)
        expected.append(
            [w.detach() - spec.learning_rate / 2 * g for w, g in zip(network.parameters(), found, strict=True)]
        )
    predictions = torch.stack([network(x).argmax(-1) for network, x in zip(networks, inputs, strict=True)])
    replicas = Replicas(networks)
    seen: list[torch.Tensor] = []
    take = partial(take_step, loss="cross-entropy", numerics=make_numerics("float64", "cpu"))
    batch = TrainingBatch(labels, lambda: inputs)
    step = take(replicas, ReplicaOptimizer(specs, replicas.parameters), batch, 0.5, look=seen.extend)
    torch.testing.assert_close(step.losses, torch.stack(losses))
    assert step.predictions.equal(predictions)
    for found, *wanted in zip(seen, *gradients, strict=True):
        torch.testing.assert_close(found, torch.stack(wanted))
    for weight, *wanted in zip(replicas.parameters.values(), *expected, strict=True):
        torch.testing.assert_close(weight.detach(), torch.stack(wanted))
        assert weight.grad is None
