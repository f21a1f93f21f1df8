import pytest
import torch

from byrote.data.corruptions.record import Corruption
from byrote.theory.measures.trained import trained_network, training_set
from byrote.training.engine import train
from byrote.training.spec import TrainSpec

SPEC = TrainSpec(
    model="mlp-1x16",
    corruptions=(Corruption(name="random-labels"),),
    n_train=60,
    stop="at_steps",
    steps=20,
    batch_size=20,
    batch_norm_epsilon=0.1,
)


def batch_norm_net(*, input_shape, num_classes):
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, num_classes))


@pytest.mark.parametrize("model", ["mlp-1x16", "batch norm"])
def test_network_and_training_set_agree_with_the_outcome(tiny, model):
    from byrote.references import name_of

    name = name_of(batch_norm_net) if model == "batch norm" else model
    spec = SPEC.model_copy(update={"model": name})
    (run,) = train([spec], tiny, device="cpu", keep_weights=True)
    network, data = trained_network(run, tiny), training_set(spec, tiny)
    assert not network.training
    assert data.inputs.shape == (60, 1, 8, 8)
    assert data.num_classes == 10
    logits = network(data.inputs)
    assert logits.argmax(1).tolist() == run.train_predictions.tolist()
    assert torch.nn.functional.cross_entropy(logits, data.labels).item() == pytest.approx(run.train_loss, rel=1e-5)


def test_a_run_without_weights_is_refused(tiny):
    (run,) = train([SPEC], tiny, device="cpu")
    with pytest.raises(ValueError, match="has kept no weights"):
        trained_network(run, tiny)
