from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset
from byrote.models.catalog import build_model
from byrote.training.conditions import make_conditions
from byrote.training.evaluation import count_correct, evaluate, loss_per_replica
from byrote.training.precision import make_numerics
from byrote.training.replicas import Replicas
from byrote.training.spec import TrainSpec


@pytest.mark.parametrize("members", [[0], [2, 0], [0, 1, 2]])
@pytest.mark.parametrize("kind", ["cross-entropy", "squared-error"])
def test_evaluation_is_the_slow_loop(tiny: Dataset, members: list[int], kind: str) -> None:
    """121 examples in batches of 512/R, each network on the labels and inputs of its own."""
    corruptions = [(), (Corruption(name="random-labels"),), (Corruption(name="gaussian"),)]
    specs = [TrainSpec(model="mlp-1x9", seed=i, corruptions=c) for i, c in enumerate(corruptions)]
    split = make_conditions(specs, tiny, device="cpu", channels_last=False).train
    networks = [build_model(s.model, input_shape=(1, 8, 8), num_classes=10, seed=s.seed) for s in specs]
    replicas, numerics = Replicas(networks), make_numerics("float32", "cpu")
    found = evaluate(replicas, split, members, loss=kind, dtype=torch.float32, numerics=numerics)
    counted = count_correct(replicas, split, members, dtype=torch.float32, numerics=numerics)
    assert counted == [evaluation.num_correct for evaluation in found]
    everything = split.gather(torch.arange(121).expand(3, -1), torch.float32)
    for evaluation, member in zip(found, members, strict=True):
        labels, true = split.labels[member], split.true_labels[member]
        with torch.no_grad():
            logits = networks[member](everything[member])
        squared = (logits - F.one_hot(labels, 10)).square().sum() / 121
        expected = F.cross_entropy(logits, labels) if kind == "cross-entropy" else squared
        assert evaluation.loss == pytest.approx(expected.item(), rel=1e-5)
        assert evaluation.num_correct == (logits.argmax(1) == labels).sum()
        assert evaluation.accuracy == evaluation.num_correct / 121
        assert evaluation.accuracy_true_labels == (logits.argmax(1) == true).sum().item() / 121
        five_best = logits.argsort(1)[:, -5:]
        assert evaluation.top5_accuracy == (five_best == labels[:, None]).any(1).sum().item() / 121
        np.testing.assert_array_equal(evaluation.predictions, logits.argmax(1))


def test_with_few_classes_the_label_is_always_among_the_best(tiny: Dataset) -> None:
    split = make_conditions([TrainSpec(model="mlp-1x9")], tiny, device="cpu", channels_last=False).train
    split.labels.clamp_(max=3)
    network = build_model("mlp-1x9", input_shape=(1, 8, 8), num_classes=4)
    numerics = make_numerics("float32", "cpu")
    (found,) = evaluate(Replicas([network]), split, [0], loss="cross-entropy", dtype=torch.float32, numerics=numerics)
    assert found.top5_accuracy == 1


def test_losses_are_of_each_replica_alone() -> None:
    logits = torch.randn(2, 3, 4)
    labels = torch.tensor([[0, 1, 2], [3, 3, 3]])
    before = loss_per_replica(logits, labels, "cross-entropy")
    logits[1, 0, 0] = torch.inf
    after = loss_per_replica(logits, labels, "cross-entropy")
    assert before[0] == after[0]
    assert not torch.isfinite(after[1])
