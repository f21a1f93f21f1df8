"""Source files of the user's own code: a digest of a file and of what it imports."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from types import CodeType
from typing import Any


def file_digest(path: Path) -> str:
    """SHA-256 of a file and of the local modules it imports; installed packages by version."""
    digest = hashlib.sha256()
    for part in sorted(_parts(path.resolve(), set())):
        digest.update(part.encode())
    return digest.hexdigest()


def module_digest(name: str) -> str:
    """`file_digest` of an importable module; name and version of an installed one."""
    found = _spec(name)
    if found is None or found.origin is None or is_installed(Path(found.origin)):
        return version(name.partition(".")[0])
    return file_digest(Path(found.origin))


def local_files(path: Path) -> set[Path]:
    """A file and all local ones that it imports."""
    found: set[Path] = set()
    for _ in _parts(path.resolve(), found):
        pass
    return found


def enclosing_packages(path: Path) -> list[Path]:
    """The folders, outermost first, of the packages that a file is a module of; none where its own is no package."""
    found: list[Path] = []
    for folder in path.parents:
        if not (folder / "__init__.py").is_file():
            break
        found.insert(0, folder)
    return found


def is_installed(path: Path) -> bool:
    """Whether a file belongs to an installed package."""
    return "site-packages" in path.parts or "dist-packages" in path.parts


def is_users(code: CodeType) -> bool:
    """Whether code is the user's own: neither byrote's nor Python's nor that of an installed package."""
    return not (code.co_filename.startswith(_OTHERS) or is_installed(Path(code.co_filename)))


_OTHERS = (f"{Path(__file__).parent}{os.sep}", f"{sysconfig.get_path('stdlib')}{os.sep}", "<frozen ")


def _parts(path: Path, seen: set[Path]) -> Iterator[str]:
    """The content of a file and of every local file it imports, and the versions of all else it imports."""
    if path in seen:
        return
    seen.add(path)
    content = path.read_bytes()
    yield f"{path.name} {hashlib.sha256(content).hexdigest()}"
    for folder in enclosing_packages(path):  # importing a module runs all packages that it lies in
        yield from _parts(folder / "__init__.py", seen)
    for name, level in _imports(content, str(path)):
        package = name.partition(".")[0]
        if file := _local_file(name, level, path):
            yield from _parts(file, seen)
        elif level == 0 and package not in sys.stdlib_module_names:
            yield version(package)


@lru_cache(maxsize=256)  # each run of a plan asks for its key, and parsing takes most of the time of a digest
def _imports(content: bytes, path: str) -> list[tuple[str, int]]:
    """All modules that a file may import, with the dots before them; importing a.b runs a as well."""
    found: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse(content, path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found += ((name, 0) for name in _prefixes(alias.name))
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found += ((name, node.level) for name in _prefixes(module))
            # `from package import module` may name files as well as attributes.
            found += ((f"{module}.{alias.name}".lstrip("."), node.level) for alias in node.names if alias.name != "*")
    return found


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
    found = _spec(package)
    if found is None:
        return []
    places = found.submodule_search_locations or [found.origin or ""]
    return [Path(place).parent for place in places if not is_installed(Path(place))]


def _spec(name: str) -> Any:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


@lru_cache
def version(package: str) -> str:
    """A package by its name and version."""
    distributions = _distributions().get(package, [package])
    try:
        return f"{package} {importlib.metadata.version(distributions[0])}"
    except importlib.metadata.PackageNotFoundError:
        return f"{package} (version unknown)"


@lru_cache(maxsize=1)
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()
