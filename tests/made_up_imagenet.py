"""A made-up ImageNet: JPEG files in a folder for each class, or in parquet shards."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def write_folders(folder: Path, num_train: int, num_test: int, num_classes: int = 200, side: int = 64) -> None:
    """As `images:DIR` reads them."""
    for split, num in (("train", num_train), ("test", num_test)):
        for row, (label, image) in enumerate(_drawn(split, num, num_classes, side)):
            path = folder / split / f"n{label:08}" / f"{row}.jpeg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image)


def write_shards(
    folder: Path, num_train: int, num_test: int, num_classes: int = 200, side: int = 64, num_shards: int = 4
) -> None:
    """As `parquet:DIR` reads them: the same images."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, num, shards in (("train", num_train, num_shards), ("test", num_test, 1)):
        rows = list(_drawn(split, num, num_classes, side))
        for shard in range(shards):
            part = rows[num * shard // shards : num * (shard + 1) // shards]
            images = [{"bytes": image, "path": None} for _, image in part]
            table = pa.table({"image": images, "label": [label for label, _ in part]})
            pq.write_table(table, folder / f"{split}-{shard:05}-of-{shards:05}.parquet")


def _drawn(split: str, num: int, num_classes: int, side: int) -> Iterator[tuple[int, bytes]]:
    """Noise on a coarse pattern that each class has of its own."""
    patterns = np.random.default_rng(0).integers(0, 256, (num_classes, 4, 4, 3))
    generator = np.random.default_rng([num, split == "test"])
    for row in range(num):
        label = row % num_classes
        pattern = np.kron(patterns[label], np.ones((side // 4, side // 4, 1)))
        pixels = np.clip(pattern + generator.normal(0, 40, (side, side, 3)), 0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG")
        yield label, file.getvalue()
