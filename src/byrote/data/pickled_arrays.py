"""Pickles of CIFAR batches, parsed. Nothing in a file is called, imported or executed.

A pickle is a program for a stack machine, and loading one runs it: GLOBAL finds a callable, REDUCE calls it. Here the
machine has plain values and five marks: the names below stand for themselves, and an instruction to call one of them
is compared with the few forms in which NumPy and Python write arrays of bytes. Any other is refused. So the worst that
a forged file can do is to be another array of bytes than it seems.

The opcodes are those of `pickletools`, which reads them and does nothing else.
"""

from __future__ import annotations

import io
import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from byrote.data.files import read_bytes
from byrote.data.memory import refuse_too_large
from byrote.errors import UserError, kind_of

_MOST_BYTES = 2**30  # the largest of the known files has 155 MB


class Refused(Exception):
    """What is in the file and is not admitted."""


@dataclass(frozen=True)
class _Name:
    """What GLOBAL asks for, by name alone."""

    name: str


# As NumPy 1 and 2, Python 2 and 3 call the same things.
_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): _Name("reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"): _Name("reconstruct"),
    ("numpy.core.numeric", "_frombuffer"): _Name("frombuffer"),
    ("numpy._core.numeric", "_frombuffer"): _Name("frombuffer"),
    ("numpy", "ndarray"): _Name("ndarray"),
    ("numpy", "dtype"): _Name("dtype"),
    ("_codecs", "encode"): _Name("encode"),
    ("__builtin__", "bytes"): _Name("bytes"),
}


@dataclass
class _Bytes8:
    """The dtype of bytes, `numpy.dtype("u1")`; the state that BUILD sets on it says nothing more."""


@dataclass
class _Array:
    """What `_reconstruct` gives: to be filled in by BUILD, as in a pickle it may be referred to before."""

    found: np.ndarray | None = None


@dataclass
class _Machine:
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    """How high the stack was at each MARK."""
    memo: dict[int, Any] = field(default_factory=dict)

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise Refused("it takes more from the stack than there is")
        return self.stack.pop()

    def top(self) -> Any:
        value = self.pop()
        self.stack.append(value)
        return value

    def since_mark(self) -> list[Any]:
        if not self.marks:
            raise Refused("it lacks a mark")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def popped(self, count: int) -> list[Any]:
        return [self.pop() for _ in range(count)][::-1]


def read_pickle(path: Path) -> Any:
    """The plain values in a file: dictionaries, lists, tuples, text, bytes, numbers, and uint8 arrays.

    Text of Python 2 comes as text (latin1).

    Raises:
        UserError: the file is damaged, too large, or holds anything else.
    """
    if path.is_file():
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise UserError(f"{path} has {size:,} bytes, more than any CIFAR batch; fetch the file again")
        refuse_too_large(2 * size, str(path))
    content = read_bytes(path)
    try:
        return parse_pickle(content)
    except (Refused, ValueError, OverflowError, MemoryError) as error:
        raise UserError(
            f"{path} cannot be read as a CIFAR batch: {str(error)[:200] or 'it is too large'}; fetch the file again"
        ) from error


def parse_pickle(content: bytes) -> Any:
    """The value of a pickle.

    Raises:
        Refused, ValueError, OverflowError, MemoryError: there is anything but what `read_pickle` says.
    """
    machine = _Machine()
    for opcode, argument, _ in pickletools.genops(io.BytesIO(content)):
        if opcode.name == "STOP":
            return _finished(machine.pop())
        if opcode.name in _CONSTANTS:
            machine.stack.append(argument)
        elif (act := _ACTIONS.get(opcode.name)) is not None:
            act(machine, argument)
        else:
            raise Refused(f"it has the opcode {opcode.name}, which no CIFAR batch has")
    raise Refused("it ends without a STOP")


_CONSTANTS = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    )
)


def _push(value: Callable[[], Any]) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.stack.append(value())


def _tuple_of(count: int) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.stack.append(tuple(machine.popped(count)))


def _nothing(machine: _Machine, argument: Any) -> None:
    """PROTO and FRAME concern who reads the file."""


def _mark(machine: _Machine, _: Any) -> None:
    machine.marks.append(len(machine.stack))


def _put(machine: _Machine, argument: Any) -> None:
    machine.memo[argument] = machine.top()


def _memoize(machine: _Machine, _: Any) -> None:
    machine.memo[len(machine.memo)] = machine.top()


def _get(machine: _Machine, argument: Any) -> None:
    if argument not in machine.memo:
        raise Refused("it refers to what is not there")
    machine.stack.append(machine.memo[argument])


def _append(machine: _Machine, values: list[Any]) -> None:
    found = machine.top()
    if not isinstance(found, list):
        raise Refused(f"it appends to {kind_of(found)}")
    found += values


def _set_items(machine: _Machine, values: list[Any]) -> None:
    found = machine.top()
    if not isinstance(found, dict) or len(values) % 2:
        raise Refused("it sets items of what is no dictionary")
    _fill(found, values)


def _fill(found: dict[Any, Any], values: list[Any]) -> None:
    for key, value in zip(values[::2], values[1::2], strict=True):
        if not isinstance(key, str | bytes):
            raise Refused("it has a key that is not text")
        found[key] = value


def _dictionary(machine: _Machine, _: Any) -> None:
    values: list[Any] = machine.since_mark()
    if len(values) % 2:
        raise Refused("it has a key without a value")
    found: dict[Any, Any] = {}
    _fill(found, values)
    machine.stack.append(found)


def _global(machine: _Machine, argument: Any) -> None:
    """`argument` is "module name"."""
    module, _, name = argument.partition(" ")
    _name(machine, module, name)


def _stack_global(machine: _Machine, _: Any) -> None:
    _name(machine, *machine.popped(2))


def _name(machine: _Machine, module: Any, name: Any) -> None:
    if not (isinstance(module, str) and isinstance(name, str)):
        raise Refused("it asks for what has no name")
    if (module, name) not in _NAMES:
        raise Refused(f"it asks for {module[:60]}.{name[:60]}, and only arrays of bytes are admitted")
    machine.stack.append(_NAMES[module, name])


def _reduce(machine: _Machine, _: Any) -> None:
    """What the call of a name with these arguments stands for, where it is one of those that NumPy writes."""
    called, arguments = machine.popped(2)
    name = called.name if isinstance(called, _Name) else ""
    match (name, arguments):
        case ("reconstruct", (_Name("ndarray"), (0,), "b" | b"b")):
            machine.stack.append(_Array())
        case ("dtype", (str() | bytes() as kind, *flags)) if len(flags) <= 2 and all(flag in (0, 1) for flag in flags):
            text = kind.decode("latin1") if isinstance(kind, bytes) else kind
            if text not in ("u1", "|u1", "uint8"):
                raise Refused(f"it holds an array of type {text[:20]!r}, expected 'u1', bytes")
            machine.stack.append(_Bytes8())
        # How Python 3 writes bytes where Python 2 is to read them; none at all is another form.
        case ("encode", (str() as text, "latin1")):
            machine.stack.append(text.encode("latin1"))
        case ("bytes", ()):
            machine.stack.append(b"")
        case ("frombuffer", (bytes() | bytearray() as content, _Bytes8(), shape, "C" | "F" as order)):
            machine.stack.append(_array(shape, order == "F", bytes(content)))
        case _:
            raise Refused("it calls something, and only arrays of bytes are admitted")


def _build(machine: _Machine, _: Any) -> None:
    target, state = machine.popped(2)
    match (target, state):
        case (_Bytes8(), tuple()):
            pass
        case (_Array(found=None), (1, shape, _Bytes8(), (0 | 1) as is_fortran, (str() | bytes()) as content)):
            raw = content.encode("latin1") if isinstance(content, str) else content
            target.found = _array(shape, bool(is_fortran), raw)
        case _:
            raise Refused("it sets the state of what is no array of bytes")
    machine.stack.append(target)


def _array(shape: Any, is_fortran: bool, content: bytes) -> np.ndarray:
    """The bytes in this shape: as many as the shape has, so that no array reaches beyond them."""
    if not (isinstance(shape, tuple) and len(shape) <= 4 and all(type(n) is int and 0 <= n < 2**31 for n in shape)):
        raise Refused("it has an array without a shape")
    if math.prod(shape) != len(content):
        raise Refused(f"it has an array of shape {shape} with {len(content)} bytes")
    return np.frombuffer(content, np.uint8).reshape(shape, order="F" if is_fortran else "C")


def _finished(found: Any) -> Any:
    """Values with their arrays in place of the marks for them: at the top, or in a dictionary, where CIFAR has them."""
    if isinstance(found, dict):
        return {key: _finished_array(value) for key, value in found.items()}
    return _finished_array(found)


def _finished_array(value: Any) -> Any:
    return value.found if isinstance(value, _Array) else value


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _nothing,
    "FRAME": _nothing,
    "MARK": _mark,
    "PUT": _put,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "MEMOIZE": _memoize,
    "GET": _get,
    "BINGET": _get,
    "LONG_BINGET": _get,
    "NONE": _push(lambda: None),
    "NEWTRUE": _push(lambda: True),
    "NEWFALSE": _push(lambda: False),
    "EMPTY_LIST": _push(list),
    "EMPTY_DICT": _push(dict),
    "EMPTY_TUPLE": _push(tuple),
    "LIST": lambda machine, _: machine.stack.append(machine.since_mark()),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "DICT": _dictionary,
    "APPEND": lambda machine, _: _append(machine, machine.popped(1)),
    "APPENDS": lambda machine, _: _append(machine, machine.since_mark()),
    "SETITEM": lambda machine, _: _set_items(machine, machine.popped(2)),
    "SETITEMS": lambda machine, _: _set_items(machine, machine.since_mark()),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "BUILD": _build,
}
