"""Names of the user's own code, and the digest of the source behind them."""

from __future__ import annotations

import functools
import importlib
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from byrote.errors import UserError
from byrote.references import (
    OwnCode,
    digest_in,
    is_reference,
    load_object,
    name_of,
    place_of,
    short_name,
    short_names,
    source_digest,
    users_code,
)


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


def test_an_identity_stands_for_what_is_given() -> None:
    name = name_of(top_level, identity="mine, version 2")
    assert load_object(name) is top_level
    assert source_digest(name) == "mine, version 2"


@pytest.mark.parametrize(
    ("make", "label"),
    [
        (lambda: lambda: None, "lambda"),
        (make_closure, "inner"),
        (lambda: functools.partial(top_level, width=3, act=torch.relu), "top_level(width=3, act=…)"),
        (lambda: TopLevel().method, "TopLevel.method"),
        (lambda: torch.nn.Linear(2, 3), "Linear instance"),
        (lambda: type("Made", (TopLevel,), {}), "Made"),
    ],
)
def test_what_no_name_leads_to_is_known_by_its_code(make: Callable[[], Any], label: str) -> None:
    value = make()
    name = name_of(value)
    assert name.rpartition(":")[2] == label == short_name(name)
    assert name_of(value) == name_of(make()) == name
    assert source_digest(name).startswith(name.rpartition(":")[0].rpartition("@")[2])
    found = load_object(name)
    assert isinstance(found, torch.nn.Module) or found is value


def test_a_network_stays_as_it_was_handed_over() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 2).requires_grad_(False))
    name = name_of(network)
    with torch.no_grad():
        network[0].weight.fill_(1)  # is drawn anew anyhow
    assert name_of(network) == name
    with torch.no_grad():
        network[1].weight.fill_(1)  # is kept
    assert name_of(network) != name
    assert not torch.equal(load_object(name)[1].weight, network[1].weight)


def test_of_two_definitions_under_one_name_each_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a module that was loaded again, as a notebook does."""
    write(tmp_path / "reloaded.py", "def net(): return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import reloaded  # type: ignore[import-not-found]

    first = reloaded.net
    name = name_of(first)
    write(tmp_path / "reloaded.py", "def net(): return 1 + 1\n")
    with pytest.raises(UserError, match="was edited after it was imported: import it again"):
        name_of(first)
    importlib.reload(reloaded)
    assert load_object(name_of(reloaded.net))() == 2
    assert name_of(reloaded.net) != name


@pytest.mark.parametrize("name", ["__main__@0123456789ab:Net", "identity:never", "some.module@0123456789ab:lambda"])
def test_what_another_session_defined_is_not_there(name: str) -> None:
    with pytest.raises(UserError, match=r"was defined in another session of Python.*give FILE.py:NAME"):
        load_object(name)


def test_a_file_that_is_not_there_has_no_digest() -> None:
    with pytest.raises(UserError, match=r"got nowhere\.py, which is not a file"):
        source_digest("nowhere.py:net")


def test_short_names() -> None:
    names = ["mlp-1x4", "a/net.py:Net", "b/net.py:Net", "own.py:Other", "pack.mod:Made", "__main__@abc123:One"]
    assert list(short_names(names).values()) == [
        "mlp-1x4", "Net (a/net.py)", "Net (b/net.py)", "Other", "Made", "One"
    ]  # fmt: skip
    assert short_names(["x/one.py:Net", "x/two.py:Net"]) == {
        "x/one.py:Net": "Net (one.py)", "x/two.py:Net": "Net (two.py)"
    }  # fmt: skip
    assert list(short_names(["__main__@aa:Net", "__main__@bb:Net"]).values()) == ["Net (aa)", "Net (bb)"]


def test_a_folder_may_have_an_at_sign_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "me@home").mkdir()
    path = write(tmp_path / "me@home" / "mine.py", "def two():\n    return 2\n")
    assert load_object(f"{path}:two")() == 2
    assert digest_in(f"{path}:two") == ""
    assert place_of(f"{path}:two") == str(path)


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
        ("{folder}/broken.py:f", "failed: ZeroDivisionError: division by zero (broken.py, line 1)"),
        ("{folder}/deep.py:f", "failed: ZeroDivisionError: division by zero (broken.py, line 1)"),
        ("{folder}/typo.py:f", "failed: SyntaxError: '(' was never closed (typo.py, line 2)"),
        ("{folder}/leaves.py:f", "called sys.exit(0) (leaves.py, line 2): put what runs as a script under if __name__"),
        ("{folder}/fine.py:gg", "defines no 'gg' (did you mean 'g'?); it has g, h"),
        ("{folder}/fine.py:zzz", "defines no 'zzz'; it has g, h"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, name: str, message: str) -> None:
    write(tmp_path / "broken.py", "1 / 0\n")
    write(tmp_path / "deep.py", "import broken\n")
    write(tmp_path / "typo.py", "x = 1\nprint(1\n")
    write(tmp_path / "leaves.py", "import sys\nsys.exit(0)\n")
    write(tmp_path / "fine.py", "def g(): ...\n\n\ndef h(): ...\n")
    with pytest.raises(UserError) as error:
        load_object(name.format(folder=tmp_path))
    assert message in str(error.value)


def test_a_file_that_has_changed_is_imported_anew(tmp_path: Path) -> None:
    """With what it imports: no run is of older code than its key."""
    path = write(tmp_path / "mine.py", "from edited import one\ndef two():\n    return one + 1\n")
    write(tmp_path / "edited.py", "one = 1\n")
    assert load_object(f"{path}:two")() == 2
    write(tmp_path / "edited.py", "one = 11\n")
    assert load_object(f"{path}:two")() == 12
    write(path, "from edited import one\ndef two():\n    return one + 100\n")
    assert load_object(f"{path}:two")() == 111


def test_a_module_of_a_package_goes_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its relative imports would fail in another process if the file were imported by itself."""
    write(tmp_path / "parcel" / "__init__.py", "")
    write(tmp_path / "parcel" / "net.py", "from .layers import one\n\n\ndef make():\n    return one\n")
    write(tmp_path / "parcel" / "layers.py", "one = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    from parcel.net import make  # type: ignore[import-not-found]

    assert name_of(make) == "parcel.net:make"
    before = source_digest("parcel.net:make")
    assert load_object("parcel.net:make") is make
    write(tmp_path / "parcel" / "layers.py", "one = 2\n")
    assert source_digest("parcel.net:make") != before


def package_in(folder: Path, *, size: int = 8, name: str = "pk") -> Path:
    """Writes a package whose model lies in a folder within and imports from above and from beside."""
    (folder / name / "sub").mkdir(parents=True)
    (folder / name / "__init__.py").write_text("SCALE = 2\n")
    (folder / name / "layers.py").write_text(f"from . import SCALE\n\nSIZE = {size} * SCALE\n")
    (folder / name / "sub" / "__init__.py").write_text("")
    (folder / name / "sub" / "beside.py").write_text("HERE = 1\n")
    net = folder / name / "sub" / "net.py"
    net.write_text(
        "from ..layers import SIZE\nfrom . import beside\nfrom .beside import HERE\n\n"
        "def net():\n    from ..layers import SIZE as late\n    return SIZE, late, HERE + beside.HERE\n"
    )
    return net


def test_a_file_in_a_package_imports_by_relative_names(tmp_path: Path) -> None:
    first, second = package_in(tmp_path / "one"), package_in(tmp_path / "two", size=5)
    for net, expected in ((first, (16, 16, 2)), (second, (10, 10, 2)), (first, (16, 16, 2))):
        with users_code(f"{net}:net", "building"):
            assert load_object(f"{net}:net")() == expected


def test_a_package_is_part_of_the_source(tmp_path: Path) -> None:
    net = package_in(tmp_path)
    digests = {source_digest(f"{net}:net")}
    for file in ("layers.py", "__init__.py", "sub/beside.py", "sub/__init__.py"):
        changed = tmp_path / "pk" / file
        changed.write_text(changed.read_text() + "OTHER = 1\n")
        digests.add(source_digest(f"{net}:net"))
    assert len(digests) == 5
    (tmp_path / "pk" / "layers.py").write_text("SIZE = 77\n")
    assert load_object(f"{net}:net")()[0] == 77


def test_a_relative_import_without_a_package_says_what_is_missing(tmp_path: Path) -> None:
    net = package_in(tmp_path)
    (tmp_path / "pk" / "sub" / "__init__.py").unlink()
    with pytest.raises(UserError, match=r"net.py, which imports from a package .* put an __init__.py there"):
        load_object(f"{net}:net")
    deep = package_in(tmp_path, name="deep")
    (tmp_path / "deep" / "__init__.py").unlink()
    with pytest.raises(UserError, match=r"put an __init__.py there, and into each folder above"):
        load_object(f"{deep}:net")


def test_a_package_called_as_an_installed_one_is_refused(tmp_path: Path) -> None:
    net = package_in(tmp_path, name="torch")
    with pytest.raises(UserError, match=r"another package of that name is imported already .*: rename one"):
        load_object(f"{net}:net")


def test_own_code_reaches_another_process_with_its_files_its_values_and_their_digests(tmp_path):
    (tmp_path / "net.py").write_text("import beside\n\n\ndef scaled(x):\n    return beside.SCALE * x\n")
    (tmp_path / "beside.py").write_text("SCALE = 3\n")
    in_file, live = f"{tmp_path / 'net.py'}:scaled", name_of(lambda x: x + 1)
    assert load_object(in_file)(2) == 6
    program = (
        "import pickle, sys; own = pickle.load(sys.stdin.buffer); "
        "from byrote.references import load_object, source_digest; "
        f"print(load_object({in_file!r})(2), load_object({live!r})(2), source_digest({live!r}))"
    )
    sent = pickle.dumps(OwnCode([in_file, live]))
    done = subprocess.run([sys.executable, "-c", program], input=sent, capture_output=True, check=True)
    assert done.stdout.decode().split() == ["6", "3", source_digest(live)]
