"""Names of the user's own code: FILE.py:NAME and package.module:NAME, or a function or class of theirs.

The source behind such a name is part of the key of a run, so that a changed model is a different run.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from byrote.errors import UserError

# Objects that were handed over directly: importing their file again would run a user's script twice.
_live: dict[str, Any] = {}
_identities: dict[str, str] = {}


def is_reference(name: str) -> bool:
    return ":" in name


def name_of(value: Callable[..., Any] | str, identity: str | None = None) -> str:
    """The name by which a spec can carry a function or class: "FILE.py:NAME", or "identity:NAME".

    Raises:
        UserError: a lambda, a closure or a partial without `identity`: its source does not say what it does.
    """
    if isinstance(value, str):
        return value
    qualified = getattr(value, "__qualname__", "")
    if identity is not None:
        name = f"identity:{identity}"
        _identities[name] = identity
    elif not qualified or "<" in qualified or "." in qualified:
        raise UserError(
            f"got {value!r}, which no name leads to: give a function or class defined at the top of a module, "
            'or say what it is with identity="..."'
        )
    else:
        name = f"{_origin(value)}:{qualified}"
    _live[name] = value
    return name


def load_object(name: str) -> Any:
    """What `name` ("FILE.py:NAME" or "package.module:NAME") refers to.

    Raises:
        UserError: no such file, module or name in it, or the import failed.
    """
    if name in _live:
        return _live[name]
    origin, _, attribute = name.rpartition(":")
    try:
        module = _import_file(Path(origin)) if origin.endswith(".py") else importlib.import_module(origin)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"importing {origin!r} for {name!r} failed: {type(error).__name__}: {error}") from error
    if not hasattr(module, attribute):
        raise UserError(f"got {name!r}, but {origin} defines no {attribute!r}; it has {_public(module)}")
    return getattr(module, attribute)


def source_digest(name: str) -> str:
    """SHA-256 of the file behind `name` and of the local modules it imports; installed packages by version."""
    if name in _identities:
        return _identities[name]
    origin = name.rpartition(":")[0]
    if origin == "__main__":  # a notebook's cell
        return hashlib.sha256(inspect.getsource(load_object(name)).encode()).hexdigest()
    if not origin.endswith(".py"):
        found = importlib.util.find_spec(origin)
        if found is None or found.origin is None or _is_installed(Path(found.origin)):
            return _version(origin.partition(".")[0])
        origin = found.origin
    digest = hashlib.sha256()
    for part in sorted(_parts(Path(origin).resolve(), set())):
        digest.update(part.encode())
    return digest.hexdigest()


def _origin(value: Any) -> str:
    """The file that defines `value`; the module's name where a file alone would not do."""
    try:
        inspect.getsource(value)
        path = Path(inspect.getsourcefile(value) or "")
    except (TypeError, OSError) as error:
        raise UserError(f'got {value!r}, whose source cannot be found: say what it is with identity="..."') from error
    if not path.is_file():  # a notebook's cell, whose file has another name in every session
        return "__main__"
    # Within a package there may be relative imports; installed packages lie elsewhere on every machine.
    by_name = (path.parent / "__init__.py").is_file() or _is_installed(path)
    return value.__module__ if by_name and value.__module__ != "__main__" else str(path)


def _import_file(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"got {path}, which is not a file; give FILE.py:NAME or package.module:NAME")
    resolved = path.resolve()
    module_name = f"_byrote_user_{hashlib.sha256(str(resolved).encode()).hexdigest()[:12]}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    if str(resolved.parent) not in sys.path:
        sys.path.insert(0, str(resolved.parent))
    spec = importlib.util.spec_from_file_location(module_name, resolved)
    if spec is None or spec.loader is None:
        raise UserError(f"got {path}, which Python cannot import; give a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def _public(module: Any) -> str:
    own = [key for key, value in vars(module).items() if not key.startswith("_") and callable(value)]
    return ", ".join(own[:8]) or "nothing callable"


def _parts(path: Path, seen: set[Path]) -> Iterator[str]:
    """The content of a file and of every local file it imports, and the versions of all else it imports."""
    if path in seen:
        return
    seen.add(path)
    content = path.read_bytes()
    yield f"{path.name} {hashlib.sha256(content).hexdigest()}"
    for name, level in _imports(ast.parse(content)):
        package = name.partition(".")[0]
        if file := _local_file(name, level, path):
            yield from _parts(file, seen)
        elif level == 0 and package not in sys.stdlib_module_names:
            yield _version(package)


def _imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """All modules that a file may import, with the dots before them; importing a.b runs a as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from ((name, 0) for name in _prefixes(alias.name))
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield from ((name, node.level) for name in _prefixes(module))
            # `from package import module` may name files as well as attributes.
            yield from ((f"{module}.{alias.name}".lstrip("."), node.level) for alias in node.names if alias.name != "*")


def _prefixes(name: str) -> list[str]:
    """ "a.b.c" -> "a", "a.b", "a.b.c"."""
    return list(accumulate(name.split("."), "{}.{}".format))


def _local_file(name: str, level: int, importer: Path) -> Path | None:
    """The user's own file that an import leads to, if it does: beside the importer, or elsewhere on the path."""
    roots = [importer.parents[level - 1]] if level else [importer.parent, *_roots(name.partition(".")[0])]
    for root in roots:
        local = root.joinpath(*name.split("."))
        candidates = (local / "__init__.py", *([local.with_suffix(".py")] if name else []))
        if found := next((file for file in candidates if file.is_file()), None):
            return found.resolve()
    return None


def _roots(package: str) -> list[Path]:
    """The folders that hold a package of the user's; none of an installed one, of Python's, or of byrote itself, whose
    changes of meaning the key of a run counts in its own way."""
    if package in sys.stdlib_module_names or package == "byrote":
        return []
    try:
        found = importlib.util.find_spec(package)
    except ValueError:
        return []
    if found is None:
        return []
    places = found.submodule_search_locations or [found.origin or ""]
    return [Path(place).parent for place in places if not _is_installed(Path(place))]


def _is_installed(path: Path) -> bool:
    return "site-packages" in path.parts or "dist-packages" in path.parts


@lru_cache
def _version(package: str) -> str:
    distributions = _distributions().get(package, [package])
    try:
        return f"{package} {importlib.metadata.version(distributions[0])}"
    except importlib.metadata.PackageNotFoundError:
        return f"{package} (version unknown)"


@lru_cache(maxsize=1)
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()
