"""Small data sets, written to disk in every format that byrote reads."""

import gzip
import io
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

Arrays = dict[str, np.ndarray]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def make_arrays(*shape: int, sizes: tuple[int, int] = (30, 12), num_classes: int = 3) -> Arrays:
    """x_train, y_train, x_test, y_test: random bytes, labels in order."""
    random = np.random.default_rng(0)
    arrays = {}
    for split, size in zip(("train", "test"), sizes, strict=True):
        arrays[f"x_{split}"] = random.integers(0, 256, (size, *shape), dtype=np.uint8)
        arrays[f"y_{split}"] = np.sort(np.arange(size) % num_classes)
    return arrays


def idx_bytes(array: np.ndarray) -> bytes:
    header = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes((0, 0, 8, array.ndim)) + header + array.astype(np.uint8).tobytes()


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def image_bytes(image: np.ndarray, kind: str = "PNG") -> bytes:
    """[C, H, W] or [H, W] bytes as an image file."""
    return encode(Image.fromarray(image.squeeze(0) if len(image) == 1 else image.transpose(1, 2, 0)), kind)


def write_idx(folder: Path, arrays: Arrays, *, zipped: bool = True) -> None:
    for part, split in (("train", "train"), ("t10k", "test")):
        for kind, key in (("images-idx3", "x"), ("labels-idx1", "y")):
            array = arrays[f"{key}_{split}"]
            content = idx_bytes(array[:, 0] if array.ndim == 4 else array)
            path = folder / f"{part}-{kind}-ubyte{'.gz' * zipped}"
            path.write_bytes(gzip.compress(content) if zipped else content)


def cifar_batches(arrays: Arrays) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    fifths = zip(np.array_split(arrays["x_train"], 5), np.array_split(arrays["y_train"], 5), strict=True)
    train = {f"data_batch_{number}": batch for number, batch in enumerate(fifths, 1)}
    return {**train, "test_batch": (arrays["x_test"], arrays["y_test"])}


def write_cifar_python(folder: Path, arrays: Arrays, *, protocol: int = 2) -> None:
    for name, (pixels, labels) in cifar_batches(arrays).items():
        content = {b"data": pixels.reshape(-1, 3072), b"labels": labels.tolist(), b"batch_label": name}
        (folder / name).write_bytes(pickle.dumps(content, protocol))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(CLASSES)}, protocol))


def write_cifar_binary(folder: Path, arrays: Arrays) -> None:
    for name, (pixels, labels) in cifar_batches(arrays).items():
        rows = np.concatenate([labels[:, None].astype(np.uint8), pixels.reshape(-1, 3072)], axis=1)
        (folder / f"{name}.bin").write_bytes(rows.tobytes())
    (folder / "batches.meta.txt").write_text("\n".join(CLASSES) + "\n\n")


def write_cifar100(folder: Path, arrays: Arrays, *, is_binary: bool) -> None:
    """Coarse labels are ten more than fine ones."""
    names = {kind: [f"{kind} {number}" for number in range(size)] for kind, size in (("fine", 100), ("coarse", 20))}
    for split in ("train", "test"):
        pixels, labels = arrays[f"x_{split}"].reshape(-1, 3072), arrays[f"y_{split}"]
        if is_binary:
            rows = np.concatenate([np.stack([labels + 10, labels], 1).astype(np.uint8), pixels], axis=1)
            (folder / f"{split}.bin").write_bytes(rows.tobytes())
        else:
            batch = {b"data": pixels, b"fine_labels": labels.tolist(), b"coarse_labels": (labels + 10).tolist()}
            (folder / split).write_bytes(pickle.dumps(batch, 2))
    for kind, of_kind in names.items():
        (folder / f"{kind}_label_names.txt").write_text("\n".join(of_kind) + "\n")
    meta = {f"{kind}_label_names".encode(): [name.encode() for name in of_kind] for kind, of_kind in names.items()}
    (folder / "meta").write_bytes(pickle.dumps(meta, 2))


def hugging_face(features: dict[str, object]) -> dict[str, str]:
    return {"huggingface": json.dumps({"info": {"features": features}})}


def image_table(pixels: np.ndarray, labels: np.ndarray, names: tuple[str, ...] | None = None) -> pa.Table:
    structs = [{"bytes": image_bytes(image), "path": None} for image in pixels]
    table = pa.table({"img": structs, "label": labels})
    if names is None:
        return table
    return table.replace_schema_metadata(hugging_face({"label": {"names": list(names), "_type": "ClassLabel"}}))


def write_parquet(folder: Path, arrays: Arrays, *, names: tuple[str, ...] | None = CLASSES) -> None:
    for split in ("train", "test"):
        halves = zip(*(np.array_split(arrays[f"{key}_{split}"], 2) for key in "xy"), strict=True)
        for number, (pixels, labels) in enumerate(halves):
            table = image_table(pixels, labels, names)
            pq.write_table(table, folder / f"{split}-0000{number}-of-00002.parquet", row_group_size=7)


def write_parquet_arrays(folder: Path, arrays: Arrays) -> None:
    (folder / "data").mkdir()
    for split, name in (("train", "train"), ("test", "validation")):
        table = pa.table({"pixels": arrays[f"x_{split}"].tolist(), "label": arrays[f"y_{split}"]})
        pq.write_table(table, folder / "data" / f"{name}-00000-of-00001.parquet")


def write_images(folder: Path, pixels: np.ndarray, labels: np.ndarray, kind: str = "png") -> None:
    for row, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        path = folder / CLASSES[label] / f"{row:04}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_bytes(image, kind))


def write_image_splits(folder: Path, arrays: Arrays) -> None:
    for split in ("train", "test"):
        write_images(folder / split, arrays[f"x_{split}"], arrays[f"y_{split}"])


def csv_table(arrays: Arrays, split: str) -> pd.DataFrame:
    table = pd.DataFrame(arrays[f"x_{split}"]).add_prefix("feature_")
    return table.assign(kind=[CLASSES[label] for label in arrays[f"y_{split}"]])


def write_csv(folder: Path, arrays: Arrays) -> None:
    tables = [csv_table(arrays, split).assign(split=split) for split in ("train", "test")]
    pd.concat(tables).to_csv(folder / "table.csv", index=False)


@dataclass(frozen=True)
class Format:
    """How to write arrays of one shape, and what to call the result."""

    name: str
    shape: tuple[int, ...]
    write: Callable[[Path, Arrays], None]
    options: tuple[tuple[str, str], ...] = ()
    class_names: tuple[str, ...] = CLASSES


DIGITS = tuple("0123456789")
FORMATS = {
    "mnist": Format("mnist:{}", (1, 5, 4), write_idx, class_names=DIGITS),
    "mnist-unzipped": Format(
        "mnist:{}", (1, 5, 4), lambda folder, arrays: write_idx(folder, arrays, zipped=False), class_names=DIGITS
    ),
    "cifar10-python": Format("cifar10:{}", (3, 32, 32), write_cifar_python),
    "cifar10-binary": Format("cifar10:{}", (3, 32, 32), write_cifar_binary),
    "cifar100": Format(
        "cifar100:{}",
        (3, 32, 32),
        lambda folder, arrays: write_cifar100(folder, arrays, is_binary=False),
        class_names=tuple(f"fine {number}" for number in range(100)),
    ),
    "parquet": Format("parquet:{}", (3, 6, 5), write_parquet),
    "parquet-gray": Format("parquet:{}", (1, 6, 5), write_parquet),
    "parquet-arrays": Format("parquet:{}", (3, 6, 5), write_parquet_arrays, class_names=DIGITS[:3]),
    "images": Format("images:{}", (3, 6, 5), write_image_splits, class_names=CLASSES[:3]),
    "images-gray": Format("images:{}", (1, 6, 5), write_image_splits, class_names=CLASSES[:3]),
    "npz": Format(
        "npz:{}/arrays.npz",
        (3, 6, 5),
        lambda folder, arrays: np.savez(folder / "arrays.npz", **arrays),
        class_names=DIGITS[:3],
    ),
    "csv": Format("csv:{}/table.csv", (4,), write_csv, (("label", "kind"),), CLASSES[:3]),
}


@pytest.fixture(params=FORMATS)
def any_format(request: pytest.FixtureRequest) -> Format:
    return FORMATS[request.param]
