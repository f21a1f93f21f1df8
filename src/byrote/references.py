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
from collections.abc import Callable, Iterator
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
        try:
            origin = inspect.getsourcefile(value) or inspect.getmodule(value).__name__  # type: ignore[union-attr]
        except (TypeError, AttributeError) as error:
            raise UserError(
                f'got {value!r}, whose source cannot be found: say what it is with identity="..."'
            ) from error
        name = f"{origin}:{qualified}"
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
    if not origin.endswith(".py"):
        found = importlib.util.find_spec(origin) if origin not in sys.modules else sys.modules[origin].__spec__
        if found is None or found.origin is None or _is_installed(Path(found.origin)):
            return _version(origin.partition(".")[0])
        origin = found.origin
    path = Path(origin)
    if not path.is_file():  # a notebook's cell
        return hashlib.sha256(inspect.getsource(load_object(name)).encode()).hexdigest()
    digest = hashlib.sha256()
    for part in sorted(set(_parts(path.resolve(), set()))):
        digest.update(part.encode())
    return digest.hexdigest()


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
        root = path.parents[max(level - 1, 0)]
        local = root.joinpath(*name.split("."))
        found = [file for file in (local.with_suffix(".py"), local / "__init__.py") if file.is_file()]
        if found:
            yield from _parts(found[0], seen)
        elif level == 0 and name.partition(".")[0] not in sys.stdlib_module_names:
            yield _version(name.partition(".")[0])


def _imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module:
                yield module, node.level
            # `from package import module` may name files as well as attributes.
            yield from ((f"{module}.{alias.name}".lstrip("."), node.level) for alias in node.names if alias.name != "*")


def _is_installed(path: Path) -> bool:
    return "site-packages" in path.parts or "dist-packages" in path.parts


def _version(package: str) -> str:
    distributions = importlib.metadata.packages_distributions().get(package, [package])
    try:
        return f"{package} {importlib.metadata.version(distributions[0])}"
    except importlib.metadata.PackageNotFoundError:
        return f"{package} (version unknown)"
