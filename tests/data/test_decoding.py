import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from byrote.data import decoding, workers
from byrote.data.columns import Column
from byrote.data.decoding import Batch, EncodedImages, PixelFile, decode_images, first_size, write_images
from byrote.errors import UserError

from .conftest import encode, image_bytes

RED, WHITE = (255, 0, 0), (255, 255, 255)


def encoded(*batches: Batch) -> EncodedImages:
    num_files = sum(map(len, batches))
    return EncodedImages(Path(), [], batches, Column(np.arange(num_files), "files", str), [num_files])


def decode(*files: bytes, image_size: int | None = None) -> np.ndarray:
    decoded = decode_images(encoded(files), image_size)
    assert decoded.rejected == ()
    return decoded.pixels


def transparent_palette() -> Image.Image:
    image = Image.new("P", (2, 1), 1)
    image.putpalette([9, 9, 9, *RED])
    image.putpixel((0, 0), 0)
    return image


def rgb(*pixels: tuple[int, int, int]) -> list:
    return np.array(pixels).T[:, None].tolist()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encode(Image.new("RGB", (1, 1), RED)), rgb(RED)),
        (encode(Image.new("L", (1, 1), 77)), [[[77]]]),
        (encode(Image.new("1", (1, 1), 1)), [[[255]]]),
        (encode(Image.fromarray(np.array([[0x1234, 0xFFFF]], np.uint16))), [[[0x12, 0xFF]]]),
        (encode(Image.new("LA", (1, 1), (0, 0))), [[[255]]]),
        (encode(Image.new("RGBA", (1, 1), (0, 0, 0, 0))), rgb(WHITE)),
        (encode(Image.new("RGBA", (1, 1), (*RED, 255))), rgb(RED)),
        (encode(transparent_palette(), transparency=0), rgb(WHITE, RED)),
        (encode(transparent_palette()), rgb((9, 9, 9), RED)),
        (encode(transparent_palette(), "GIF"), rgb((9, 9, 9), RED)),
        (encode(Image.new("RGB", (1, 1), RED), "BMP"), rgb(RED)),
        (encode(Image.new("RGB", (1, 1), RED), "TIFF"), rgb(RED)),
        (encode(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "TIFF"), rgb(RED)),
        (encode(Image.new("RGB", (1, 1), RED), "WEBP", lossless=True), rgb(RED)),
        (encode(Image.new("L", (1, 1), 77), "PPM"), [[[77]]]),
    ],
)
def test_modes_and_formats(content: bytes, expected: list) -> None:
    assert decode(content)[0].tolist() == expected


def test_cmyk_jpeg() -> None:
    pixels = decode(encode(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100))
    np.testing.assert_allclose(pixels.mean((0, 2, 3)), RED, atol=3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_exif_rotation(orientation: int, kind: str) -> None:
    """Turned back by EXIF, all eight show the same: dark in the upper left corner only."""
    upright = np.full((16, 32), 255, np.uint8)
    upright[:8, :8] = 0
    # What each orientation says was done to the upright picture (EXIF 2.3, table 6).
    stored = [
        upright,
        upright[:, ::-1],
        upright[::-1, ::-1],
        upright[::-1],
        upright.T,
        np.rot90(upright),
        upright[::-1, ::-1].T,
        np.rot90(upright, -1),
    ][orientation - 1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decode(encode(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif))
    assert pixels.shape[2:] == (16, 32)
    np.testing.assert_allclose(pixels[0, 0], upright, atol=30)


def test_gray_and_colour_together_are_colour() -> None:
    gray, colour = encode(Image.new("L", (1, 1), 7)), encode(Image.new("RGB", (1, 1), RED))
    expected = [rgb((7, 7, 7)), rgb(RED), rgb((7, 7, 7))]
    assert decode(gray, colour, gray).tolist() == expected
    assert decode(colour, gray).tolist() == expected[1:]


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
    monkeypatch.setattr(workers, "num_cores", lambda: 1)
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


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (20, 20), (7, 3), (1, 1), (400, 900)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_image_size_scales_the_shorter_side_and_crops_the_centre(size: tuple[int, int], kind: str) -> None:
    width, height = size
    side = min(size)
    image = Image.new("RGB", size, RED)
    centre = ((width - side) // 2, (height - side) // 2)
    image.paste(WHITE, (*centre, centre[0] + side, centre[1] + side))
    pixels = decode(encode(image, kind, quality=95), image_size=10)
    assert pixels.shape == (1, 3, 10, 10)
    assert pixels[:, :, 2:8, 2:8].min() > 200


def test_the_first_size_is_that_of_the_first_whole_image() -> None:
    images = encoded(
        [b"broken", image_bytes(np.zeros((3, 4, 6), np.uint8)), image_bytes(np.zeros((3, 5, 5), np.uint8))]
    )
    assert first_size(images, None) == (4, 6)
    assert first_size(images, 9) == (9, 9)
    for nothing, why in ((encoded([b"", b""]), "the first: 0: not an image"), (encoded(), "there is none")):
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
