"""The engine against plain PyTorch loops in float64, over at most 120 steps; then its stop rules and its record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from byrote.data.augmentations import draws, find_augmentation
from byrote.data.corruptions.application import apply_corruptions, corrupt
from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, Split
from byrote.data.preprocessing import preprocess
from byrote.data.subsets import half_rows, held_out_rows, subset
from byrote.errors import UserError
from byrote.models.catalog import build_model
from byrote.models.dropout import Dropout
from byrote.randomness import permutation, stream, stream_seed
from byrote.references import name_of
from byrote.theory.measures.trained import trained_network
from byrote.training.conditions import make_conditions
from byrote.training.engine import train
from byrote.training.outcome import CURVE_COLUMNS, EARLY_COLUMNS, Progress, TrainOutcome
from byrote.training.spec import TrainSpec


def batch_norm_net(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    inputs = int(np.prod(input_shape))
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, num_classes))


def conv_batch_norm_net(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(input_shape[0], 4, 3, stride=2, bias=False),
        nn.BatchNorm2d(4, momentum=0.3),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(36, num_classes),
    )


class TorchDropoutNet(nn.Module):
    """One nn.Dropout in two places."""

    def __init__(self, *, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        drop = nn.Dropout(0.25)
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), drop, nn.Linear(16, 16), nn.ReLU(), drop
        )
        self.out = nn.Linear(16, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.layers(x))


class TiedNet(nn.Module):
    """Two layers share one weight; a third is frozen; a fourth is never used."""

    def __init__(self, *, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.frozen = nn.Linear(64, 8).requires_grad_(False)
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.second.weight = self.first.weight
        self.unused = nn.Linear(3, 3)
        self.out = nn.Linear(8, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.second(self.first(self.frozen(x.flatten(1))).relu()).relu())


class BranchingNet(nn.Module):
    def __init__(self, *, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.out = nn.Linear(64, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.out(x.flatten(1))
        return scores if scores.sum() > 0 else 2 * scores


class NarrowBranchingNet(BranchingNet):
    """Branches on what it finds in bfloat16 alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.out(x.flatten(1))
        return super().forward(x) if scores.dtype == torch.bfloat16 else scores


class FunctionalDropoutNet(BranchingNet):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Drops in evaluation too: a common mistake, and no reason to be irreproducible.
        return self.out(F.dropout(x.flatten(1), 0.2))


class ReassignedBufferNet(BranchingNet):
    """Its own running mean, replaced rather than updated in place: a stack would lose it."""

    def __init__(self, *, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__(input_shape=input_shape, num_classes=num_classes)
        self.register_buffer("mean", torch.zeros(64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0).detach()
        return self.out(x - self.mean)


def conv_net_of_64(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 2, 8, stride=8), nn.ReLU(), nn.Flatten(), nn.Linear(98, num_classes))


def linear(step: int, total_steps: int) -> float:
    return 1 - step / total_steps


LINEAR = name_of(linear)
BATCH_NORM = name_of(batch_norm_net)
CONV_64 = name_of(conv_net_of_64)
CONV_BATCH_NORM = name_of(conv_batch_norm_net)
TORCH_DROPOUT = name_of(TorchDropoutNet)
TIED = name_of(TiedNet)
RANDOM = Corruption(name="random-labels")
NOISE = Corruption(name="gaussian", rate=0.5)
HALF = Corruption(name="partial-labels", rate=0.5)

spec = partial(
    TrainSpec, model="mlp-2x12", precision="float64", batch_size=20, learning_rate=0.05, stop="at_steps", steps=20
)  # fmt: skip


def four(learning_rate: float = 0.05, **fields: object) -> list[TrainSpec]:
    """All that may differ within a stack."""
    make = partial(spec, **fields)
    return [
        make(learning_rate=learning_rate),
        make(learning_rate=learning_rate, seed=1, corruptions=(RANDOM,), weight_decay=0.01),
        make(learning_rate=2 * learning_rate, seed=2, corruptions=(HALF, Corruption(name="shuffled-pixels"))),
        make(learning_rate=2 * learning_rate, seed=2, corruptions=(NOISE,), data_seed=3),
    ]


class Plain:
    """The usual PyTorch loop over one run, with every figure that a curve can hold."""

    def __init__(self, spec: TrainSpec, data: Dataset, num_steps: int) -> None:
        data = apply_corruptions(subset(data, spec.n_train, spec.data_seed), spec.corruptions, spec.seed)
        (every_x, self.test_x), (every_y, every_true) = self.inputs(spec, data), self.labels(data.train)
        trained, kept_out = map(torch.from_numpy, held_out_rows(every_true.numpy(), spec.validation, spec.data_seed))
        x, y, true = every_x[trained], every_y[trained], every_true[trained]
        self.net = net = build_model(
            spec.model, input_shape=tuple(x.shape[1:]), num_classes=10, seed=spec.seed, dropout=spec.dropout
        )
        self.use_keyed_dropout(spec.seed)
        net.double()
        self.initial = {name: value.clone() for name, value in net.state_dict().items()}
        options = dict(spec.optimizer_options)
        if spec.optimizer.lower() == "sgd":
            options["momentum"] = spec.momentum
        named = {key.lower(): value for key, value in vars(torch.optim).items()}
        optimizer = named[spec.optimizer.lower()](
            net.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay, **options
        )
        start = self.flat(p for p in net.parameters())
        self.steps: list[dict[str, float]] = []
        self.epochs: list[dict[str, float]] = []
        last_gradient = None
        epoch = 0
        total = spec.steps or spec.epochs * len(self.batches(np.arange(len(y)), spec.batch_size))
        while len(self.steps) < num_steps:
            epoch += 1
            first_of_epoch = len(self.steps)
            epoch_x = x if spec.augmentation == "none" else self.augmented(spec, data, trained, epoch)
            for rows in self.batches(permutation(stream(spec.seed, "batches", epoch), len(y)), spec.batch_size):
                for group in optimizer.param_groups:
                    group["lr"] = spec.learning_rate * self.factor(spec, len(self.steps), total)
                net.train()
                logits = net(epoch_x[rows])
                loss = self.loss(spec, logits, y[rows])
                optimizer.zero_grad()
                loss.backward()
                gradient = self.flat(torch.zeros_like(p) if p.grad is None else p.grad for p in net.parameters())
                before = self.flat(p for p in net.parameters())
                optimizer.step()
                after = self.flat(p for p in net.parameters())
                predicted = logits.argmax(1)
                self.steps.append(
                    {
                        "loss": loss.item(),
                        "size": len(rows),
                        "correct": (predicted == y[rows]).sum().item(),
                        "correct_true": (predicted == true[rows]).sum().item(),
                        "learning_rate": optimizer.param_groups[0]["lr"],
                        "gradient_norm": gradient.norm().item(),
                        "update_norm": (after - before).norm().item(),
                        "distance_from_initialization": (after - start).norm().item(),
                        "gradient_cosine": np.nan
                        if last_gradient is None
                        else (gradient @ last_gradient / gradient.norm() / last_gradient.norm()).item(),
                    }
                )
                last_gradient = gradient
                if len(self.steps) == num_steps:
                    break
            steps = self.steps[first_of_epoch:]
            seen = sum(step["size"] for step in steps)
            net.eval()
            with torch.no_grad():
                train_logits, test_logits = net(x), net(self.test_x)
                held_out_logits, held_out_y = net(every_x[kept_out]), every_true[kept_out]
            test_y = torch.from_numpy(data.test.labels)
            self.epochs.append(
                {
                    **steps[-1],
                    "epoch": epoch,
                    "step": len(self.steps),
                    "train_loss": sum(step["loss"] * step["size"] for step in steps) / seen,
                    "running_accuracy": sum(step["correct"] for step in steps) / seen,
                    "running_accuracy_true_labels": sum(step["correct_true"] for step in steps) / seen,
                    "evaluated_train_loss": self.loss(spec, train_logits, y).item(),
                    "train_accuracy": (train_logits.argmax(1) == y).double().mean().item(),
                    "train_accuracy_true_labels": (train_logits.argmax(1) == true).double().mean().item(),
                    "test_loss": self.loss(spec, test_logits, test_y).item(),
                    "test_accuracy": (test_logits.argmax(1) == test_y).double().mean().item(),
                    "train_top5_accuracy": self.top5(train_logits, y),
                    "test_top5_accuracy": self.top5(test_logits, test_y),
                    "validation_loss": self.loss(spec, held_out_logits, held_out_y).item(),
                    "validation_accuracy": (held_out_logits.argmax(1) == held_out_y).double().mean().item(),
                }
            )
        self.train_predictions, self.test_predictions = train_logits.argmax(1).numpy(), test_logits.argmax(1).numpy()

    @staticmethod
    def inputs(spec: TrainSpec, data: Dataset) -> list[torch.Tensor]:
        pair = preprocess(data, spec.preprocessing, spec.crop)
        return [part.gather(torch.arange(len(part)), torch.float64) for part in pair]

    @staticmethod
    def augmented(spec: TrainSpec, data: Dataset, trained: torch.Tensor, epoch: int) -> torch.Tensor:
        """Each image by itself, then whitened as the paper's appendix says it."""
        images = torch.from_numpy(data.train.inputs).double()[trained] / data.pixel_max
        side = spec.crop or images.shape[2]
        augment = find_augmentation(spec.augmentation, data.input_shape)
        key = torch.tensor([stream_seed(spec.seed, "augmentation", epoch)])
        result = []
        for example, image in enumerate(images):
            draw = draws(key, torch.tensor([example]), torch.float64)
            changed = augment(image[None], draw, (side, side))[0]
            result.append((changed - changed.mean()) / max(changed.std(correction=0), changed.numel() ** -0.5))
        return torch.stack(result)

    @staticmethod
    def factor(spec: TrainSpec, step: int, total: int) -> float:
        if step < spec.warmup_steps:
            return (step + 1) / (spec.warmup_steps + 1)
        step, total = step - spec.warmup_steps, total - spec.warmup_steps
        if spec.schedule == "cosine":
            return float(1 + np.cos(np.pi * step / total)) / 2
        return linear(step, total) if spec.schedule == LINEAR else spec.decay ** (step // spec.decay_steps)

    @staticmethod
    def top5(logits: torch.Tensor, labels: torch.Tensor) -> float:
        return (logits.argsort(1)[:, -5:] == labels[:, None]).any(1).double().mean().item()

    @staticmethod
    def labels(split: Split) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.from_numpy(split.labels), torch.from_numpy(split.true_labels)

    def use_keyed_dropout(self, seed: int) -> None:
        if isinstance(self.net, TorchDropoutNet):
            self.net.layers[3] = self.net.layers[6] = Dropout(0.25)
        dropouts = [module for module in self.net.modules() if isinstance(module, Dropout)]
        for position, dropout in enumerate(dropouts):
            dropout.key.fill_(stream_seed(seed, "dropout", position))

    @staticmethod
    def batches(order: np.ndarray, size: int) -> list[torch.Tensor]:
        return [torch.from_numpy(part) for part in np.array_split(order, -(-len(order) // size))]

    @staticmethod
    def loss(spec: TrainSpec, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if spec.loss == "cross-entropy":
            return F.cross_entropy(logits, labels)
        return (logits - torch.eye(10, dtype=torch.float64)[labels]).square().sum() / len(labels)

    @staticmethod
    def flat(tensors: object) -> torch.Tensor:
        return torch.cat([tensor.detach().flatten().clone() for tensor in tensors])  # type: ignore[attr-defined]


def assert_like_plain(outcome: TrainOutcome, data: Dataset) -> None:
    plain = Plain(outcome.spec, data, outcome.steps_run)
    close = partial(np.testing.assert_allclose, rtol=1e-7, atol=1e-9)
    assert outcome.initial_state is not None
    assert outcome.final_state is not None
    assert outcome.final_state.keys() == plain.net.state_dict().keys()
    for name, value in plain.net.state_dict().items():
        close(outcome.initial_state[name], plain.initial[name], err_msg=name)
        close(outcome.final_state[name], value, err_msg=name)
    for column in CURVE_COLUMNS:
        if column.startswith("validation") and not outcome.spec.validation:
            assert np.isnan(outcome.curve[column]).all()
            continue
        recorded = outcome.curve[column]
        expected = np.array([epoch[column] for epoch in plain.epochs])
        if column in CURVE_COLUMNS[CURVE_COLUMNS.index("evaluated_train_loss") :]:
            evaluated = ~np.isnan(recorded)
            assert evaluated[-1]
            recorded, expected = recorded[evaluated], expected[evaluated]
        close(recorded, expected, err_msg=column)
    rows = outcome.early["step"].astype(int) - 1
    for column in ("gradient_norm", "update_norm", "gradient_cosine"):
        close(outcome.early[column], [plain.steps[row][column] for row in rows], err_msg=column)
    last = plain.epochs[-1]
    close(outcome.train_loss, last["evaluated_train_loss"])
    of_train, of_test = ("train_accuracy", "train_accuracy_true_labels"), ("test_loss", "test_accuracy")
    for name in (*of_train, *of_test, "train_top5_accuracy", "test_top5_accuracy"):
        close(getattr(outcome, name), last[name], err_msg=name)
    np.testing.assert_array_equal(outcome.train_predictions, plain.train_predictions)
    np.testing.assert_array_equal(outcome.test_predictions, plain.test_predictions)
    assert outcome.failed_checks == ()


def train_all(specs: Sequence[TrainSpec], data: Dataset, **options: object) -> list[TrainOutcome]:
    """In the order of `specs`."""
    outcomes = list(train(specs, data, device="cpu", keep_weights=True, **options))  # type: ignore[arg-type]
    return sorted(outcomes, key=lambda outcome: list(specs).index(outcome.spec))


@pytest.mark.parametrize(
    "fields",
    [
        {"steps": 40, "decay": 0.5, "decay_steps": 10},
        {"steps": 30, "schedule": "cosine", "warmup_steps": 5},
        {"steps": 30, "schedule": LINEAR, "optimizer": "RAdam", "learning_rate": 0.01},
        {"steps": 20, "warmup_steps": 9, "decay": 0.5, "decay_steps": 4},
        {"dropout": 0.3},
        {"loss": "squared-error", "learning_rate": 0.01},
        {"model": BATCH_NORM},
        {"model": CONV_BATCH_NORM},
        {"model": TORCH_DROPOUT},
        {"model": TIED},
        {"model": "conv-small", "steps": 12, "crop": 5},
        {"model": "alexnet", "steps": 3, "n_train": 20},
        {"preprocessing": "standardize", "momentum": 0.0, "n_train": 50},
        {"optimizer_options": (("nesterov", True),)},
        {"optimizer": "adam"},
        {"optimizer": "AdamW"},
        {"optimizer": "RMSprop", "learning_rate": 0.003, "optimizer_options": (("momentum", 0.5),)},
        {"batch_size": 500, "steps": 10},
        {"batch_size": 1, "steps": 30, "n_train": 20},
        {"n_train": 1, "steps": 3},
        {"augmentation": "random-crop", "crop": 6, "model": BATCH_NORM, "n_train": 40, "steps": 5},
        {"augmentation": "crop-flip-color", "crop": 5, "validation": 0.2, "n_train": 40, "steps": 5},
        {"validation": 0.3, "n_train": 90, "preprocessing": "standardize"},
    ],
    ids=lambda fields: "-".join(f"{value}".rpartition(":")[2] for value in fields.values()),
)
def test_a_stack_equals_plain_loops(tiny: Dataset, fields: dict[str, object]) -> None:
    outcomes = train_all(four(**fields), tiny)  # type: ignore[arg-type]
    assert [outcome.replicas for outcome in outcomes] == [4] * 4
    for outcome in outcomes:
        assert_like_plain(outcome, tiny)


@pytest.mark.parametrize(
    "fields",
    [
        {"dropout": 0.3},
        {"model": CONV_BATCH_NORM},
        {"model": CONV_BATCH_NORM, "augmentation": "crop-flip-color", "validation": 0.1, "n_train": 40, "steps": 5},
        {"optimizer": "Adam"},
        # Not elementwise: its second moments are factored for matrices and not for vectors.
        {"optimizer": "Adafactor", "n_train": 40, "schedule": LINEAR},
    ],
    ids=str,
)
def test_a_run_alone_equals_a_plain_loop(tiny: Dataset, fields: dict[str, object]) -> None:
    (outcome,) = train_all([spec(corruptions=(RANDOM,), seed=5, weight_decay=0.01, **fields)], tiny)
    assert outcome.replicas == 1
    assert_like_plain(outcome, tiny)


def fitting(**fields: object) -> list[TrainSpec]:
    """True labels fit within a few epochs, random ones much later."""
    common = {"model": "mlp-1x64", "stop": "at_interpolation", "steps": None, "learning_rate": 0.05, "epochs": 28}
    common |= {"n_train": 60}
    make = partial(spec, **(common | fields))
    return [
        make(corruptions=(RANDOM,)),
        make(),
        make(seed=1, learning_rate=0.1),
        make(seed=1, corruptions=(HALF,), weight_decay=0.001, learning_rate=0.1),
        make(seed=2, corruptions=(RANDOM,), learning_rate=0.1),
    ]


LEAVING = {
    "sgd": [0.05, 0.05, 0.1, 0.1, 0.1],
    "Adam": [0.01, 0.004, 0.004, 0.02, 0.01],
    # Keeps its own step size for a whole tensor, not for each weight.
    "ASGD": [0.2, 0.4, 0.2, 0.1, 0.3],
}


@pytest.mark.parametrize("optimizer", LEAVING)
def test_who_leaves_leaves_the_others_unaffected(tiny: Dataset, optimizer: str) -> None:
    own = {"schedule": "cosine", "warmup_steps": 3} if optimizer == "sgd" else {}
    specs = [
        each.model_copy(update={"optimizer": optimizer, "learning_rate": rate} | own)
        for each, rate in zip(fitting(), LEAVING[optimizer], strict=True)
    ]
    outcomes = train_all(specs, tiny)
    assert len({outcome.steps_run for outcome in outcomes}) >= 3
    for outcome in outcomes:
        assert_like_plain(outcome, tiny)


@pytest.mark.parametrize("number", [1, 4])
def test_time_to_fit_is_read_off_the_curve(tiny: Dataset, number: int) -> None:
    (outcome,) = train_all(fitting(epochs=100)[number : number + 1], tiny)
    curve = outcome.curve
    for share, epochs, steps in (
        (0.99, outcome.epochs_to_fit, outcome.steps_to_fit),
        (1.0, outcome.epochs_to_interpolate, outcome.steps_to_interpolate),
    ):
        first = np.flatnonzero(curve["train_accuracy"] >= share)[0]
        assert (epochs, steps) == (curve["epoch"][first], curve["step"][first])
    assert outcome.stop_reason == "interpolated"
    assert outcome.train_accuracy == curve["train_accuracy"][-1] == 1.0
    assert (outcome.epochs_run, outcome.steps_run) == (curve["epoch"][-1], curve["step"][-1])
    np.testing.assert_array_equal(curve["epoch"], np.arange(1, outcome.epochs_run + 1))
    all_right_in_training = curve["running_accuracy"] == 1
    assert not np.isnan(curve["train_accuracy"][all_right_in_training]).any()


def test_the_limit_of_epochs_stops_a_run_that_does_not_fit(tiny: Dataset) -> None:
    (outcome,) = train_all([fitting(epochs=3)[0]], tiny)
    assert (outcome.stop_reason, outcome.epochs_run, outcome.steps_run) == ("epochs", 3, 9)
    assert not outcome.fitted
    assert not outcome.interpolated


@pytest.mark.parametrize("steps", [1, 6, 7, 8, 14])
def test_at_steps_stops_at_the_step(tiny: Dataset, steps: int) -> None:
    """121 examples in batches of 20 make 7 steps an epoch, of 18 or 17."""
    for outcome in train_all(four(steps=steps)[:2], tiny):
        assert (outcome.steps_run, outcome.stop_reason) == (steps, "steps")
        assert outcome.epochs_run == len(outcome.curve["epoch"]) == -(-steps // 7)
        np.testing.assert_array_equal(outcome.early["step"], np.arange(1, steps + 1))


def test_at_steps_notes_the_fit_and_goes_on(tiny: Dataset) -> None:
    (outcome,) = train_all([spec(model="mlp-1x64", steps=150)], tiny)
    assert outcome.steps_run == 150
    assert outcome.steps_to_fit is not None
    assert outcome.steps_to_fit < 150


def test_early_rows_thin_out_and_end(tiny: Dataset) -> None:
    (outcome,) = train_all([spec(model="mlp-1x4", steps=150, dense_steps=145)], tiny)
    early = outcome.early
    np.testing.assert_array_equal(early["step"], [*range(1, 101), 110, 120, 130, 140])
    assert early.keys() == set(EARLY_COLUMNS)
    assert np.isnan(early["gradient_cosine"][0])
    assert all(np.isfinite(column[1:]).all() for column in early.values())
    plain = Plain(outcome.spec, tiny, 140)
    # Step 140 ends the epoch of steps 134 to 140; the row before it, 130, lies in the epoch before.
    mean = np.average([step["loss"] for step in plain.steps[133:]], weights=[18] * 2 + [17] * 5)
    np.testing.assert_allclose(early["train_loss"][early["step"] == 140], mean)
    correct = sum(step["correct"] for step in plain.steps[133:]) / 121
    np.testing.assert_allclose(early["train_accuracy"][early["step"] == 140], correct)


def test_without_dense_steps_there_is_no_early_record(tiny: Dataset) -> None:
    (outcome,) = train_all([spec(steps=7, dense_steps=0)], tiny)
    assert all(len(column) == 0 for column in outcome.early.values())
    assert np.isfinite(outcome.curve["gradient_norm"]).all()


def test_closed_forms_of_the_record(tiny: Dataset) -> None:
    """A plain gradient step moves the weights by the learning rate times the gradient; distances are of the states."""
    (outcome,) = train_all([spec(momentum=0.0, decay_steps=7, decay=0.5)], tiny)
    rate = 0.05 * 0.5 ** ((outcome.early["step"] - 1) // 7)
    np.testing.assert_allclose(outcome.early["update_norm"], rate * outcome.early["gradient_norm"], rtol=1e-9)
    initial, final = outcome.initial_state, outcome.final_state
    assert initial is not None
    assert final is not None
    moved = sum((final[name] - initial[name]).square().sum().item() for name in initial) ** 0.5
    np.testing.assert_allclose(outcome.curve["distance_from_initialization"][-1], moved)


@pytest.mark.parametrize("specs", [fitting(precision="float32"), [spec(precision="float32", dropout=0.2)]], ids=len)
def test_a_run_twice_is_bit_equal(tiny: Dataset, specs: list[TrainSpec]) -> None:
    first = train_all(specs, tiny)
    torch.rand(5)
    for one, other in zip(first, train_all(specs, tiny), strict=True):
        assert_same(one, other)


def assert_same(one: TrainOutcome, other: TrainOutcome) -> None:
    for name in ("curve", "early", "initial_state", "final_state"):
        left, right = getattr(one, name), getattr(other, name)
        assert left.keys() == right.keys()
        for key in left:
            np.testing.assert_array_equal(left[key], right[key], err_msg=key)
    for name in ("key", "steps_run", "train_loss", "test_loss", "initial_weights", "checks", "stop_reason"):
        assert getattr(one, name) == getattr(other, name)


def test_equal_seeds_share_weights_and_batches(tiny: Dataset) -> None:
    """A corruption of rate 0 changes nothing but the key."""
    none = Corruption(name="partial-labels", rate=0.0)
    same, corrupted, zero, other = train_all(
        [spec(), spec(corruptions=(RANDOM,)), spec(corruptions=(none,)), spec(seed=1)], tiny
    )
    assert same.initial_weights == corrupted.initial_weights == zero.initial_weights != other.initial_weights
    assert same.final_state is not None
    assert zero.final_state is not None
    assert all(torch.equal(same.final_state[name], zero.final_state[name]) for name in same.final_state)
    assert same.key != zero.key
    assert same.early["gradient_norm"][0] != corrupted.early["gradient_norm"][0]


def test_replacing_an_example_is_the_same_in_a_stack_and_alone(tiny: Dataset) -> None:
    specs = [spec(validation=0.25, replaced=place, steps=30) for place in (None, 0, 5)]
    stacked = train_all(specs, tiny)
    alone = [outcome for each in specs for outcome in train_all([each], tiny)]
    for one, other in zip(stacked, alone, strict=True):
        for name, value in one.final_state.items():
            np.testing.assert_allclose(value, other.final_state[name], atol=1e-10)
    whole, *replaced = (np.asarray(outcome.final_state["1.weight"]) for outcome in alone)
    assert not any(np.array_equal(whole, each) for each in replaced)


def test_a_run_on_half_is_that_on_its_rows_alone_and_is_asked_about_all(tiny: Dataset) -> None:
    """In a stack, of noisy labels and an odd number of examples."""
    noisy = corrupt(tiny, "partial-labels", rate=0.3)
    halves = train_all([spec(half=number, seed=number, steps=20) for number in range(3)], noisy)
    for number, outcome in enumerate(halves):
        trained, others = half_rows(noisy.train.labels, number, 0)
        (alone,) = train_all([spec(seed=number, steps=20)], replace(noisy, train=noisy.train.take(trained)))
        assert outcome.final_state is not None
        assert alone.final_state is not None
        for name, value in outcome.final_state.items():
            np.testing.assert_allclose(value, alone.final_state[name], atol=1e-10)
        assert outcome.n_train == 60
        assert outcome.train_accuracy == alone.train_accuracy
        network = trained_network(outcome, noisy)
        whole = make_conditions([spec()], noisy, device="cpu", channels_last=False)
        for split, rows, predictions, margins in (
            (whole.train, trained, outcome.train_predictions, outcome.train_margins),
            (whole.train, others, outcome.left_out_predictions, outcome.left_out_margins),
            (whole.test, np.arange(60), outcome.test_predictions, outcome.test_margins),
        ):
            with torch.no_grad():
                logits = network(split.gather(torch.from_numpy(rows)[None], torch.float64)[0])
            labels = split.labels[0, torch.from_numpy(rows)]
            np.testing.assert_array_equal(predictions, logits.argmax(1))
            probability = logits.softmax(1).gather(1, labels[:, None])[:, 0]
            np.testing.assert_allclose(margins, (probability / (1 - probability)).log(), rtol=1e-3, atol=1e-3)
            assert (predictions.dtype, margins.dtype) == (np.uint8, np.float16)
        assert "other half held out" in [check.name for check in outcome.checks]
        assert outcome.failed_checks == ()


def test_a_run_on_all_leaves_no_margins(tiny: Dataset) -> None:
    (outcome,) = train_all([spec(steps=1)], tiny)
    assert not len(outcome.left_out_predictions)
    assert not len(outcome.train_margins) + len(outcome.left_out_margins) + len(outcome.test_margins)


def test_a_non_finite_loss_stops_one_and_the_others_go_on(tiny: Dataset) -> None:
    calm, wild = train_all([spec(), spec(learning_rate=1e300)], tiny)
    assert wild.stop_reason == "non-finite loss"
    assert wild.epochs_run == 1
    first = int(np.flatnonzero(~np.isfinite(wild.early["train_loss"]))[0])
    assert wild.diverged_at_step == wild.early["step"][first] > 1
    assert calm.diverged_at_step is None
    assert not wild.fitted
    assert_like_plain(calm, tiny)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (BranchingNet, "data-dependent control flow"),
        (FunctionalDropoutNet, "randomness"),
        (ReassignedBufferNet, "its buffer 'mean' is replaced by another tensor instead of updated in place"),
    ],
)
def test_what_cannot_be_stacked_is_trained_alone(tiny: Dataset, make: type[nn.Module], why: str) -> None:
    specs = [spec(model=name_of(make), seed=seed, steps=8) for seed in range(2)]
    lines: list[str] = []
    state = torch.random.get_rng_state()
    outcomes = train_all(specs, tiny, on_log=lines.append)
    assert torch.equal(torch.random.get_rng_state(), state)
    (line,) = lines
    assert "trained one by one, since a stack of it fails" in line
    assert why in line
    torch.rand(5)
    for outcome, again in zip(outcomes, train_all(specs, tiny), strict=True):
        assert outcome.replicas == 1
        assert_same(outcome, again)
        if make is not FunctionalDropoutNet:
            assert_like_plain(outcome, tiny)


def test_a_stack_is_tried_in_the_precision_that_it_is_trained_in(tiny: Dataset) -> None:
    model = name_of(NarrowBranchingNet)
    for precision, replicas in (("float32", 2), ("bfloat16", 1)):
        specs = [spec(model=model, seed=seed, steps=2, precision=precision) for seed in range(2)]
        assert [outcome.replicas for outcome in train_all(specs, tiny)] == [replicas] * 2


def test_optimizers_that_mix_weights_are_not_stacked(tiny: Dataset) -> None:
    lines: list[str] = []
    specs = [spec(optimizer="Adafactor", seed=seed, steps=5, decay=1.0) for seed in range(2)]
    for outcome in train_all(specs, tiny, on_log=lines.append):
        assert_like_plain(outcome, tiny)
    (line,) = lines
    assert line.endswith("trained one by one, since Adafactor is not known to treat each weight by itself")


def test_replaced_dropout_is_logged_once(tiny: Dataset) -> None:
    lines: list[str] = []
    train_all([spec(model=TORCH_DROPOUT, seed=seed, steps=1) for seed in range(3)], tiny, on_log=lines.append)
    assert lines == [f"{TORCH_DROPOUT}: 1 nn.Dropout replaced by dropout with a key of its own for each run"]


def test_the_ceiling_is_what_identical_inputs_leave(tiny: Dataset) -> None:
    """Ten images twice with two labels, and ten others: 20 of 30 labels can be right."""
    split = tiny.train.take(np.r_[np.arange(10), np.arange(20)])
    labels = split.labels.copy()
    labels[:10] = (labels[:10] + 1) % 10
    data = replace(tiny, train=Split.clean(split.inputs, labels))
    (outcome,) = train_all(fitting(epochs=300, n_train=None, batch_size=30)[1:2], data)
    assert outcome.ceiling == pytest.approx(20 / 30)
    assert outcome.train_accuracy == outcome.ceiling
    assert outcome.stop_reason == "interpolated"


@pytest.mark.parametrize("n_train", [1, 2, 21, None])
def test_a_single_example_and_two_classes(tiny: Dataset, n_train: int | None) -> None:
    train_split, test_split = (split.take(np.flatnonzero(split.labels < 2)) for split in (tiny.train, tiny.test))
    two = replace(tiny, train=train_split, test=test_split, class_names=("0", "1"))
    for outcome in train_all(fitting(n_train=n_train)[1:3], two):
        assert outcome.train_accuracy == 1.0
        assert outcome.train_predictions.shape == (n_train or len(two.train),)


def test_vectors_train_as_images_do(tiny: Dataset) -> None:
    as_vectors = {
        name: Split.clean(split.inputs.reshape(len(split), -1).astype(np.float32), split.labels)
        for name, split in (("train", tiny.train), ("test", tiny.test))
    }
    alike = [spec(preprocessing="none")]
    (of_vectors,), (of_images,) = (
        train_all(alike, data) for data in (replace(tiny, **as_vectors, pixel_max=tiny.pixel_max), tiny)
    )
    np.testing.assert_allclose(of_vectors.curve["train_loss"], of_images.curve["train_loss"], rtol=1e-9)


def embedding(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Embedding(50, 4), nn.Flatten(), nn.Linear(4 * input_shape[0], num_classes))


@pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16"])
def test_token_ids_reach_the_network_in_a_stack_and_alone(precision: str) -> None:
    """Whole numbers, in whatever precision; and the numbers of a stack are those of each network by itself."""
    ids = np.random.default_rng(0).integers(0, 50, (60, 5))
    splits = [Split.clean(part, part[:, 0] % 2) for part in (ids[:40], ids[40:])]
    data = Dataset("ids", splits[0], splits[1], ("a", "b"), pixel_max=1.0)
    common = {"model": name_of(embedding), "epochs": 3, "learning_rate": 0.1, "batch_size": 8}
    common["precision"] = precision
    settings = [(), (Corruption(name="random-labels"),), (Corruption(name="shuffled-pixels"),)]
    specs = [TrainSpec(corruptions=corruptions, **common) for corruptions in settings]
    together = train_all(specs, data)
    assert {outcome.replicas for outcome in together} == {3}
    for spec, stacked in zip(specs, together, strict=True):
        (alone,) = train_all([spec], data)
        assert not alone.failed_checks
        assert stacked.train_loss == pytest.approx(alone.train_loss, rel=0.02 if precision == "bfloat16" else 1e-4)
    with pytest.raises(UserError, match="got model 'mlp-1x4' for ids, whose inputs are token ids"):
        train_all([TrainSpec(model="mlp-1x4")], data)
    quantities = replace(data, train=Split.clean(ids[:40].astype(np.float32), splits[0].labels))
    with pytest.raises(UserError, match="if the inputs are token ids, load them with kind='tokens'"):
        train_all(specs[:1], quantities)


def images_on_disk(folder: Path, n: int) -> Dataset:
    """Noise of 64x64 pixels in colour, as the cache of large image sets keeps it: channels innermost, read-only."""
    generator = np.random.default_rng(0)
    pixels = np.lib.format.open_memmap(folder / "pixels.npy", mode="w+", dtype=np.uint8, shape=(n, 64, 64, 3))
    for start in range(0, n, 500):
        pixels[start : start + 500] = generator.integers(0, 256, pixels[start : start + 500].shape, dtype=np.uint8)
    del pixels
    inputs, labels = np.load(folder / "pixels.npy", mmap_mode="r").transpose(0, 3, 1, 2), generator.integers(0, 10, n)
    test = Split.clean(inputs[:50], labels[:50])
    return Dataset("noise", Split.clean(inputs, labels), test, tuple("0123456789"))


@pytest.mark.parametrize(("model", "num"), [("mlp-1x3", 2), (CONV_64, 1)])
def test_images_on_disk_train_as_those_in_memory(tmp_path: Path, model: str, num: int) -> None:
    on_disk = images_on_disk(tmp_path, 200)
    train_split = replace(on_disk.train, inputs=np.array(on_disk.train.inputs, order="C"))
    in_memory = replace(on_disk, train=train_split)
    fields = {"model": model, "precision": "float32", "augmentation": "crop-flip-color", "crop": 56, "steps": 12}
    specs = [spec(**fields, validation=0.1, seed=seed) for seed in range(num)]
    for outcome, expected in zip(*(train_all(specs, data) for data in (on_disk, in_memory)), strict=True):
        assert_same(outcome, expected)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_images_on_disk(
    tmp_path: Path, anonymous_bytes: Callable[[], int]
) -> None:
    data = images_on_disk(tmp_path, 20_000)
    most: list[int] = []
    for n in (2000, 20_000):
        part = replace(data, train=Split.clean(data.train.inputs[:n], data.train.labels[:n]))
        run = spec(
            model=CONV_64, batch_size=128, precision="float32", augmentation="random-crop", crop=56, steps=n // 64
        )
        seen: list[int] = []
        before = anonymous_bytes()
        train_all([run], part, on_progress=lambda _, seen=seen: seen.append(anonymous_bytes()))
        most.append(max(seen) - before)
    # 18,000 images more are 221 MB more on disk.
    assert most[1] - most[0] < 20e6


def test_bfloat16_is_near_float32(tiny: Dataset) -> None:
    full, half = (train_all([spec(precision=name)], tiny)[0] for name in ("float32", "bfloat16"))
    assert half.final_state is not None
    assert {tensor.dtype for tensor in half.final_state.values()} == {torch.float32}
    assert half.train_loss == pytest.approx(full.train_loss, rel=0.1)
    assert half.train_loss != full.train_loss


def test_progress_is_reported_at_every_epoch(tiny: Dataset) -> None:
    seen: list[Progress] = []
    outcomes = train_all(fitting(), tiny, on_progress=seen.append)
    ends = [progress for progress in seen if progress.fraction == 0.0]
    assert [progress.epoch for progress in ends] == list(range(1, max(o.epochs_run for o in outcomes) + 1))
    for progress in ends:
        row = progress.epoch - 1
        for position, each in enumerate(progress.specs):
            (curve,) = [outcome.curve for outcome in outcomes if outcome.spec == each]
            assert progress.step == curve["step"][row]
            assert progress.train_loss[position] == curve["train_loss"][row]
            assert progress.running_accuracy[position] == curve["running_accuracy"][row]


def test_weights_are_kept_on_request_only(tiny: Dataset) -> None:
    (outcome,) = train([spec(steps=1)], tiny, device="cpu")
    assert outcome.initial_state is None
    assert outcome.final_state is None
    assert outcome.environment["device"] == "cpu"


def wrong_output(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes + 1))


def wrong_input(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(65, num_classes))


def failing_augmentation(images: torch.Tensor, draw: object, size: tuple[int, int]) -> torch.Tensor:
    raise KeyError(7)


def wrong_size(images: torch.Tensor, draw: object, size: tuple[int, int]) -> torch.Tensor:
    return images


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([spec(model=name_of(wrong_output))], r"gave outputs of shape \(2, 11\) for 2 inputs, expected \(2, 10\)"),
        ([spec(model=name_of(wrong_input))], r"failed in evaluation mode on 2 inputs of shape \(1, 8, 8\), expected"),
        ([spec(), spec(batch_size=7, steps=3)], "runs that differ in batch_size, steps; runs trained side by side"),
        ([spec(crop=9)], "centre crop of 9"),
        ([spec(n_train=500)], "n_train=500"),
        ([spec(augmentation="random-corp")], "got augmentation 'random-corp', expected one of none"),
        ([spec(augmentation=name_of(failing_augmentation))], r"failed on images of shape \(2, 1, 8, 8\).*KeyError: 7"),
        (
            [spec(augmentation=name_of(wrong_size), crop=5)],
            r"gave images of shape \(2, 1, 8, 8\) from \(2, 1, 8, 8\), expected \(2, 1, 5, 5\)",
        ),
        ([spec(validation=0.001)], "got validation=0.001 for 121 training examples, which holds out 0 of them"),
    ],
)
def test_what_does_not_go_together_is_said(tiny: Dataset, specs: list[TrainSpec], message: str) -> None:
    with pytest.raises(UserError, match=message):
        train_all(specs, tiny)


def test_no_specs_no_outcomes(tiny: Dataset) -> None:
    assert train_all([], tiny) == []


def test_every_epoch_draws_anew_and_evaluation_does_not(tiny: Dataset) -> None:
    """With weights that hardly move, running figures change from epoch to epoch, evaluated ones do not."""
    still = spec(learning_rate=1e-12, augmentation="random-crop", steps=18, evaluation_spacing=1, evaluation_share=100)
    (outcome,) = train_all([still], tiny)
    assert len(set(outcome.curve["train_loss"].round(6))) == 3
    for column in ("evaluated_train_loss", "test_loss"):
        assert len(set(outcome.curve[column].round(6))) == 1
