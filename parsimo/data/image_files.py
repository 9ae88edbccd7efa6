"""The binary formats in which MNIST and CIFAR-10 are published: bytes in, arrays of bytes out."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from parsimo.data.files import read_bytes

Bytes = npt.NDArray[np.uint8]

_UNSIGNED_BYTE = 8  # IDX's code of the element type
_CIFAR_SHAPE = (3, 32, 32)
_CIFAR_CLASSES = 10


def read_idx(path: Path, dimensions: int) -> Bytes:
    """The array of an IDX file of unsigned bytes, gzip-compressed if its name ends in ``.gz``.

    The format: two zero bytes, the element type, the number of dimensions, each extent as a big-endian 32-bit
    integer, and the elements in row-major order.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file does not hold unsigned bytes in `dimensions` dimensions, or is too short or too long.
    """
    content = read_bytes(path)
    header = 4 + 4 * dimensions
    expected = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if content[:4] != expected:
        raise ValueError(
            f"{path} starts with the bytes {content[:4].hex(' ')}, an IDX file of unsigned bytes in "
            f"{dimensions} dimensions with {expected.hex(' ')}: it is another file"
        )
    if len(content) < header:
        raise ValueError(f"{path} ends within its header, after {len(content)} bytes: get it anew")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    size = len(content) - header
    if size != math.prod(shape):
        raise ValueError(f"{path} has {size} elements, its header says {' x '.join(map(str, shape))}: get it anew")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def read_cifar10(path: Path) -> tuple[Bytes, Bytes]:
    """Images, n x 3 x 32 x 32, and labels, n, of one file of CIFAR-10's binary version.

    The format: records of one label byte and the red, green and blue planes, row-major.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file does not consist of whole records or a label is not below 10.
    """
    content = read_bytes(path)
    record = 1 + math.prod(_CIFAR_SHAPE)
    if not content or len(content) % record:
        raise ValueError(
            f"{path} has {len(content)} bytes, no positive multiple of the {record} bytes of a CIFAR-10 "
            "record: get it anew, from the archive of the binary version"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, record)
    labels = records[:, 0]
    if labels.max() >= _CIFAR_CLASSES:
        row = int(np.argmax(labels >= _CIFAR_CLASSES))
        raise ValueError(f"{path}: the label of record {row} is {labels[row]}, CIFAR-10 has labels 0 to 9")
    return records[:, 1:].reshape(-1, *_CIFAR_SHAPE), labels
