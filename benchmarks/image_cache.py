"""Images too many for memory: decoding them once into the cache, and feeding batches from it.

    python benchmarks/image_cache.py

20,000 JPEGs of 100 to 160 pixels in 200 classes, made in a temporary folder (low-frequency noise, so that files are as
small as photographs), brought to 64x64. Asked: building the cache, with all that `byrote.load` does around it, at 0.90
of the rate of the decoder alone, which is the same worker processes writing to the null device; random batches of 128
from the finished cache at memory speed, which is that of the same batches from an array, and of copying as many bytes
one after another; anonymous memory flat throughout. "Trained" is all that byrote does in epochs of mlp-1x16, the
cheapest of networks for such images, from the finished cache and from memory. The files are in the page cache when they
are decoded or mapped: a disk slower than that is not what is measured.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import measure
import numpy as np
from PIL import Image

import byrote
from byrote.data import decoding
from byrote.data.assembly import Column
from byrote.data.decoding import EncodedImages, PixelFile, write_images

CLASSES, IMAGES = 200, 20_000
SIZE, BATCH = 64, 128
PASSES = 10  # over all images, where one takes a fraction of a second
FILES = 64  # decoded in one go, as `images:DIR` does


def make_class(folder: Path, number: int, num_images: int) -> None:
    generator = np.random.default_rng(number)
    place = folder / f"class-{number:03}"
    place.mkdir()
    for index in range(num_images):
        coarse = generator.integers(0, 256, (9, 9, 3), dtype=np.uint8)
        width, height = generator.integers(100, 161, 2).tolist()
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        image.save(place / f"{index:05}.jpeg", quality=90)


def encoded(folder: Path) -> EncodedImages:
    files = sorted(map(str, folder.rglob("*.jpeg")))
    batches = [files[start : start + FILES] for start in range(0, len(files), FILES)]
    labels = Column(np.array([Path(file).parent.name for file in files]), str(folder), files.__getitem__)
    return EncodedImages(folder, files, batches, labels, [len(files)])


def images_per_second(work: Callable[[], object], num_images: int) -> float:
    start = time.perf_counter()
    work()
    return num_images / (time.perf_counter() - start)


def decode_alone(images: EncodedImages) -> None:
    write_images(images, SIZE, PixelFile(Path(os.devnull), 0, (SIZE, SIZE)), np.arange(len(images)))


def build(folder: Path, cache: Path) -> byrote.Dataset:
    return byrote.load(f"images:{folder}", image_size=SIZE, cache=cache)


def built_per_second(folder: Path, cache: Path, num_images: int) -> float:
    shutil.rmtree(cache, ignore_errors=True)
    return images_per_second(partial(build, folder, cache), num_images)


def gather(pixels: np.ndarray, order: np.ndarray, passes: int) -> None:
    for _ in range(passes):
        for start in range(0, len(order), BATCH):
            pixels[order[start : start + BATCH]]


def copy(pixels: np.ndarray, passes: int) -> None:
    for _ in range(passes):
        for start in range(0, len(pixels), BATCH):
            pixels[start : start + BATCH].copy()


class Memory(threading.Thread):
    """Watches the anonymous memory of this process and of those it started: (seconds, own MiB, largest other MiB)."""

    def __init__(self) -> None:
        super().__init__()
        self.samples: list[tuple[float, float, float]] = []
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.1):
            self.samples.append(
                (time.perf_counter(), anonymous(os.getpid()), max(map(anonymous, children()), default=0))
            )

    def __enter__(self) -> Memory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()


def children() -> list[int]:
    """The processes that this one started and that still run."""
    found = (task / "children" for task in Path("/proc/self/task").iterdir())
    return [int(pid) for file in found for pid in file.read_text().split()]


def anonymous(pid: int) -> float:
    """MiB of a process that no file backs: what it would need to be swapped out. 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def memory_used(folder: Path, cache: Path, order: np.ndarray) -> list[measure.Ratio]:
    """Of one build and one pass over the cache, in another run than those that are timed."""
    own = os.getpid()
    before = anonymous(own)
    shutil.rmtree(cache, ignore_errors=True)
    with Memory() as building:
        data = build(folder, cache)
    after = anonymous(own)
    gather(stored(data), order, 1)
    middle = np.mean([time for time, _, _ in building.samples])
    early, late = ([s for s in building.samples if (s[0] > middle) == is_late] for is_late in (False, True))
    figures = {
        "before building": before,
        "while building, highest": max(sample[1] for sample in building.samples),
        "after building": after,
        "after one pass over the cache": anonymous(own),
        "largest worker, first half": max(sample[2] for sample in early),
        "largest worker, second half": max(sample[2] for sample in late),
    }
    return [measure.Ratio(f"anonymous memory {when}, MiB", value) for when, value in figures.items()]


def stored(data: byrote.Dataset) -> np.ndarray:
    """The training images as they lie in the file."""
    return data.train.inputs.transpose(0, 2, 3, 1)


def main() -> None:
    options = measure.arguments(__doc__, data=False).parse_args()
    num_classes, num_images = (10, 500) if options.quick else (CLASSES, IMAGES)
    decoding.PROCESSES_FROM = 0  # processes in a quick run too
    with TemporaryDirectory() as temporary:
        folder, cache, timed = (Path(temporary) / name for name in ("images", "cache", "timed"))
        folder.mkdir()
        with ProcessPoolExecutor() as pool:
            make = partial(make_class, folder, num_images=num_images // num_classes)
            list(pool.map(make, range(num_classes)))
        images = encoded(folder)
        data = build(folder, cache)
        pixels = stored(data)
        held = replace(data, train=replace(data.train, inputs=np.array(data.train.inputs)))
        order = np.random.default_rng(0).permutation(len(pixels))
        in_memory = np.array(pixels)
        gathered = PASSES * len(order)
        rates = measure.interleave(
            {
                "decoder alone": partial(images_per_second, partial(decode_alone, images), num_images),
                "cache built": partial(built_per_second, folder, timed, num_images),
                "gathered from the cache": partial(images_per_second, partial(gather, pixels, order, PASSES), gathered),
                "gathered from memory": partial(images_per_second, partial(gather, in_memory, order, PASSES), gathered),
                "copied within memory": partial(images_per_second, partial(copy, in_memory, PASSES), gathered),
                "trained from the cache": partial(measure.engine_rate, data, 3, model="mlp-1x16", batch_size=BATCH),
                "trained from memory": partial(measure.engine_rate, held, 3, model="mlp-1x16", batch_size=BATCH),
            },
            options.rounds,
        )
        del in_memory
        used = memory_used(folder, timed, order)
    median = measure.medians(rates)
    gigabytes = pixels[0].nbytes / 1e9
    ratios = [
        measure.Ratio("cache built / decoder alone", median["cache built"] / median["decoder alone"], ">= 0.90"),
        *(
            measure.Ratio(
                f"gathered from the cache / {other}", median["gathered from the cache"] / median[other], "about 1"
            )
            for other in ("gathered from memory", "copied within memory")
        ),
        measure.Ratio(
            "trained from the cache / trained from memory",
            median["trained from the cache"] / median["trained from memory"],
            "about 1",
        ),
        *(
            measure.Ratio(f"{name}, GB/s", gigabytes * median[name])
            for name in ("gathered from the cache", "gathered from memory", "copied within memory")
        ),
        *used,
    ]
    measure.write("image_cache", rates, ratios, options, unit="images/s", images=num_images, size=SIZE, batch=BATCH)


if __name__ == "__main__":
    main()
