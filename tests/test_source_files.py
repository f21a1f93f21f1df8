"""The digest of a file and of all that it imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from byrote.references import source_digest
from byrote.source_files import local_files


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


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
    assert local_files(main) == {file.resolve() for file in files}
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
