from __future__ import annotations

import pytest
import torch
from torch import nn

from byrote.errors import UserError
from byrote.models.catalog import build_model
from byrote.models.matching import matched_width, num_parameters
from byrote.references import name_of

SHAPE, K = (1, 8, 8), 3


def partly_frozen(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    torch.ones(1).item()  # which the meta device refuses
    frozen = nn.Linear(64, 5).requires_grad_(False)
    return nn.Sequential(nn.Flatten(), frozen, nn.Linear(5, num_classes))


@pytest.mark.parametrize(
    "name",
    [
        "mlp-2x7",
        "alexnet",
        "inception",
        "conv-small",
        "resnet",
        "vit",
        "switchboard-2x8+attention",
        "switchboard-2x5+local",
    ],
)
def test_the_number_is_that_of_the_network(name: str) -> None:
    network = build_model(name, input_shape=SHAPE, num_classes=K)
    assert num_parameters(name, input_shape=SHAPE, num_classes=K) == sum(p.numel() for p in network.parameters())


def test_no_weight_is_allocated() -> None:
    d = 10**6
    assert num_parameters(f"mlp-2x{d}", input_shape=(1,), num_classes=2) == 2 * d + d * (d + 1) + 2 * (d + 1)


def test_what_is_frozen_is_no_parameter() -> None:
    assert num_parameters(name_of(partly_frozen), input_shape=SHAPE, num_classes=K) == 18


@pytest.mark.parametrize("parameters", [1, 66, 67, 68, 69, 100, 101, 102, 1000, 12_345])
def test_no_other_width_is_nearer(parameters: int) -> None:
    def distance(width: int) -> int:
        return abs(64 * width + width + 3 * width + 3 - parameters)

    best = min(range(1, 300), key=distance)  # the first of equals
    assert matched_width("mlp-1x{width}", parameters, input_shape=SHAPE, num_classes=K) == f"mlp-1x{best}"


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("mlp-3x{width}", "mlp-3x207"),
        ("inception-w{width}", "inception-w0.5"),
        ("inception-w{width}-no-batchnorm", "inception-w2-no-batchnorm"),
        ("alexnet-w{width}", "alexnet-w1.37"),
        ("resnet-{width}x16", "resnet-5x16"),
        ("resnet-2x{width}", "resnet-2x45"),
        ("vit-6x{width}", "vit-6x96"),
        ("switchboard-4x{width}+shared+local", "switchboard-4x64+shared+local"),
        ("switchboard-2x{width}+attention+shared", "switchboard-2x136+attention+shared"),
    ],
)
def test_a_network_is_nearest_to_its_own_size(family: str, name: str) -> None:
    parameters = num_parameters(name, input_shape=(3, 28, 28), num_classes=10)
    assert matched_width(family, parameters, input_shape=(3, 28, 28), num_classes=10) == name


def test_steps_are_whole_heads() -> None:
    options = {"input_shape": (3, 28, 28), "num_classes": 10}
    sizes = {width: num_parameters(f"vit-2x{width}", **options) for width in (64, 96)}  # type: ignore[arg-type]
    middle = (sizes[64] + sizes[96]) // 2
    assert matched_width("vit-2x{width}", middle - 1, **options) == "vit-2x64"  # type: ignore[arg-type]
    assert matched_width("vit-2x{width}", middle + 1, **options) == "vit-2x96"  # type: ignore[arg-type]
    assert matched_width("vit-2x{width}", 1, **options) == "vit-2x32"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("family", "parameters", "message"),
    [
        ("mlp-3x512", 100, "got family 'mlp-3x512', expected a model's name with one {width} in it"),
        ("mlp-{width}x{width}", 100, "with one {width} in it"),
        ("mlp-3x{width}", 0, "got 0 parameters to match, expected at least 1"),
        ("mlpp-3x{width}", 100, "NAME; did you mean 'mlp-3x512'?"),
        ("resnet-3x{width}", 100, ""),
    ],
)
def test_what_is_wrong_is_said(family: str, parameters: int, message: str) -> None:
    shape = (9,) if family.startswith("resnet") else SHAPE
    with pytest.raises(UserError) as error:
        matched_width(family, parameters, input_shape=shape, num_classes=K)
    assert (message or "takes images of shape (C, H, W)") in str(error.value)
