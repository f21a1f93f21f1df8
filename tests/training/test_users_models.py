"""Models as people write them, trained here and in a plain PyTorch loop on the same batches: to the same weights, alone
and beside others."""

from __future__ import annotations

import itertools
import random
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune

from byrote.data.dataset import Dataset
from byrote.data.preprocessing import preprocess
from byrote.data.sources import from_arrays
from byrote.models.catalog import build_model
from byrote.randomness import permutation, stream
from byrote.references import name_of
from byrote.training.engine import train
from byrote.training.spec import TrainSpec


class Model(nn.Module):
    """Takes the usual arguments; `body` makes 12 features of a digit."""

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.make()
        self.out = nn.Linear(12, num_classes)

    def make(self) -> None:
        self.first = nn.Linear(64, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.body(x).relu())

    def body(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(x.flatten(1))


class InPlace(Model):
    def body(self, x: torch.Tensor) -> torch.Tensor:
        x += 1
        x.mul_(0.5).clamp_(-1, 1)
        return self.first(x.flatten(1)).relu_()


class ViewAfterConvolution(Model):
    def make(self) -> None:
        self.conv, self.first = nn.Conv2d(1, 3, 3, stride=2), nn.Linear(27, 12)

    def body(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x).relu()
        return self.first(x.view(x.size(0), -1))


class OldWeightNorm(Model):
    def make(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.first = nn.utils.weight_norm(nn.Linear(64, 12))


class WeightNorm(Model):
    def make(self) -> None:
        self.first = parametrizations.weight_norm(nn.Linear(64, 12))


class SpectralNorm(Model):
    def make(self) -> None:
        self.first = parametrizations.spectral_norm(nn.Linear(64, 12))


class OldSpectralNorm(Model):
    def make(self) -> None:
        self.first = nn.utils.spectral_norm(nn.Linear(64, 12))


class Pruned(Model):
    def make(self) -> None:
        self.first = prune.random_unstructured(nn.Linear(64, 12), "weight", amount=0.5)


class BatchNorms(Model):
    def make(self) -> None:
        self.conv, self.norm = nn.Conv2d(1, 3, 3, stride=2, bias=False), nn.BatchNorm2d(3, momentum=None)
        self.first, self.last = nn.Linear(27, 12), nn.BatchNorm1d(12, affine=False)

    def body(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(self.norm(self.conv(x)).relu().flatten(1)))


class OtherNorms(Model):
    def make(self) -> None:
        self.conv, self.norms = nn.Conv2d(1, 4, 3, stride=2), nn.Sequential(nn.GroupNorm(2, 4), nn.InstanceNorm2d(4))
        self.first, self.last = nn.Linear(36, 12), nn.LayerNorm(12)

    def body(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(self.norms(self.conv(x)).relu().flatten(1)))


class Attention(Model):
    """Eight rows as tokens."""

    def make(self) -> None:
        self.embed, self.attention = nn.Linear(8, 12), nn.MultiheadAttention(12, 3, dropout=0.0, batch_first=True)
        self.layer = nn.TransformerEncoderLayer(12, 2, 16, dropout=0.0, batch_first=True)

    def body(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.embed(x.squeeze(1))
        return self.layer(tokens + self.attention(tokens, tokens, tokens)[0]).mean(1)


class Recurrent(Model):
    def make(self) -> None:
        self.rows = nn.GRU(8, 12, batch_first=True)

    def body(self, x: torch.Tensor) -> torch.Tensor:
        return self.rows(x.squeeze(1))[0][:, -1]


class Buffers(Model):
    """A running mean, updated in place, and a count."""

    def make(self) -> None:
        super().make()
        self.register_buffer("mean", torch.zeros(64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def body(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        if self.training:
            with torch.no_grad():
                self.mean.mul_(0.9).add_(0.1 * x.mean(0))
                self.count.add_(1)
        return self.first(x - self.mean)


class Tied(Model):
    def make(self) -> None:
        self.first, self.second, self.third = nn.Linear(64, 12), nn.Linear(12, 12), nn.Linear(12, 12, bias=False)
        self.third.weight = self.second.weight

    def body(self, x: torch.Tensor) -> torch.Tensor:
        return self.third(self.second(super().body(x)).relu())


class Frozen(Model):
    def make(self) -> None:
        self.frozen, self.first = nn.Linear(64, 64).requires_grad_(False), nn.Linear(64, 12)
        self.unused = nn.Parameter(torch.ones(3))

    def body(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(self.frozen(x.flatten(1)).relu())


class NoDropout(Model):
    def make(self) -> None:
        self.first, self.drop = nn.Linear(64, 12), nn.Dropout(0.0)

    def body(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(self.drop(super().body(x)), self.drop.p, self.training)


class PlainAttributes(Model):
    def make(self) -> None:
        super().make()
        self.directions, self.scale = torch.randn(64, 64) / 8, float(torch.rand(()))

    def body(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(torch.cos(x.flatten(1) @ self.directions.to(x.dtype)) * self.scale)


class GradientHook(Model):
    def make(self) -> None:
        super().make()
        self.first.weight.register_hook(lambda gradient: gradient * 0.1)


class PartOfATensor(Model):
    def make(self) -> None:
        super().make()
        self.first.weight = nn.Parameter(torch.randn(12, 128)[:, ::2] / 8)
        self.scale = nn.Parameter(torch.ones(()))

    def body(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * super().body(x)


class ComplexWeights(Model):
    def make(self) -> None:
        super().make()
        self.filters = nn.Parameter(torch.randn(8, 5, dtype=torch.cfloat))

    def body(self, x: torch.Tensor) -> torch.Tensor:
        return super().body(torch.fft.irfft2(torch.fft.rfft2(x) * self.filters, s=(8, 8)))


class Wires(Model):
    """Its structure depends on what has happened: counted calls."""

    calls = 0

    def body(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += self.training
        return super().body(x) * (1 + self.calls % 3)


class MaxNorm(Model):
    """As in EEGNet: weights get other memory in each forward pass."""

    def body(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.first.weight.data = torch.renorm(self.first.weight.data, p=2, dim=0, maxnorm=0.4)
        return super().body(x)


class GroupNorms(Model):
    """In a stack, torch has no group norm of images whose channels lie side by side."""

    def make(self) -> None:
        self.conv, self.norm, self.first = nn.Conv2d(1, 4, 3, stride=2), nn.GroupNorm(2, 4), nn.Linear(36, 12)

    def body(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(self.norm(self.conv(x)).relu().flatten(1))


class Volumes(Model):
    def make(self) -> None:
        self.conv, self.first = nn.Conv3d(1, 2, (3, 3, 2)), nn.Linear(2 * 6 * 2, 12)

    def body(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(self.conv(x.reshape(-1, 1, 8, 4, 2)).relu().flatten(1))


class DrawsOfItsOwn(Model):
    """Leaves out a layer now and then."""

    def make(self) -> None:
        self.first, self.second = nn.Linear(64, 12), nn.Linear(12, 12)
        self.random = np.random.default_rng(int(torch.randint(1000, ())))

    def body(self, x: torch.Tensor) -> torch.Tensor:
        x = super().body(x)
        return x if self.training and self.random.random() < 0.1 else x + self.second(x)


class NothingFromTrain(Model):
    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        super().train(mode)


FAST = [InPlace, ViewAfterConvolution, OldWeightNorm, BatchNorms, Tied, PlainAttributes, GradientHook, PartOfATensor]
FAST += [MaxNorm, GroupNorms, Volumes, DrawsOfItsOwn, NothingFromTrain]
SLOW = [
    *(WeightNorm, SpectralNorm, OldSpectralNorm, Pruned, OtherNorms, Attention, Recurrent, Buffers, Frozen, NoDropout),
    *(ComplexWeights, Wires),
]
USERS = [*FAST, *(pytest.param(kind, marks=pytest.mark.slow) for kind in SLOW)]


def plain(spec: TrainSpec, data: Dataset) -> nn.Module:
    """The usual loop, on the batches of `spec`."""
    train_inputs, _ = preprocess(data, "standardize")
    network = build_model(spec.model, input_shape=data.input_shape, num_classes=10, seed=spec.seed)
    if spec.precision == "float64":
        network._apply(lambda t: t.to(torch.cdouble if t.is_complex() else torch.double) if not _is_whole(t) else t)
    kinds = {weight.dtype for weight in network.parameters()}
    x = train_inputs.gather(torch.arange(len(train_inputs)), kinds.pop() if len(kinds) == 1 else torch.float64)
    y = torch.from_numpy(data.train.labels)
    optimizer = torch.optim.SGD(network.parameters(), lr=spec.learning_rate, momentum=spec.momentum)
    network.train()
    steps = itertools.count()
    for epoch in itertools.count(1):
        order = permutation(stream(spec.seed, "batches", epoch), len(y))
        for rows in np.array_split(order, -(-len(y) // spec.batch_size)):
            if next(steps) == spec.steps:
                return network
            optimizer.zero_grad()
            F.cross_entropy(network(x[rows].clone()).to(y.new_empty(0, dtype=_wide(x)).dtype), y[rows]).backward()
            optimizer.step()
    raise AssertionError


def _is_whole(tensor: torch.Tensor) -> bool:
    return not (tensor.is_floating_point() or tensor.is_complex())


def _wide(tensor: torch.Tensor) -> torch.dtype:
    return torch.promote_types(tensor.dtype, torch.float32)


specs_of = partial(
    TrainSpec, preprocessing="standardize", batch_size=20, learning_rate=0.02, decay=1.0, stop="at_steps", steps=16
)  # fmt: skip


@pytest.mark.parametrize("kind", USERS)
def test_a_model_trains_as_in_plain_torch(kind: type[nn.Module], tiny: Dataset) -> None:
    specs = [specs_of(model=name_of(kind), seed=seed, precision="float64") for seed in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of functions without a rule for stacks, which is slow
        found = [*train(specs, tiny, keep_weights=True, device="cpu")]
        found += train(specs[1:], tiny, keep_weights=True, device="cpu")
    for outcome in found:
        expected = plain(outcome.spec, tiny).state_dict()
        assert outcome.final_state is not None
        assert outcome.final_state.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(outcome.final_state[name], value, rtol=1e-8, atol=1e-9)
        assert not outcome.failed_checks
    assert sorted(outcome.spec.seed for outcome in found) == [0, 1, 1]


class TwoInputs(nn.Module):
    """Takes a dict."""

    def __init__(self, input_shape: dict[str, tuple[int, ...]], num_classes: int) -> None:
        super().__init__()
        self.pairs = nn.Embedding(9, 4)
        self.first, self.out = nn.Linear(64, 12), nn.Linear(16, num_classes)

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        seen = [self.first(inputs["image"].flatten(1)).relu(), self.pairs(inputs["pairs"]).sum(1)]
        return self.out(torch.cat(seen, 1))


class ByName(TwoInputs):
    def forward(self, pairs: torch.Tensor, image: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return super().forward({"image": image, "pairs": pairs})


@pytest.mark.parametrize("kind", [TwoInputs, ByName])
def test_several_inputs_train_as_in_plain_torch(kind: type[TwoInputs], tiny: Dataset) -> None:
    """In a stack and alone, with weights that lie in float64."""
    splits = [
        part
        for split in (tiny.train, tiny.test)
        for part in ({"image": split.inputs, "pairs": np.stack([split.labels % 3, split.labels // 2], 1)}, split.labels)
    ]
    data = from_arrays(*splits, pixel_max=16.0, kind={"pairs": "tokens"})
    specs = [specs_of(model=name_of(kind), preprocessing="auto", seed=n, precision="float64") for n in range(2)]
    notes: list[str] = []
    found = [*train(specs, data, keep_weights=True, device="cpu", on_log=notes.append)]
    found += train(specs[1:], data, keep_weights=True, device="cpu")
    assert not any("alone" in note for note in notes), notes
    for outcome in found:
        spec = outcome.spec
        built = build_model(spec.model, input_shape=data.input_shape, num_classes=10, seed=spec.seed).double()
        network = TwoInputs({}, 10).double()
        network.load_state_dict(built.state_dict())
        optimizer = torch.optim.SGD(network.parameters(), lr=spec.learning_rate, momentum=spec.momentum)
        images, pairs = torch.from_numpy(splits[0]["image"]).double() / 16, torch.from_numpy(splits[0]["pairs"])
        labels, step = torch.from_numpy(tiny.train.labels), 0
        while step < 16:
            order = permutation(stream(spec.seed, "batches", 1 + step // 7), len(labels))
            rows = np.array_split(order, 7)[step % 7]
            optimizer.zero_grad()
            F.cross_entropy(network({"image": images[rows], "pairs": pairs[rows]}), labels[rows]).backward()
            optimizer.step()
            step += 1
        for name, value in network.state_dict().items():
            assert outcome.final_state is not None
            torch.testing.assert_close(outcome.final_state[name], value, rtol=1e-8, atol=1e-9)
        assert not outcome.failed_checks
    assert sorted(outcome.spec.seed for outcome in found) == [0, 1, 1]


class Half(Model):
    kind = torch.float16

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__(input_shape, num_classes)
        self.to(self.kind)


class Brain(Half):
    kind = torch.bfloat16


class Double(Half):
    kind = torch.float64


class HalfInPart(Model):
    def make(self) -> None:
        self.first = nn.Linear(64, 12).half()

    def body(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(x.flatten(1).half()).float()


@pytest.mark.parametrize("kind", [Half, Brain, Double, HalfInPart])
def test_weights_keep_their_type_and_it_is_said(kind: type[nn.Module], tiny: Dataset) -> None:
    specs, lines = [specs_of(model=name_of(kind), seed=seed) for seed in range(2)], []
    for outcome in train(specs, tiny, keep_weights=True, device="cpu", on_log=lines.append):
        expected = plain(outcome.spec, tiny).state_dict()
        for name, value in expected.items():
            assert outcome.final_state[name].dtype == value.dtype  # type: ignore[index]
            torch.testing.assert_close(outcome.final_state[name], value, rtol=0.05, atol=0.02)  # type: ignore[index]
    assert "keep this type in training" in lines[0]


class Meddler(Model):
    """Changes what is everybody's, wherever it can."""

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__(input_shape, num_classes)
        self.meddle()

    def body(self, x: torch.Tensor) -> torch.Tensor:
        self.meddle()
        return super().body(x)

    def meddle(self) -> None:
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        torch.set_default_dtype(torch.float64)
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = True


def test_training_changes_nothing_that_is_everybodys(tiny: Dataset) -> None:
    def state() -> list[object]:
        return [
            torch.random.get_rng_state().tolist(), np.random.get_state()[1].tolist(),  # noqa: NPY002
            torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled(), torch.get_num_threads(),
            torch.is_grad_enabled(), torch.backends.cudnn.benchmark,
        ]  # fmt: skip

    before = state()
    specs = [specs_of(model=name_of(Meddler), seed=seed) for seed in range(2)]
    for number, _ in enumerate(train(specs, tiny, device="cpu")):
        assert state() == before, number
    assert state() == before


def test_what_is_everybodys_changes_nothing_in_training(tiny: Dataset) -> None:
    """A default type, a mode without gradients; the first of two networks leaves the stack early."""
    specs = [
        specs_of(model=name_of(BatchNorms), seed=seed, stop="at_interpolation", steps=None, epochs=9,
                 n_train=60, learning_rate=rate)
        for seed, rate in ((0, 0.2), (1, 0.001))
    ]  # fmt: skip

    def losses() -> list[float]:
        return [outcome.train_loss for outcome in train(specs, tiny, device="cpu")]

    expected = losses()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode():
            found = losses()
        with torch.no_grad():
            assert losses() == found
    finally:
        torch.set_default_dtype(torch.float32)
    assert found == expected
