import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from byrote.data import picture
from byrote.data.picture import MAX_PIXELS, DecodedImage, Missing, decode
from byrote.errors import UserError

from .conftest import encode

RED, WHITE = (255, 0, 0), (255, 255, 255)


def pixels_of(content: bytes, **options: int) -> np.ndarray:
    """[C, H, W]"""
    found = decode(content, **{"image_size": None, **options})
    assert isinstance(found, DecodedImage), found
    assert found.pixels.shape == found.shape
    return found.pixels.transpose(2, 0, 1)


def changes(content: bytes) -> tuple[str, ...]:
    found = decode(content, None)
    assert isinstance(found, DecodedImage), found
    return found.changes


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
        (encode(Image.fromarray(np.array([[0x1234, 0xFFFF]], np.uint16)), "TIFF"), [[[0x12, 0xFF]]]),
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
    assert pixels_of(content).tolist() == expected


def test_cmyk_jpeg() -> None:
    pixels = pixels_of(encode(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100))
    np.testing.assert_allclose(pixels.mean((1, 2)), RED, atol=3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_exif_rotation(kind: str) -> None:
    """Turned back by EXIF, all eight show the same: dark in the upper left corner only."""
    upright = np.full((16, 32), 255, np.uint8)
    upright[:8, :8] = 0
    # What each orientation says was done to the upright picture (EXIF 2.3, table 6).
    turned = [
        upright,
        upright[:, ::-1],
        upright[::-1, ::-1],
        upright[::-1],
        upright.T,
        np.rot90(upright),
        upright[::-1, ::-1].T,
        np.rot90(upright, -1),
    ]
    for orientation, stored in enumerate(turned, start=1):
        exif = Image.Exif()
        exif[0x0112] = orientation
        pixels = pixels_of(encode(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif))
        assert pixels.shape[1:] == (16, 32)
        np.testing.assert_allclose(pixels[0], upright, atol=30, err_msg=f"orientation {orientation}")


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (20, 20), (7, 3), (1, 1), (400, 900)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_image_size_scales_the_shorter_side_and_crops_the_centre(size: tuple[int, int], kind: str) -> None:
    width, height = size
    side = min(size)
    image = Image.new("RGB", size, RED)
    centre = ((width - side) // 2, (height - side) // 2)
    image.paste(WHITE, (*centre, centre[0] + side, centre[1] + side))
    pixels = pixels_of(encode(image, kind, quality=95), image_size=10)
    assert pixels.shape == (3, 10, 10)
    assert pixels[:, 2:8, 2:8].min() > 200


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


PALETTE = Image.new("P", (2, 2), 1)
FRAMES = {"save_all": True, "append_images": [Image.new("RGB", (2, 2), WHITE)]}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encode(Image.new("RGB", (2, 2))), ()),
        (encode(Image.new("L", (2, 2))), ()),
        (encode(Image.new("1", (2, 2))), ()),
        (encode(Image.new("RGBA", (2, 2), (*RED, 255))), ()),
        (encode(Image.new("RGBA", (2, 2), (*RED, 254))), (picture.TRANSPARENT,)),
        (encode(PALETTE), (picture.FROM_PALETTE,)),
        (encode(transparent_palette(), transparency=0), (picture.FROM_PALETTE, picture.TRANSPARENT)),
        (encode(Image.new("CMYK", (2, 2)), "JPEG"), (picture.FROM_OTHER_COLOURS,)),
        (encode(Image.new("L", (2, 3)), "JPEG", exif=turned(6)), (picture.TURNED,)),
        (encode(Image.new("L", (2, 3)), "JPEG", exif=turned(1)), ()),
        *(
            (encode(Image.new("RGB", (2, 2)), kind, **FRAMES), (picture.FIRST_FRAME,))
            for kind in ("PNG", "WEBP", "TIFF")
        ),
    ],
)
def test_what_is_done_is_told(content: bytes, expected: tuple[str, ...]) -> None:
    assert set(changes(content)) == set(expected)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encode(Image.new("RGB", (2, 2), RED), kind, **FRAMES, **options)
    assert picture.FIRST_FRAME in changes(content)
    assert pixels_of(content)[:, 0, 0].tolist() == list(RED)


def png_of_16_bits(values: np.ndarray, colour_type: int) -> bytes:
    """[H, W, C] as Pillow does not write it: gray with alpha (4), RGB (2), RGBA (6)."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize(("colour_type", "num_channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_images_of_16_bits_may_hold_fewer(bits: int, colour_type: int, num_channels: int) -> None:
    """All 256 levels come out, in gray and in colour, where Pillow itself would keep the upper byte."""
    values = np.random.default_rng(0).integers(0, 2**bits, (40, 50, num_channels))
    values[0, 0, 0] = 2**bits - 1
    if num_channels in (2, 4):
        values[..., -1] = 0xFFFF
    content = png_of_16_bits(values, colour_type)
    found = decode(content, None, bits=bits)
    colours = values[..., : max(num_channels - 1, 1) if num_channels != 3 else 3]
    assert found.highest == colours.max()
    expected = np.broadcast_to(colours >> (bits - 8), found.shape)
    np.testing.assert_array_equal(found.pixels, expected)


@pytest.mark.parametrize("compression", [1, 8])
def test_tiff_of_16_bits_in_colour(compression: int) -> None:
    """Raw and deflated, in either byte order; written by hand, as Pillow does not."""
    values = np.array([[[0x0123, 0x0FFF, 0x0001]]])
    for order, mark in (("<", b"II"), (">", b"MM")):
        data = values.astype(f"{order}u2").tobytes()
        data = zlib.compress(data) if compression == 8 else data
        sizes = [(256, 1), (257, 1), (258, 122), (259, compression)]
        tags = [*sizes, (262, 2), (273, 128), (277, 3), (278, 1), (279, len(data))]
        entries = b"".join(
            struct.pack(f"{order}HHI", tag, 4 if tag in (273, 279) else 3, 3 if tag == 258 else 1)
            + (struct.pack(f"{order}I", value) if tag in (258, 273, 279) else struct.pack(f"{order}HH", value, 0))
            for tag, value in tags
        )
        content = mark + struct.pack(f"{order}HIH", 42, 8, len(tags)) + entries + bytes(4)
        content = content.ljust(122, b"\0") + struct.pack(f"{order}HHH", 16, 16, 16)
        content = content.ljust(128, b"\0") + data
        found = decode(content, None, bits=12)
        assert found.highest == 0x0FFF
        assert found.pixels.ravel().tolist() == [0x12, 0xFF, 0x00]


def bomb(width: int, height: int, kind: str) -> bytes:
    """A small file whose header claims many pixels."""
    content = encode(Image.new("L", (3, 3)), kind)
    if kind == "PNG":
        header = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
        return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    at, size = {
        "GIF": (6, struct.pack("<HH", width, height)),
        "BMP": (18, struct.pack("<ii", width, height)),
        "JPEG": (content.find(b"\xff\xc0") + 5, struct.pack(">HH", height, width)),
    }[kind]
    return content[:at] + size + content[at + len(size) :]


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "JPEG"])
@pytest.mark.parametrize(("width", "height"), [(9_500, 9_500), (60_000, 60_000)])
def test_large_images_are_not_decoded(
    kind: str, width: int, height: int, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    content = bomb(width, height, kind)
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)
    reason = decode(content, 8)
    assert reason.endswith(f"more than --max-pixels {MAX_PIXELS:,} allows") or "claims more pixels than" in reason


def test_the_most_pixels_can_be_chosen() -> None:
    content = encode(Image.new("L", (30, 20)))
    assert decode(content, None, max_pixels=599) == "30x20 are 600 pixels, more than --max-pixels 599 allows"
    assert decode(content, None, max_pixels=600).shape == (20, 30, 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", r"HEIC, which is not among .*: convert it to JPEG or PNG"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF, which is not among"),
        (b"\0\0\0\x1cftypisom\0\0\0\0", "a film, or"),
        (b"\xff\x0a\x7f", "JPEG XL, "),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000, "),
        (b"<!DOCTYPE html><html>", "a web page, not an image: fetch it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a pointer of Git LFS, .*: run git lfs pull"),
        (b"PK\3\4....", "a zip archive: unpack it"),
        (bytes(128) + b"DICM", "DICOM, which"),
        (b"hello", "not an image, or in none of the formats JPEG, PNG, BMP, GIF, PPM, TIFF, WEBP$"),
        (encode(Image.new("F", (2, 2)), "TIFF"), "pixels of more than 16 bits have no fixed scale"),
        (encode(Image.fromarray(np.array([[-1]], np.int32)), "TIFF"), "pixels of more than 16 bits have no fixed"),
        (encode(Image.new("RGB", (40, 40)))[:60], "truncated"),
        (Missing("its file cat.png is not there"), "its file cat.png is not there"),
    ],
)
def test_why_there_is_no_picture(content: bytes | Missing, reason: str) -> None:
    found = decode(content, None)
    assert isinstance(found, str)
    assert re.search(reason, found)


def test_what_the_system_says_costs_no_image_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"^cannot read '/nowhere/a.png' \(No such file .*\): make it readable"):
        decode("/nowhere/a.png", None)

    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(picture.ImageOps, "exif_transpose", lambda *_, **__: exhausted())
    with pytest.raises(UserError, match=r"^memory ran out while an image was decoded: make room, or lower --max-pix"):
        decode(encode(Image.new("L", (2, 2))), None)
