import numpy as np

from byrote.audits.planted_copies import IMAGE_COPIES, brightened, compressed, copied_images, copied_rows, shifted


def test_images_are_copied_each_way_in_turn():
    images = np.random.default_rng(0).integers(0, 256, (8, 3, 32, 32)).astype(np.uint8)
    copies, ways = copied_images(images, np.random.default_rng(0))
    assert ways == [*IMAGE_COPIES, *IMAGE_COPIES]
    assert (copies[0] == images[0, :, :, ::-1]).all()
    assert (copies != images).any(axis=(1, 2, 3)).all()


def test_a_shift_is_of_two_pixels_in_32():
    image = np.arange(32 * 32, dtype=np.int64).reshape(1, 32, 32).astype(np.uint8)
    moved = shifted(image, np.random.default_rng(0))
    inner = [
        (down, right)
        for down in (-2, 0, 2)
        for right in (-2, 0, 2)
        if (moved[0, 8:24, 8:24] == image[0, 8 - down : 24 - down, 8 - right : 24 - right]).all()
    ]
    assert inner
    assert (0, 0) not in inner


def test_brightness_is_clipped_and_compression_small():
    image = np.full((1, 16, 16), 240, np.uint8)
    assert brightened(image).max() == 255
    assert np.abs(compressed(image).astype(int) - 240).max() < 8


def test_rows_are_jittered_and_rounded():
    rows = np.random.default_rng(0).standard_normal((6, 4))
    copies, ways = copied_rows(rows, np.random.default_rng(1))
    assert ways[:2] == ["jittered", "rounded"]
    assert 0 < np.abs(copies - rows).max() < 0.1
