"""A tree of plain values and tensors in one file, whole or absent: safetensors, whose head has the rest as JSON and a
checksum of both. Nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

T = TypeVar("T")

FORMAT = 1
"""Of the tree; a file of another one is of no use."""
ENDING = ".checkpoint"
_PLAIN = str | int | float | bool | None


class NotKept(Exception):
    """A value that such a file cannot hold; the words say which kind."""


class Damaged(Exception):
    """The file is not as it was written; the words say how that shows."""


def write_checkpoint(path: Path, head: Mapping[str, Any], tree: Any) -> None:
    """Replaces the file, durably. `head` is what can be read by itself: plain values alone.

    Args:
        tree: of dictionaries by text, lists, tuples, plain values, NumPy arrays of numbers and tensors, wherever these
            are and however they lie in memory.

    Raises:
        NotKept: the tree holds anything else; nothing is written.
        OSError: the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    words = {"format": str(FORMAT), "head": json.dumps(dict(head)), "tree": json.dumps(_encoded(tree, tensors))}
    places = set[int]()
    for name, tensor in tensors.items():
        if (place := tensor.untyped_storage().data_ptr()) in places:  # which safetensors refuses
            tensors[name] = tensor.clone()
        places.add(place)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        try:
            safetensors.torch.save_file(tensors, temporary, words | {"checksum": _checksum(words, tensors)})
        except safetensors.SafetensorError as error:  # which hides what the system has said
            raise OSError(str(error)) from error
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_head(path: Path) -> dict[str, Any]:
    """The head alone, of which nothing is checked but that it can be read.

    Raises:
        Damaged: it cannot.
        OSError: there is no such file.
    """

    def read(file: Any) -> dict[str, Any]:
        return dict(json.loads(file.metadata()["head"]))

    return _read(path, read)


def read_checkpoint(path: Path, device: str) -> tuple[dict[str, Any], Any]:
    """Head and tree, whose tensors are where they were: on the CPU, or on what is `device` here.

    Raises:
        Damaged: the file is not as it was written.
        OSError: there is no such file.
    """

    def read(file: Any) -> tuple[dict[str, Any], Any]:
        words = dict(file.metadata())
        tensors = {name: file.get_tensor(name) for name in sorted(file.keys(), key=int)}
        if words.pop("checksum") != _checksum(words, tensors):
            raise Damaged("its content does not match its checksum")
        if words["format"] != str(FORMAT):
            raise Damaged(f"it has format {words['format']}, this byrote reads {FORMAT}")
        return json.loads(words["head"]), _decoded(json.loads(words["tree"]), tensors, device)

    return _read(path, read)


def remove_checkpoint(path: Path) -> None:
    """With what processes that were killed have left of it."""
    for found in (path, *path.parent.glob(f".{path.name}.*")):
        found.unlink(missing_ok=True)


def _read(path: Path, read: Callable[[Any], T]) -> T:
    path.stat()
    try:
        with safetensors.safe_open(path, "pt") as file:
            return read(file)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, IndexError, RuntimeError) as error:
        raise Damaged(f"it cannot be read ({error})") from error


def _checksum(words: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256(json.dumps(words, sort_keys=True).encode())
    for name, tensor in tensors.items():
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.numel():
            found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _encoded(value: Any, tensors: dict[str, Tensor]) -> Any:
    """As JSON, which tells tuples from lists; tensors go to `tensors` by their numbers."""
    match value:
        case Tensor():
            name, found = str(len(tensors)), value.detach()
            real = torch.view_as_real(found) if found.is_complex() else found
            tensors[name] = real.cpu().contiguous()
            own = {"complex": True} if found.is_complex() else {}
            return {"tensor": name, "strides": list(found.stride()), "on_cpu": found.device.type == "cpu", **own}
        case np.ndarray() if value.dtype.kind in "biuf":
            return {"array": value.tolist(), "dtype": value.dtype.str}
        case dict() if all(isinstance(key, str) for key in value):
            return {"dict": {key: _encoded(each, tensors) for key, each in value.items()}}
        case tuple():
            return {"tuple": [_encoded(each, tensors) for each in value]}
        case list():
            return [_encoded(each, tensors) for each in value]
        case np.generic():
            return value.item()
        case _ if isinstance(value, _PLAIN):
            return value
    raise NotKept(f"an object of type {type(value).__name__}")


def _decoded(value: Any, tensors: Mapping[str, Tensor], device: str) -> Any:
    if isinstance(value, list):
        return [_decoded(each, tensors, device) for each in value]
    match value:
        case {"tensor": name}:
            found = tensors[name]
            found = torch.view_as_complex(found) if "complex" in value else found
            home = "cpu" if value["on_cpu"] else device
            as_it_lay = torch.empty_strided(found.shape, value["strides"], dtype=found.dtype, device=home)
            return as_it_lay.copy_(found)
        case {"array": numbers}:
            return np.array(numbers, dtype=value["dtype"])
        case {"dict": fields}:
            return {key: _decoded(each, tensors, device) for key, each in fields.items()}
        case {"tuple": parts}:
            return tuple(_decoded(each, tensors, device) for each in parts)
    return value
