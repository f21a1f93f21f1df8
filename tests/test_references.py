"""Names of the user's own code, and the digest of the source behind them."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from byrote.errors import UserError
from byrote.references import is_reference, load_object, name_of, source_digest


def top_level() -> int:
    return 1


class TopLevel:
    def method(self) -> None: ...


def make_closure():
    def inner() -> None: ...

    return inner


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["a.py:b", "a.b:c", "identity:x"])
def test_a_colon_makes_a_reference(name: str) -> None:
    assert is_reference(name)


def test_catalogue_names_are_no_references() -> None:
    assert not is_reference("mlp-3x512")


@pytest.mark.parametrize("value", [top_level, TopLevel])
def test_a_name_leads_back(value: object) -> None:
    name = name_of(value)
    assert name == f"{__file__}:{value.__name__}"
    assert load_object(name) is value
    assert name_of(name) is name


def test_an_installed_class_goes_by_the_name_of_its_module() -> None:
    name = name_of(torch.optim.Adam)
    assert name == "torch.optim.adam:Adam"
    assert source_digest(name).startswith("torch 2.")


@pytest.mark.parametrize(
    "value",
    [lambda: None, make_closure(), functools.partial(top_level), TopLevel.method],
    ids=["lambda", "closure", "partial", "method"],
)
def test_what_no_name_leads_to_needs_an_identity(value: object) -> None:
    with pytest.raises(UserError, match=r'no name leads to.*identity="\.\.\."'):
        name_of(value)
    name = name_of(value, identity="mine, version 2")
    assert load_object(name) is value
    assert source_digest(name) == "mine, version 2"


@pytest.mark.parametrize("definition", ["def f(): pass", "class f: pass"])
def test_what_has_no_source_needs_an_identity(definition: str) -> None:
    program = f"{definition}\nfrom byrote.references import name_of\nname_of(f)"
    answer = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert "UserError: got <" in answer.stderr
    assert 'whose source cannot be found: say what it is with identity="..."' in answer.stderr


def test_a_notebook_cell_is_named_and_hashed_by_its_source() -> None:
    program = """
import linecache
from byrote.references import load_object, name_of, source_digest
def run(source, session):
    file = f"/tmp/ipykernel_{session}/{session}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    exec(compile(source, file, "exec"), globals())
    name = name_of(f)
    assert load_object(name) is f
    return name, source_digest(name)
first, same, other = run("def f(): return 1\\n", 1), run("def f(): return 1\\n", 2), run("def f(): return 2\\n", 3)
assert first == same and first[0] == other[0] == "__main__:f" and first[1] != other[1], (first, same, other)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_file_is_imported_once(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.py", "from beside import one\n\n\ndef two():\n    return one + 1\n")
    write(tmp_path / "beside.py", "one = 1\n")
    two = load_object(f"{path}:two")
    assert two() == 2
    assert load_object(f"{path}:two") is two
    assert load_object("os.path:join")("a", "b") == str(Path("a", "b"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.py:f", "got nowhere.py, which is not a file; give FILE.py:NAME or package.module:NAME"),
        ("no.such.module:f", "importing 'no.such.module' for 'no.such.module:f' failed: ModuleNotFoundError"),
        ("{folder}/broken.py:f", "failed: ZeroDivisionError: division by zero"),
        ("{folder}/fine.py:f", "defines no 'f'; it has g, h"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, name: str, message: str) -> None:
    write(tmp_path / "broken.py", "1 / 0\n")
    write(tmp_path / "fine.py", "def g(): ...\n\n\ndef h(): ...\n")
    with pytest.raises(UserError) as error:
        load_object(name.format(folder=tmp_path))
    assert message in str(error.value)


def test_the_digest_follows_every_local_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the file, in its package by relative and by absolute name, and elsewhere on the path."""
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.syspath_prepend(elsewhere)
    folder = tmp_path / "project"
    main = write(
        folder / "main.py",
        "import json, torch\nimport beside\nfrom pack import net\nimport far.away\n"
        "def lazily():\n    from late import x\n",
    )
    files = [
        main,
        write(folder / "beside.py", "import beside_too"),
        write(folder / "beside_too.py", "import beside"),
        write(folder / "late.py", "x = 1"),
        write(folder / "pack" / "__init__.py", ""),
        write(folder / "pack" / "net.py", "from . import sister\nfrom .deep.layers import a\nimport pack.cousin"),
        write(folder / "pack" / "sister.py", ""),
        write(folder / "pack" / "cousin.py", ""),
        write(folder / "pack" / "deep" / "__init__.py", ""),
        write(folder / "pack" / "deep" / "layers.py", "from ..aunt import a"),
        write(folder / "pack" / "aunt.py", "a = 1"),
        write(elsewhere / "far" / "__init__.py", ""),
        write(elsewhere / "far" / "away.py", ""),
    ]
    write(folder / "unrelated.py", "x = 1")
    monkeypatch.syspath_prepend(folder)
    name = f"{main}:lazily"
    before = source_digest(name)
    assert source_digest("main:lazily") == before
    write(folder / "unrelated.py", "x = 2")
    assert source_digest(name) == before
    digests = {before}
    for file in files:
        file.write_text(file.read_text() + "\n# changed\n")
        digests.add(source_digest(name))
    assert len(digests) == len(files) + 1


def test_the_digest_is_of_content_and_not_of_place(tmp_path: Path) -> None:
    digests = set()
    for folder in ("here", "there"):
        main = write(tmp_path / folder / "main.py", "import beside\ndef f(): ...\n")
        write(tmp_path / folder / "beside.py", "x = 1")
        digests.add(source_digest(f"{main}:f"))
    assert len(digests) == 1


def test_a_module_of_a_package_goes_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its relative imports would fail in another process if the file were imported by itself."""
    write(tmp_path / "parcel" / "__init__.py", "")
    write(tmp_path / "parcel" / "net.py", "from .layers import one\n\n\ndef make():\n    return one\n")
    write(tmp_path / "parcel" / "layers.py", "one = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    from parcel.net import make  # type: ignore[import-not-found]

    assert name_of(make) == "parcel.net:make"
    before = source_digest("parcel.net:make")
    write(tmp_path / "parcel" / "layers.py", "one = 2\n")
    assert source_digest("parcel.net:make") != before
