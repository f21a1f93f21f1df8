import gzip
from pathlib import Path

import pytest

from byrote.data import files, memory
from byrote.data.files import listing, read_bytes, read_inflated
from byrote.errors import UserError


def test_files_come_as_they_are_or_inflated(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "zipped").write_bytes(gzip.compress(content[:9]) + gzip.compress(content[9:]))
    assert read_inflated(tmp_path / "plain") == read_inflated(tmp_path / "zipped") == content
    assert content.startswith(read_inflated(tmp_path / "zipped", most_bytes=20))
    assert read_bytes(tmp_path / "plain") == content
    assert listing(tmp_path) == "plain, zipped"


def test_a_bomb_is_not_inflated_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bomb").write_bytes(gzip.compress(bytes(2**26), 1))
    monkeypatch.setattr(files, "free_memory", lambda: 2**23)
    with pytest.raises(UserError, match=r"bomb has [\d,]+ bytes and inflates to more than 5,242,880, for which there"):
        read_inflated(tmp_path / "bomb", copies=2)
    monkeypatch.setattr(memory, "free_memory", lambda: 100)
    with pytest.raises(UserError, match=r"bomb says that it holds [\d,]+ bytes, and 100 bytes of memory are free"):
        read_bytes(tmp_path / "bomb")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*/x \(No such file or directory\); .* has no files$"):
        read_bytes(tmp_path / "x")
    with pytest.raises(UserError, match=r"cannot read .*/x/y \(No such file or directory\); check the path$"):
        read_bytes(tmp_path / "x" / "y")
    (tmp_path / "x").write_bytes(gzip.compress(bytes(1000))[:-9])
    with pytest.raises(UserError, match=r"x is damaged or truncated \(.*\); fetch the file again$"):
        read_inflated(tmp_path / "x")
