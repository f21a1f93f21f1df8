from dataclasses import replace

import numpy as np
import pytest
import torch

from byrote.data.dataset import Dataset, Split
from byrote.data.sources import from_arrays
from byrote.errors import UserError
from byrote.studies.min_norm.study import MinNormStudy
from byrote.theory.kernels.feature_maps import mapped_inputs, scaled_inputs
from byrote.theory.kernels.gabor import GaborFeatures


def test_images_are_between_0_and_1_and_keep_their_shape(tiny):
    train, test = scaled_inputs(tiny, "cpu")
    assert (train.shape, test.shape) == ((121, 1, 8, 8), (60, 1, 8, 8))
    assert (train.dtype, float(train.min()), float(train.max())) == (torch.float32, 0.0, 1.0)
    np.testing.assert_array_equal(test.numpy(), tiny.test.inputs / np.float32(16))


def test_vectors_are_standardised_by_the_training_set_and_constant_features_are_0():
    generator = np.random.default_rng(0)
    inputs = (generator.standard_normal((50, 3)) * [1, 20, 0] + [5, -3, 7]).astype(np.float32)
    train = Split.clean(inputs[:40], np.arange(40) % 2)
    test = Split.clean(inputs[40:], np.arange(10) % 2)
    found, tested = scaled_inputs(Dataset("made up", train, test, ("a", "b")), "cpu")
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(0, correction=0), [1, 1, 0], atol=1e-6)
    mean, deviation = inputs[:40].mean(0), inputs[:40].std(0)
    np.testing.assert_allclose(tested[:, :2], ((inputs[40:] - mean)[:, :2] / deviation[:2]), atol=1e-5)


def test_token_ids_are_no_quantities(tiny):
    ids = [replace(split, inputs=split.inputs.reshape(-1, 64).astype(np.int64)) for split in (tiny.train, tiny.test)]
    with pytest.raises(UserError, match="got tiny, whose inputs are token ids: kernels and features take quantities"):
        scaled_inputs(replace(tiny, train=ids[0], test=ids[1]), "cpu")
    with pytest.raises(UserError, match="got tiny, whose inputs are token ids: kernels and features take quantities"):
        MinNormStudy(replace(tiny, train=ids[0], test=ids[1]))


def test_several_inputs_are_refused_with_the_study(tiny):
    inputs = {"image": tiny.train.inputs, "meta": np.eye(len(tiny.train))}
    with pytest.raises(UserError, match="inputs are image and meta: kernels and features take one input"):
        MinNormStudy(from_arrays(inputs, tiny.train.labels))


def test_mapped_inputs_are_vectors(tiny):
    pixels, _ = mapped_inputs("inputs", tiny, "cpu")
    np.testing.assert_array_equal(pixels, tiny.train.inputs.reshape(121, 64) / np.float32(16))
    wavelets, tested = mapped_inputs("gabor", tiny, "cpu")
    assert wavelets.shape == (121, GaborFeatures().num_features((1, 8, 8)))
    torch.testing.assert_close(tested, GaborFeatures()(scaled_inputs(tiny, "cpu")[1]))
