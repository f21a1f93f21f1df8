"""Crop, whitening and standardising against slow loops over single images."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from byrote.data.dataset import Dataset, Split
from byrote.data.preprocessing import Inputs, blocks, concatenate, preprocess
from byrote.errors import UserError

KINDS = ["whiten", "standardize", "none"]


def dataset(shape: tuple[int, ...], *, scale: float = 255.0, n: int = 7) -> Dataset:
    generator = np.random.default_rng(0)
    parts = []
    for seed_n in (n, n + 2):
        values = generator.random((seed_n, *shape)) * scale
        values[0] = scale / 3  # constant
        values[1:2] = 0
        values[2:3] = scale / 2
        values[2:3].flat[:1] += scale / 128  # nearly constant
        dtype = np.uint8 if scale == 255 and len(shape) == 3 else np.float32
        parts.append(Split.clean(values.astype(dtype), np.arange(seed_n) % 2))
    return Dataset("random", parts[0], parts[1], ("a", "b"), pixel_max=scale)


def gathered(inputs: Inputs) -> np.ndarray:
    return inputs.gather(torch.arange(len(inputs)), torch.float64).numpy()


def slow(data: Dataset, kind: str, crop: int | None) -> list[np.ndarray]:
    """One image and one value after another, as the paper's appendix says it."""
    cropped = []
    for split in (data.train, data.test):
        inputs = split.inputs.astype(np.float64) / data.pixel_max
        if crop:
            top, left = (inputs.shape[2] - crop) // 2, (inputs.shape[3] - crop) // 2
            inputs = inputs[:, :, top : top + crop, left : left + crop]
        cropped.append(inputs)
    if kind == "whiten":
        return [
            np.stack([(image - image.mean()) / max(image.std(), 1 / math.sqrt(image.size)) for image in inputs])
            for inputs in cropped
        ]
    if kind == "none":
        return cropped
    result = [inputs.copy() for inputs in cropped]
    for channel in range(cropped[0].shape[1]):
        values = cropped[0][:, channel]
        deviation = values.std()
        for inputs in result:
            inputs[:, channel] = (inputs[:, channel] - values.mean()) / (deviation if deviation > 1e-9 else 1)
    return result


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("shape", "scale", "crop"),
    [((3, 6, 5), 255.0, None), ((3, 7, 6), 255.0, 4), ((1, 4, 4), 1.0, 4), ((9,), 1.0, None), ((2, 1, 1), 255.0, 1)],
)
def test_preprocessing_is_the_slow_loop(
    shape: tuple[int, ...], scale: float, crop: int | None, kind: str, channels_last: bool
) -> None:
    data = dataset(shape, scale=scale)
    if kind == "whiten" and len(shape) == 1:
        pytest.skip("rows of features are not whitened")
    for inputs, expected in zip(preprocess(data, kind, crop), slow(data, kind, crop), strict=True):
        for whole in (True, False):
            placed = inputs.to("cpu", channels_last=channels_last and len(shape) == 3, whole=whole)
            if channels_last and len(shape) == 3:
                batch = placed.gather(torch.arange(3), torch.float32)
                assert batch.is_contiguous(memory_format=torch.channels_last)
            np.testing.assert_allclose(gathered(placed), expected, rtol=2e-6, atol=5e-6)
        np.testing.assert_allclose(gathered(inputs), expected, rtol=2e-6, atol=5e-6)


def test_a_constant_image_becomes_zeros(tiny: Dataset) -> None:
    images = np.full((2, 1, 8, 8), 9, np.uint8)
    data = Dataset("constant", Split.clean(images, np.array([0, 1])), tiny.test, tiny.class_names, pixel_max=16.0)
    assert abs(gathered(preprocess(data, "whiten")[0])).max() < 1e-6


def test_pixels_stay_8_bit_and_are_gathered_in_any_order(tiny: Dataset) -> None:
    inputs, _ = preprocess(tiny, "whiten")
    assert inputs.pixels.dtype == torch.uint8
    rows = torch.tensor([5, 0, 5])
    np.testing.assert_array_equal(inputs.gather(rows, torch.float64).numpy(), gathered(inputs)[[5, 0, 5]])
    assert (inputs.pixels.numpy() == tiny.train.inputs).all()


def on_disk(inputs: np.ndarray, folder: Path, *, channels_last: bool) -> np.ndarray:
    """The same images as a read-only map of a file, in which channels are innermost or not."""
    np.save(folder / "pixels.npy", inputs.transpose(0, 2, 3, 1) if channels_last else inputs)
    mapped = np.load(folder / "pixels.npy", mmap_mode="r")
    return mapped.transpose(0, 3, 1, 2) if channels_last else mapped


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels_last", [False, True])
def test_pixels_on_disk_stay_there(tmp_path: Path, kind: str, channels_last: bool) -> None:
    data = dataset((3, 7, 6), n=40)
    mapped = on_disk(data.train.inputs, tmp_path, channels_last=channels_last)
    inputs, _ = preprocess(replace(data, train=replace(data.train, inputs=mapped)), kind, 4)
    assert not inputs.is_on_device
    assert np.shares_memory(inputs.pixels, mapped)
    moved = inputs.to("cpu", channels_last=True)
    assert moved.pixels is inputs.pixels
    in_memory, _ = preprocess(data, kind, 4)
    for each in (inputs, moved):
        np.testing.assert_array_equal(gathered(each), gathered(in_memory))
        rows = torch.tensor([7, 0, 7])
        np.testing.assert_array_equal(each.gather(rows, torch.float64).numpy(), gathered(in_memory)[[7, 0, 7]])


def test_arrays_in_memory_are_not_copied_in_either_layout(recwarn: pytest.WarningsRecorder) -> None:
    data = dataset((3, 7, 6))
    transposed = np.ascontiguousarray(data.train.inputs.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    expected = gathered(preprocess(data, "whiten", 4)[0])
    for array in (data.train.inputs, transposed):
        inputs, _ = preprocess(replace(data, train=replace(data.train, inputs=array)), "whiten", 4)
        assert np.shares_memory(inputs.pixels.numpy(), array)
        np.testing.assert_array_equal(gathered(inputs), expected)
    read_only = data.train.inputs.copy()
    read_only.setflags(write=False)
    preprocess(replace(data, train=replace(data.train, inputs=read_only)), "whiten")
    assert not recwarn.list


def test_whole_images_are_fetched_for_augmentation(tiny: Dataset) -> None:
    inputs, _ = preprocess(tiny, "whiten", 5)
    rows = torch.tensor([3, 1])
    assert torch.equal(inputs.fetch(rows, whole=True).pixels, torch.from_numpy(tiny.train.inputs[[3, 1]]))
    assert torch.equal(inputs.fetch(rows).pixels, torch.from_numpy(tiny.train.inputs[[3, 1], :, 1:6, 1:6]))
    assert inputs.size == (5, 5)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_an_augmentation_that_changes_nothing_changes_nothing(kind: str, channels_last: bool) -> None:
    """Scaled to [0, 1], cropped, and whitened or scaled by the constants of the clean, cropped training set."""
    data = dataset((3, 7, 6))
    seen = []

    def center(images: torch.Tensor) -> torch.Tensor:
        seen.append(images)
        return images[:, :, 1:5, 1:5]

    for split, inputs in zip((data.train, data.test), preprocess(data, kind, 4), strict=True):
        inputs = inputs.to("cpu", channels_last=channels_last)
        rows = torch.arange(len(inputs))
        found = inputs.augmented(inputs.fetch(rows, whole=True), center, torch.float64)
        torch.testing.assert_close(found, inputs.gather(rows, torch.float64), rtol=2e-6, atol=5e-6)
        np.testing.assert_allclose(seen.pop(), split.inputs / 255)
        assert not channels_last or found.is_contiguous(memory_format=torch.channels_last)


def test_pixels_go_to_the_device_up_to_a_limit(tiny: Dataset) -> None:
    """The device "meta" stands for any that is not the CPU: it has shapes and no memory."""
    inputs, _ = preprocess(tiny, "whiten", 5)
    size = tiny.train.inputs.nbytes
    there = inputs.to("meta", channels_last=False, most_bytes=size)
    assert (there.home, there.pixels.device.type, there.scale.device.type) == ("meta", "meta", "meta")
    here = inputs.to("meta", channels_last=False, most_bytes=size - 1)
    assert (here.home, here.is_on_device) == ("cpu", False)
    assert np.shares_memory(here.pixels, tiny.train.inputs)
    cut = inputs.to("meta", channels_last=True, whole=False, most_bytes=size)
    assert cut.pixels.shape == (121, 5, 5, 1)
    for each in (there, here, cut):
        batch = each.gather(torch.arange(3, device=each.home), torch.float32)
        assert (batch.shape, batch.device.type) == ((3, 1, 5, 5), "meta")


def test_blocks_cover_everything_once() -> None:
    for shape in ((0, 3), (5, 3), (3000, 3, 64, 64), (3, 2**23)):
        parts = list(blocks(np.broadcast_to(np.uint8(0), shape)))
        assert [row for part in parts for row in range(part.start, part.stop)] == list(range(shape[0]))


def test_parts_of_different_layouts_are_joined() -> None:
    data = dataset((3, 7, 6))
    transposed = np.ascontiguousarray(data.train.inputs.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    other = replace(data, train=replace(data.train, inputs=transposed))
    parts = [preprocess(each, "whiten", 4)[0] for each in (other, data)]
    np.testing.assert_array_equal(gathered(concatenate(parts)), np.tile(gathered(parts[1]), (2, 1, 1, 1)))


@pytest.mark.parametrize("kind", KINDS)
def test_concatenated_inputs_are_gathered_as_apart(tiny: Dataset, kind: str) -> None:
    noise = np.random.default_rng(0).normal(5, 3, tiny.train.inputs.shape).astype(np.float32)
    other = Dataset("noise", Split.clean(noise, tiny.train.labels), tiny.test, tiny.class_names, pixel_max=16.0)
    parts = [preprocess(data, kind)[0] for data in (tiny, other)]
    joined = concatenate(parts)
    np.testing.assert_array_equal(gathered(joined), np.concatenate([gathered(part) for part in parts]))
    assert concatenate(parts[:1]) is parts[0]


@pytest.mark.parametrize(("shape", "crop"), [((3, 6, 5), 6), ((9,), 3)])
def test_a_crop_that_does_not_fit_is_refused(shape: tuple[int, ...], crop: int) -> None:
    with pytest.raises(UserError) as error:
        preprocess(dataset(shape), "whiten", crop)
    assert f"got a centre crop of {crop} for inputs of shape {shape}" in str(error.value)


TOKENS = Dataset(
    "tokens",
    Split.clean(np.random.default_rng(0).integers(0, 2**40, (9, 4)), np.arange(9) % 2),
    Split.clean(np.random.default_rng(1).integers(0, 2**40, (5, 4)), np.arange(5) % 2),
    ("a", "b"),
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_token_ids_arrive_as_they_are(dtype: torch.dtype) -> None:
    for inputs, split in zip(preprocess(TOKENS, "none"), (TOKENS.train, TOKENS.test), strict=True):
        found = inputs.to("cpu", channels_last=False).gather(torch.arange(len(split)), dtype)
        assert found.dtype == torch.int64
        np.testing.assert_array_equal(found.numpy(), split.inputs)
    both = concatenate([preprocess(TOKENS, "none")[0]] * 2).gather(torch.arange(18), dtype)
    np.testing.assert_array_equal(both.numpy(), np.tile(TOKENS.train.inputs, (2, 1)))


@pytest.mark.parametrize("kind", ["whiten", "standardize"])
def test_no_arithmetic_on_token_ids(kind: str) -> None:
    with pytest.raises(UserError, match=r"got preprocessing=.* for tokens, whose inputs are token ids"):
        preprocess(TOKENS, kind)


@pytest.mark.parametrize(("scale", "shift"), [(1e30, 0.0), (1e-30, 0.0), (1e36, 0.0), (1.0, 2e5), (1e-3, 100.0)])
def test_columns_of_any_scale_are_standardised(scale: float, shift: float) -> None:
    """Far from 0 too, where x / deviation - mean / deviation would lose most digits."""
    values = np.random.default_rng(0).normal(size=(60, 3)) * scale + shift
    values[:, 1] = shift  # carries nothing in training, whatever it is in the test split
    split, test = values[:40].astype(np.float32), values[40:].astype(np.float32)
    test[3, 1] += np.float32(max(1.0, abs(shift)))
    labels = np.arange(40) % 2
    data = Dataset("table", Split.clean(split, labels), Split.clean(test, labels[:20]), ("a", "b"), pixel_max=1.0)
    for found, before in zip(map(gathered, preprocess(data, "standardize")), (split, test), strict=True):
        exact = before.astype(np.float64)
        mean, deviation = split.astype(np.float64).mean(0), split.astype(np.float64).std(0)
        expected = (exact[:, [0, 2]] - mean[[0, 2]]) / deviation[[0, 2]]
        np.testing.assert_allclose(found[:, [0, 2]], expected, rtol=1e-6, atol=1e-6)
        assert not found[:, 1].any()


def test_a_test_value_beyond_all_bounds_is_named() -> None:
    train = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32) * np.float32(1e-10)
    test = train.copy()
    test[5, 1] = 1e35
    labels = np.arange(8) % 2
    data = Dataset("table", Split.clean(train, labels), Split.clean(test, labels), ("a", "b"), pixel_max=1.0)
    with pytest.raises(UserError, match=r"row 5: feature 1 \(counting from 0\) is 1e\+35, where the training set has"):
        preprocess(data, "standardize")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_whitening_many_images_takes_no_more_memory_than_few(tmp_path: Path) -> None:
    """Each block leaves its memory to the next; of 98 MB on disk, all blocks together would take 0.8 GB in float64."""
    script = (
        "import resource, sys, numpy as np\n"
        "from byrote.data.preprocessing import _whitening\n"
        "images = np.lib.format.open_memmap(sys.argv[1], mode='w+', dtype=np.uint8, shape=(8000, 3, 64, 64))\n"
        "_whitening(images[:500], 255.0, None)\n"
        "(line,) = [line for line in open('/proc/self/status') if line.startswith('VmData')]\n"
        "most = int(line.split()[1]) * 1024 + 100 * 2**20\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (most, most))\n"
        "print(len(_whitening(images, 255.0, None)[0]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "images.npy")], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["8000"], done.stderr
