import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from byrote.audits.identical_rows import identical_rows
from byrote.audits.near_duplicates import linked, near_duplicates
from byrote.audits.planted_copies import copied_images


def search(inputs, kind):
    return near_duplicates(inputs, kind, 255.0, identical_rows(inputs, kind))


def scenes(draw, num=300):
    found = np.stack([[gaussian_filter(draw.standard_normal((24, 24)), 2) for _ in range(3)] for _ in range(num)])
    return np.clip(128 + 300 * found, 0, 255).astype(np.uint8)


def test_planted_copies_of_images_are_found_and_nothing_else():
    draw = np.random.default_rng(0)
    images = scenes(draw)
    copies, _ = copied_images(images[:40], draw)
    found = search(np.concatenate([images, copies]), "images")
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert found.p_value < 1e-6
    assert sum((row, row + 300) in pairs for row in range(40)) >= 38
    assert len(pairs) <= 41
    assert set(found.recall) == {"mirrored", "shifted", "JPEG quality 50", "brightness +20%"}


def test_near_rows_are_found():
    draw = np.random.default_rng(0)
    rows = draw.standard_normal((500, 12))
    rows[480:] = rows[:20] + 0.003 * draw.standard_normal((20, 12))
    found = search(rows.astype(np.float32), "vectors")
    assert found.p_value < 1e-3
    assert {(row, row + 480) for row in range(20)} <= set(zip(found.first.tolist(), found.second.tolist(), strict=True))


def gaussians(draw):
    return draw.standard_normal((300, 10)).astype(np.float32), "vectors"


def heavy(draw):
    return draw.standard_t(2, (300, 10)).astype(np.float32), "vectors"


def scales(draw):
    spread = np.exp(2 * draw.standard_normal((300, 1)))
    return (spread * draw.standard_normal((300, 8))).astype(np.float32), "vectors"


def noise(draw):
    return draw.integers(0, 256, (200, 1, 12, 12)).astype(np.uint8), "images"


def smooth(draw):
    return scenes(draw, 200), "images"


def mixed(draw):
    columns = {"a": draw.choice(list("abc"), 300), "n": draw.integers(18, 90, 300), "x": draw.standard_normal(300)}
    return pd.DataFrame(columns), "table"


@pytest.mark.parametrize("make", [gaussians, heavy, scales, noise, smooth, mixed])
def test_unrelated_examples_raise_no_flag(make):
    for seed in range(4):
        found = search(*make(np.random.default_rng(seed)))
        assert found is None or found.p_value > 0.01


def test_steps_and_names_have_no_near_copies():
    draw = np.random.default_rng(0)
    assert search(draw.integers(0, 2, (200, 8)).astype(np.float32), "vectors") is None
    assert search(draw.integers(0, 50, (200, 8)), "tokens") is None


def test_pairs_make_clusters():
    found = linked(5, np.array([0, 1]), np.array([1, 4]))
    assert found[0] == found[1] == found[4]
    assert len(set(found.tolist())) == 3


@pytest.mark.slow
def test_copies_across_the_split_of_cifar10(real_data):
    import byrote

    data = byrote.load(f"parquet:{real_data / 'cifar10'}")
    draw = np.random.default_rng(5)
    own, at = draw.choice(50000, 200, replace=False), draw.choice(10000, 200, replace=False)
    images = np.concatenate([data.train.inputs, data.test.inputs])
    images[50000 + at], _ = copied_images(images[own], draw)
    found = search(images, "images")
    flagged = set(found.second[(found.first < 50000) & (found.second >= 50000)].tolist())
    assert sum(50000 + row in flagged for row in at.tolist()) >= 190
