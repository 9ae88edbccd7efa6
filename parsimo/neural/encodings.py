"""Exact encodings of one tensor: which bytes stand for it, and how they are read back.

Two independent choices make four kinds:

===================  =====================  ==========================  ===================
kind                 positions              values                      payload
===================  =====================  ==========================  ===================
``dense``            all                    as they are                 the tensor itself
``codebook``         all                    codes into distinct values  values, codes
``sparse``           the nonzeros, by gaps  as they are                 values, gaps
``sparse_codebook``  the nonzeros, by gaps  codes into distinct values  values, codes, gaps
===================  =====================  ==========================  ===================

Except for ``dense`` the payload is one vector of bytes, its parts joined in the order above.

values
    The distinct values (at most 256, sorted by bit pattern), or the nonzeros in row-major order; both
    little-endian.
codes
    One code for each entry, packed most significant bit first at ceil(log2(number of distinct values)) bits,
    so a single distinct value costs no codes at all.
gaps
    For each nonzero one byte, the number of zeros before it. 255 is the escape: 255 zeros and no entry.
    The zeros after the last nonzero are implied.

All comparisons are of bit patterns, never of floating-point values: -0.0 is not a zero here and a NaN equals
itself, so every kind gives back the tensor bit by bit.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from parsimo.neural.packing import Bytes, code_width, gaps_of, pack_codes, positions_of, unpack_codes

KINDS = ("dense", "codebook", "sparse", "sparse_codebook")
MAX_LEVELS = 256

_DTYPES: dict[str, torch.dtype] = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    )
}
_UNSIGNED = {1: torch.uint8, 2: torch.uint16, 4: torch.uint32, 8: torch.uint64}

Bits = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, eq=False)
class Encoding:
    """One tensor in one of the four kinds.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    dtype : str
        Name of the tensor's type, such as ``"float32"``.
    shape : tuple of int
        Shape of the tensor.
    payload : torch.Tensor
        The tensor itself if dense, else a vector of bytes (uint8).
    entries : int
        Number of nonzeros; sparse kinds only, else 0.
    levels : int
        Number of distinct values; codebook kinds only, else 0.
    """

    kind: str
    dtype: str
    shape: tuple[int, ...]
    payload: torch.Tensor
    entries: int = 0
    levels: int = 0

    @property
    def description(self) -> dict[str, Any]:
        """What a file must say beside the payload, ready for JSON; fields that are 0 are left out."""
        counts = {"entries": self.entries, "levels": self.levels}
        fields = {"kind": self.kind, "dtype": self.dtype, "shape": list(self.shape)}
        return fields | {field: count for field, count in counts.items() if count}

    @property
    def nbytes(self) -> int:
        """Bytes of the payload and of its description as JSON."""
        return self.payload.nbytes + len(json.dumps(self.description))

    @classmethod
    def from_description(cls, description: Any, payload: torch.Tensor) -> Encoding:
        """Join a description and its payload again.

        Raises
        ------
        ValueError
            If the description is not one that `description` can give.
        """
        if not isinstance(description, Mapping):
            raise ValueError(f"its description is {description!r}, expected a JSON object")
        kind, dtype, shape = (description.get(field) for field in ("kind", "dtype", "shape"))
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}, expected one of {', '.join(KINDS)}")
        if not isinstance(dtype, str) or dtype not in _DTYPES:
            raise ValueError(f"unknown dtype {dtype!r}, expected one of {', '.join(_DTYPES)}")
        if not isinstance(shape, list) or not all(_is_count(extent) for extent in shape):
            raise ValueError(f"shape is {shape!r}, expected a list of nonnegative integers")
        size = math.prod(shape)
        if size * _DTYPES[dtype].itemsize > sys.maxsize:
            raise ValueError(f"shape {shape} is larger than any memory")
        entries, levels = description.get("entries", 0), description.get("levels", 0)
        for field, count, limit in (("entries", entries, size), ("levels", levels, MAX_LEVELS)):
            if not _is_count(count) or count > limit:
                raise ValueError(f"{field} is {count!r}, expected an integer from 0 to {limit}")
        return cls(kind, dtype, tuple(shape), payload, entries, levels)


def encode(tensor: torch.Tensor) -> Encoding:
    """The encoding of `tensor` with the fewest bytes, the payload and its description counted.

    Parameters
    ----------
    tensor : torch.Tensor
        Of any shape, also 0-d, empty or non-contiguous, on any device; real floating-point, integer or
        boolean.

    Returns
    -------
    Encoding
        `decode` gives back a tensor on the CPU with the same type, shape and bits.

    Raises
    ------
    TypeError
        If `tensor` is not a strided torch tensor of a supported type.
    """
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"expected a torch.Tensor, got {type(tensor).__name__}")
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in _DTYPES or tensor.layout is not torch.strided:
        raise TypeError(
            f"a {tensor.layout} tensor of {tensor.dtype} has no encoding: convert it to a strided one of "
            + ", ".join(_DTYPES)
        )
    # A copy, so that tensors that share memory (tied weights, views) are stored each for itself.
    dense = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
    shape = tuple(dense.shape)
    bits = _bits_of(dense)
    positions = np.flatnonzero(bits)
    nonzeros = bits[positions]
    gaps = gaps_of(positions)

    candidates = [
        Encoding("dense", dtype, shape, dense),
        Encoding("sparse", dtype, shape, _join(_to_bytes(nonzeros), gaps), entries=nonzeros.size),
    ]
    levels, codes = np.unique(bits, return_inverse=True)
    if 0 < levels.size <= MAX_LEVELS:
        payload = _join(_to_bytes(levels), pack_codes(codes, levels.size))
        candidates.append(Encoding("codebook", dtype, shape, payload, levels=levels.size))
    # Without the zeros there is one level less: it may be the one too many, or the one that costs a bit.
    levels, codes = np.unique(nonzeros, return_inverse=True)
    if 0 < levels.size <= MAX_LEVELS:
        payload = _join(_to_bytes(levels), pack_codes(codes, levels.size), gaps)
        candidates.append(Encoding("sparse_codebook", dtype, shape, payload, entries=nonzeros.size, levels=levels.size))
    return min(candidates, key=lambda encoding: encoding.nbytes)


def decode(encoding: Encoding) -> torch.Tensor:
    """The tensor that `encoding` stands for, bit by bit.

    Raises
    ------
    ValueError
        If the payload is not one that `encode` can give with this description.
    """
    payload, dtype, shape = encoding.payload, _DTYPES[encoding.dtype], encoding.shape
    if encoding.kind == "dense":
        if payload.dtype != dtype or tuple(payload.shape) != shape:
            raise ValueError(
                f"the file holds {payload.dtype} of shape {tuple(payload.shape)}, "
                f"its description says {dtype} of shape {shape}"
            )
        return payload.clone()
    if payload.dtype != torch.uint8 or payload.ndim != 1:
        raise ValueError(f"its payload must be a vector of bytes, got {payload.dtype}, {payload.ndim}-d")
    raw, size = payload.numpy(), math.prod(shape)
    has_codes, has_gaps = encoding.kind != "sparse", encoding.kind != "codebook"
    entries = encoding.entries if has_gaps else size
    if has_codes and entries and not encoding.levels:
        raise ValueError(f"{entries} entries have codes, but there are no levels")

    value_bytes = (encoding.levels if has_codes else entries) * dtype.itemsize
    code_bytes = math.ceil(entries * code_width(encoding.levels) / 8) if has_codes else 0
    gap_bytes = raw.size - value_bytes - code_bytes
    if gap_bytes < 0 or (gap_bytes > 0 and not has_gaps):
        raise ValueError(f"its payload has {raw.size} bytes, expected {value_bytes + code_bytes}")
    values, codes, gaps = np.split(raw, [value_bytes, value_bytes + code_bytes])

    entry_bits = _from_bytes(values, dtype.itemsize)
    if has_codes:
        entry_bits = entry_bits[unpack_codes(codes, entries, encoding.levels)]
    if has_gaps:
        bits = np.zeros(size, dtype=entry_bits.dtype)
        bits[positions_of(gaps, entries, size)] = entry_bits
    else:
        bits = entry_bits
    return torch.from_numpy(bits).view(dtype).reshape(shape)


def encoded_bytes(tensor: torch.Tensor) -> int:
    """Bytes of the smallest encoding of `tensor`, without the file around it.

    Raises
    ------
    TypeError
        As `encode`.
    """
    return encode(tensor).payload.nbytes


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0  # not isinstance: JSON's true is no count


def _bits_of(tensor: torch.Tensor) -> Bits:
    bits: Bits = tensor.reshape(-1).view(_UNSIGNED[tensor.dtype.itemsize]).numpy()
    return bits


def _to_bytes(bits: Bits) -> Bytes:
    return bits.astype(bits.dtype.newbyteorder("<")).view(np.uint8)


def _from_bytes(raw: Bytes, itemsize: int) -> Bits:
    return raw.view(f"<u{itemsize}").astype(f"=u{itemsize}")


def _join(*parts: Bytes) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(parts))
