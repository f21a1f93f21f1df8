"""How a network takes several inputs follows from its forward alone, and is refused where it could be either."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from byrote.errors import UserError
from byrote.input_parts import PackedShape, Part
from byrote.models.catalog import build_model
from byrote.models.unpacking import passing_of, unpacked

PARTS = (
    Part("image", "images", (2, 3), 0, "float32", None, 255.0, True),
    Part("ids", "tokens", (4,), 6, "int64"),
    Part("mask", "tokens", (4,), 10, "bool"),
    Part("age", "vectors", (), 14, "float32"),
)
SHAPE = PackedShape(PARTS)
ROWS = torch.arange(30, dtype=torch.float32).reshape(2, 15)


class Net(nn.Module):
    def __init__(self, input_shape: dict[str, tuple[int, ...]], num_classes: int) -> None:
        super().__init__()
        assert input_shape == {"image": (2, 3), "ids": (4,), "mask": (4,), "age": ()}
        self.image, self.ids = nn.LazyLinear(num_classes), nn.Embedding(40, num_classes)

    def scores(self, image: Tensor, ids: Tensor, mask: Tensor, age: Tensor) -> Tensor:
        assert (ids.dtype, mask.dtype, age.ndim, image.shape[1:]) == (torch.int64, torch.bool, 1, (2, 3))
        return self.image(image.flatten(1)) + (self.ids(ids) * mask[..., None]).sum(1) + age[:, None]


class OfDict(Net):
    def forward(self, inputs: dict[str, Tensor]) -> Any:
        return {"logits": self.scores(**inputs), "inputs": inputs.pop("age")}


class ByName(Net):
    def forward(self, image: Tensor, mask: Tensor, ids: Tensor, age: Tensor, scale: float = 1.0) -> Tensor:
        return self.scores(image, ids, mask, age)


@pytest.mark.parametrize("kind", [OfDict, ByName])
def test_networks_get_each_input_in_its_shape_and_type(kind: type[Net]) -> None:
    network = build_model(f"{__file__}:{kind.__name__}", input_shape=SHAPE, num_classes=3)
    found = network(ROWS)
    assert found.shape == (2, 3)
    parts = unpacked(ROWS, PARTS)
    own = network(parts) if kind is OfDict else network(**parts)  # as the user's own code calls it
    torch.testing.assert_close(own, found)
    torch.testing.assert_close(copy.deepcopy(network)(ROWS), found)


def of(forward: Any) -> nn.Module:
    network = nn.Module()
    network.forward = forward
    return network


def test_what_forward_says_decides() -> None:
    assert passing_of(nn.Sequential(), PARTS, "m") == "dict"
    assert passing_of(of(lambda batch, flag=True, **others: 0), PARTS, "m") == "dict"
    assert passing_of(of(lambda **inputs: 0), PARTS, "m") == "keywords"
    assert passing_of(of(lambda image, **others: 0), PARTS, "m") == "keywords"
    for forward, message in (
        (lambda image: 0, r"takes \(image\), .* it has no place for ids, mask, age"),
        (lambda image, ids, mask, age, extra: 0, r"it asks for extra as well"),
        (lambda x, image=None: 0, r"it has no place for ids"),
        (lambda a, b: 0, r"take all of them by name, or one dict"),
        (lambda *inputs: 0, r"take all of them by name, or one dict"),
    ):
        with pytest.raises(UserError, match=message):
            passing_of(of(forward), PARTS, "m")
    with pytest.raises(UserError, match="image may be the input or a dict of it"):
        passing_of(of(lambda image: 0), PARTS[:1], "m")


def test_what_takes_one_input_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"model 'mlp-1x512' for the inputs image, ids, mask and age: models in the box"
    ):
        build_model("mlp-1x512", input_shape=SHAPE, num_classes=2)
    with pytest.raises(UserError, match=r"cannot be called without in_features: of several inputs byrote passes"):
        build_model(f"{__file__}:Flat", input_shape=SHAPE, num_classes=2)
    with pytest.raises(UserError, match="half precision does not hold them"):
        unpacked(ROWS.half(), PARTS)


class Flat(nn.Linear):
    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__(in_features, num_classes)
