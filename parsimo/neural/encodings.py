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

The payload is one vector of bytes, its parts joined in the order above.

values
    The distinct values (at most 256, sorted by bit pattern), or the nonzeros in row-major order, or all entries; all
    little-endian.
codes
    One code for each entry. Packed: most significant bit first at ceil(log2(number of distinct values)) bits, so a
    single distinct value costs no codes at all. Range coded: a byte for each level, its frequency, and the codes in
    close to as few bits as their entropy.
gaps
    For each nonzero the number of zeros before it. 255 is the escape: 255 zeros and no entry. The zeros after the
    last nonzero are implied. Packed: a byte each. Range coded, behind the codes in one stream: close to the entropy
    of positions that are drawn at random.

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

from parsimo.neural.entropy import frequencies, gap_model, range_decode, range_encode
from parsimo.neural.packing import Bytes, code_width, gaps_of, pack_codes, positions_of, unpack_codes

KINDS = ("dense", "codebook", "sparse", "sparse_codebook")
CODERS = ("packed", "range")
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
        A vector of bytes (uint8).
    entries : int
        Number of nonzeros; sparse kinds only, else 0.
    levels : int
        Number of distinct values; codebook kinds only, else 0.
    coder : {"packed", "range"}
        How codes and gaps are written.
    gaps : int
        Number of gaps, escapes among them; sparse kinds that are range coded only, else 0.
    """

    kind: str
    dtype: str
    shape: tuple[int, ...]
    payload: torch.Tensor
    entries: int = 0
    levels: int = 0
    coder: str = "packed"
    gaps: int = 0

    @property
    def description(self) -> dict[str, Any]:
        """What a file must say beside the payload, ready for JSON; fields that are 0, or "packed", are left out."""
        counts = {"entries": self.entries, "levels": self.levels, "gaps": self.gaps}
        fields = {"kind": self.kind, "dtype": self.dtype, "shape": list(self.shape)}
        coder = {} if self.coder == "packed" else {"coder": self.coder}
        return fields | coder | {field: count for field, count in counts.items() if count}

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
        entries, levels, gaps = (description.get(field, 0) for field in ("entries", "levels", "gaps"))
        for field, count, limit in (("entries", entries, size), ("levels", levels, MAX_LEVELS), ("gaps", gaps, size)):
            if not _is_count(count) or count > limit:
                raise ValueError(f"{field} is {count!r}, expected an integer from 0 to {limit}")
        coder = description.get("coder", "packed")
        if coder not in CODERS:
            raise ValueError(f"unknown coder {coder!r}, expected one of {', '.join(CODERS)}")
        return cls(kind, dtype, tuple(shape), payload, entries, levels, coder, gaps)


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
        Encoding("dense", dtype, shape, _join(_to_bytes(bits))),
        *_sparse(dtype, shape, _to_bytes(nonzeros), None, gaps, nonzeros.size, bits.size),
    ]
    levels, codes = np.unique(bits, return_inverse=True)
    if 0 < levels.size <= MAX_LEVELS:
        packed, coded = _coded(_to_bytes(levels), codes, levels.size, [])
        candidates += [
            Encoding("codebook", dtype, shape, packed, levels=levels.size),
            Encoding("codebook", dtype, shape, coded, levels=levels.size, coder="range"),
        ]
    # Without the zeros there is one level less: it may be the one too many, or the one that costs a bit.
    levels, codes = np.unique(nonzeros, return_inverse=True)
    if 0 < levels.size <= MAX_LEVELS:
        candidates += _sparse(dtype, shape, _to_bytes(levels), (codes, levels.size), gaps, nonzeros.size, bits.size)
    return min(candidates, key=lambda encoding: encoding.nbytes)


def decode(encoding: Encoding) -> torch.Tensor:
    """The tensor that `encoding` stands for, bit by bit.

    Raises
    ------
    ValueError
        If the payload is not one that `encode` can give with this description.
    """
    payload, dtype, shape = encoding.payload, _DTYPES[encoding.dtype], encoding.shape
    if payload.dtype != torch.uint8 or payload.ndim != 1:
        raise ValueError(f"its payload must be a vector of bytes, got {payload.dtype}, {payload.ndim}-d")
    raw, size = payload.numpy(), math.prod(shape)
    has_codes = encoding.kind in ("codebook", "sparse_codebook")
    has_gaps = encoding.kind in ("sparse", "sparse_codebook")
    entries = encoding.entries if has_gaps else size
    if has_codes and entries and not encoding.levels:
        raise ValueError(f"{entries} entries have codes, but there are no levels")

    value_bytes = (encoding.levels if has_codes else entries) * dtype.itemsize
    read = _read_packed if encoding.coder == "packed" else _read_coded
    if raw.size < value_bytes or (raw.size > value_bytes and not (has_codes or has_gaps)):
        raise ValueError(f"its payload has {raw.size} bytes, expected {value_bytes}")
    codes, gaps = read(encoding, raw[value_bytes:], entries, size, has_codes, has_gaps)
    entry_bits = _from_bytes(raw[:value_bytes], dtype.itemsize)
    if codes is not None:
        entry_bits = entry_bits[codes]
    if gaps is not None:
        bits = np.zeros(size, dtype=entry_bits.dtype)
        bits[positions_of(gaps, entries, size)] = entry_bits
    else:
        bits = entry_bits
    return torch.from_numpy(bits).view(dtype).reshape(shape)


def _sparse(
    dtype: str,
    shape: tuple[int, ...],
    values: Bytes,
    codes: tuple[npt.NDArray[np.intp], int] | None,
    gaps: Bytes,
    entries: int,
    size: int,
) -> list[Encoding]:
    """The nonzeros by their gaps, packed and range coded, with codes or without."""
    kind, levels = ("sparse", 0) if codes is None else ("sparse_codebook", codes[1])
    model = [(gaps, gap_model(entries, size))] if entries else []
    if codes is None:
        packed, coded = _join(values, gaps), _join(values, range_encode(model))
    else:
        packed, coded = _coded(values, codes[0], codes[1], model, gaps)
    return [
        Encoding(kind, dtype, shape, packed, entries, levels),
        Encoding(kind, dtype, shape, coded, entries, levels, "range", gaps.size),
    ]


def _coded(
    values: Bytes, codes: npt.NDArray[np.intp], levels: int, more: list[Any], gaps: Bytes | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and codes, packed and range coded, and the gaps behind them."""
    table = frequencies(codes, levels)
    packed = _join(values, pack_codes(codes, levels), *([] if gaps is None else [gaps]))
    return packed, _join(values, table, range_encode([(codes, table / table.sum()), *more]))


def _read_packed(
    encoding: Encoding, raw: Bytes, entries: int, size: int, has_codes: bool, has_gaps: bool
) -> tuple[Any, Any]:
    code_bytes = math.ceil(entries * code_width(encoding.levels) / 8) if has_codes else 0
    gap_bytes = raw.size - code_bytes
    if gap_bytes < 0 or (gap_bytes > 0 and not has_gaps):
        raise ValueError(f"its payload has {raw.size} bytes behind the values, expected {code_bytes}")
    codes = unpack_codes(raw[:code_bytes], entries, encoding.levels) if has_codes else None
    return codes, raw[code_bytes:] if has_gaps else None


def _read_coded(
    encoding: Encoding, raw: Bytes, entries: int, size: int, has_codes: bool, has_gaps: bool
) -> tuple[Any, Any]:
    table, parts = raw[: encoding.levels if has_codes else 0], []
    if has_codes:
        if table.size < encoding.levels or not table.all():
            raise ValueError(
                f"its table of frequencies has {np.count_nonzero(table)} entries, expected {encoding.levels}"
            )
        parts.append((entries, table / table.sum()))
    if has_gaps:
        parts.append((encoding.gaps, gap_model(entries, size) if entries else np.ones(1)))
    found = range_decode(raw[table.size :], parts)
    codes = found.pop(0) if has_codes else None
    return codes, found[0].astype(np.uint8) if has_gaps else None


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
