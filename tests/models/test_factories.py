from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from byrote.errors import UserError
from byrote.models.factories import call_factory, takes_dropout


def shown(**arguments: Any) -> dict[str, Any]:
    """What a factory was called with."""
    return arguments


def refusing(**options: Any) -> dict[str, Any]:
    """As torchvision's: takes any keyword, and hands them on to what does not."""
    if "input_shape" in options:
        raise TypeError("ResNet.__init__() got an unexpected keyword argument 'input_shape'")
    return options


class Called:
    def __call__(self, n_classes, *, in_chans=3, width=64):  # type: ignore[no-untyped-def]
        return shown(n_classes=n_classes, in_chans=in_chans, width=width)


IMAGES: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (lambda input_shape, num_classes: shown(a=input_shape, b=num_classes), {"a": (1, 8, 8), "b": 5}),
    (lambda num_labels, in_channels=3: shown(a=num_labels, b=in_channels), {"a": 5, "b": 1}),
    (lambda n_classes, img_size=224, in_chans=3: shown(a=n_classes, b=img_size, c=in_chans), {"a": 5, "b": 8, "c": 1}),
    (lambda in_features, out_features: shown(a=in_features, b=out_features), {"a": 64, "b": 5}),
    (lambda n_channels, classes: shown(a=n_channels, b=classes), {"a": 1, "b": 5}),
    # A width is no number of channels, nor a hidden layer one of features.
    (
        lambda input_shape, num_classes, channels=16, num_features=7: shown(a=channels, b=num_features),
        {"a": 16, "b": 7},
    ),
    (lambda in_channels, in_features=512: shown(a=in_channels, b=in_features), {"a": 1, "b": 512}),
    (lambda: shown(), {}),
    (lambda *layers: shown(a=layers), {"a": ()}),
    (Called(), {"n_classes": 5, "in_chans": 1, "width": 64}),
    (shown, {"input_shape": (1, 8, 8), "num_classes": 5}),
    (refusing, {"num_classes": 5}),
    (lambda in_channels, **rest: shown(a=in_channels, **rest), {"a": 1, "num_classes": 5}),
    (functools.partial(shown, num_classes=7), {"num_classes": 7, "input_shape": (1, 8, 8)}),
    (functools.partial(lambda width, num_classes: shown(a=width, b=num_classes), 9), {"a": 9, "b": 5}),
    (functools.partial(lambda width, num_classes: shown(a=width, b=num_classes), width=9), {"a": 9, "b": 5}),
]


@pytest.mark.parametrize(("factory", "expected"), IMAGES)
def test_factories_get_what_they_take(factory: Callable[..., Any], expected: dict[str, Any]) -> None:
    assert call_factory(factory, "x", input_shape=(1, 8, 8), num_classes=5, dropout=0.0) == expected


def test_vectors_have_features_and_no_channels() -> None:
    def net(num_features, in_channels=3, n_classes=2, drop_rate=0.1):  # type: ignore[no-untyped-def]
        return num_features, in_channels, n_classes, drop_rate

    assert call_factory(net, "x", input_shape=(13,), num_classes=4, dropout=0.5) == (13, 3, 4, 0.5)
    assert call_factory(net, "x", input_shape=(13,), num_classes=4, dropout=0.0) == (13, 3, 4, 0.1)
    assert isinstance(call_factory(nn.Linear, "x", input_shape=(13,), num_classes=4, dropout=0.0), nn.Linear)


@pytest.mark.parametrize(
    ("factory", "options", "message"),
    [
        (lambda num_classes, hidden, depth: None, {}, "cannot be called without hidden, depth: byrote passes by name"),
        (lambda shape, /, num_classes: None, {}, "cannot be called without shape"),
        (lambda in_channels: None, {"input_shape": (13,)}, "cannot be called without in_channels"),
        (lambda img_size: None, {"input_shape": (1, 8, 9)}, "img_size (of square images)"),
        (lambda num_classes: None, {"dropout": 0.5}, "got dropout=0.5 for model 'x', which takes none"),
    ],
)
def test_what_cannot_be_called_is_said(factory: Callable[..., Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        call_factory(factory, "x", **({"input_shape": (1, 8, 8), "num_classes": 5, "dropout": 0.0} | options))
    assert message in str(error.value)


def test_a_mistake_within_is_the_users_own() -> None:
    def broken(num_classes: int) -> None:
        nn.Linear(num_classes)  # type: ignore[call-arg]

    with pytest.raises(TypeError, match="out_features"):
        call_factory(broken, "x", input_shape=(3,), num_classes=5, dropout=0.0)


def test_who_takes_dropout() -> None:
    takers = [lambda drop_rate=0.0: None, lambda **options: None, functools.partial(shown, a=1)]
    others = [lambda: None, nn.Linear, Called()]
    assert [takes_dropout(factory) for factory in (*takers, *others)] == [True] * 3 + [False] * 3
