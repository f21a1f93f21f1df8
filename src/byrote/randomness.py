"""Named streams of random numbers: one seed opens as many as needed, independent of each other."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

if TYPE_CHECKING:
    from torch import Tensor

# The increment, multipliers and shifts of SplitMix64 (Steele, Lea & Flood, 2014), as signed 64-bit integers.
_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_MIX = ((30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64))


def stream(seed: int, *name: str | int) -> np.random.Generator:
    """The generator of the stream `name` ("labels"; "batches", epoch) of `seed`.

    Callers that promise equal results under every NumPy release draw with `.random()` and `random_raw` alone: the bits
    of the counter-based Philox generator; NumPy may change what its other methods draw (NEP 19).
    """
    return np.random.Generator(np.random.Philox(key=_digest(seed, name, num_bytes=16)))


def stream_seed(seed: int, *name: str | int) -> int:
    """A 63-bit seed for generators that are not NumPy's."""
    return _digest(seed, name, num_bytes=8) >> 1


def permutations(generator: np.random.Generator, num: int, size: int) -> Int64[np.ndarray, "num size"]:
    """`num` independent uniform permutations of range(size), the same under every NumPy release.

    Sorts random keys that carry their position in the low bits: several times faster than an argsort, and no tie
    can make the order depend on the sorting algorithm. With 64 - log2(size) random bits a key, the bias is nil.
    """
    bits = np.uint64(size.bit_length())
    keys = generator.bit_generator.random_raw((num, size))
    keys >>= bits
    keys <<= bits
    keys |= np.arange(size, dtype=np.uint64)
    keys.sort(axis=1)
    keys &= (np.uint64(1) << bits) - np.uint64(1)
    return keys.view(np.int64)


def permutation(generator: np.random.Generator, size: int) -> Int64[np.ndarray, " size"]:
    """One of the numbers below `size`."""
    return permutations(generator, 1, size)[0]


def splitmix(key: Tensor, number: Tensor) -> Tensor:
    """64 random bits, as int64: output `number` of the SplitMix64 generator that starts at `key`, elementwise.

    Draws that must be the same alone and in a stack, on every device and in any order hash what they belong to; torch's
    own generators give numbers by the order of the calls.
    """
    z = key + number * _GOLDEN
    for shift, multiplier in _MIX:
        # An arithmetic shift, made logical by clearing the copied sign bits.
        z = (z ^ ((z >> shift) & (2 ** (64 - shift) - 1))) * multiplier
    return z ^ ((z >> 31) & (2**33 - 1))


def _digest(seed: int, name: tuple[str | int, ...], *, num_bytes: int) -> int:
    text = "/".join(map(str, (seed, *name)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=num_bytes).digest(), "little")
