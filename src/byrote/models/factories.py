"""Calling what the user calls a model: the arguments that it takes, by their usual names."""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from byrote.errors import UserError
from byrote.input_parts import PackedShape

_NAMES = {
    "input_shape": ("input_shape", "in_shape", "image_shape", "img_shape"),
    "channels": ("in_channels", "in_chans", "input_channels", "in_ch"),
    "side": ("image_size", "img_size"),
    "features": ("in_features", "input_dim", "in_dim", "input_size", "n_inputs", "num_inputs"),
    "num_classes": (
        *("num_classes", "n_classes", "nb_classes", "num_labels", "n_labels", "num_outputs", "n_outputs"),
        *("out_features", "output_dim", "out_dim", "output_size", "num_class"),
    ),
    "dropout": ("dropout", "dropout_rate", "drop_rate", "dropout_p", "p_dropout", "dropout_prob"),
}
"""What factories call each thing that byrote knows; the likeliest name first."""
_UNCLEAR = {
    "channels": ("channels", "num_channels", "n_channels"),
    "features": ("num_features", "n_features", "features"),
    "num_classes": ("classes", "labels"),
}
"""Names that may mean something else, as a width: taken for this only where the factory asks for nothing clearer, and
cannot do without."""
_SHAPE = ("input_shape", "channels", "features")


def takes_dropout(factory: Callable[..., Any]) -> bool:
    """Whether a factory takes a rate of dropout."""
    parameters = _parameters(factory)
    return parameters is None or any(
        name in _NAMES["dropout"] or parameter.kind is parameter.VAR_KEYWORD for name, parameter in parameters.items()
    )


def call_factory(
    factory: Callable[..., Any], name: str, *, input_shape: tuple[int, ...], num_classes: int, dropout: float
) -> Any:
    """Calls what the user calls model `name` with what it takes, by what it calls it: the shape of inputs
    (input_shape, in_channels, img_size, in_features, ...), the number of classes, and where there is one the rate of
    dropout.

    A factory that takes any keyword, or that says nothing of its arguments, gets input_shape and num_classes, and is
    called again without the one that it refuses by name. What a partial sets is left as it is.

    Raises:
        UserError: it needs an argument that byrote does not know, or takes no dropout where there is a rate.
    """
    arguments, is_open = _arguments(factory, name, _known(input_shape, num_classes, dropout))
    while True:
        try:
            return factory(**arguments)
        except TypeError as error:
            refused = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            if not is_open or refused is None or arguments.pop(refused[1], None) is None:
                raise
            if refused[1] == "dropout":
                raise _no_dropout(dropout, name) from error


def _arguments(factory: Callable[..., Any], name: str, known: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The keyword arguments, and whether there is no telling what else it takes."""
    parameters = _parameters(factory)
    if parameters is None:
        return {key: known[key] for key in ("input_shape", "num_classes", "dropout") if key in known}, True
    bound = set(factory.keywords) if isinstance(factory, functools.partial) else set()
    is_open = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    found: dict[str, Any] = {}
    given: set[str] = set()
    required = [key for key, parameter in parameters.items() if _is_required(parameter)]
    for thing, names in _NAMES.items():
        for key in (key for key in names if key in parameters and known.get(thing) is not None):
            given.add(thing)
            is_first_shape = thing != "features" or not given & {"input_shape", "channels"}
            if key not in bound and (key in required or is_first_shape):
                found[key] = known[thing]
                break
    for thing, names in _UNCLEAR.items():
        is_asked = thing in given or (thing in _SHAPE and given & set(_SHAPE))
        for key in (key for key in names if key in required and known[thing] is not None and not is_asked):
            found[key] = known[thing]
            given.add(thing)
            break
    if unknown := [key for key in required if key not in found]:
        if isinstance(known["input_shape"], dict):
            raise UserError(
                f"got model {name!r}, which cannot be called without {', '.join(unknown)}: of several inputs byrote "
                f"passes by name, where a model takes them, input_shape={known['input_shape']}, num_classes and the "
                "like; give all else a default, or set it with functools.partial"
            )
        raise UserError(
            f"got model {name!r}, which cannot be called without {', '.join(unknown)}: byrote passes by name, where a "
            f"model takes them, input_shape={known['input_shape']}, in_channels, img_size (of square images), "
            "in_features, num_classes and the like; give all else a default, or set it with functools.partial"
        )
    if is_open:
        wanted = [thing for thing in ("input_shape", "num_classes", "dropout") if thing not in given]
        found |= {
            thing: known[thing]
            for thing in wanted
            if thing in known and thing not in bound and not (thing == "input_shape" and given & set(_SHAPE))
        }
    elif "dropout" in known and "dropout" not in given:
        raise _no_dropout(known["dropout"], name)
    return found, is_open


def _no_dropout(rate: float, name: str) -> UserError:
    return UserError(f"got dropout={rate:g} for model {name!r}, which takes none: leave it out")


def _is_required(parameter: inspect.Parameter) -> bool:
    variable = (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    return parameter.default is parameter.empty and parameter.kind not in variable


def _known(input_shape: tuple[int, ...], num_classes: int, dropout: float) -> dict[str, Any]:
    """Each thing that there is to pass; None of what these data have not. Of several inputs, the shape of each."""
    is_images = len(input_shape) == 3
    is_square = is_images and input_shape[1] == input_shape[2]
    known: dict[str, Any] = {
        "input_shape": input_shape,
        "channels": input_shape[0] if is_images else None,
        "side": input_shape[1] if is_square else None,
        "features": math.prod(input_shape),
        "num_classes": num_classes,
    }
    if isinstance(input_shape, PackedShape):
        known |= {"input_shape": {part.name: part.shape for part in input_shape.parts}, "features": None}
    return known | ({"dropout": dropout} if dropout else {})


def _parameters(factory: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return None
