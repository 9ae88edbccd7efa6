"""The compressed-model file ``*.parsimo``: named tensors, each in its smallest exact encoding, and metadata.

It is a safetensors file of one tensor, so nothing in it is ever executed. Its metadata say ``parsimo`` and the version
of the format, 2. The tensor, of bytes and of the name ``parsimo``, holds one after the other

checksum
    CRC-32 of all that follows, 4 bytes, little-endian.
length
    Bytes of the manifest, 4 bytes, little-endian.
manifest
    JSON, compressed by zlib: ``tensors``, for each name the description of its encoding with the number of bytes of its
    payload; ``metadata``, what the caller gave.
payloads
    Of `parsimo.neural.encodings`, in the order of the manifest.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

from parsimo.core.files import replace_when_written
from parsimo.neural.encodings import Encoding, decode, encode

FORMAT = "parsimo"
VERSION = 2

ModuleT = TypeVar("ModuleT", bound=torch.nn.Module)


def save(
    path: str | os.PathLike[str],
    tensors: Mapping[str, torch.Tensor],
    metadata: Mapping[str, Any] | None = None,
) -> int:
    """Write tensors to a compressed-model file.

    The file appears whole or not at all: it is written under a temporary name beside `path` and then renamed.

    Parameters
    ----------
    path : path-like
        The file to write, by custom ``*.parsimo``; its folder must exist. An existing file is replaced.
    tensors : mapping of str to torch.Tensor
        Usually a ``state_dict()``.
    metadata : mapping, optional
        Anything that JSON can hold; `load` returns what JSON makes of it (tuples become lists).

    Returns
    -------
    int
        Size of the file in bytes.

    Raises
    ------
    TypeError
        If a tensor has no encoding or `metadata` is no JSON.
    FileNotFoundError
        If the folder does not exist.

    Notes
    -----
    The file keeps bits, so only +0.0 is a zero that costs little. A negative weight times a mask's zero is
    -0.0: prune with ``torch.where``, or add 0.0 afterwards, which makes every zero positive.
    """

    path = Path(path)
    encodings = {name: _encode_named(name, tensor) for name, tensor in tensors.items()}
    described = {name: e.description | {"bytes": e.payload.nbytes} for name, e in encodings.items()}
    try:
        text = json.dumps({"tensors": described, "metadata": dict(metadata or {})}, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise TypeError(f"metadata must be what JSON can hold: {error}") from error
    blob = pack(text.encode(), [encoding.payload.numpy().tobytes() for encoding in encodings.values()])

    with replace_when_written(path) as temporary:
        temporary.write_bytes(_safetensors(blob))
    return path.stat().st_size


def pack(manifest: bytes, payloads: Iterable[bytes]) -> bytes:
    """Checksum, length, manifest and payloads in a row."""
    small = zlib.compress(manifest, 9)
    rest = len(small).to_bytes(4, "little") + small + b"".join(payloads)
    return zlib.crc32(rest).to_bytes(4, "little") + rest


def unpack(blob: bytes) -> tuple[bytes, bytes]:
    """The manifest, and all payloads in a row.

    Raises
    ------
    ValueError
        If the checksum is not that of the content, or the content is cut short.
    """
    if len(blob) < 8 or zlib.crc32(blob[4:]) != int.from_bytes(blob[:4], "little"):
        raise ValueError("its checksum is not that of its content")
    end = 8 + int.from_bytes(blob[4:8], "little")
    try:
        return zlib.decompress(blob[8:end]), blob[end:]
    except zlib.error as error:
        raise ValueError(f"its manifest cannot be decompressed: {error}") from error


def load(path: str | os.PathLike[str]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read a compressed-model file.

    Returns
    -------
    tensors : dict of str to torch.Tensor
        The tensors of `save` in its order, on the CPU, with the same types, shapes and bits.
    metadata : dict
        The metadata of `save`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is corrupt, of another format or of another version; names the file and the tensor.
    """
    path = Path(path)
    descriptions, metadata, payloads = _read(path)
    tensors, start = {}, 0
    for name, description in descriptions.items():
        try:
            size = description.get("bytes") if isinstance(description, dict) else None
            if type(size) is not int or not 0 <= size <= len(payloads) - start:
                raise ValueError(f"its description is {description!r}, and {len(payloads) - start} bytes are left")
            payload = _bytes(payloads[start : start + size])
            tensors[name] = decode(Encoding.from_description(description, payload))
        except ValueError as error:
            raise ValueError(f"{path}: tensor {name!r} is corrupt: {error}") from error
        start += size
    if start != len(payloads):
        raise ValueError(f"{path}: corrupt, {len(payloads) - start} bytes are left over")
    return tensors, metadata


def read_into(path: str | os.PathLike[str], module: ModuleT) -> ModuleT:
    """Load the tensors of a compressed-model file as the state of a module.

    Parameters
    ----------
    path : path-like
        A file whose tensors are a state dict.
    module : torch.nn.Module
        A module of the same architecture; changed in place, and not at all if an error is raised.

    Returns
    -------
    torch.nn.Module
        `module` itself.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        As `load`, and if names, shapes or types of the tensors are not exactly those of the module.
    """
    tensors, _ = load(path)
    state = module.state_dict()
    complaints = [f"missing {name!r}" for name in state if name not in tensors]
    complaints += [f"unexpected {name!r}" for name in tensors if name not in state]
    for name in state.keys() & tensors.keys():
        stored, own = tensors[name], state[name]
        if (stored.shape, stored.dtype) != (own.shape, own.dtype):
            complaints.append(
                f"{name!r} is {stored.dtype} {tuple(stored.shape)} in the file, "
                f"{own.dtype} {tuple(own.shape)} in the module"
            )
    if complaints:
        raise ValueError(
            f"{path} does not fit {type(module).__name__}: {'; '.join(sorted(complaints))}. "
            "Build the module that the file was saved from."
        )
    module.load_state_dict(tensors)
    return module


def _encode_named(name: str, tensor: torch.Tensor) -> Encoding:
    if not isinstance(name, str):
        raise TypeError(f"tensor names must be strings, got {name!r}")
    try:
        return encode(tensor)
    except TypeError as error:
        raise TypeError(f"tensor {name!r}: {error}") from error


def _safetensors(blob: bytes) -> bytes:
    from safetensors.torch import save as to_safetensors

    return bytes(to_safetensors({FORMAT: _bytes(blob)}, metadata={FORMAT: str(VERSION)}))


def _bytes(content: bytes) -> torch.Tensor:
    """A vector of bytes; torch takes none that is empty."""
    return torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.zeros(0, dtype=torch.uint8)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Descriptions, metadata and payloads of a file; format, version and checksum are checked."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            version, names = (file.metadata() or {}).get(FORMAT), list(file.keys())
            content = file.get_tensor(FORMAT) if FORMAT in names else None
    except SafetensorError as error:
        raise ValueError(f"{path}: corrupt or no safetensors file: {error}") from error
    if version is None:
        raise ValueError(f"{path}: a safetensors file, but not one that parsimo wrote")
    if version != str(VERSION):
        raise ValueError(
            f"{path}: version {version[:20]!r} of the format, this parsimo reads {VERSION}: "
            "use the parsimo that wrote the file"
        )
    if names != [FORMAT] or content is None or content.dtype != torch.uint8 or content.ndim != 1:
        raise ValueError(f"{path}: corrupt, it must hold one vector of bytes, {FORMAT!r}, and holds {', '.join(names)}")
    try:
        manifest, payloads = unpack(content.numpy().tobytes())
        header = json.loads(manifest)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: corrupt, its manifest is no JSON: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: corrupt, {error}") from error
    descriptions, metadata = (
        header.get(name) if isinstance(header, dict) else None for name in ("tensors", "metadata")
    )
    if not isinstance(descriptions, dict) or not isinstance(metadata, dict):
        raise ValueError(f"{path}: corrupt, its manifest lacks the objects 'tensors' and 'metadata'")
    return descriptions, metadata, payloads
