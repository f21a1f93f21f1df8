"""Downloads, from a server of this machine."""

import hashlib
import pty
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from byrote.data import download
from byrote.data.sources import load
from byrote.errors import UserError

from .conftest import make_arrays, write_cifar100, write_cifar_python, write_idx


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(download, "cache_folder", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served instead of the public mirrors; the first mirror does not answer."""
    folder = tmp_path / "served"
    folder.mkdir()
    write_idx(folder, make_arrays(5, 4))
    batches = tmp_path / "cifar-10-batches-py"
    batches.mkdir()
    write_cifar_python(batches, make_arrays(3, 32, 32))
    hundred = tmp_path / "cifar-100-python"
    hundred.mkdir()
    write_cifar100(hundred, make_arrays(3, 32, 32), is_binary=False)
    for unpacked, name in ((batches, "cifar-10-python"), (hundred, "cifar-100-python")):
        with tarfile.open(folder / f"{name}.tar.gz", "w:gz") as tar:
            tar.add(unpacked, unpacked.name)
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        mirrors = ("http://127.0.0.1:9/", f"http://127.0.0.1:{server.server_port}/")
        for name, known in download.DOWNLOADS.items():
            files = {file: hashlib.md5((folder / file).read_bytes()).hexdigest() for file in known.files}
            monkeypatch.setitem(download.DOWNLOADS, name, replace(known, mirrors=mirrors, files=files))
        yield folder
        server.shutdown()


@pytest.fixture
def consent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A user at a terminal who says yes; the questions asked."""
    questions: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: questions.append(question) or "y")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    return questions


@pytest.mark.parametrize("name", download.DOWNLOADS)
def test_a_download_is_asked_for_once_and_kept(name: str, cache: Path, server: Path, consent: list[str]) -> None:
    data = load(name)
    assert len(data.train) == 30
    assert len(consent) == 1
    assert consent[0].startswith(f"Download {name} (")
    assert str(cache / name) in consent[0]
    for file in server.iterdir():
        file.unlink()
    assert load(name).fingerprint == data.fingerprint
    assert len(consent) == 1


@pytest.mark.parametrize("name", download.DOWNLOADS)
def test_without_a_terminal_the_way_by_hand_is_told(name: str, cache: Path) -> None:
    with pytest.raises(
        UserError, match=rf"^{name} is not in {cache / name} yet; fetch .* from https://.* into .*:DIR$"
    ):
        load(name)
    assert not cache.exists()


def test_no_is_no(cache: Path, consent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "")
    with pytest.raises(UserError, match=r"^mnist is not in .* yet; fetch train-images"):
        load("mnist")


def test_a_wrong_checksum_is_refused(cache: Path, server: Path, consent: list[str]) -> None:
    (server / "t10k-images-idx3-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(UserError, match=r"^mnist could not be fetched: .* hash of downloaded file .*; fetch train-im"):
        load("mnist")
    assert not (cache / "mnist" / "t10k-images-idx3-ubyte.gz").exists()


def test_an_interrupted_download_is_taken_up_again(cache: Path, server: Path, consent: list[str]) -> None:
    content = (server / "t10k-labels-idx1-ubyte.gz").read_bytes()
    (server / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match=r"^mnist could not be fetched: 404 .*; fetch train-images"):
        load("mnist")
    (server / "t10k-labels-idx1-ubyte.gz").write_bytes(content)
    (server / "train-images-idx3-ubyte.gz").unlink()
    assert len(load("mnist").train) == 30


@pytest.mark.parametrize("zipped", [True, False])
def test_files_put_there_by_hand_are_used(cache: Path, zipped: bool) -> None:
    (cache / "mnist").mkdir(parents=True)
    write_idx(cache / "mnist", make_arrays(5, 4), zipped=zipped)
    assert len(load("mnist").train) == 30


def test_an_archive_put_there_by_hand_is_unpacked(cache: Path, server: Path) -> None:
    (cache / "cifar10").mkdir(parents=True)
    (server / "cifar-10-python.tar.gz").rename(cache / "cifar10" / "cifar-10-python.tar.gz")
    assert len(load("cifar10").train) == 30


def test_an_archive_cannot_write_elsewhere(cache: Path, server: Path, consent: list[str], tmp_path: Path) -> None:
    archive = server / "cifar-10-python.tar.gz"
    (tmp_path / "evil").touch()
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "evil", "../../evil-outside")
    known = download.DOWNLOADS["cifar10"]
    digest = hashlib.md5(archive.read_bytes()).hexdigest()
    download.DOWNLOADS["cifar10"] = replace(known, files={archive.name: digest})
    with pytest.raises(UserError, match=r"^cifar10 could not be fetched: .*outside"):
        load("cifar10")
    assert not list(tmp_path.rglob("evil-outside"))


def test_a_real_terminal_is_asked(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    code = "import byrote\ntry: byrote.load('mnist')\nexcept byrote.UserError as error: print('got:', error)"
    with open(controller, "rb+", buffering=0) as screen:
        screen.write(b"n\n")
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=terminal,
            stdout=terminal,
            stderr=subprocess.STDOUT,
            env={"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)},
        )
        assert process.wait(300) == 0
        said = ""
        while "got: " not in said or not said.endswith("\n"):  # what a terminal shows comes in pieces
            said += screen.read(4000).decode()
    assert "Download mnist (12 MB) from https://" in said
    assert "got: mnist is not in" in said
