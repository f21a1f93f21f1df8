from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from byrote.data.sources import load
from byrote.errors import UserError
from byrote.theory.kernels.random_convolutions import RandomConvFeatures, gram_of_features, num_patches


def draw_images(num, channels=3, height=13, width=11, seed=0):
    return torch.rand(num, channels, height, width, generator=torch.Generator().manual_seed(seed))


IMAGES = draw_images(9)
DRAWN = {"patch_size": 4, "precision": "float32"}


def oracle(features, images):
    """All responses at once, by a plain convolution of patches that are normalised one by one."""
    size = features.patch_size
    patches = F.unfold(images, size).unflatten(1, (-1, size**2)).transpose(1, 2).flatten(1, 2)  # [N, P, L]
    variance, mean = torch.var_mean(patches, 1, correction=0, keepdim=True)
    patches = (patches - mean) / (variance + 10 / 255**2).sqrt() - features.mean[:, None]
    both = torch.stack([features.filters, -features.filters], 1).flatten(0, 1)
    rows, columns = (side - size + 1 for side in images.shape[2:])
    responses = F.conv2d(
        patches.unflatten(2, (rows, columns)), both[:, :, None, None]
    )  # a 1x1 convolution over the patches' values
    rectified = (responses - features.bias).clamp(min=0)
    cells = [
        cell.mean((2, 3))
        for part in rectified.tensor_split(features.grid, 2)
        for cell in part.tensor_split(features.grid, 3)
    ]
    return torch.stack(cells, 1).unflatten(2, (-1, 2)).transpose(1, 2).flatten(1)


@pytest.mark.parametrize("grid", [1, 2, 3])
def test_features_are_those_of_a_plain_convolution(grid):
    features = replace(RandomConvFeatures.draw(IMAGES, 14, **DRAWN), grid=grid, bias=0.3)
    assert (features.num_filters, features.num_features) == (14, 14 * grid**2)
    found = features(IMAGES, block_images=4)
    torch.testing.assert_close(found, oracle(features, IMAGES), rtol=1e-4, atol=1e-5)
    assert (found >= -1e-6).all()
    torch.testing.assert_close(features.of_filters(IMAGES, slice(2, 5)), found[:, 4 * grid**2 : 10 * grid**2])


def test_no_more_pairs_of_filters_than_there_are_patches():
    few = IMAGES[:2]
    assert num_patches(few, 4) == 2 * 10 * 8
    assert RandomConvFeatures.draw(few, 2 * num_patches(few, 4), **DRAWN).num_filters == 320
    with pytest.raises(UserError, match="got 322 filters, expected at most 320 of these patches"):
        RandomConvFeatures.draw(few, 322, **DRAWN)
    assert num_patches(draw_images(3, height=5)) == 0


def test_responses_are_those_of_whitened_patches():
    """Filters of length 1 on whitened patches, whose covariance is 1 but for the damping."""
    images = draw_images(200)
    features = replace(RandomConvFeatures.draw(images, 300, **DRAWN), bias=0.0)
    # max(r, 0) + max(-r, 0) = |r|, on average sqrt(2 / pi) deviations of about 1.
    found = features(images).unflatten(1, (150, 4, 2)).sum(3).mean()
    assert found.item() == pytest.approx((2 / torch.pi) ** 0.5, abs=0.12)


@pytest.mark.parametrize(("block_images", "block_filters"), [(32, 512), (2, 6), (4, 1)])
@pytest.mark.parametrize("tile", [2048, 5])
def test_the_gram_matrix_does_not_depend_on_blocks(monkeypatch, tile, block_images, block_filters):
    monkeypatch.setattr("byrote.theory.kernels.random_convolutions._TILE", tile)
    features = RandomConvFeatures.draw(IMAGES, 22, **DRAWN)
    all_at_once = features(IMAGES)
    blocks = {"block_images": block_images, "block_filters": block_filters}
    found = gram_of_features(features, IMAGES, **blocks)
    torch.testing.assert_close(found, all_at_once @ all_at_once.T)
    assert torch.equal(found, found.T)


def test_it_fills_what_it_is_given_and_tells_how_far_it_is():
    features = RandomConvFeatures.draw(IMAGES, 22, **DRAWN)
    out, shares = torch.full((9, 9), torch.nan), []
    found = gram_of_features(features, IMAGES, block_filters=8, out=out, on_progress=shares.append)
    assert found is out
    assert out.isfinite().all()
    assert shares == pytest.approx([4 / 11, 8 / 11, 1])


def test_only_a_block_of_filters_is_in_memory(monkeypatch):
    features = RandomConvFeatures.draw(IMAGES, 64, **DRAWN)
    sizes, of_filters = [], RandomConvFeatures.of_filters

    def watched(self, images, pairs, **blocks):
        found = of_filters(self, images, pairs, **blocks)
        sizes.append(found.numel())
        return found

    monkeypatch.setattr(RandomConvFeatures, "of_filters", watched)
    gram_of_features(features, IMAGES, block_filters=16)
    assert sizes == 4 * [9 * 16 * 4]


def test_bfloat16_hurts_little():
    features = RandomConvFeatures.draw(draw_images(40), 128, **(DRAWN | {"precision": "bfloat16"}))
    exact = RandomConvFeatures.draw(draw_images(40), 128, **DRAWN)
    found, expected = (gram_of_features(one, draw_images(40)) for one in (features, exact))
    assert not torch.equal(found, expected)
    assert torch.linalg.matrix_norm(found - expected) < 3e-3 * torch.linalg.matrix_norm(expected)


def test_filters_follow_the_seed_and_the_images():
    one, same, other = (RandomConvFeatures.draw(IMAGES, 8, seed=seed, **DRAWN).filters for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one, RandomConvFeatures.draw(draw_images(9, seed=1), 8, **DRAWN).filters)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_filters": 7}, "got 7 filters, expected an even number"),
        ({"patch_size": 12}, r"got patches of 12 pixels and a grid of 2 cells for images of shape \(3, 13, 11\)"),
        ({"patch_size": 11}, "at least one place for a patch in each cell"),
        ({"num_filters": 2000}, "got 2000 filters, expected at most 1440"),
    ],
)
def test_what_cannot_be_is_refused(changes, words):
    with pytest.raises(UserError, match=words):
        RandomConvFeatures.draw(IMAGES, **({"num_filters": 8} | DRAWN | changes))


def test_they_tell_digits_better_than_pixels_do(real_data):
    """A linear classifier of least norm on 300 images of MNIST."""
    data = load(f"mnist:{real_data / 'mnist'}")
    (train, labels), (test, test_labels) = (
        (torch.from_numpy(part.inputs[:num] / 255).float(), torch.from_numpy(part.labels[:num]))
        for part, num in ((data.train, 300), (data.test, 400))
    )
    features = RandomConvFeatures.draw(train, 400, precision="float32")
    targets = F.one_hot(labels, 10).float()
    errors = []
    for matrix, cross in (
        (gram_of_features(features, train), features(test) @ features(train).T),
        (train.flatten(1) @ train.flatten(1).T, test.flatten(1) @ train.flatten(1).T),
    ):
        predicted = (cross @ torch.linalg.solve(matrix, targets)).argmax(1)
        errors.append((predicted != test_labels).float().mean().item())
    assert errors[0] < errors[1] / 2
