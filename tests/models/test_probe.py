from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from byrote.errors import UserError
from byrote.models.probe import probe
from byrote.references import name_of

X = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


class Ending(nn.Module):
    """A linear layer, and what comes after it."""

    def __init__(self, ending: Callable[[Tensor], object], out: int = 3) -> None:
        super().__init__()
        self.out, self.ending = nn.Linear(64, out), ending

    def forward(self, x: Tensor) -> object:
        return self.ending(self.out(x.flatten(1)))


def first(ending: Callable[[Tensor], object], out: int = 3) -> str:
    return name_of(lambda: Ending(ending, out))


def tried(name: str, inputs: Tensor = X) -> list[str]:
    return probe(name, inputs, num_classes=3, dropout=0.0)


@pytest.mark.parametrize(
    ("ending", "note"),
    [
        (lambda x: x, None),
        (lambda x: x.relu(), None),
        (lambda x: 0 * x, None),
        (lambda x: {"logits": x}, None),
        (lambda x: x.softmax(1), "gives probabilities, which cross-entropy takes for scores"),
        (lambda x: (x.log_softmax(1), x), "gives log-probabilities"),
        (lambda x: x.sigmoid(), "gives numbers from 0 to 1"),
    ],
)
def test_what_a_network_ends_in_is_said(ending: Callable[[Tensor], object], note: str | None) -> None:
    found = tried(first(ending))
    assert len(found) == (note is not None)
    assert all(note in each for each in found if note)


def frozen() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).requires_grad_(False)


def without_weights() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.AvgPool1d(21, 21))


def broken() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(7, 3))


class MadeInForward(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "out"):
            self.out = nn.Linear(x[0].numel(), 3)
        return self.out(x.flatten(1))


def sparse() -> nn.Module:
    class Ids(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1).abs().clamp(0, 9).long()

    return nn.Sequential(Ids(), nn.EmbeddingBag(10, 3, sparse=True))


class NothingFromTrain(Ending):
    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        super().train(mode)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (name_of(MadeInForward), "whose first forward pass makes weights (out.weight, out.bias) that no optimiser"),
        (name_of(without_weights), "which has no parameters: there is nothing to train"),
        (name_of(frozen), "all of whose 195 weights are frozen (requires_grad=False): leave some to train"),
        (first(lambda x: x, out=4), "gave outputs of shape (2, 4) for 2 inputs, expected (2, 3): one row of 3 class"),
        (first(lambda x: x[:, :1]), "gave outputs of shape (2, 1)"),
        (first(lambda x: x.argmax(1)), "gave outputs of shape (2,)"),
        (first(lambda x: x.round().long()), "gave outputs of torch.int64, expected class scores in floating point"),
        (first(lambda x: x.detach()), "whose outputs do not depend on weights that can be trained"),
        (
            first(lambda x: {"a": x, "b": x}),
            "gave an object of type dict with a (2, 3), b (2, 3), expected a tensor of class scores",
        ),
        (name_of(sparse), "which makes sparse gradients, expected dense ones, of which norms are taken: leave sparse="),
        (
            first(lambda x: 1 / 0),
            "on 2 inputs of shape (1, 8, 8) failed: ZeroDivisionError: division by zero (test_",
        ),
        (first(lambda x: sys.exit("no")), "called sys.exit('no') (test_probe.py, line "),
        (name_of(broken), "failed: RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x64 and 7x3)"),
    ],
)
def test_what_cannot_be_trained_is_refused(name: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        tried(name)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_network_is_said_to_be_drawn_anew() -> None:
    (note,) = tried(name_of(nn.Sequential(nn.Flatten(), nn.Linear(64, 3))))
    assert (
        note
        == "is a network that was handed over: its trainable weights are drawn anew for each seed, as its layers do"
    )


def test_train_need_not_return_the_network() -> None:
    assert tried(name_of(lambda: NothingFromTrain(lambda x: x))) == []


def test_one_example_is_no_batch_for_batch_norm() -> None:
    name = name_of(lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.BatchNorm1d(3)))
    assert tried(name, X[:1]) == tried(name) == []


def test_a_forward_pass_may_change_its_input_and_draw() -> None:
    before, state = X.clone(), torch.random.get_rng_state()
    name = name_of(lambda: Ending(lambda x: x.mul_(2) + torch.rand(1)))
    assert tried(name) == []
    assert tried(name_of(lambda: nn.Sequential(nn.Flatten(), nn.ReLU(inplace=True), nn.Linear(64, 3)))) == []
    assert torch.equal(X, before)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_outputs_may_lie_where_weights_lie() -> None:
    class Shares(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scores = nn.Parameter(torch.full((3,), 1 / 3))

        def forward(self, x: Tensor) -> Tensor:
            return self.scores.expand(len(x), -1)

    assert tried(name_of(Shares)) == []  # they add up to one before weights are changed, and not thereafter
