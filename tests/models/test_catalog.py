from __future__ import annotations

import copy
import inspect
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from byrote.errors import UserError
from byrote.models.catalog import FIXED, MODELS, build_model, takes_dropout, without_batch_norm
from byrote.references import name_of
from byrote.training.trial import why_not_stackable

from .conftest import steps_to_fit

NAMES = [
    "mlp-1x512",
    "mlp-3x512",
    "mlp-2x7",
    "alexnet",
    "alexnet-w0.25",
    "inception",
    "inception-no-batchnorm",
    "inception-w0.1",
    "inception-w0.15-no-batchnorm",
    *FIXED,
    "resnet",
    "resnet-no-batchnorm",
    "resnet-1x8",
    "resnet-2x5-no-batchnorm",
    "vit",
    "vit-2x32",
    "switchboard-2x8",
    "switchboard-3x8+norm+local",
    "switchboard-3x8+local+shared+skip",
    "switchboard-2x16+attention+shared+pool",
    "switchboard-2x8+norm+attention+local+skip",
]
SMALL = [name for name in NAMES if name not in ("mlp-1x512", "mlp-3x512", "inception", "inception-no-batchnorm")]


def mine(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(input_shape).numel(), num_classes))


def without_arguments() -> nn.Module:
    return nn.Linear(1, 1)


def drawn_by_others(num_classes: int) -> nn.Module:
    """Its weights come from NumPy and from Python."""
    layer = nn.Linear(64, num_classes)
    layer.weight.data = torch.tensor(np.random.randn(num_classes, 64)).float() * random.random()  # noqa: NPY002
    return nn.Sequential(nn.Flatten(), layer)


def lazy(n_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(n_classes), nn.LazyBatchNorm1d())


def failing(num_classes: int) -> nn.Module:
    raise ValueError("only 224x224")


def leaving(num_classes: int) -> nn.Module:
    sys.exit(1)


def pair(num_classes: int) -> nn.Module:
    class Pair(nn.Linear):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[override]
            return x, super().forward(x.flatten(1))

    return Pair(64, num_classes)


def no_network(*, input_shape: tuple[int, ...], num_classes: int) -> str:
    return "network"


OWN = [
    *(name_of(mine), f"{Path(__file__)}:mine", name_of(drawn_by_others), name_of(lazy), name_of(pair)),
    name_of(nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.BatchNorm1d(3))),
]


@pytest.mark.parametrize("name", [*NAMES, *OWN])
def test_a_seed_decides_the_weights_and_nothing_else_does(name: str) -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    first, other = (build_model(name, input_shape=(1, 8, 8), num_classes=3, seed=seed) for seed in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    again = build_model(name, input_shape=(1, 8, 8), num_classes=3)
    assert first(torch.rand(2, 1, 8, 8)).shape == (2, 3)
    assert copy.deepcopy(first)(torch.rand(2, 1, 8, 8)).shape == (2, 3)
    weights, same, different = (next(w for w in net.parameters() if w.ndim > 1) for net in (first, again, other))
    assert torch.equal(weights, same)
    assert not torch.equal(weights, different)


def test_a_factory_without_arguments() -> None:
    assert build_model(name_of(without_arguments), input_shape=(1,), num_classes=1)(torch.rand(2, 1)).shape == (2, 1)


def test_who_takes_dropout() -> None:
    assert [takes_dropout(name) for name in ("vit", name_of(mine))] == [True, False]


def test_all_built_in_names_are_listed() -> None:
    whole = {name for name in MODELS if not re.search(r"[:FDW]", name)}
    assert whole == {name for name in NAMES if not re.search(r"\d", name)}
    patterns = {name.partition("-")[0] for name in MODELS if re.search(r"[FDW]", name) and ":" not in name}
    assert patterns == {name.partition("-")[0] for name in NAMES if re.search(r"\d", name)}


@pytest.mark.parametrize("name", [*NAMES, "inception-w0.5", "resnet-1x16", "mine.py:resnet"])
def test_what_has_batch_norm_and_a_twin_without_it(name: str) -> None:
    twin = without_batch_norm(name)
    assert (twin is not None) == (re.match("inception|resnet", name) is not None and "-no-batchnorm" not in name)
    if twin is not None:
        found = [build_model(each, input_shape=(1, 8, 8), num_classes=4) for each in (name, twin)]
        has_batch_norm = [any(isinstance(part, nn.BatchNorm2d) for part in model.modules()) for model in found]
        assert has_batch_norm == [True, False]


@pytest.mark.parametrize(
    ("short", "name"),
    [
        ("resnet", "resnet-3x16"),
        ("resnet-no-batchnorm", "resnet-3x16-no-batchnorm"),
        ("vit", "vit-6x128"),
        ("alexnet", "alexnet-w1"),
        ("inception-no-batchnorm", "inception-w1.0-no-batchnorm"),
        ("switchboard-2x8+skip+local", "switchboard-2x8+local+skip"),
    ],
)
def test_names_of_the_same_network(short: str, name: str) -> None:
    first, second = (build_model(each, input_shape=(3, 8, 8), num_classes=4) for each in (short, name))
    assert str(first) == str(second)
    for weights, same in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(weights, same)


SHAPES = [((1, 8, 8), 2), ((3, 28, 28), 10), ((2, 5, 9), 3), ((1, 1, 7), 4)]


@pytest.mark.parametrize(
    ("name", "shape", "k"),
    # Two shapes for each model; its neighbour, mostly one of its kind, has the other two.
    [(name, *SHAPES[(number + half) % 4]) for number, name in enumerate(SMALL) for half in (0, 2)],
)
def test_any_image(name: str, shape: tuple[int, int, int], k: int) -> None:
    network = build_model(name, input_shape=shape, num_classes=k, dropout=0.1)
    x = torch.randn(2, *shape)
    logits = network(x)
    assert logits.shape == (2, k)
    network.eval()
    expected = network(x)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    other = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(network(other), expected, rtol=1e-3, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        assert (network(other) - expected).abs().max() < 0.1 * expected.abs().max() + 0.01


@pytest.mark.parametrize("name", SMALL)
def test_a_stack_trains_as_each_would_alone(name: str) -> None:
    """Outputs, gradients and running statistics, in float64, with dropout."""
    shape = (2, 6, 10)
    networks = [build_model(name, input_shape=shape, num_classes=3, seed=seed, dropout=0.2) for seed in range(2)]
    refusal = why_not_stackable(networks, torch.randn(4, *shape), "bfloat16")
    if any(isinstance(module, torch.nn.BatchNorm2d) for module in networks[0].modules()):
        # On a CPU torch 2.13 has no gradient of stacked batch norm in bfloat16: such runs are trained one by one.
        assert refusal is None or "BFloat16" in refusal
    else:
        assert refusal is None
    networks = [network.double() for network in networks]
    state = stack_module_state([copy.deepcopy(network) for network in networks])
    x = torch.randn(2, 4, *shape, dtype=torch.float64)
    stacked = vmap(lambda p, b, part: functional_call(networks[0], (p, b), (part,)))(*state, x)
    alone = torch.stack([network(part) for network, part in zip(networks, x, strict=True)])
    torch.testing.assert_close(stacked, alone)
    cotangent = torch.randn_like(stacked)
    gradients = torch.autograd.grad(stacked, list(state[0].values()), cotangent)
    for index, network in enumerate(networks):
        expected = torch.autograd.grad(alone[index], list(network.parameters()), cotangent[index], retain_graph=True)
        torch.testing.assert_close([part[index] for part in gradients], list(expected))
        for key, buffer in network.named_buffers():
            torch.testing.assert_close(state[1][key][index], buffer)


@pytest.mark.parametrize(
    "name",
    [
        "mlp-2x64",
        "conv-small",
        "resnet",
        "resnet-no-batchnorm",
        "vit-2x64",
        pytest.param("vit", marks=pytest.mark.slow),
        "switchboard-4x32",
        "switchboard-4x32+local+shared",
    ],
)
def test_random_labels_are_fitted(name: str) -> None:
    """Those of 64 digits, in at most 150 steps of Adam at its usual rate."""
    network = build_model(name, input_shape=(1, 8, 8), num_classes=10)
    assert steps_to_fit(network, learning_rate=0.001, most=150) <= 150


@pytest.mark.parametrize("name", [name for name in NAMES if name != "mlp-2x7"])
def test_dropout_reaches_the_model(name: str) -> None:
    network = build_model(name, input_shape=(1, 8, 8), num_classes=3, dropout=0.25)
    assert {module.rate for module in network.modules() if hasattr(module, "rate")} == {0.25}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("inception-w0", {}, "got model 'inception-w0'"),
        ("resnet-3x", {}, "NAME; did you mean 'resnet-3x16'?"),
        ("vit-6x100", {}, "got vit-6x100, expected a width that is a multiple of 32"),
        ("vit", {"input_shape": (9,)}, "takes images of shape (C, H, W)"),
        ("switchboard-4x64+locl", {}, "got switch 'locl' (did you mean 'local'?)"),
        ("switchboard-4x64+", {}, "got switch ''"),
        (
            "switchboard+local",
            {},
            "NAME; did you mean 'switchboard-4x32+local+shared'?",
        ),
        ("alexnett", {}, "NAME; did you mean 'alexnet'?"),
        ("mlp-0x5", {}, "got model 'mlp-0x5'"),
        ("mlp-3x", {}, "got model 'mlp-3x'"),
        ("inception", {"input_shape": (9,)}, "takes images of shape (C, H, W), got inputs of shape (9,); use an mlp-"),
        (name_of(mine), {"dropout": 0.5}, "got dropout=0.5 for model"),
        (name_of(nn.Linear(64, 3)), {"dropout": 0.5}, "a network as it is: leave it out"),
        (name_of(failing), {}, "failed: ValueError: only 224x224 (test_catalog.py, line"),
        (name_of(leaving), {}, "called sys.exit(1) (test_catalog.py, line"),
        (name_of(no_network), {}, "gave an object of type str, expected a torch.nn.Module"),
        ("nowhere.py:net", {}, "got nowhere.py, which is not a file"),
    ],
)
def test_what_is_wrong_is_said(name: str, options: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"input_shape": (1, 8, 8), "num_classes": 3}
    with pytest.raises(UserError) as error:
        build_model(name, **(arguments | options))  # type: ignore[arg-type]
    assert message in str(error.value)


def test_the_signature_is_keyword_only() -> None:
    kinds = {parameter.kind for parameter in list(inspect.signature(build_model).parameters.values())[1:]}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}
