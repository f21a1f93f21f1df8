from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch
from torch import nn

from byrote.errors import UserError
from byrote.models.catalog import MODELS, build_model
from byrote.references import name_of

NAMES = ["mlp-1x512", "mlp-3x512", "mlp-2x7", "alexnet", "inception", "inception-no-batchnorm", "conv-small"]


def mine(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(input_shape).numel(), num_classes))


def without_arguments() -> nn.Module:
    return nn.Linear(1, 1)


def no_network(*, input_shape: tuple[int, ...], num_classes: int) -> str:
    return "network"


@pytest.mark.parametrize("name", [*NAMES, name_of(mine), f"{Path(__file__)}:mine"])
def test_a_seed_decides_the_weights_and_nothing_else_does(name: str) -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    first, other = (build_model(name, input_shape=(1, 8, 8), num_classes=3, seed=seed) for seed in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    again = build_model(name, input_shape=(1, 8, 8), num_classes=3)
    assert first(torch.rand(2, 1, 8, 8)).shape == (2, 3)
    weights, same, different = (next(net.parameters()) for net in (first, again, other))
    assert torch.equal(weights, same)
    assert not torch.equal(weights, different)


def test_all_built_in_names_are_listed() -> None:
    listed = {name for name in MODELS if ":" not in name and name != "mlp-DxW"}
    assert listed == {name for name in NAMES if not name.startswith("mlp")}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "mlp-2x7"])
def test_dropout_reaches_the_model(name: str) -> None:
    network = build_model(name, input_shape=(1, 8, 8), num_classes=3, dropout=0.25)
    assert {module.rate for module in network.modules() if hasattr(module, "rate")} == {0.25}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("alexnett", {}, "got model 'alexnett' (did you mean 'alexnet'?), expected one of mlp-DxW"),
        ("mlp-0x5", {}, "got model 'mlp-0x5'"),
        ("mlp-3x", {}, "got model 'mlp-3x'"),
        ("inception", {"input_shape": (9,)}, "takes images of shape (C, H, W), got inputs of shape (9,); use an mlp-"),
        (name_of(without_arguments), {}, "could not be called with input_shape=(1, 8, 8), num_classes=3"),
        (name_of(mine), {"dropout": 0.5}, "and dropout where a rate is given"),
        (name_of(no_network), {}, "gave a str, expected a torch.nn.Module"),
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
