"""From a model's name to a network: built-in names, FILE.py:NAME and package.module:NAME."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any

from byrote.errors import UserError
from byrote.randomness import stream_seed
from byrote.references import is_reference, load_object

if TYPE_CHECKING:
    from torch import nn

MODELS: dict[str, str] = {
    "mlp-DxW": "D fully connected hidden layers of W units with ReLU; the paper's are mlp-1x512 and mlp-3x512",
    "alexnet": "the paper's small AlexNet: two 5x5 convolutions with local response normalisation, three dense layers",
    "inception": "the paper's small Inception, with batch norm",
    "inception-no-batchnorm": "the same without batch norm",
    "conv-small": "two 3x3 convolutions and two dense layers, for small images",
    "FILE.py:NAME": "your own: a function or class called as NAME(input_shape=(C, H, W), num_classes=K) -> nn.Module",
    "package.module:NAME": "the same, from an installed package",
}


def build_model(
    name: str,
    *,
    input_shape: tuple[int, ...],
    num_classes: int,
    seed: int = 0,
    dropout: float = 0.0,
) -> nn.Module:
    """A fresh network with initial weights drawn from `seed`: `[B, *input_shape]` -> logits `[B, num_classes]`.

    Torch's global generator is left as it was.

    Raises:
        UserError: an unknown name, images asked of vectors, or a factory that does not take these arguments.
    """
    import torch

    factory = _factory(name, input_shape)
    options: dict[str, Any] = {"input_shape": input_shape, "num_classes": num_classes}
    if dropout:
        options["dropout"] = dropout
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "initial weights"))
        try:
            model = factory(**options)
        except TypeError as error:
            raise UserError(
                f"model {name!r} could not be called with {', '.join(f'{k}={v!r}' for k, v in options.items())}: "
                f"{error}; a factory takes input_shape and num_classes by keyword, and dropout where a rate is given"
            ) from error
    if not isinstance(model, torch.nn.Module):
        raise UserError(f"model {name!r} gave a {type(model).__name__}, expected a torch.nn.Module")
    return model


def _factory(name: str, input_shape: tuple[int, ...]) -> Callable[..., nn.Module]:
    if is_reference(name):
        return load_object(name)
    if match := re.fullmatch(r"mlp-([1-9]\d*)x([1-9]\d*)", name):
        from byrote.models.mlp import mlp

        return partial(mlp, int(match[1]), int(match[2]))
    from byrote.models.alexnet import alexnet
    from byrote.models.conv_small import conv_small
    from byrote.models.inception import inception

    convolutional: dict[str, Callable[..., nn.Module]] = {
        "alexnet": alexnet,
        "inception": inception,
        "inception-no-batchnorm": partial(inception, batch_norm=False),
        "conv-small": conv_small,
    }
    if name not in convolutional:
        close = get_close_matches(name, [*convolutional, "mlp-1x512", "mlp-3x512"], n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise UserError(f"got model {name!r}{hint}, expected one of {', '.join(MODELS)}")
    if len(input_shape) != 3:
        raise UserError(
            f"model {name!r} takes images of shape (C, H, W), got inputs of shape {input_shape}; use an mlp-DxW"
        )
    return convolutional[name]
