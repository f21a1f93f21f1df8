import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from byrote.audits.image_likeness import descriptors, likeness, small
from byrote.audits.planted_copies import brightened, compressed, mirrored, shifted


@pytest.fixture(scope="module")
def scenes():
    draw = np.random.default_rng(0)
    found = np.stack([[gaussian_filter(draw.standard_normal((24, 24)), 1.5) for _ in range(3)] for _ in range(40)])
    return np.clip(128 + 250 * found, 0, 255).astype(np.uint8)


def test_large_images_become_small_ones():
    images = np.full((2, 3, 64, 80), 0.5, np.float32)
    assert small(images, 1.0).shape == (2, 3, 32, 32)
    assert small(images, 1.0).max() == 128
    whole = np.zeros((2, 1, 20, 20), np.uint8)
    assert (small(whole, 255.0) == whole).all()


@pytest.mark.parametrize(
    "change", [mirrored, compressed, brightened, lambda image: shifted(image, np.random.default_rng(4))]
)
def test_a_copy_is_alike_and_another_image_is_not(scenes, change):
    copies = np.stack([change(image) for image in scenes])
    whole = np.concatenate([scenes, copies])
    rows = np.arange(40)
    own = likeness(whole, rows, rows + 40)
    other = likeness(whole, rows, (rows + 1) % 40 + 40)
    assert own.min() > other.max()


def test_descriptors_of_a_mirror_image_change_sign(scenes):
    even, odd = descriptors(np.concatenate([scenes, scenes[..., ::-1]]))
    assert np.abs(even[:40] - even[40:]).max() < 1e-3
    assert np.abs(odd[:40] + odd[40:]).max() < 1e-3
