"""The compiled step against the one that it was recorded from."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from byrote.data.augmentations import find_augmentation
from byrote.data.dataset import Dataset
from byrote.data.preprocessing import Inputs
from byrote.models.catalog import build_model
from byrote.training import compiled as training_compiled
from byrote.training.batches import TrainingBatch
from byrote.training.compiled import CannotCompile, CompiledStep, Graph, compiled
from byrote.training.engine import train
from byrote.training.optimizers import ELEMENTWISE, ReplicaOptimizer
from byrote.training.picked import EpochAugmentation, Picked
from byrote.training.precision import make_numerics, with_precision
from byrote.training.replicas import Replicas, prepare
from byrote.training.spec import TrainSpec
from byrote.training.step import Step, TakeStep, take_step

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def stored(pixels: Tensor) -> Inputs:
    shape = (1,) * pixels.ndim
    return Inputs(pixels, torch.full(shape, 1.5), torch.full(shape, -0.25), 1.0, whiten=False)


def batch_of(
    inputs: Inputs,
    rows: Tensor,
    labels: Tensor,
    dtype: torch.dtype,
    augmentation: EpochAugmentation | None = None,
) -> TrainingBatch:
    picked = Picked(inputs, rows, dtype, augmentation, None if augmentation is None else rows)
    return TrainingBatch(labels, picked.network_inputs, picked)


class Course:
    """A group of networks, step by step, on batches drawn for it."""

    def __init__(self, specs: Sequence[TrainSpec], input_shape: tuple[int, ...], *, is_compiled: bool) -> None:
        self.spec, self.input_shape = specs[0], input_shape
        self.seeds = [spec.seed for spec in specs]
        networks = []
        for spec in specs:
            network = build_model(
                spec.model, input_shape=input_shape, num_classes=5, seed=spec.seed, dropout=spec.dropout
            )
            prepare(network, seed=spec.seed, momentum=None, epsilon=None)
            networks.append(with_precision(network, spec.precision))
        self.replicas = Replicas(networks)
        self.optimizer = ReplicaOptimizer(specs, self.replicas.parameters)
        self.log: list[str] = []
        self.dtype = torch.float64 if self.spec.precision == "float64" else torch.float32
        self.inputs = stored(torch.rand(40, *input_shape, generator=torch.Generator().manual_seed(0)))
        self.take: TakeStep = partial(
            take_step, loss=self.spec.loss, numerics=make_numerics(self.spec.precision, "cpu")
        )
        if is_compiled:
            self.take = CompiledStep(self.take, self.log.append)

    def batch(self, number: int) -> TrainingBatch:
        generator = torch.Generator().manual_seed(number)
        num, size = self.replicas.num_replicas, 12 + number % 2
        rows = torch.randint(40, (num, size), generator=generator)
        labels = torch.randint(5, (num, size), generator=generator)
        return batch_of(self.inputs, rows, labels, self.dtype, self.augmentation(number // 10))

    def step(self, number: int) -> tuple[Step, list[Tensor]]:
        gradients: list[Tensor] = []
        with torch.random.fork_rng([]):
            torch.manual_seed(number)
            step = self.take(self.replicas, self.optimizer, self.batch(number), 0.99**number, look=gradients.extend)
        return step, [gradient.clone() for gradient in gradients]

    def several(self, numbers: Sequence[int]) -> list[Step]:
        assert isinstance(self.take, CompiledStep)
        batches, factors = [self.batch(number) for number in numbers], [0.99**number for number in numbers]
        return self.take.several(self.replicas, self.optimizer, batches, factors)

    def augmentation(self, epoch: int) -> EpochAugmentation | None:
        function = find_augmentation(self.spec.augmentation, self.input_shape)
        seeds = self.seeds
        return EpochAugmentation.of_epoch("own", function, seeds, epoch, "cpu") if function else None

    def keep(self, kept: Sequence[int]) -> None:
        self.seeds = [self.seeds[replica] for replica in kept]
        self.replicas.keep(kept)
        self.optimizer.keep(kept, self.replicas.parameters)
        if isinstance(self.take, CompiledStep):
            self.take.keep()


def assert_same_course(
    replicas: int = 1,
    steps: int = 6,
    leaving: dict[int, Sequence[int]] | None = None,
    input_shape: tuple[int, ...] = (6,),
    margin: float = 1e-9,
    decays: Sequence[float] = (0.0,),
    **fields: Any,
) -> None:
    """`leaving` says who is kept before which step."""
    fields = {"model": "mlp-1x8", "precision": "float64", "learning_rate": 0.05} | fields
    specs = [TrainSpec(seed=seed, weight_decay=decays[seed % len(decays)], **fields) for seed in range(replicas)]
    plain, fast = (Course(specs, input_shape, is_compiled=is_compiled) for is_compiled in (False, True))
    for number in range(steps):
        if number in (leaving or {}):
            plain.keep((leaving or {})[number])
            fast.keep((leaving or {})[number])
        (step, gradients), (found, its_gradients) = plain.step(number), fast.step(number)
        assert isinstance(fast.take, CompiledStep)
        assert fast.take.is_compiled, fast.log
        torch.testing.assert_close(found.losses, step.losses, rtol=margin, atol=margin)
        for gradient, other in zip(gradients, its_gradients, strict=True):
            torch.testing.assert_close(other, gradient, rtol=margin, atol=margin * max(1, float(gradient.abs().max())))
        if fields["precision"] == "float64":
            assert found.predictions.equal(step.predictions)
    for part in ("parameters", "buffers"):
        for name, tensor in getattr(plain.replicas, part).items():
            torch.testing.assert_close(getattr(fast.replicas, part)[name], tensor, rtol=margin, atol=margin)
    assert fast.log == []


@pytest.mark.slow
def test_a_stack_that_replicas_leave_until_one_is_left() -> None:
    """The numbers of replicas and of examples stay open in one graph; with dropout, weight decay, and an optimiser that
    counts its steps."""
    assert_same_course(
        replicas=4, leaving={3: [0, 2, 3], 5: [1]}, steps=8, optimizer="AdamW", decays=(0.1,), dropout=0.3
    )


@pytest.mark.slow
def test_one_network_with_dropout() -> None:
    assert_same_course(dropout=0.3, decays=(1e-3,), steps=200)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", sorted(ELEMENTWISE))
def test_every_optimiser_that_stacks(optimizer: str) -> None:
    assert_same_course(replicas=3, leaving={100: [0, 2]}, steps=200, optimizer=optimizer, learning_rate=0.01)


@pytest.mark.slow
def test_options_of_sgd_and_the_squared_error() -> None:
    options = {"nesterov": True}
    assert_same_course(steps=200, optimizer_options=options, decays=(1e-3,), loss="squared-error")
    assert_same_course(replicas=2, steps=200, momentum=0.0)


@pytest.mark.slow
def test_slices_of_other_hyper_parameters_are_compiled_again_when_one_leaves() -> None:
    assert_same_course(replicas=3, leaving={100: [0, 2]}, steps=200, decays=(0.0, 0.1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "input_shape"),
    [
        ("mlp-2x16", (6,)),
        ("vit-1x32", (1, 8, 8)),
        ("switchboard-2x8+skip+attention+pool", (1, 8, 8)),
    ],
)
def test_every_model_of_the_catalogue_without_convolutions(model: str, input_shape: tuple[int, ...]) -> None:
    assert_same_course(model=model, input_shape=input_shape, steps=200, learning_rate=0.01, margin=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("augmentation", ["random-crop", "crop-flip-color"])
def test_a_step_that_augments_its_batch(augmentation: str) -> None:
    assert_same_course(
        replicas=2, steps=200, input_shape=(3, 8, 8), augmentation=augmentation, leaving={100: [1]}, learning_rate=0.01
    )


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [1, 3])
def test_steps_in_one_call_are_bit_equal_to_as_many_calls(replicas: int) -> None:
    """Of batches of two sizes, augmented, by an optimiser that counts its steps; also after one has left."""
    specs = [
        TrainSpec(model="mlp-1x8", optimizer="AdamW", augmentation="random-crop", dropout=0.3, seed=seed)
        for seed in range(replicas)
    ]
    one_by_one, together = (Course(specs, (3, 8, 8), is_compiled=True) for _ in range(2))
    for first in (0, 10, 20):
        numbers = range(first, first + 10)
        if first == 20:
            for course in (one_by_one, together):
                course.keep(range(replicas)[-2:])
        steps = together.several(numbers)
        assert together.log == []
        for number, step in zip(numbers, steps, strict=True):
            expected, _ = one_by_one.step(number)
            assert step.losses.equal(expected.losses)
            assert step.predictions.equal(expected.predictions)
    assert isinstance(together.take, CompiledStep)
    assert all(graph.several for graph in together.take._graphs)
    for name, weight in one_by_one.replicas.parameters.items():
        assert together.replicas.parameters[name].equal(weight)


@pytest.mark.slow
def test_steps_that_nobody_looks_into_are_taken_in_one_call(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of seven an epoch: the last one is measured, each of the first 5, and the first one is taken as it is."""
    taken: list[int] = []
    several = CompiledStep.several

    def counted(self: CompiledStep, *arguments: Any) -> list[Step]:
        self.num_together = 100  # whatever the clock says
        steps = several(self, *arguments)
        taken.append(len(steps))
        return steps

    monkeypatch.setattr(CompiledStep, "several", counted)
    spec = TrainSpec(model="mlp-1x8", steps=25, batch_size=20, precision="float64", dense_steps=5)
    (plain,) = train([spec], tiny, device="cpu", compile="off")
    (fast,) = train([spec], tiny, device="cpu", compile="on")
    assert sum(taken) == 25 - 4 - 5
    for rows, columns in ((plain.curve, fast.curve), (plain.early, fast.early)):
        for name, column in rows.items():
            torch.testing.assert_close(torch.tensor(columns[name]), torch.tensor(column), equal_nan=True)
    assert (plain.train_predictions == fast.train_predictions).all()


@pytest.mark.slow
def test_a_compiled_run_twice_is_bit_equal(tiny: Dataset) -> None:
    specs = [TrainSpec(model="mlp-1x8", seed=seed, steps=40, batch_size=20) for seed in range(2)]
    first, second = (list(train(specs, tiny, device="cpu", compile="on", keep_weights=True)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.final_state is not None
        assert other.final_state is not None
        for name, weight in one.final_state.items():
            assert other.final_state[name].equal(weight)
        assert one.curve["train_loss"].tolist() == other.curve["train_loss"].tolist()


@pytest.mark.slow
def test_bfloat16() -> None:
    """To the rounding of products, whose sums are in another order."""
    assert_same_course(replicas=2, steps=3, precision="bfloat16", margin=0.05)


class FlattensByLength(nn.Module):
    """With len(), as users' networks often do: a number, and so a graph, for each size of a batch."""

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(input_shape[0], num_classes), nn.BatchNorm1d(num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(self.norm(self.layer(x.view(len(x), -1))), 0.2, self.training)


@pytest.mark.slow
def test_batches_of_two_sizes_of_a_users_network_that_draws_by_torchs_generator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    record = training_compiled.compiled

    def counted(*arguments: Any) -> Graph:
        made.append(len(made))
        return record(*arguments)

    monkeypatch.setattr(training_compiled, "compiled", counted)
    assert_same_course(model=f"{__file__}:FlattensByLength", steps=7)
    assert made == [0, 1]


class Counts(nn.Module):
    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(input_shape[0], num_classes), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.layer(x) / self.calls


class Branches(Counts):
    def forward(self, x: Tensor) -> Tensor:
        scores = self.layer(x)
        return scores if scores.mean() > 0 else -scores


class ReplacesABuffer(Counts):
    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__(input_shape, num_classes)
        self.register_buffer("mean", torch.zeros(num_classes))

    def forward(self, x: Tensor) -> Tensor:
        self.mean = 0.9 * self.mean + 0.1 * self.layer(x).detach().mean(0)
        return self.layer(x) - self.mean


@pytest.mark.parametrize(
    ("network", "reason"),
    [(Counts, "in Python"), (Branches, "torch fails: "), (ReplacesABuffer, "replaces a buffer")],
)
def test_what_cannot_be_recorded_goes_on_as_it_is_and_says_why(network: type[Counts], reason: str) -> None:
    specs, log = [TrainSpec(model="own", precision="float64")], list[str]()
    plain, fast = (Replicas([network((6,), 5).double()]) for _ in range(2))
    fast.network.load_state_dict(plain.network.state_dict())
    take = partial(take_step, loss="cross-entropy", numerics=make_numerics("float64", "cpu"))
    compiling = CompiledStep(take, log.append)
    one, other = (ReplicaOptimizer(specs, each.parameters) for each in (plain, fast))
    for _ in range(3):
        inputs, labels = stored(torch.rand(4, 6)), torch.randint(5, (1, 4))
        batch = batch_of(inputs, torch.arange(4)[None], labels, torch.float64)
        take(plain, one, batch, 1.0)
        compiling(fast, other, batch, 1.0)
    assert not compiling.is_compiled
    assert len(log) == 1
    assert log[0].startswith("not compiled, since ")
    assert reason in log[0]
    for name, weight in plain.parameters.items():
        assert fast.parameters[name].equal(weight)


def test_a_graph_that_fails_when_it_is_called_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> Any:
        def call(tensors: list[Tensor]) -> None:
            for tensor in tensors[:2]:
                tensor.zero_()
            if not torch.is_grad_enabled():  # as it will be called
                raise RuntimeError("expected a proper tensor")

        return call

    monkeypatch.setattr(training_compiled, "_machine_code", failing)
    plain, fast = (Course([TrainSpec(model="mlp-1x8")], (6,), is_compiled=is_compiled) for is_compiled in (False, True))
    for number in range(2):
        plain.step(number)
        fast.step(number)
    assert fast.log == ["not compiled, since torch fails: RuntimeError: expected a proper tensor"]
    for name, weight in plain.replicas.parameters.items():
        assert fast.replicas.parameters[name].equal(weight)


def test_convolutions_are_left_as_they_are() -> None:
    course = Course([TrainSpec(model="conv-small")], (1, 8, 8), is_compiled=True)
    for number in range(2):
        course.step(number)
    assert course.log == ["not compiled, since convolutions gain nothing by it, and take many minutes to compile"]


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def found_none() -> str:
        raise RuntimeError("no working compiler")

    monkeypatch.setattr("torch._inductor.cpp_builder.get_cpp_compiler", found_none)
    course = Course([TrainSpec(model="mlp-1x8")], (6,), is_compiled=False)
    course.step(0)
    batch = batch_of(course.inputs, torch.arange(4)[None], torch.randint(5, (1, 4)), torch.float32)
    with pytest.raises(CannotCompile, match=r"no C\+\+ compiler"):
        compiled(course.take, course.replicas, course.optimizer, batch)


def test_torchs_remarks_on_how_it_compiles_are_shown_to_who_asks_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []

    def remark(*_: object) -> None:
        warnings.warn("a remark", UserWarning, stacklevel=1)
        if logging.getLogger("torch._inductor.ir").isEnabledFor(logging.WARNING):
            found.append("a log line")
        raise RuntimeError("enough")

    monkeypatch.setattr(training_compiled, "_recorded", remark)
    course = Course([TrainSpec(model="mlp-1x8")], (6,), is_compiled=False)
    course.step(0)
    batch = batch_of(course.inputs, torch.arange(4)[None], torch.randint(5, (1, 4)), torch.float32)
    inductor = logging.getLogger("torch._inductor")
    try:
        for level in (logging.NOTSET, logging.INFO):
            inductor.setLevel(level)
            with pytest.raises(CannotCompile, match="enough"):
                compiled(course.take, course.replicas, course.optimizer, batch)
            assert inductor.level == level
            assert found == ([] if level == logging.NOTSET else ["a log line"])
    finally:
        inductor.setLevel(logging.NOTSET)


@pytest.mark.slow
def test_whole_runs_say_whether_they_were_compiled(tiny: Dataset) -> None:
    specs = [TrainSpec(model="mlp-1x8", seed=seed, steps=9, batch_size=20, precision="float64") for seed in range(2)]
    log: list[str] = []
    plain = list(train(specs, tiny, device="cpu", compile="off"))
    fast = list(train(specs, tiny, device="cpu", compile="on", on_log=log.append))
    assert ["its steps are compiled" in line for line in log] == [True]
    for one, other in zip(plain, fast, strict=True):
        assert (one.environment["compiled"], other.environment["compiled"]) == ("no", "yes")
        for rows, columns in ((one.curve, other.curve), (one.early, other.early)):
            for name, column in rows.items():
                torch.testing.assert_close(torch.tensor(columns[name]), torch.tensor(column), equal_nan=True)
        assert (one.train_predictions == other.train_predictions).all()
