"""Public data sets for `--data mnist` without a folder: found in the user's cache, or fetched on consent."""

from __future__ import annotations

import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from byrote.errors import UserError


@dataclass(frozen=True)
class Download:
    """Files that anyone may fetch, with the checksums their publishers state."""

    mirrors: tuple[str, ...]
    files: dict[str, str]
    """File name -> MD5."""
    megabytes: int
    unpacked: str = ""
    """The folder in the one archive; empty where the files are used as they are."""


DOWNLOADS = {
    "cifar10": Download(
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        files={"cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a"},
        megabytes=170,
        unpacked="cifar-10-batches-py",
    ),
    "cifar100": Download(
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        files={"cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85"},
        megabytes=169,
        unpacked="cifar-100-python",
    ),
    "mnist": Download(
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        files={
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
        megabytes=12,
    ),
    "fashion-mnist": Download(
        mirrors=("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",),
        files={
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
        megabytes=31,
    ),
}


def cache_folder(name: str) -> Path:
    """Where downloads of this name are kept, for all that this user runs."""
    from platformdirs import user_cache_path

    return user_cache_path("byrote", appauthor=False) / name


def find_or_fetch(name: str) -> Path:
    """The folder with the files of DOWNLOADS[name], fetched if it is not there and the user agrees at the terminal.

    Raises:
        UserError: no terminal to ask at, no consent, no connection, or a wrong checksum; how to fetch it by hand.
    """
    download, folder = DOWNLOADS[name], cache_folder(name)
    if _is_complete(download, folder):
        return folder
    by_hand = (
        f"fetch {', '.join(download.files)} from {download.mirrors[0]} into {folder}, "
        f"or say where you have it: {name}:DIR"
    )
    if not all((folder / file).is_file() for file in download.files) and not _consents(download, name, folder):
        raise UserError(f"{name} is not in {folder} yet; {by_hand}")
    try:
        for file, checksum in download.files.items():
            _fetch(file, checksum, download.mirrors, folder)
        if download.unpacked:
            (archive,) = download.files
            _unpack(folder / archive, download.unpacked)
    except (OSError, ValueError, tarfile.TarError) as error:
        raise UserError(f"{name} could not be fetched: {error}; {by_hand}") from error
    return folder


def _is_complete(download: Download, folder: Path) -> bool:
    if download.unpacked:
        return (folder / download.unpacked).is_dir()
    return all((folder / file).is_file() or (folder / file).with_suffix("").is_file() for file in download.files)


def _consents(download: Download, name: str, folder: Path) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    question = f"Download {name} ({download.megabytes} MB) from {download.mirrors[0]} to {folder}? [y/N] "
    return input(question).strip().lower() in ("y", "yes")


def _fetch(file: str, checksum: str, mirrors: tuple[str, ...], folder: Path) -> None:
    """From the first mirror that answers; a file that is there already is only checked."""
    import pooch

    for mirror in mirrors:
        try:
            with _Bar(file) as bar:
                downloader = pooch.HTTPDownloader(progressbar=bar, timeout=60)
                pooch.retrieve(mirror + file, f"md5:{checksum}", file, folder, downloader=downloader)
        except OSError:
            if mirror == mirrors[-1]:
                raise
        else:
            return


def _unpack(archive: Path, member: str) -> None:
    """Unpacks beside the archive, so that `member` is there whole or not at all."""
    with TemporaryDirectory(dir=archive.parent) as folder:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        (Path(folder) / member).rename(archive.parent / member)


class _Bar:
    """What pooch asks of a progress bar, drawn by rich."""

    total = 0

    def __init__(self, file: str) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
        )
        self._task = self._progress.add_task(file, total=None)

    def update(self, num_bytes: int) -> None:
        self._progress.update(self._task, total=self.total, advance=num_bytes)

    def reset(self) -> None:
        self._progress.reset(self._task)

    def close(self) -> None:
        self._progress.refresh()

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
