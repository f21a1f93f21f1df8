"""The weights of runs before and after training: two safetensors files a run, whole or absent."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from torch import Tensor

from byrote.errors import StoreError
from byrote.files import replacing

_PARTS = ("initial", "final")


@dataclass(frozen=True)
class WeightsFolder:
    """KEY.initial.safetensors and KEY.final.safetensors for every run that kept its weights."""

    path: Path

    def files(self, key: str) -> tuple[Path, Path]:
        """Those of a run's initial and final weights."""
        initial, final = (self.path / f"{key}.{part}.safetensors" for part in _PARTS)
        return initial, final

    def holds(self, key: str) -> bool:
        """Whether both are there."""
        return all(file.is_file() for file in self.files(key))

    def save(self, key: str, initial: dict[str, Tensor], final: dict[str, Tensor]) -> str:
        """Both files, durably: when this returns, they outlive a crash. Returns their checksum.

        Raises:
            StoreError: the folder cannot be written, or is full.
        """
        contents = [_packed(state) for state in (initial, final)]
        self.write(key, contents)
        return _checksum(contents)

    def write(self, key: str, contents: Sequence[bytes]) -> None:
        """Both files, as `read` gives them; raises as `save` does."""
        try:
            self.path.mkdir(exist_ok=True)
            for file, content in zip(self.files(key), contents, strict=True):
                with replacing(file) as temporary, temporary.open("wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
            _sync(self.path)
        except OSError as error:
            raise StoreError(
                f"cannot write the weights of a run to {self.path}: make room or allow writing there, or do "
                f"not keep weights; then run it again, finished runs are kept ({error.strerror or error})"
            ) from error

    def remove(self, key: str) -> None:
        """Both files, where they are there.

        Raises:
            StoreError: they cannot be removed.
        """
        try:
            for file in self.files(key):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"cannot remove the weights of run {key} in {self.path}: allow it ({error})") from error

    def load(self, key: str, checksum: str | None) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The initial and the final weights and buffers, which `save` gave `checksum` for; raises as `read` does."""
        initial, final = map(safetensors.torch.load, self.read(key, checksum))
        return initial, final

    def read(self, key: str, checksum: str | None) -> list[bytes]:
        """The contents of both files.

        Raises:
            StoreError: they are not there, or are damaged.
        """
        try:
            contents = [file.read_bytes() for file in self.files(key)]
        except OSError as error:
            raise StoreError(
                f"cannot read the weights of run {key} in {self.path}: run it again and keep them ({error})"
            ) from error
        if _checksum(contents) != checksum:
            raise StoreError(
                f"the weights of run {key} in {self.path} are not those that were kept with it: remove the files "
                f"{key}.*.safetensors there, run it again and keep them"
            )
        return contents


def _checksum(contents: Iterable[bytes]) -> str:
    """SHA-256 over that of each file."""
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()


def _packed(state: dict[str, Tensor]) -> bytes:
    # Copies, because safetensors refuses tensors that share memory, as tied weights do.
    return safetensors.torch.save({name: tensor.cpu().clone().contiguous() for name, tensor in state.items()})


def _sync(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
