"""A file as bytes: read and inflated only where there is room for it."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

from byrote.data.memory import free_memory, refuse_too_large
from byrote.errors import UserError

_GZIP = b"\x1f\x8b"
_BLOCK = 2**20


def read_bytes(path: Path) -> bytes:
    """The content of a file; UserError where it cannot be had."""
    try:
        refuse_too_large(path.stat().st_size, str(path))
        return path.read_bytes()
    except OSError as error:
        remedy = f"{path.parent} has {listing(path.parent)}" if path.parent.is_dir() else "check the path"
        raise UserError(f"cannot read {path} ({error.strerror}); {remedy}") from error


def read_inflated(path: Path, *, copies: int = 1, most_bytes: int | None = None) -> bytes:
    """The content of a file, inflated where it is gzipped, whatever its name says.

    Args:
        copies: how often the content will be held in memory at a time.
        most_bytes: inflating ends there: the rest is not wanted, or not to be believed.

    Raises:
        UserError: it is not there, damaged, or `copies` of it are too large for memory.
    """
    content = read_bytes(path)
    if not content.startswith(_GZIP):
        return content
    # What a gzip file says of its inflated size is a number modulo 2**32 that its writer may choose.
    limit = free_memory() // copies
    blocks: list[bytes] = []
    size = 0
    try:
        with gzip.open(io.BytesIO(content)) as file:
            while block := file.read(_BLOCK):
                blocks.append(block)
                size += len(block)
                if size > limit:
                    raise UserError(
                        f"{path} has {len(content):,} bytes and inflates to more than {size:,}, for which there is no "
                        "memory: use a machine with more, or a smaller file"
                    )
                if most_bytes is not None and size > most_bytes:
                    break
    except (EOFError, OSError, zlib.error) as error:
        raise UserError(f"{path} is damaged or truncated ({error}); fetch the file again") from error
    return b"".join(blocks)


def listing(folder: Path) -> str:
    """The first names in a folder, for messages about those that are not there."""
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:8] + ["…"] * (len(names) > 8)) or "no files"
