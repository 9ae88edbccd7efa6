"""HAM and sHAM: how matrices of few distinct values, and few nonzeros, are stored in bits.

HAM keeps the Huffman code words of all entries, column by column. sHAM keeps those of the nonzeros, the row of each,
and their number in each column. Both keep the symbols and, since the code is canonical, the number of code words of
each length. These are reference implementations for docs/theory.md, Proposition 5.11; they need bitarray.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from bitarray import bitarray

__all__ = ["HAM", "SHAM", "WIDTHS", "Format", "Stored", "field_width", "huffman_code"]

WIDTHS = (8, 16, 32, 64)
"""Bits of a field of numbers, and of a word of data."""


def field_width(largest: int) -> int:
    """The least of 8, 16, 32 and 64 bits that holds the numbers 0..largest."""
    return next(width for width in WIDTHS if largest < 2**width)


def huffman_code(frequencies: Mapping[int, int]) -> dict[int, bitarray]:
    """The canonical Huffman code word of each symbol; a symbol alone has a word of one bit."""
    return dict(_bitarray().util.canonical_huffman(frequencies)[0])


class Stored(NamedTuple):
    """The parts of a stored matrix; its shape and the bits of a word of data are known besides."""

    stream: bitarray
    """The code words, filled up with zeros to whole words."""
    symbols: bitarray
    """The k symbols in the order of the code, a word each."""
    lengths: bitarray
    """How many code words have length 1, 2, ...; fields of field_width(k) bits."""
    rows: bitarray
    """sHAM: the row of each nonzero, column by column; fields of field_width(n) bits."""
    columns: bitarray
    """sHAM: the number of nonzeros in each column; fields of field_width(n) bits."""

    @property
    def bits(self) -> int:
        """Bits of all parts."""
        return sum(len(part) for part in self)


@dataclass(frozen=True)
class Format:
    """A way to store an integer matrix, and what is claimed of its size."""

    name: str
    encode: Callable[[np.ndarray, int], Stored]
    """(matrix, bits of a word) -> its parts."""
    decode: Callable[[Stored, tuple[int, int], int], np.ndarray]
    """(parts, shape, bits of a word) -> the matrix."""
    size: Callable[[np.ndarray, int], int]
    """(matrix, bits of a word) -> the bits of its parts, by the formula."""
    bound: Callable[[int, int, int, int, int], float]
    """(n, m, q, k, bits of a word) -> no fewer bits, for q nonzeros and k symbols in an n x m matrix."""


def encode_ham(matrix: np.ndarray, word: int) -> Stored:
    """All entries, column by column."""
    return Stored(*_encode(matrix.T.reshape(-1), word), _pack([], 8), _pack([], 8))


def decode_ham(stored: Stored, shape: tuple[int, int], word: int) -> np.ndarray:
    """The matrix that `encode_ham` was given."""
    return _decode(stored, shape[0] * shape[1], word).reshape(shape[::-1]).T


def encode_sham(matrix: np.ndarray, word: int) -> Stored:
    """The nonzeros, column by column, and where they are."""
    columns, rows = np.nonzero(matrix.T)
    counts, width = np.bincount(columns, minlength=matrix.shape[1]), field_width(matrix.shape[0])
    return Stored(*_encode(matrix[rows, columns], word), _pack(rows, width), _pack(counts, width))


def decode_sham(stored: Stored, shape: tuple[int, int], word: int) -> np.ndarray:
    """The matrix that `encode_sham` was given."""
    width = field_width(shape[0])
    rows, columns = _unpack(stored.rows, width), np.repeat(np.arange(shape[1]), _unpack(stored.columns, width))
    matrix = np.zeros(shape, dtype=np.int64)
    matrix[rows, columns] = _decode(stored, rows.size, word)
    return matrix


def ham_size(matrix: np.ndarray, word: int) -> int:
    """B ceil(S / B) + k B + l width(k), for code words of S bits in all, the longest of l bits (5.2)."""
    frequencies = _frequencies(matrix)
    k, longest = len(frequencies), max((len(w) for w in huffman_code(frequencies).values()), default=0)
    return word * math.ceil(_stream_bits(frequencies) / word) + k * word + longest * field_width(k)


def sham_size(matrix: np.ndarray, word: int) -> int:
    """(5.2) for the nonzeros, and (q + m) width(n) for their q rows and the m counts."""
    (n, m), nonzeros = matrix.shape, matrix[matrix != 0]
    code = ham_size(nonzeros, word) if nonzeros.size else 0
    return code + (nonzeros.size + m) * field_width(n)


def ham_bound(n: int, m: int, q: int, k: int, word: int) -> float:
    """n m (1 + log2 k) + (2 k + 1) B (5.3)."""
    return n * m * (1 + math.log2(k)) + (2 * k + 1) * word


def sham_bound(n: int, m: int, q: int, k: int, word: int) -> float:
    """q (1 + log2 k) + (2 k + 1) B + (q + m) width(n) (5.4)."""
    return q * (1 + math.log2(max(k, 1))) + (2 * k + 1) * word + (q + m) * field_width(n)


HAM = Format("HAM", encode_ham, decode_ham, ham_size, ham_bound)
SHAM = Format("sHAM", encode_sham, decode_sham, sham_size, sham_bound)


def _bitarray() -> Any:
    try:
        import bitarray.util
    except ImportError as error:
        raise ImportError('HAM and sHAM need bitarray: pip install "parsimo[checks]"') from error
    return bitarray


def _frequencies(entries: np.ndarray) -> dict[int, int]:
    values, counts = np.unique(entries, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _stream_bits(frequencies: Mapping[int, int]) -> int:
    """S: the sum of the inner nodes of Huffman's tree; one bit for each entry if all are equal."""
    heap = sorted(frequencies.values())
    if len(heap) == 1:
        return heap[0]
    total = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        heapq.heappush(heap, merged)
        total += merged
    return total


def _encode(entries: np.ndarray, word: int) -> tuple[bitarray, bitarray, bitarray]:
    """The stream, the symbols and the lengths."""
    if entries.size == 0:
        return _pack([], word), _pack([], word), _pack([], word)
    code, counts, symbols = _bitarray().util.canonical_huffman(_frequencies(entries))
    stream = _bitarray().bitarray()
    stream.encode(code, entries.tolist())
    stream.extend([0] * (-len(stream) % word))
    return stream, _pack(symbols, word, "i"), _pack(counts[1:], field_width(len(symbols)))


def _decode(stored: Stored, count: int, word: int) -> np.ndarray:
    """The first `count` entries of the stream."""
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    symbols = _unpack(stored.symbols, word, "i")
    counts = _unpack(stored.lengths, field_width(symbols.size))
    entries = _bitarray().util.canonical_decode(stored.stream, [0, *counts.tolist()], symbols.tolist())
    return np.fromiter(itertools.islice(entries, count), dtype=np.int64, count=count)


def _pack(numbers: Any, width: int, kind: str = "u") -> bitarray:
    """The numbers in fields of `width` bits, unsigned or (kind "i") signed, most significant bit first."""
    numbers = np.asarray(numbers, dtype=np.int64)
    fields = numbers.astype(f">{kind}{width // 8}")
    if (fields.astype(np.int64) != numbers).any():
        raise ValueError(f"{numbers.min()} to {numbers.max()} do not fit in {width} bits; take wider words")
    bits: bitarray = _bitarray().bitarray()
    bits.frombytes(fields.tobytes())
    return bits


def _unpack(bits: bitarray, width: int, kind: str = "u") -> np.ndarray:
    return np.frombuffer(bits.tobytes(), dtype=f">{kind}{width // 8}").astype(np.int64)
