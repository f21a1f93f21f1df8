"""From a model's name to a network: built-in names, FILE.py:NAME and package.module:NAME."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from byrote.errors import UserError, suggestion
from byrote.input_parts import PackedShape, names_in_words
from byrote.isolation import undisturbed
from byrote.models import factories
from byrote.models.instances import redrawn
from byrote.models.lazy_layers import materialized
from byrote.models.outputs import class_scores
from byrote.models.unpacking import batch_length, give_parts
from byrote.randomness import stream_seed
from byrote.references import is_reference, load_object, users_code

if TYPE_CHECKING:
    from torch import nn

FIXED: dict[str, tuple[str, str]] = {
    "conv-small": (
        "byrote.models.conv_small:conv_small",
        "two 3x3 convolutions and two dense layers, for small images",
    ),
}
"""Models of one size: the factory of each, which is imported when it is built, and what it is."""
MODELS: dict[str, str] = {
    "mlp-DxW": "D fully connected hidden layers of W units with ReLU; the paper's are mlp-1x512 and mlp-3x512",
    "alexnet": "the paper's small AlexNet: two 5x5 convolutions with local response normalisation, three dense layers",
    "inception": "the paper's small Inception, with batch norm",
    "inception-no-batchnorm": "the same without batch norm",
    "alexnet-wF": "F times as many filters and units as the paper's: alexnet-w0.5",
    "inception-wF": "F times as many filters as the paper's; inception-wF-no-batchnorm without batch norm",
    **{name: description for name, (_, description) in FIXED.items()},
    "resnet": "a residual network for small images: resnet-3x16, which is ResNet-20",
    "resnet-no-batchnorm": "the same without batch norm",
    "resnet-DxW": "three stages of D blocks with W, 2W and 4W filters; resnet-DxW-no-batchnorm without batch norm",
    "vit": "a vision transformer for small images: vit-6x128",
    "vit-DxW": "D blocks of W channels, in heads of 32",
    "switchboard-DxW+SWITCH...": "D layers of W channels on a grid of patches, fully connected until switched: "
    "each of local, shared, skip, attention, norm, pool exchanges one property and no other",
    "FILE.py:NAME": "your own: a function or class called as NAME(input_shape=(C, H, W), num_classes=K) -> nn.Module, "
    "or with what it takes of these, in_channels, img_size and in_features; or a network; of several inputs, "
    "input_shape is a dict of shapes",
    "package.module:NAME": "the same, from an installed package",
}

ONE_INPUT = (
    "models in the box take one input; give one of your own (FILE.py:NAME, in Python the class), whose forward takes a "
    "dict of them, or each by its name"
)
"""What is said where an example has several."""

# What a misspelt name is compared with.
_EXAMPLES = [
    *FIXED,
    "alexnet",
    "alexnet-w0.5",
    "inception",
    "inception-no-batchnorm",
    "inception-w0.5",
    "mlp-1x512",
    "mlp-3x512",
    "resnet",
    "resnet-3x16",
    "resnet-3x16-no-batchnorm",
    "resnet-no-batchnorm",
    "switchboard-4x32",
    "switchboard-4x32+local+shared",
    "vit",
    "vit-6x128",
]
# A depth and a width from 1; a factor above 0.
_SIZE = r"-([1-9]\d*)x([1-9]\d*)"
_FACTOR = r"(?:-w(?=.*[1-9])(\d+(?:\.\d+)?))?"
# Those that have a twin without batch norm.
_INCEPTION, _RESNET = f"inception{_FACTOR}", f"resnet(?:{_SIZE})?"


def build_model(
    name: str,
    *,
    input_shape: tuple[int, ...],
    num_classes: int,
    seed: int = 0,
    dropout: float = 0.0,
) -> nn.Module:
    """A fresh network with initial weights drawn from `seed`: `[B, *input_shape]` -> logits `[B, num_classes]`.

    Of the user's own models: `call_factory` says with which arguments they are called; lazy layers are given their
    shapes; a network that was handed over is copied and drawn anew (`redrawn`); `class_scores` says what is taken of
    outputs that are no tensor. Where `input_shape` is that of a data set with several inputs, the network is given
    packed rows, and gets them by their names (`byrote.models.unpacking`). All global random streams (torch's, NumPy's,
    Python's) are opened with `seed`, and are left as they were, as the global settings of torch and Python are.

    >>> import byrote
    >>> import torch
    >>> net = byrote.build_model("mlp-1x16", input_shape=(1, 8, 8), num_classes=10)
    >>> net(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])

    Raises:
        UserError: an unknown name, images asked of vectors, or a factory that does not take what there is, fails, or
            gives no network.
    """
    import torch

    with undisturbed(stream_seed(seed, "initial weights")):
        if not is_reference(name):
            factory = _built_in_for(name, input_shape)
            options: dict[str, Any] = {"dropout": dropout} if dropout else {}
            return factory(input_shape=input_shape, num_classes=num_classes, **options)
        found = load_object(name)
        with users_code(name, f"building model {name!r}"):
            if isinstance(found, torch.nn.Module):
                if dropout:
                    raise UserError(f"got dropout={dropout:g} for model {name!r}, a network as it is: leave it out")
                model = redrawn(found, name)
            else:
                model = factories.call_factory(
                    found, name, input_shape=input_shape, num_classes=num_classes, dropout=dropout
                )
        if not isinstance(model, torch.nn.Module):
            raise UserError(f"model {name!r} gave an object of type {type(model).__name__}, expected a torch.nn.Module")
        with users_code(name, f"model {name!r}, whose lazy layers take their shapes from inputs {input_shape},"):
            if isinstance(input_shape, PackedShape):
                give_parts(model, input_shape, name)
            model = materialized(model, input_shape, name)
    # Whatever is made of the network, copies and stacks included, then gives scores.
    if not any(getattr(hook, "func", None) is _take_scores for hook in model._forward_hooks.values()):
        model.register_forward_hook(partial(_take_scores, name, num_classes), with_kwargs=True)
    return model


def _take_scores(
    name: str, num_classes: int, _: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any], output: Any
) -> Any:
    return class_scores(output, batch=batch_length(inputs, keywords), num_classes=num_classes, name=name)


def takes_dropout(name: str) -> bool:
    """Whether a model takes a rate of dropout: all of the catalogue do, and a user's own that has the argument."""
    return not is_reference(name) or factories.takes_dropout(load_object(name))


def without_batch_norm(name: str) -> str | None:
    """What the catalogue calls the same network without batch norm; None of one that has none, and of the user's."""
    return f"{name}-no-batchnorm" if re.fullmatch(f"{_INCEPTION}|{_RESNET}", name) else None


def _built_in_for(name: str, input_shape: tuple[int, ...]) -> Callable[..., nn.Module]:
    factory = _built_in(name)
    if factory is None:
        raise UserError(f"got model {name!r}, expected one of {', '.join(MODELS)}{suggestion(name, _EXAMPLES)}")
    if isinstance(input_shape, PackedShape):
        raise UserError(f"got model {name!r} for the inputs {names_in_words(input_shape.parts)}: {ONE_INPUT}")
    if len(input_shape) != 3 and not name.startswith("mlp-"):
        raise UserError(
            f"model {name!r} takes images of shape (C, H, W), got inputs of shape {input_shape}; use an mlp-DxW"
        )
    return factory


def _built_in(name: str) -> Callable[..., nn.Module] | None:
    """The factory of a built-in model, or None; each imports torch, and what its own file imports, only now."""
    if match := re.fullmatch(f"mlp{_SIZE}", name):
        from byrote.models.mlp import mlp

        return partial(mlp, int(match[1]), int(match[2]))
    if match := re.fullmatch(f"alexnet{_FACTOR}", name):
        from byrote.models.alexnet import alexnet

        return partial(alexnet, width=float(match[1] or 1))
    if match := re.fullmatch(f"{_INCEPTION}(-no-batchnorm)?", name):
        from byrote.models.inception import inception

        return partial(inception, width=float(match[1] or 1), batch_norm=match[2] is None)
    if name in FIXED:
        module, _, function = FIXED[name][0].partition(":")
        return getattr(import_module(module), function)
    if match := re.fullmatch(f"{_RESNET}(-no-batchnorm)?", name):
        from byrote.models.resnet import resnet

        return partial(resnet, int(match[1] or 3), int(match[2] or 16), batch_norm=match[3] is None)
    if match := re.fullmatch(f"vit(?:{_SIZE})?", name):
        from byrote.models.vit import vit

        return partial(vit, int(match[1] or 6), int(match[2] or 128))
    if match := re.fullmatch(rf"switchboard{_SIZE}((?:\+[^+]*)*)", name):
        from byrote.models.switchboard import switchboard

        return partial(switchboard, int(match[1]), int(match[2]), match[3].split("+")[1:])
    return None
