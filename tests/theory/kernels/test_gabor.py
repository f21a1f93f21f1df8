import math

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from byrote.data.sources import load
from byrote.theory.kernels.gabor import GaborFeatures
from byrote.theory.kernels.kernel import Gaussian, gram, median_width


def draw_images(num, channels=1, height=13, width=18):
    return torch.rand(num, channels, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def grating(wavelength, turn, side=40):
    """Waves whose crests are at right angles to the direction `turn`."""
    y, x = torch.meshgrid(*2 * [torch.arange(side, dtype=torch.float64)], indexing="ij")
    angle = torch.tensor(turn, dtype=torch.float64)
    return torch.cos(2 * math.pi * (x * angle.cos() + y * angle.sin()) / wavelength)[None, None]


def test_features_are_averaged_magnitudes_of_plain_convolutions():
    """With regions of one pixel, and then with the Gaussian weights written out for one region."""
    bank = GaborFeatures(wavelengths=(3.0, 5.0), num_orientations=3, stride=3)
    images = draw_images(2, channels=2)
    shape = (2, 2, 6, 5, 6)  # images, channels, wavelets, rows and columns of regions
    found = bank(images).reshape(shape)
    wavelets = [wavelet for length in bank.wavelengths for wavelet in bank.wavelets(length)]
    centers = [(np.arange(num) - (num - 1) / 2) * 3 + (side - 1) / 2 for num, side in ((5, 13), (6, 18))]
    rows, columns = (
        np.exp(-((np.arange(side) - at[:, None]) ** 2) / 4.5) for at, side in zip(centers, (13, 18), strict=True)
    )
    for number, channel, k in np.ndindex(*shape[:3]):
        # conv2d of a network is a correlation: a convolution with the mirrored wavelet.
        responses = convolve2d(images[number, channel], wavelets[k].numpy()[::-1, ::-1], mode="same")
        weights = np.einsum("rh,cw->rchw", rows, columns)
        expected = (weights * np.abs(responses)).sum((2, 3)) / weights.sum((2, 3))
        np.testing.assert_allclose(found[number, channel, k], expected, rtol=1e-9)


def test_wavelets_have_norm_1_and_do_not_see_what_is_flat():
    for wavelength in (2.0, 4.0, 9.0):
        wavelets = GaborFeatures().wavelets(wavelength)
        torch.testing.assert_close(wavelets.abs().square().sum((1, 2)), torch.ones(8, dtype=torch.float64))
        torch.testing.assert_close(wavelets.sum((1, 2)), torch.zeros(8, dtype=torch.complex128))


@pytest.mark.parametrize("orientation", range(8))
def test_waves_excite_the_wavelet_of_their_length_and_direction(orientation):
    bank = GaborFeatures(wavelengths=(3.0, 5.0, 9.0), stride=8)
    features = bank(grating(5.0, orientation * math.pi / 8)).reshape(3, 8, 5, 5)[:, :, 2, 2]
    assert features.argmax().item() == 8 + orientation


def test_the_magnitude_does_not_depend_on_the_phase():
    """Up to what the average over a Gaussian region leaves of the waves at its borders."""
    bank = GaborFeatures(wavelengths=(5.0,), num_orientations=1, stride=8)
    one, other = (bank(image).reshape(5, 5)[2, 2] for image in (grating(5.0, 0.0), grating(5.0, 0.0).roll(2, 3)))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=0.0)


def test_a_quarter_turn_of_the_image_turns_the_features():
    bank = GaborFeatures(wavelengths=(4.0,), num_orientations=4)
    image = draw_images(1, height=16, width=16)
    found = bank(image).reshape(4, 4, 4)
    turned = bank(image.rot90(1, (2, 3))).reshape(4, 4, 4)
    torch.testing.assert_close(turned, found.roll(2, 0).rot90(1, (1, 2)))


def test_blocks_change_nothing(monkeypatch):
    bank, images = GaborFeatures(wavelengths=(4.0,)), draw_images(7, channels=3)
    whole = bank(images)
    monkeypatch.setattr("byrote.theory.kernels.gabor._BLOCK_VALUES", 2 * 3 * 13 * 18 * 8)
    torch.testing.assert_close(bank(images), whole)
    assert whole.shape == (7, bank.num_features((3, 13, 18)))
    assert bank.num_features((3, 13, 18)) == 3 * 8 * 4 * 5
    assert bank(images.float()).dtype == torch.float32


def test_they_tell_digits_better_than_pixels_do(real_data):
    """Interpolation without regularisation of 300 images of MNIST by a Gaussian kernel of the median width."""
    data = load(f"mnist:{real_data / 'mnist'}")
    (train, labels), (test, test_labels) = (
        (torch.from_numpy(part.inputs[:num] / 255).float(), torch.from_numpy(part.labels[:num]))
        for part, num in ((data.train, 300), (data.test, 400))
    )
    errors = []
    for prepare in (GaborFeatures(), lambda images: images.flatten(1)):
        x, x_test = prepare(train).double(), prepare(test).double()
        kernel = Gaussian(median_width(x))
        coefficients = torch.linalg.solve(gram(kernel, x), torch.nn.functional.one_hot(labels, 10).double())
        predicted = (gram(kernel, x_test, x) @ coefficients).argmax(1)
        errors.append((predicted != test_labels).double().mean().item())
    assert errors[0] < errors[1] / 2
