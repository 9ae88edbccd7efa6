"""Symbols in close to as few bits as their entropy: range coding, by the library constriction.

Two models are used. Codes have frequencies, of which a table goes with them, one byte for each. Gaps between n entries
at random among N places are geometric, P(g) = p (1 - p)^g with p = n / N: nothing has to be said beside n and N
(docs/networks.md, 4). All is computed by products and quotients in a fixed order, which IEEE arithmetic makes the same
everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimo.neural.packing import ESCAPE, Bytes

__all__ = ["frequencies", "gap_model", "range_decode", "range_encode"]

Probabilities = npt.NDArray[np.float64]


def frequencies(codes: npt.NDArray[np.integer[Any]], levels: int) -> Bytes:
    """Of each code, in units that make the largest 255; at least 1."""
    counts = np.bincount(codes, minlength=levels)
    return np.maximum(np.rint(255 * (counts / counts.max())), 1).astype(np.uint8)


def gap_model(entries: int, size: int) -> Probabilities:
    """Of gaps 0 to 254 and of the escape, which stands for all larger ones."""
    p = entries / size
    remaining = np.cumprod(np.concatenate([[1.0], np.full(ESCAPE, 1 - p)]))
    model = p * remaining
    model[ESCAPE] = remaining[ESCAPE]
    return np.asarray(model)


def range_encode(parts: Sequence[tuple[npt.NDArray[np.integer[Any]], Probabilities]]) -> Bytes:
    """Symbols 0, 1, ..., each part with its model, as bytes."""
    queue, categorical = _coder()
    encoder = queue.RangeEncoder()
    for symbols, probabilities in parts:
        if symbols.size and probabilities.size > 1:
            encoder.encode(symbols.astype(np.int32), categorical(probabilities, perfect=False))
    return np.asarray(encoder.get_compressed()).astype("<u4").view(np.uint8)


def range_decode(raw: Bytes, parts: Sequence[tuple[int, Probabilities]]) -> list[npt.NDArray[np.int64]]:
    """So many symbols of each part.

    Raises
    ------
    ValueError
        If the bytes are not ones that `range_encode` can give.
    """
    queue, categorical = _coder()
    if raw.size % 4:
        raise ValueError(f"its coded part has {raw.size} bytes, expected a multiple of 4")
    found = []
    try:
        decoder = queue.RangeDecoder(raw.view("<u4").astype(np.uint32))
        for count, probabilities in parts:
            symbols = np.zeros(count, dtype=np.int64)
            if count and probabilities.size > 1:
                symbols = np.asarray(decoder.decode(categorical(probabilities, perfect=False), count)).astype(np.int64)
            found.append(symbols)
    except (AssertionError, ValueError) as error:
        raise ValueError(f"its coded part cannot be decoded: {error}") from error
    return found


def _coder() -> tuple[Any, Any]:
    try:
        import constriction
    except ImportError as error:
        raise ImportError('compressed files need constriction: pip install "parsimo[neural]"') from error
    return constriction.stream.queue, constriction.stream.model.Categorical
