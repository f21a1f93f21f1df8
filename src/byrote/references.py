"""Names of the user's own code: FILE.py:NAME, package.module:NAME, and names for objects that are handed over.

The source behind such a name is part of the key of a run, so that a changed model is a different run. What no file and
name lead to (a notebook's class, a lambda, a partial, a network) is called by what it is, and by a digest of its code.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import importlib
import importlib.util
import pickle
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

from byrote.errors import UserError
from byrote.isolation import first_on_path, forget_modules, undisturbed
from byrote.live_code import defining_file, is_stale, object_digest
from byrote.source_files import enclosing_packages, file_digest, is_installed, is_users, local_files, module_digest

# Objects that were handed over directly: importing their file again would run a user's script twice.
_live: dict[str, Any] = {}
_identities: dict[str, str] = {}
_SHORT_DIGEST = 12


@dataclass(frozen=True)
class _Imported:
    module: ModuleType
    stamps: frozenset[tuple[Path, int, int]]
    """Of the file and all local ones that it imports: when they were changed, and their sizes."""


_imported: dict[Path, _Imported] = {}


class OwnCode:
    """The user's own code behind some names, for another process: where it arrives, they lead to it there.

    It must arrive before what is made of it: the first argument of a call.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(dict.fromkeys(names))

    def __reduce__(self) -> tuple[Any, ...]:
        digests = {name: _identities[name] for name in self._names if name in _identities}
        values = {name: _live[name] for name in digests if name in _live}
        return _arrived, ([str(file) for file in _imported], cloudpickle.dumps(values), digests)


def is_reference(name: str) -> bool:
    """Whether a name leads to the user's own code."""
    return ":" in name


def name_of(value: Any, identity: str | None = None) -> str:
    """The name by which a spec can carry a function, a class or a network: "FILE.py:NAME", "package.module:NAME",
    "identity:NAME"; "__main__@DIGEST:NAME" of what no file and name lead to, the digest being of its code, of the
    values that it uses, and of a partial's arguments.

    A network (an instance of nn.Module) is copied, so that it stays as it is now.

    >>> import byrote
    >>> byrote.name_of("mlp-1x16"), byrote.name_of(byrote.build_model)
    ('mlp-1x16', 'byrote.models.catalog:build_model')

    Raises:
        UserError: its file was edited after it was imported, or it is made of what nothing can be said of.
    """
    if isinstance(value, str):
        return value
    if identity is not None:
        name = f"identity:{identity}"
        _identities[name] = identity
    elif (path := defining_file(value)) is not None and _live.get(name := _name_in(path, value), value) is value:
        _refuse_stale(value)
    else:
        digest = object_digest(value, redrawn=_redrawn(value))
        name = f"{_module_of(value)}@{digest[:_SHORT_DIGEST]}:{_label(value)}"
        _identities[name] = digest
        if name not in _live and _is_network(value):
            value = _copied(value)
    _live.setdefault(name, value) if identity is None else _live.update({name: value})
    return name


def load_object(name: str) -> Any:
    """What `name` ("FILE.py:NAME" or "package.module:NAME") refers to. A file that has changed is imported anew.

    Raises:
        UserError: no such file, module or name in it, or the import failed.
    """
    if name in _live:
        _refuse_stale(_live[name])
        return _live[name]
    origin, _, attribute = name.rpartition(":")
    if digest_in(name) or origin in ("__main__", "identity"):
        raise UserError(
            f"got {name!r}, which was defined in another session of Python and is not there: hand it over again, or "
            "put it into a file and give FILE.py:NAME"
        )
    with users_code(name, f"importing {origin!r} for {name!r}"), undisturbed(0):
        module = _import_file(Path(origin)) if origin.endswith(".py") else importlib.import_module(origin)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            close = get_close_matches(part, _public(found), n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            public = ", ".join(_public(found)[:8]) or "nothing callable"
            raise UserError(f"got {name!r}, but {origin} defines no {attribute!r}{hint}; it has {public}")
        found = getattr(found, part)
    _refuse_stale(found)
    return found


def source_digest(name: str) -> str:
    """SHA-256 of the file behind `name` and of the local modules it imports; installed packages by version."""
    if name in _identities:
        return _identities[name]
    origin = name.rpartition(":")[0]
    return file_digest(_existing(Path(origin))) if origin.endswith(".py") else module_digest(origin)


@contextmanager
def users_code(name: str, doing: str) -> Iterator[None]:
    """Around a call into the code behind `name`: its imports are found, and what it raises becomes one sentence with
    the line of the user's that raised it.

    Args:
        doing: the sentence's subject: "building model 'net.py:Net'".

    Raises:
        UserError: whatever the code raises, its sys.exit included.
    """
    origin = name.rpartition(":")[0]
    is_file = origin.endswith(".py") and name not in _live
    try:
        with _imports_of(Path(origin).resolve()) if is_file else nullcontext():
            yield
    except UserError:
        raise
    except SystemExit as error:
        raise UserError(
            f"{doing} called sys.exit({'' if error.code is None else repr(error.code)}){_place(error)}: put what runs "
            'as a script under if __name__ == "__main__":'
        ) from error
    except Exception as error:
        raise UserError(f"{doing} failed: {said(error)}{_place(error)}") from error


@contextmanager
def _imports_of(path: Path) -> Iterator[None]:
    """What lies beside the file can be imported, and so can the package that it is a module of."""
    packages = enclosing_packages(path)
    with first_on_path(path.parent), first_on_path(packages[0].parent) if packages else nullcontext():
        yield


def said(error: BaseException) -> str:
    """The kind of an error and its own words, in one line."""
    # A syntax error tells its place itself, which is said apart.
    words = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def short_name(name: str) -> str:
    """What a reader calls the code behind `name`: "Net" for "some/where/net.py:Net"; catalogue names as they are."""
    return name.rpartition(":")[2] if is_reference(name) else name


def short_names(names: Iterable[str]) -> dict[str, str]:
    """`short_name` of each; those that would be called alike with as much of their places as tells them apart."""
    different = list(dict.fromkeys(names))
    shorts = {name: short_name(name) for name in different}
    for short in set(shorts.values()):
        alike = [name for name in different if shorts[name] == short]
        if len(alike) > 1:
            for name, place in zip(alike, _places(alike), strict=True):
                shorts[name] = f"{short} ({place})" if place else short
    return shorts


def shortened(text: str, names: Mapping[str, str]) -> str:
    """The text with the short name for each of `names` in it."""
    for name in sorted(names, key=len, reverse=True):  # one may end in another
        text = text.replace(name, names[name])
    return text


def digest_in(name: str) -> str:
    """That of an object which no file and name lead to; "" of any other."""
    origin = name.rpartition(":")[0]
    return "" if origin.endswith(".py") else origin.partition("@")[2]


def _places(names: list[str]) -> list[str]:
    """The shortest ends of the places of `names` that differ from each other."""
    parts = [re.split(r"[/\\]", place_of(name)) if is_reference(name) else [] for name in names]
    digests = [digest_in(name) for name in names]
    for depth in range(1, max(map(len, parts), default=0) + 1):
        ends = ["/".join(part[-depth:]) for part in parts]
        if len(set(ends)) == len(ends):
            return ends
    return [digest or "/".join(part) for digest, part in zip(digests, parts, strict=True)]


def place_of(name: str) -> str:
    """Without the digest, if there is one."""
    return name.rpartition(":")[0].removesuffix(f"@{digest_in(name)}")


def _arrived(files: Iterable[str], values: bytes, digests: dict[str, str]) -> OwnCode:
    for file in files:
        with users_code(f"{file}:", f"importing {file!r}"), undisturbed(0):
            _import_file(Path(file))
    _live.update(pickle.loads(values))  # noqa: S301 (from our own process)
    _identities.update(digests)
    return OwnCode(digests)


def _refuse_stale(value: Any) -> None:
    path = defining_file(value)
    if path is not None and not is_installed(path) and is_stale(value, path):
        raise UserError(
            f"got {value.__qualname__}, whose file {path} was edited after it was imported: import it again "
            "(importlib.reload), or start Python anew"
        )


def _name_in(path: Path, value: Any) -> str:
    """Within a package there may be relative imports; installed packages lie elsewhere on every machine."""
    by_name = (path.parent / "__init__.py").is_file() or is_installed(path)
    return f"{value.__module__ if by_name else path}:{value.__qualname__}"


def _module_of(value: Any) -> str:
    function = value.func if isinstance(value, functools.partial) else value
    found = getattr(function, "__module__", None) or type(function).__module__
    return "__main__" if found.startswith("_byrote_user_") else found


def _label(value: Any) -> str:
    """What an object is called: a class or function by its name, a partial with its arguments, an instance by its
    class."""
    if isinstance(value, functools.partial):
        arguments = [*map(_said_value, value.args), *(f"{k}={_said_value(v)}" for k, v in value.keywords.items())]
        return f"{_label(value.func)}({', '.join(arguments)})"
    if isinstance(value, type) or hasattr(value, "__qualname__"):
        name = value.__qualname__.rpartition("<locals>.")[2]
        return "lambda" if name == "<lambda>" else name
    return f"{type(value).__qualname__.rpartition('<locals>.')[2]} instance"


def _said_value(value: Any) -> str:
    """A number or a word, where it can stand in a name; "…" for all else."""
    text = value.__name__ if isinstance(value, type) else str(value)
    return text if re.fullmatch(r"[\w.+-]{1,20}", text) else "…"


def _is_network(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def _copied(network: Any) -> Any:
    try:
        return copy.deepcopy(network)
    except Exception as error:
        raise UserError(
            f"got a network of class {type(network).__name__}, which cannot be copied ({said(error)}): give its class, "
            "or a function that makes a new network"
        ) from error


def _redrawn(value: Any) -> set[int]:
    """Of a network that is handed over: the weights that each seed draws anew."""
    return {id(weight) for weight in value.parameters() if weight.requires_grad} if _is_network(value) else set()


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"got {path}, which is not a file; give FILE.py:NAME or package.module:NAME")
    return path


def _import_file(path: Path) -> ModuleType:
    resolved = _existing(path).resolve()
    earlier = _imported.get(resolved)
    if earlier is not None:
        if earlier.stamps == _stamps(resolved):
            return earlier.module
        forget_modules({file for file, *_ in earlier.stamps})
    stamps = _stamps(resolved)
    try:
        module = _import_from_package(resolved) if enclosing_packages(resolved) else _import_alone(resolved)
    except ImportError as error:
        if "relative import" not in str(error):
            raise
        raise UserError(
            f"got {path}, which imports from a package ({error}), but its folder is none: put an __init__.py there, "
            "and into each folder above that the import reaches"
        ) from error
    _imported[resolved] = _Imported(module, stamps)
    return module


def _import_from_package(path: Path) -> ModuleType:
    """As a program does that lies beside the outermost package: its modules may import each other by relative names."""
    packages = enclosing_packages(path)
    names = [package.name for package in packages] + ([] if path.stem == "__init__" else [path.stem])
    with first_on_path(packages[0].parent):
        other = sys.modules.get(names[0])
        if other is not None and packages[0] not in [Path(place).resolve() for place in getattr(other, "__path__", [])]:
            raise UserError(
                f"got {path}, a module of the package {names[0]!r}, but another package of that name is imported "
                f"already ({getattr(other, '__file__', None) or 'built in'}): rename one of the two"
            )
        return importlib.import_module(".".join(names))


def _import_alone(path: Path) -> ModuleType:
    name = f"_byrote_user_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"got {path}, which Python cannot import; give a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _stamps(path: Path) -> frozenset[tuple[Path, int, int]]:
    found = ((file, file.stat()) for file in local_files(path))
    return frozenset((file, status.st_mtime_ns, status.st_size) for file, status in found)


def _public(module: Any) -> list[str]:
    return [key for key, value in vars(module).items() if not key.startswith("_") and callable(value)]


def _place(error: BaseException) -> str:
    """The innermost line that is neither byrote's nor an installed package's: " (net.py, line 3, in Net)"."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({Path(error.filename).name}, line {error.lineno})"
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__) if is_users(frame.f_code)]
    if not frames:
        return ""
    code, line = frames[-1]
    where = f", in {code.co_name}" if code.co_name != "<module>" else ""
    return f" ({Path(code.co_filename).name}, line {line}{where})"
