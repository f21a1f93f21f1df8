import io
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from byrote.data import decoding, workers
from byrote.data.columns import Column
from byrote.data.decoding import EncodedBatch, EncodedImages, PixelFile, decode_images, first_size, write_images
from byrote.errors import UserError

from .conftest import encode, image_bytes

RED, WHITE = (255, 0, 0), (255, 255, 255)


def encoded(*batches: EncodedBatch) -> EncodedImages:
    num_files = sum(map(len, batches))
    return EncodedImages(Path(), [], batches, Column(np.arange(num_files), "files", str), [num_files])


def decode(*files: bytes, image_size: int | None = None) -> np.ndarray:
    decoded = decode_images(encoded(files), image_size)
    assert decoded.rejected == ()
    return decoded.pixels


def test_gray_and_colour_together_are_colour() -> None:
    gray, colour = encode(Image.new("L", (1, 1), 7)), encode(Image.new("RGB", (1, 1), RED))
    expected = [[[[value]] for value in pixel] for pixel in ((7, 7, 7), RED, (7, 7, 7))]
    assert decode(gray, colour, gray).tolist() == expected
    assert decode(colour, gray).tolist() == expected[1:]
    assert decode_images(encoded([gray, colour, gray]), None).changes == {"{} gray ones got three equal channels": 2}


@pytest.mark.parametrize("max_pixels", [0, 2**28])
def test_the_most_pixels_have_limits(max_pixels: int) -> None:
    with pytest.raises(UserError, match=f"^got max_pixels={max_pixels}, expected a number from 1 to 178,956,970$"):
        replace(encoded([]), max_pixels=max_pixels)


@pytest.mark.parametrize(("top", "divisor"), [(255, 1), (1000, 4), (4095, 16), (65535, 256)])
def test_images_of_16_bits_share_one_scale(top: int, divisor: int, tmp_path: Path) -> None:
    """That of the highest among them, in memory and on disk; those of 8 bits beside them are left alone."""
    dark, bright = (np.full((1, 2, 3), value, np.uint16) for value in (top // 3, top))
    images = encoded([image_bytes(dark)], [image_bytes(bright), image_bytes(np.full((1, 2, 3), 9, np.uint8))])
    decoded = decode_images(images, None)
    expected = [top // 3 // divisor, top // divisor, 9]
    assert decoded.pixels[:, 0, 0, 0].tolist() == expected
    how = "kept, as they fit 8 bits" if divisor == 1 else f"divided by {divisor} to fit 8 bits"
    assert decoded.changes == {f"{{}} have 16 bits, and their values (the highest is {top:,}) were {how}": 2}
    (tmp_path / "file").write_bytes(bytes(3 * 18))
    written = write_images(images, None, PixelFile(tmp_path / "file", 0, (2, 3)), np.arange(3))
    assert np.fromfile(tmp_path / "file", np.uint8)[::18].tolist() == expected
    assert written.changes == decoded.changes


@pytest.mark.parametrize("processes", [False, True])
def test_the_order_is_that_of_the_files(processes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "PROCESSES_FROM", 0 if processes else 1000)
    images = np.random.default_rng(0).integers(0, 256, (300, 1, 3, 2), dtype=np.uint8)
    files = [image_bytes(image) for image in images]
    files[200:200] = [b"broken"]
    decoded = decode_images(encoded(files[:130], files[130:131], files[131:]), None)
    np.testing.assert_array_equal(decoded.pixels, images)
    assert decoded.rejected == ((200, "not an image, or in none of the formats JPEG, PNG, BMP, GIF, PPM, TIFF, WEBP"),)
    np.testing.assert_array_equal(decoded.rows, np.delete(np.arange(301), 200))


def test_a_wrong_size_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the batches in hand are decoded."""
    monkeypatch.setattr(workers, "num_usable_cores", lambda: 1)
    taken = []

    class Counted(tuple):
        def __iter__(self) -> Iterator[bytes]:
            taken.append(self)
            return super().__iter__()

    first = [image_bytes(np.zeros((1, side, 4), np.uint8)) for side in (4, 3)]
    images = encoded(first, *(Counted([first[0]]) for _ in range(1000)))
    with pytest.raises(UserError, match=r"^images have different sizes: 0 is 4x4, 1 is 4x3; "):
        decode_images(images, None)
    assert len(taken) < 10


def test_the_first_size_is_that_of_the_first_whole_image() -> None:
    images = encoded(
        [b"broken", image_bytes(np.zeros((3, 4, 6), np.uint8)), image_bytes(np.zeros((3, 5, 5), np.uint8))]
    )
    assert first_size(images, None) == (4, 6)
    assert first_size(images, 9) == (9, 9)
    for nothing, why in ((encoded([b"", b""]), "the first: 0: the file is empty"), (encoded(), "there is none")):
        with pytest.raises(UserError, match=rf"^none of {len(nothing)} images could be read \({why}"):
            first_size(nothing, None)


def test_a_file_that_cannot_be_read_is_not_a_broken_image() -> None:
    with pytest.raises(UserError, match=r"^cannot read '/nowhere/a.png' \(No such file .*\): make it readable"):
        decode_images(encoded(["/nowhere/a.png"]), None)


def test_images_are_written_to_their_places(tmp_path: Path) -> None:
    gray = [np.full((1, 2, 3), value, np.uint8) for value in (1, 2, 3)]
    files = [image_bytes(image) for image in gray]
    path = tmp_path / "file"
    path.write_bytes(b"\7" * (5 + 4 * 18))
    images = encoded(files[:2], [b"broken", files[2]])
    written = write_images(images, None, PixelFile(path, 5, (2, 3)), np.array([3, 1, 0, 2]))
    assert path.read_bytes() == b"\7" * 5 + b"\0" * 18 + b"\2" * 18 + b"\3" * 18 + b"\1" * 18
    assert (written.rows.tolist(), written.num_channels) == ([0, 1, 3], 1)
    assert [row for row, _ in written.rejected] == [2]


def test_what_cannot_be_written_gets_one_sentence() -> None:
    images = encoded([image_bytes(np.zeros((3, 2, 3), np.uint8))])
    with pytest.raises(UserError, match=r"^cannot write /dev/full \(No space left on device\): make room"):
        write_images(images, None, PixelFile(Path("/dev/full"), 0, (2, 3)), np.array([0]))


def test_splits_follow_the_rows_that_are_left() -> None:
    labels = Column(np.arange(20) % 2, "labels")
    rows = np.delete(np.arange(20), [3, 12])
    two = EncodedImages(Path(), [], [], labels, [12, 20])
    assert [split.tolist() for split in two.splits(rows)] == [[0, 1, 2, *range(4, 12)], list(range(13, 20))]
    train, test = EncodedImages(Path(), [], [], labels, [20]).splits(rows)
    assert (len(train), len(test)) == (14, 4)
    assert sorted([*train, *test]) == rows.tolist()


def test_a_terminal_sees_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar itself is rich's; here it is drawn on a terminal of its own."""
    monkeypatch.setattr(decoding, "PROCESSES_FROM", 1)
    monkeypatch.setenv("TERM", "xterm")
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    decode(encode(Image.new("L", (1, 1))))
    assert "images/s, left" in screen.getvalue()
