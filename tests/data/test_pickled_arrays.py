import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byrote.data.pickled_arrays import read_pickle
from byrote.data.sources import load
from byrote.errors import UserError

from .conftest import make_arrays, write_cifar_python


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_cifar_pickles_of_any_protocol(tmp_path: Path, protocol: int) -> None:
    arrays = make_arrays(3, 32, 32)
    write_cifar_python(tmp_path, arrays, protocol=protocol)
    np.testing.assert_array_equal(load(f"cifar10:{tmp_path}").train.inputs, arrays["x_train"])


# As Python 2 wrote the files that everybody has: text is bytes, and an array's bytes are a string of one-byte letters.
PYTHON_2 = (
    b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03U\x06labelsq\x04]q\x05(K\x06K\x09eU\x04dataq"
    b"\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09(K\x01K\x02K\x03\x86"
    b"cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x06"
    b"\x00\xff\x80'\n\\tbU\tfilenamesq\x0c]q\x0d(U\x05a.pngq\x0eU\x05b.pngq\x0feu."
)


def test_a_pickle_of_python_2(tmp_path: Path) -> None:
    (tmp_path / "batch").write_bytes(PYTHON_2)
    found = read_pickle(tmp_path / "batch")
    expected = pickle.loads(PYTHON_2, encoding="latin1")
    np.testing.assert_array_equal(found.pop("data"), expected.pop("data"))
    assert (
        found
        == expected
        == {
            "batch_label": "training batch 1 of 5",
            "labels": [6, 9],
            "filenames": ["a.png", "b.png"],
        }
    )


def test_every_plain_value_comes_back(tmp_path: Path) -> None:
    shared = [1, 2]
    values = {
        "numbers": [0, -1, 255, 2**31, -(2**40), 2**70, 1.5, True, False, None],
        "texts": ["", "ä", "a" * 300, b"", b"\xff" * 300, bytes(2**16)],
        "nested": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [[]], {"a": {b"b": shared}}),
        "shared": shared,
    }
    arrays = [np.arange(6, dtype=np.uint8).reshape(shape) for shape in ((6,), (2, 3), (1, 2, 3))]
    arrays += [np.asfortranarray(arrays[1]), arrays[1].T, np.zeros((0, 3072), np.uint8)]
    for protocol in range(6):
        (tmp_path / "values").write_bytes(pickle.dumps(values, protocol))
        assert read_pickle(tmp_path / "values") == values
        for array in arrays:
            (tmp_path / "array").write_bytes(pickle.dumps({"data": array}, protocol))
            np.testing.assert_array_equal(read_pickle(tmp_path / "array")["data"], array)


class Exploit:
    """A pickle that runs a command where it is loaded without restrictions."""

    def __init__(self, call: Callable, *arguments: Any) -> None:
        self.call = call, arguments

    def __reduce__(self) -> tuple[Callable, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("call", [Path.touch, eval, print, np.load, np.fromfile])
def test_no_pickle_runs_code(tmp_path: Path, call: Callable) -> None:
    write_cifar_python(tmp_path, make_arrays(3, 32, 32))
    witness = tmp_path / "witness"
    (tmp_path / "test_batch").write_bytes(pickle.dumps({"data": Exploit(call, witness), "labels": []}))
    with pytest.raises(
        UserError, match=r"test_batch cannot be read .*: it asks for .*, and only arrays of bytes are admitted; "
    ):
        load(f"cifar10:{tmp_path}")
    assert not witness.exists()


def short_text(text: bytes) -> bytes:
    return b"X" + len(text).to_bytes(4, "little") + text


DTYPE = b"cnumpy\ndtype\n" + short_text(b"u1") + b"\x85R"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
ARRAY = RECONSTRUCT + b"cnumpy\nndarray\nK\x00\x85C\x01b\x87R"
FORGED = {
    "ndarray over a buffer, with an offset": b"cnumpy\nndarray\n(K\x02\x85"
    + DTYPE
    + b"C\x08ABCDEFGHJ\x00\xe0\xff\xfftR",
    "ndarray of objects": b"cnumpy\nndarray\nK\x02\x85cnumpy\ndtype\nX\x01\x00\x00\x00O\x85R\x86R",
    "a shape larger than its bytes": ARRAY + b"(K\x01M\xff\xff\x85" + DTYPE + b"\x89C\x04ABCDtb",
    "a negative shape": ARRAY + b"(K\x01J\xff\xff\xff\xff\x85" + DTYPE + b"\x89C\x04ABCDtb",
    "a shape that overflows": ARRAY
    + b"(K\x01J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x87"
    + DTYPE
    + b"\x89C\x00tb",
    "objects over bytes": ARRAY + b"(K\x01K\x01\x85cnumpy\ndtype\nX\x02\x00\x00\x00O8\x85R\x89C\x08ABCDEFGHtb",
    "a state twice": ARRAY + 2 * (b"(K\x01K\x04\x85" + DTYPE + b"\x89C\x04ABCDtb"),
    "a state on a name": b"cnumpy\nndarray\n}b",
    "another type to reconstruct": RECONSTRUCT + b"cnumpy\ndtype\nK\x00\x85C\x01b\x87R",
    "an array at once": RECONSTRUCT + b"cnumpy\nndarray\nK\x09\x85C\x01b\x87R",
    "a buffer as another type": b"cnumpy.core.numeric\n_frombuffer\n(C\x08ABCDEFGH"
    b"cnumpy\ndtype\nX\x01\x00\x00\x00O\x85RK\x01\x85C\x01CtR",
    "another codec": b"c_codecs\nencode\n" + short_text(b"abc") + short_text(b"idna") + b"\x86R",
    "a new object": b"cnumpy\nndarray\n)\x81",
    "an instance": b"(inumpy\nndarray\n",
    "persistent": b"Pabc\n",
    "an extension": b"\x82\x01",
    "a key that is a list": b"(]K\x01d",
    "nothing to pop": b"0",
    "a mark that is not there": b"e",
    "memory that is not there": b"h\x07",
    "items of a list": b"]K\x01K\x02s",
    "a stack from below its mark": b"K\x01(\x85",
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_pickle_is_refused(case: str, tmp_path: Path) -> None:
    (tmp_path / "batch").write_bytes(b"\x80\x03}" + short_text(b"data") + FORGED[case] + b"s.")
    with pytest.raises(UserError, match=r"batch cannot be read as a CIFAR batch: .*; fetch the file again"):
        read_pickle(tmp_path / "batch")


@pytest.mark.filterwarnings("ignore:invalid escape:DeprecationWarning")
@pytest.mark.parametrize(("bits", "num_splices"), [(1, 100), pytest.param(8, 1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_damage_gives_values_or_one_sentence(protocol: int, bits: int, num_splices: int, tmp_path: Path) -> None:
    batch = {b"data": np.arange(12, dtype=np.uint8).reshape(2, 6), b"labels": [1, 300], b"names": ("a", "ä", None)}
    content, random = pickle.dumps(batch, protocol), np.random.default_rng(protocol)
    path = tmp_path / "batch"
    damaged = [content[:end] for end in range(len(content))]
    for byte in range(len(content)):
        flips = [1 << bit for bit in random.permutation(8)[:bits]]
        damaged += [content[:byte] + bytes([content[byte] ^ flip]) + content[byte + 1 :] for flip in flips]
    opcodes = [opcode.code.encode("latin1") for opcode in pickletools.opcodes]
    for _ in range(num_splices):
        at, size = random.integers(len(content), size=2)
        damaged.append(content[:at] + bytes(random.choice(opcodes)) + content[at:])
        damaged.append(content[:at] + content[size : size + 20] + content[at:])
    for wrong in damaged:
        path.write_bytes(wrong)
        try:
            read_pickle(path)
        except UserError as error:
            assert len(str(error)) < 500  # noqa: PT017


def test_a_file_larger_than_any_batch_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "batch").open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(UserError, match=r"batch has 2,147,483,648 bytes, more than any CIFAR batch; fetch"):
        read_pickle(tmp_path / "batch")
