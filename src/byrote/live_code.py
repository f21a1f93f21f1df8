"""What an object of the user's does: a digest of its own code, of a notebook's cell, a running script, a closure.

Code of an importable module is known by its file, of which everything else follows. All other code has no file, or one
that does not say which object is meant, as that of a loop or of `exec`: it is known by its bytecode, by the values that
it closes over and the global ones that it reads, and so on for what these are made of.
"""

from __future__ import annotations

import ast
import dis
import functools
import hashlib
import os
import sys
import types
from collections.abc import Collection, Iterator
from enum import Enum
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import numpy as np

from byrote.errors import UserError
from byrote.source_files import file_digest, is_installed, module_digest

# What Python itself puts into a class, and what says nothing of what the class does.
_NOT_CODE = {
    *("__module__", "__doc__", "__dict__", "__weakref__", "__firstlineno__", "__static_attributes__", "_abc_impl"),
    *("__abstractmethods__", "__annotate_func__", "__annotations_cache__"),
}
_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
_DESCRIPTORS = (types.GetSetDescriptorType, types.MemberDescriptorType)
_BUILT_IN = (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, np.ufunc)


def object_digest(value: Any, *, redrawn: Collection[int] = ()) -> str:
    """SHA-256 of what `value` does: equal wherever it is defined alike, under one minor version of Python.

    Args:
        redrawn: ids of tensors of which only kind and shape count, since their values are drawn anew.

    Raises:
        UserError: it is made of something that cannot be taken apart, such as an open file.
    """
    digest = hashlib.sha256()
    for part in _Walk(redrawn).of(value):
        digest.update(f"{len(part)} {part}".encode(errors="surrogatepass"))
    return digest.hexdigest()


def defining_file(value: Any) -> Path | None:
    """The file of an importable module that defines the function or class `value` by a statement at its top, so that
    its name leads to it; None of all else: of a notebook's cell, a running script, a closure, a partial, `exec`."""
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    name = getattr(value, "__qualname__", "")
    path = Path(getattr(module, "__file__", None) or "")
    if module is None or module.__name__ == "__main__" or not path.is_file():
        return None
    if not name.isidentifier() or getattr(module, name, None) is not value:
        return None
    if is_installed(path):
        return path
    codes = [code for code in _codes_of(value) if not code.co_filename.startswith("<")]
    if path.suffix != ".py" or (codes and not any(_is_of(code, path) for code in codes)):
        return None
    return path if name in _defined(path.read_bytes()) else None


def is_stale(value: Any, path: Path) -> bool:
    """Whether `path` was edited after `value` was imported from it: their code differs, and not because an import hook
    changed it (pytest's rewrites assertions): the file is younger than the process, and Python itself compiled it."""
    loader = getattr(sys.modules.get(value.__module__), "__loader__", None)
    if path.stat().st_mtime < _process_started() or type(loader) is not SourceFileLoader:
        return False
    now: dict[str, list[str]] = {}
    for code in _all_codes(compile(path.read_bytes(), str(path), "exec", dont_inherit=True)):
        now.setdefault(code.co_qualname, []).append(_bytes_of(code))
    return any(_bytes_of(code) not in now.get(code.co_qualname, ()) for code in _codes_of(value) if _is_of(code, path))


class _Walk:
    """Takes an object apart, each thing once."""

    def __init__(self, redrawn: Collection[int]) -> None:
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no id is used again
        self._redrawn = redrawn

    def of(self, value: Any) -> Iterator[str]:
        if isinstance(value, Enum):
            yield f"{type(value).__qualname__}.{value.name}"
        elif type(value) in _PLAIN:
            yield f"{type(value).__name__} {value!r}"
        elif id(value) in self._seen:
            yield f"again {self._seen[id(value)]}"
        else:
            self._seen[id(value)] = len(self._kept)
            self._kept.append(value)
            yield from self._once(value)

    def _once(self, value: Any) -> Iterator[str]:
        if isinstance(value, types.ModuleType):
            yield f"module {_of_module(value.__name__)}"
        elif (named := _named(value)) is not None:
            yield named
        elif isinstance(value, types.CodeType):
            yield from self._all(_bytes_of(value, nested=False), *value.co_consts)
        elif isinstance(value, types.FunctionType):
            yield from self._of_function(value)
        elif isinstance(value, type):
            yield from self._of_class(value)
        elif isinstance(value, types.MethodType):
            yield from self._all("method", value.__func__, value.__self__)
        elif isinstance(value, types.BuiltinFunctionType):
            yield from self._all(f"method {value.__name__}", value.__self__)
        elif isinstance(value, functools.partial):
            yield from self._all("partial", value.func, value.args, dict(sorted(value.keywords.items())))
        elif isinstance(value, staticmethod | classmethod):
            yield from self._all(type(value).__name__, value.__func__)
        elif isinstance(value, property):
            yield from self._all("property", value.fget, value.fset, value.fdel)
        elif isinstance(value, types.CellType):
            yield from self._all("cell", *_content(value))
        elif callable(getattr(value, "__wrapped__", None)):  # a cache around a function
            yield from self._all("wrapped", type(value), value.__wrapped__)
        elif type(value) in (tuple, list):
            yield from self._all(f"{type(value).__name__} {len(value)}", *value)
        elif type(value) in (dict, types.MappingProxyType):
            yield from self._all(f"dict {len(value)}", *(part for item in value.items() for part in item))
        elif type(value) in (set, frozenset):
            yield f"set {sorted(map(object_digest, value))}"
        elif (parts := _tensor_parts(value)) is not None:
            yield from parts[: 1 if id(value) in self._redrawn else None]
        else:
            yield from self._of_instance(value)

    def _all(self, kind: str, *values: Any) -> Iterator[str]:
        yield kind
        for value in values:
            yield from self.of(value)

    def _of_function(self, function: types.FunctionType) -> Iterator[str]:
        yield from self._all("function", function.__code__, function.__defaults__, function.__kwdefaults__)
        yield from self._all("closure", *(function.__closure__ or ()))
        yield from self._all("attributes", dict(function.__dict__))
        if _is_others(Path(function.__code__.co_filename)):  # a closure that an installed package made
            return
        for name in sorted(_globals_of(function.__code__)):
            if name in function.__globals__:
                yield from self._all(f"global {name}", function.__globals__[name])

    def _of_class(self, value: type) -> Iterator[str]:
        yield from self._all(f"class {value.__qualname__}", type(value), *value.__bases__)
        for name, member in sorted(vars(value).items()):
            if name not in _NOT_CODE and not isinstance(member, _DESCRIPTORS):
                yield from self._all(name, member)

    def _of_instance(self, value: Any) -> Iterator[str]:
        try:
            parts = value.__reduce_ex__(2)
        except Exception as error:
            text = repr(value)
            raise UserError(
                f"got code that uses {text if len(text) < 80 else text[:77] + '...'}, of which nothing says what it "
                f"is ({error}): put the code into a file of its own, and give FILE.py:NAME"
            ) from error
        if isinstance(parts, str):
            yield f"global {type(value).__module__} {parts}"
            return
        # As pickle has it: what makes it, of what; its state; the items of a list, and of a dict.
        making, arguments, state, items, pairs = (*parts, None, None, None)[:5]
        yield from self._all("instance", type(value), getattr(making, "__qualname__", ""), arguments, state)
        yield from self._all("items", list(items or ()), [part for pair in pairs or () for part in pair])


def _named(value: Any) -> str | None:
    """A function, class or built-in whose module and name say all of it."""
    if isinstance(value, _BUILT_IN) and isinstance(
        getattr(value, "__self__", None), type(None) | type | types.ModuleType
    ):
        return f"{getattr(value, '__module__', '')} {getattr(value, '__qualname__', value.__name__)}"
    if not isinstance(value, types.FunctionType | type) or value.__module__ in (None, "__main__"):
        return None
    package, name = value.__module__.partition(".")[0], value.__qualname__
    if package in sys.stdlib_module_names or package == "byrote":
        return None if "<" in name else f"{value.__module__} {name}"
    path = defining_file(value)
    if path is None:
        module = sys.modules.get(value.__module__)
        path = Path(getattr(module, "__file__", None) or "")
        if "<" in name or not is_installed(path):
            return None
    return f"{_of_module(value.__module__) if is_installed(path) else file_digest(path)} {name}"


def _of_module(name: str) -> str:
    package = name.partition(".")[0]
    if package in sys.stdlib_module_names or package in ("byrote", "__main__"):
        return name
    return f"{name} {module_digest(name)}"


def _content(cell: types.CellType) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:  # not assigned yet
        return []


def _tensor_parts(value: Any) -> list[str] | None:
    """Kind and shape of an array or tensor, and its content; None of all else."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return [f"array {value.dtype.str} {value.shape}", hashlib.sha256(value.tobytes()).hexdigest()]
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if isinstance(value, torch.dtype | torch.device | torch.memory_format | torch.layout):
        return [f"torch {value!r}"]
    if isinstance(value, torch.nn.parameter.UninitializedTensorMixin):
        return [f"{type(value).__name__} {value.requires_grad}"]
    if not isinstance(value, torch.Tensor):
        return None
    kind = f"{type(value).__name__} {value.dtype} {tuple(value.shape)} {value.requires_grad}"
    if value.is_meta:
        return [kind]
    plain = value.detach().cpu()
    whole = (plain if plain.layout == torch.strided else plain.to_dense()).contiguous()
    return [kind, hashlib.sha256(whole.reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()]


def _bytes_of(code: types.CodeType, *, nested: bool = True) -> str:
    """All that a code object says but its place and its name; its constants only if `nested`."""
    said = (
        code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags,
        code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_exceptiontable,
    )  # fmt: skip
    if not nested:
        return repr(said)
    inner = [
        _bytes_of(part) if isinstance(part, types.CodeType)
        else str(sorted(map(repr, part))) if isinstance(part, frozenset)
        else repr(part)
        for part in code.co_consts
    ]  # fmt: skip
    return repr((said, inner))


def _all_codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _all_codes(constant)


def _codes_of(value: Any) -> list[types.CodeType]:
    """Of a function, or of the functions in the body of a class; of what decorators wrap."""
    members = list(vars(value).values()) if isinstance(value, type) else [value]
    codes = []
    for member in members:
        inner = getattr(member, "__func__", getattr(member, "fget", member))
        while hasattr(inner, "__wrapped__"):
            inner = inner.__wrapped__
        if isinstance(inner, types.FunctionType):
            codes.append(inner.__code__)
    return codes


def _globals_of(code: types.CodeType) -> set[str]:
    return {
        instruction.argval
        for each in _all_codes(code)
        for instruction in dis.get_instructions(each)
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }


@lru_cache(maxsize=64)
def _defined(source: bytes) -> frozenset[str]:
    """The functions and classes that a file defines outside of others."""
    found: set[str] = set()
    left: list[ast.AST] = [ast.parse(source)]
    while left:
        node = left.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        else:
            left += ast.iter_child_nodes(node)
    return frozenset(found)


def _is_of(code: types.CodeType, path: Path) -> bool:
    return Path(code.co_filename).name == path.name and Path(code.co_filename).resolve() == path.resolve()


def _is_others(path: Path) -> bool:
    return is_installed(path) or Path(os.__file__).parent in path.parents


@lru_cache(maxsize=1)
def _process_started() -> float:
    """In seconds since 1970; 0 where the system does not say."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        booted = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
        return int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError, StopIteration):
        return 0.0
