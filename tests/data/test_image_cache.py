import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from gated import until
from PIL import Image

from byrote.data import decoding, image_cache, images
from byrote.data.columns import Column
from byrote.data.dataset import Dataset
from byrote.data.decoding import EncodedImages, PixelFile
from byrote.data.sources import load
from byrote.errors import UserError

from .conftest import CLASSES, encode, image_bytes, make_arrays, write_image_splits, write_images, write_parquet


def various_images() -> list[bytes]:
    """Thirty of them: small and large, wide and high, in colour, gray, CMYK, turned by EXIF, transparent; all noise."""
    random = np.random.default_rng(0)
    turned = Image.Exif()
    turned[0x0112] = 6
    kinds: list[Callable[[np.ndarray], bytes]] = [
        lambda noise: encode(Image.fromarray(noise), "PNG"),
        lambda noise: encode(Image.fromarray(noise), "JPEG"),
        lambda noise: encode(Image.fromarray(noise[..., 0]), "JPEG"),
        lambda noise: encode(Image.fromarray(noise).convert("CMYK"), "JPEG"),
        lambda noise: encode(Image.fromarray(noise), "JPEG", exif=turned),
        lambda noise: encode(Image.fromarray(noise).convert("RGBA"), "WEBP", lossless=True),
    ]
    sizes = random.integers(3, 60, (30, 2))
    return [
        kinds[number % len(kinds)](random.integers(0, 256, (*size, 3), dtype=np.uint8))
        for number, size in enumerate(sizes)
    ]


def write_various(folder: Path) -> None:
    for number, content in enumerate(various_images()):
        path = folder / CLASSES[number % 3] / f"{number:02}.image"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_various_splits(folder: Path) -> None:
    write_various(folder / "train")
    write_images(folder / "val", np.full((6, 1, 9, 9), 5, np.uint8), np.arange(6) % 3)


def write_various_parquet(folder: Path) -> None:
    structs = [{"bytes": content, "path": None} for content in various_images()]
    for number, part in enumerate((slice(11), slice(11, 30))):
        table = pa.table({"image": structs[part], "label": (np.arange(30) % 3)[part]})
        pq.write_table(table, folder / f"train-{number}.parquet", row_group_size=4)


SOURCES = {
    "folder": ("images", write_various),
    "folder with splits": ("images", write_various_splits),
    "parquet": ("parquet", write_various_parquet),
    "parquet with splits": ("parquet", lambda folder: write_parquet(folder, make_arrays(3, 6, 5))),
    "gray": ("images", lambda folder: write_image_splits(folder, make_arrays(1, 6, 5))),
}

VARIOUS = (write_various, write_various_splits, write_various_parquet)


def spoil(folder: Path, kind: str) -> None:
    """Breaks three images of a source, the first among them."""
    if kind == "images":
        for path in sorted(path for path in folder.rglob("*") if path.is_file())[::9][:3]:
            path.write_bytes(path.read_bytes()[:40])
        return
    path = min(folder.glob("train-*"))
    table = pq.read_table(path)
    name = table.column_names[0]
    structs = table[name].to_pylist()
    for row in (0, 3, 7):
        structs[row]["bytes"] = b"spoilt"
    pq.write_table(table.set_column(0, name, pa.array(structs)), path, row_group_size=4)


def check_equal(cached: Dataset, in_memory: Dataset) -> None:
    for one, other in ((cached.train, in_memory.train), (cached.test, in_memory.test)):
        np.testing.assert_array_equal(one.inputs, other.inputs)
        np.testing.assert_array_equal(one.labels, other.labels)
        assert one.sources.tolist() == other.sources.tolist()
        assert one.origin == other.origin
        assert isinstance(one.inputs, np.memmap)
        assert not one.inputs.flags.writeable
        assert one.inputs.transpose(0, 2, 3, 1).flags.c_contiguous
        assert not isinstance(other.inputs, np.memmap)
    assert cached.class_names == in_memory.class_names
    assert cached.pixel_max == in_memory.pixel_max
    assert cached.fingerprint == in_memory.fingerprint


@pytest.mark.parametrize("at_once", [1, 4, 64])
@pytest.mark.parametrize("places", [np.arange(30), np.arange(30)[::-1], np.roll(np.arange(30), 13)])
def test_images_are_written_to_their_places(
    places: np.ndarray, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_IMAGES_AT_ONCE", at_once)
    contents = [*various_images()[:29], b"spoilt"]
    labels = Column(np.zeros(30), "memory", str)
    encoded = EncodedImages(tmp_path, [], [contents[:17], contents[17:]], labels, [30])
    file = PixelFile(tmp_path / "pixels", 5, (8, 8))
    file.path.write_bytes(bytes(5 + 30 * 8 * 8 * 3))
    assert decoding.write_images(encoded, 8, file, places).rows.tolist() == list(range(29))
    written = np.fromfile(file.path, np.uint8, offset=5).reshape(30, 8, 8, 3)[places]
    expected = decoding.decode_images(encoded, 8).pixels.transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(written[:29], expected)
    assert not written[29].any()


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "some broken"])
@pytest.mark.parametrize("source", SOURCES)
def test_the_images_are_those_of_the_path_in_memory(
    source: str, whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, write = SOURCES[source]
    folder, lists = tmp_path / "photos", [tmp_path / "one.csv", tmp_path / "other.csv"]
    folder.mkdir()
    write(folder)
    if not whole:
        spoil(folder, kind)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        in_memory = load(f"{kind}:{folder}", image_size=5, rejected=lists[0])
        cached = load(f"{kind}:{folder}", image_size=5, rejected=lists[1], cache=tmp_path / "cache")
        check_equal(cached, in_memory)
        monkeypatch.delattr(image_cache, "write_images")
        check_equal(load(f"{kind}:{folder}", image_size=5, rejected=lists[1], cache=str(tmp_path / "cache")), in_memory)
    said = [str(warning.message).replace("one.csv", "other.csv") for warning in caught]
    once = said[: len(said) // 3]
    assert said == once * 3
    assert ["alike" in line for line in once] == [True] * (SOURCES[source][1] in VARIOUS) + [False] * (not whole)
    if not whole:
        assert lists[0].read_text() == lists[1].read_text()
        assert lists[0].read_text().count("\n") == 4
    (pixels,) = (tmp_path / "cache").glob("photos-*/pixels.npy")
    assert np.load(pixels).shape == (
        len(cached.train) + len(cached.test), 5, 5, 1 if source == "gray" else 3
    )  # fmt: skip


def test_images_of_one_size_need_no_size(tmp_path: Path) -> None:
    write_image_splits(tmp_path / "photos", make_arrays(3, 6, 5))
    check_equal(load(f"images:{tmp_path}/photos", cache=tmp_path / "cache"), load(f"images:{tmp_path}/photos"))
    odd = tmp_path / "photos" / "test" / "bird" / "0009.png"
    odd.write_bytes(image_bytes(np.zeros((3, 2, 9), np.uint8)))
    with pytest.raises(UserError, match=r"different sizes: .*0000.png is 5x6, .*0009.png is 9x2; choose one size for"):
        load(f"images:{tmp_path}/photos", cache=tmp_path / "cache")
    odd.write_bytes(b"")
    with pytest.warns(UserWarning, match="^1 image is left out"):
        assert len(load(f"images:{tmp_path}/photos", cache=tmp_path / "cache").test) == 11


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_various_splits(tmp_path / "photos")
    return tmp_path / "photos"


def caches(tmp_path: Path) -> list[str]:
    """What lies in tmp_path/cache, locks aside."""
    return sorted(path.name for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock")


def test_other_images_are_another_cache(photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def build(folder: Path = photos, image_size: int = 5) -> bool:
        load(f"images:{folder}", image_size=image_size, cache=tmp_path / "cache")
        return "Building" in capfd.readouterr().err

    assert build()
    assert not build()
    assert build(image_size=6)
    file = photos / "train" / "bird" / "02.image"
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    os.utime(file, ns=(times[0], times[1] + 1))
    assert build()
    file.write_bytes(file.read_bytes() + b"\0")
    os.utime(file, ns=times)
    assert build()
    file.rename(file.with_name("renamed"))
    assert build()
    photos.rename(tmp_path / "moved")
    assert build(tmp_path / "moved")
    assert len(caches(tmp_path)) == 6


def test_what_is_built_is_told(photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load(f"images:{photos}", image_size=5, cache=tmp_path / "cache")
    (name,) = caches(tmp_path)
    first, last = capfd.readouterr().err.splitlines()
    assert first == f"Building {tmp_path / 'cache' / name}: 36 images of 5x5 pixels, 0.0 GB"
    assert re.fullmatch(r"Built in \d s, [\d,]+ images/s", last)
    assert name.startswith("photos-")


def test_too_large_for_memory_means_the_users_cache(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_cache, "cache_folder", lambda name: tmp_path / "cache" / name)
    needed = 36 * 5 * 5 * 3
    monkeypatch.setattr(image_cache, "total_memory", lambda: 4 * needed)
    in_memory = load(f"images:{photos}", image_size=5)
    assert not (tmp_path / "cache").exists()
    monkeypatch.setattr(image_cache, "total_memory", lambda: 4 * needed - 1)
    check_equal(load(f"images:{photos}", image_size=5), in_memory)
    assert caches(tmp_path) == ["images"]


def test_a_full_disk_is_told_before(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=20_000))
    message = (
        r"photos has 36 images, which at 5x5 pixels need 21,132 bytes in .*cache, where 20,000 are free: make room, "
        r"name another folder with --cache DIR, or choose a smaller --image-size$"
    )
    with pytest.raises(UserError, match=message):
        load(f"images:{photos}", image_size=5, cache=tmp_path / "cache")
    assert caches(tmp_path) == []


def test_a_folder_that_cannot_be_written_gets_one_sentence(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(UserError, match=r"^the cache of images cannot be built in .*cache \(.*\): make it writable"):
        load(f"images:{photos}", image_size=5, cache=tmp_path / "cache")


@pytest.mark.parametrize("name", ["pixels.npy", "index.npz"])
@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: os.truncate(path, 200)])
def test_a_damaged_cache_is_named(name: str, damage: Callable[[Path], None], photos: Path, tmp_path: Path) -> None:
    load(f"images:{photos}", image_size=5, cache=tmp_path / "cache")
    (folder,) = caches(tmp_path)
    damage(tmp_path / "cache" / folder / name)
    with pytest.raises(
        UserError, match=rf"^the cache .*{folder} cannot be read \(.*\): delete this folder, it is built"
    ):
        load(f"images:{photos}", image_size=5, cache=tmp_path / "cache")


@pytest.mark.parametrize(
    "step", [(image_cache, "write_images"), (image_cache, "_move_rows"), (np, "savez"), (os, "fsync"), (Path, "rename")]
)
def test_a_failure_leaves_nothing(
    step: tuple[object, str], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(photos, "images")

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*step, fail)
    with pytest.raises(KeyboardInterrupt):
        load(f"images:{photos}", image_size=5, cache=tmp_path / "cache")
    assert caches(tmp_path) == []


LOAD = """
import os, pathlib, signal, sys
import numpy
from byrote.data import decoding, image_cache
from byrote.data.sources import load
{more}
print(load("images:" + sys.argv[1], image_size=5, cache=sys.argv[2]).fingerprint)
"""
IN_PROCESSES = "decoding.PROCESSES_FROM = 1"
SIGNAL = """
whole = {step}
def interrupted(*args, **kwargs):
    {before}os.kill(os.getpid(), signal.{signal})
{step} = interrupted
"""


def start_loading(photos: Path, tmp_path: Path, more: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", LOAD.format(more=more), photos, tmp_path / "cache"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("step", "before"),
    [
        ("image_cache.write_images", ""),
        ("image_cache._move_rows", "whole(*args, **kwargs); "),
        ("numpy.savez", "whole(*args, **kwargs); "),
        ("pathlib.Path.rename", ""),
        ("pathlib.Path.rename", "whole(*args, **kwargs); "),
    ],
)
def test_kill_9_leaves_no_cache_or_a_whole_one(step: str, before: str, photos: Path, tmp_path: Path) -> None:
    """Before or after each step; what is left does not disturb the next process."""
    spoil(photos, "images")
    process = start_loading(photos, tmp_path, SIGNAL.format(step=step, before=before, signal="SIGKILL"))
    assert process.communicate(timeout=300)[0] == ""
    assert process.returncode == -signal.SIGKILL
    is_whole = step == "pathlib.Path.rename" and before != ""
    assert [name.endswith(".part") for name in caches(tmp_path)] == [not is_whole]
    with pytest.warns(UserWarning, match="^3 images are left out"):
        cached = load(f"images:{photos}", image_size=5, cache=tmp_path / "cache")
    with pytest.warns(UserWarning, match="^3 images are left out"):
        in_memory = load(f"images:{photos}", image_size=5)
    check_equal(cached, in_memory)
    assert [name.endswith(".part") for name in caches(tmp_path)] == [False]


# A file becomes a pipe, at which the process that decodes it waits.
WITH_PIPE = f"""
{IN_PROCESSES}
whole = image_cache.write_images
def write_images(*args):
    pipe = pathlib.Path(sys.argv[1], "cat", "0")
    pipe.unlink()
    os.mkfifo(pipe)
    return whole(*args)
image_cache.write_images = write_images
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_signals_while_processes_decode(number: signal.Signals, tmp_path: Path) -> None:
    folder, kept = tmp_path / "many", tmp_path / "kept"
    kept.write_bytes(image_bytes(np.zeros((3, 8, 8), np.uint8)))
    for row in range(60):
        path = folder / ("cat", "dog")[row % 2] / str(row)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(kept, path)
    process = start_loading(folder, tmp_path, WITH_PIPE)
    pipe = folder / "cat" / "0"
    until(lambda: pipe.is_fifo() or process.poll() is not None)
    with pipe.open("wb", buffering=0) as written:  # which waits for who reads
        os.killpg(process.pid, number)
        process.wait(300)
        if number == signal.SIGKILL:  # who reads ends once it has read
            written.write(kept.read_bytes())
    output, errors = process.communicate(timeout=300)
    pipe.unlink()
    os.link(kept, pipe)
    assert (process.returncode, output) == (-number, "")
    assert errors.count("Traceback") == (number == signal.SIGINT)
    assert [name.endswith(".part") for name in caches(tmp_path)] == [True] * (number == signal.SIGKILL)
    assert len(load(f"images:{folder}", image_size=5, cache=tmp_path / "cache").train) == 48


def test_a_waiting_process_goes_on_where_one_is_killed(photos: Path, tmp_path: Path) -> None:
    stop = SIGNAL.format(step="image_cache.write_images", before="", signal="SIGSTOP")
    killed = start_loading(photos, tmp_path, stop)
    assert killed.stderr.readline().startswith("Building ")
    waiting = start_loading(photos, tmp_path)
    assert waiting.stderr.readline().startswith("Waiting for another process, which is building ")
    killed.kill()
    output, errors = waiting.communicate(timeout=300)
    assert waiting.returncode == 0, errors
    assert killed.communicate()[0] == ""
    assert errors.startswith("Building ")
    assert len(output.strip()) == 64
    assert len(caches(tmp_path)) == 1


def test_processes_that_load_at_once_build_once(photos: Path, tmp_path: Path) -> None:
    processes = [start_loading(photos, tmp_path, IN_PROCESSES) for _ in range(2)]
    said = [process.communicate(timeout=300) for process in processes]
    assert len({output for output, _ in said}) == 1
    assert len(said[0][0].strip()) == 64
    assert sum(errors.count("Building ") for _, errors in said) == 1
    assert len(caches(tmp_path)) == 1


def test_a_cache_that_appears_while_waiting_is_taken(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(f"images:{photos}", image_size=5, cache=tmp_path / "cache")
    (name,) = caches(tmp_path)
    whole, aside = tmp_path / "cache" / name, tmp_path / "aside"
    whole.rename(aside)
    is_held, is_told = threading.Event(), threading.Event()

    def build() -> None:
        with FileLock(f"{whole}.lock"):
            is_held.set()
            is_told.wait(300)
            aside.rename(whole)

    def say(line: str) -> None:
        told.append(line)
        is_told.set()

    told: list[str] = []
    monkeypatch.setattr(image_cache, "_say", say)
    monkeypatch.delattr(image_cache, "write_images")
    other = threading.Thread(target=build)
    other.start()
    is_held.wait()
    load(f"images:{photos}", image_size=5, cache=tmp_path / "cache")
    other.join()
    assert told == [f"Waiting for another process, which is building {whole}"]


@pytest.mark.parametrize("kept", [0, 1, 7, 39, 40])
@pytest.mark.parametrize("seed", range(5))
def test_rows_are_moved_in_place(kept: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    array = random.integers(0, 256, (40, 2, 2, 3), dtype=np.uint8)
    for source in (random.permutation(40)[:kept], np.sort(random.permutation(40)[:kept]), np.arange(kept)):
        moved = array.copy()
        image_cache._move_rows(moved, source)
        np.testing.assert_array_equal(moved[:kept], array[source])


@pytest.mark.parametrize("source", ["folder with splits", "parquet"])
def test_processes_write_the_same(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, write = SOURCES[source]
    folder = tmp_path / "photos"
    folder.mkdir()
    write(folder)
    in_memory = load(f"{kind}:{folder}", image_size=5)
    monkeypatch.setattr(decoding, "PROCESSES_FROM", 1)
    monkeypatch.setattr(images, "_BATCH", 5)
    assert load(f"{kind}:{folder}", image_size=5).fingerprint == in_memory.fingerprint
    check_equal(load(f"{kind}:{folder}", image_size=5, cache=tmp_path / "cache"), in_memory)


def test_processes_give_16_bits_one_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of 12 bits, in gray; those of 8 bits beside them stay. The cache says so again when it is opened."""
    random = np.random.default_rng(0)
    for row in range(24):
        values = random.integers(0, 4096, (1, 6, 7)).astype(np.uint16) if row % 3 else np.full((1, 6, 7), row, np.uint8)
        values[0, 0, 0] = 4095 if row % 3 else row
        path = tmp_path / "photos" / CLASSES[row % 2] / f"{row:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_bytes(values))
    in_memory = load_telling(tmp_path / "photos")
    assert in_memory[0].train.inputs.max() == 255
    assert in_memory[1][0].endswith("(the highest is 4,095) were divided by 16 to fit 8 bits")
    monkeypatch.setattr(decoding, "PROCESSES_FROM", 1)
    monkeypatch.setattr(images, "_BATCH", 5)
    for _ in range(2):
        cached = load_telling(tmp_path / "photos", cache=tmp_path / "cache")
        check_equal(cached[0], in_memory[0])
        assert cached[1] == in_memory[1]


def load_telling(folder: Path, **options: object) -> tuple[Dataset, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = load(f"images:{folder}", **options)
    return data, [str(warning.message) for warning in caught]
