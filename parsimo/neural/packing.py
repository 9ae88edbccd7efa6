"""Integers in few bits: codes of a fixed width, and positions as one-byte gaps. Whole arrays at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

ESCAPE = 255

Bytes = npt.NDArray[np.uint8]


def code_width(levels: int) -> int:
    """Bits of a code for one of `levels` values, ceil(log2(levels))."""
    return max(levels - 1, 0).bit_length()


def pack_codes(codes: npt.NDArray[np.integer[Any]], levels: int) -> Bytes:
    """Codes 0 to `levels` - 1, `levels` <= 256, one after the other, most significant bit first."""
    bits = np.unpackbits(codes.astype(np.uint8).reshape(-1, 1), axis=1)
    return np.packbits(bits[:, 8 - code_width(levels) :])


def unpack_codes(packed: Bytes, count: int, levels: int) -> Bytes:
    """The first `count` codes of `pack_codes`.

    Raises
    ------
    ValueError
        If a code is not below `levels`.
    """
    width = code_width(levels)
    bits = np.zeros((count, 8), dtype=np.uint8)
    bits[:, 8 - width :] = np.unpackbits(packed, count=count * width).reshape(count, width)
    codes = np.packbits(bits, axis=1).reshape(-1)
    if codes.size and codes.max() >= levels:
        raise ValueError(f"code {codes.max()} is out of range, there are {levels} levels")
    return codes


def gaps_of(positions: npt.NDArray[np.intp]) -> Bytes:
    """Increasing positions as the gaps before them; `ESCAPE` advances by as much without an entry."""
    escapes, gaps = np.divmod(np.diff(positions, prepend=-1) - 1, ESCAPE)
    coded = np.full(positions.size + escapes.sum(), ESCAPE, dtype=np.uint8)
    coded[np.cumsum(escapes + 1) - 1] = gaps
    return coded


def positions_of(gaps: Bytes, count: int, size: int) -> npt.NDArray[np.int64]:
    """The `count` positions, below `size`, of `gaps_of`.

    Raises
    ------
    ValueError
        If there are more or fewer, or the gaps lead past the end.
    """
    is_entry = gaps != ESCAPE
    if np.count_nonzero(is_entry) != count:
        raise ValueError(f"its gaps lead to {np.count_nonzero(is_entry)} entries, expected {count}")
    ends = np.cumsum(gaps, dtype=np.int64) + np.cumsum(is_entry)
    if ends.size and ends[-1] > size:
        raise ValueError(f"its gaps reach position {ends[-1] - 1}, past the end of {size} entries")
    positions: npt.NDArray[np.int64] = ends[is_entry] - 1
    return positions
