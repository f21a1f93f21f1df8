"""Networks of several inputs: they are given packed rows, and get a dict or keywords, as their forward has it.

What forward's own signature says decides. Where its arguments are called as inputs are, it gets them by keyword, and
then has to take all of them; where its only argument is called otherwise, it gets one dict.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from byrote.errors import UserError
from byrote.input_parts import PackedShape, Part, names_in_words

if TYPE_CHECKING:
    from torch import Tensor, nn

Passing = Literal["dict", "keywords"]


def give_parts(network: nn.Module, shape: PackedShape, name: str) -> None:
    """Lets `network` take packed rows `[B, W]`, in place: each call with one tensor becomes a call with its parts.
    Calls with anything else, as the user's own code makes them, reach it as they are.

    Raises:
        UserError: its forward says neither how it takes these inputs, or says both.
    """
    passing = passing_of(network, shape.parts, name)
    for key, hook in list(network._forward_pre_hooks.items()):  # of a network that was given other parts before
        if getattr(hook, "func", None) is _unpack:
            del network._forward_pre_hooks[key]
            network._forward_pre_hooks_with_kwargs.pop(key, None)
    network.register_forward_pre_hook(partial(_unpack, name, shape, passing), with_kwargs=True)


def passing_of(network: nn.Module, parts: Sequence[Part], name: str) -> Passing:
    """Whether forward takes these inputs as one dict or by keyword.

    Raises:
        UserError: neither, or either.
    """
    names = [part.name for part in parts]
    try:
        parameters = list(inspect.signature(network.forward).parameters.values())
    except (TypeError, ValueError) as error:
        raise UserError(
            f"got model {name!r}, whose forward does not say what it takes ({error}): write forward(self, inputs) for "
            f"one dict of {names_in_words(parts)}, or name them"
        ) from error
    by_name = [each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    required = [
        each.name
        for each in parameters
        if each.default is each.empty and each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
    ]
    named = [each for each in names if each in by_name]
    takes = ", ".join(map(str, parameters))
    said = f"got model {name!r}, whose forward takes ({takes}), for the inputs {', '.join(names)}"
    if named or (takes_any and not required):
        if len(names) == 1 and required == names and not takes_any:
            raise UserError(
                f"{said}: {names[0]} may be the input or a dict of it; for a dict call the argument otherwise, as batch"
            )
        missing = [] if takes_any else [each for each in names if each not in by_name]
        others = [each for each in required if each not in names]
        if missing or others:
            what = f"has no place for {', '.join(missing)}" if missing else f"asks for {', '.join(others)} as well"
            raise UserError(
                f"{said}: some go by name, but it {what}; take all of them by name, or one dict, as forward(self, "
                "inputs)"
            )
        return "keywords"
    positional = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    if positional and set(required) <= {positional[0].name}:
        return "dict"
    raise UserError(f"{said}: take all of them by name, or one dict, as forward(self, inputs)")


def unpacked(rows: Tensor, parts: Sequence[Part], name: str = "it") -> dict[str, Tensor]:
    """The inputs in packed rows `[B, W]`, each `[B, *shape]` in its own type.

    Raises:
        UserError: token ids in half precision, which does not hold them.
    """
    import torch

    if rows.dtype in (torch.float16, torch.bfloat16) and any(part.dtype == "int64" for part in parts):
        raise UserError(
            f"got model {name!r}, whose weights are {str(rows.dtype).removeprefix('torch.')}, for token ids beside "
            "other inputs: half precision does not hold them; build it in float32"
        )
    found = {}
    for part in parts:
        values = rows[..., part.columns].reshape(*rows.shape[:-1], *part.shape)
        if part.dtype == "bool":
            values = values != 0
        elif part.dtype == "int64":
            values = values.long()
        elif not values.is_floating_point():
            values = values.to(torch.get_default_dtype())
        found[part.name] = values
    return found


def batch_length(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """Of a call of a network: the first axis of the first tensor."""
    first = next(iter((*arguments, *keywords.values())))
    # Not len(), which would make a number of a size that a recorded step leaves open.
    return (next(iter(first.values())) if isinstance(first, Mapping) else first).shape[0]


def _unpack(
    name: str,
    shape: PackedShape,
    passing: Passing,
    _: nn.Module,
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    import torch

    if keywords or len(arguments) != 1 or not isinstance(arguments[0], torch.Tensor):
        return None
    found = unpacked(arguments[0], shape.parts, name)
    return ((found,), {}) if passing == "dict" else ((), found)
