"""The compressed-model file ``*.parsimo``: named tensors, each in its smallest exact encoding, and metadata.

It is a safetensors file, so nothing in it is ever executed. Every tensor is stored under its own name with
the payload of `parsimo.neural.encodings`; the safetensors metadata has one key, ``parsimo``, whose value is
a JSON object with

``format``, ``version``
    ``"parsimo"`` and 1.
``tensors``
    For each name the kind, dtype and shape, and the counts that the kind needs.
``metadata``
    What the caller gave.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

from parsimo.core.files import replace_when_written
from parsimo.neural.encodings import Encoding, decode, encode

FORMAT = "parsimo"
VERSION = 1

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
    ValueError
        If a tensor has a name that safetensors reserves.
    FileNotFoundError
        If the folder does not exist.

    Notes
    -----
    The file keeps bits, so only +0.0 is a zero that costs little. A negative weight times a mask's zero is
    -0.0: prune with ``torch.where``, or add 0.0 afterwards, which makes every zero positive.
    """
    from safetensors.torch import save as to_safetensors

    path = Path(path)
    encodings = {name: _encode_named(name, tensor) for name, tensor in tensors.items()}
    header = {
        "format": FORMAT,
        "version": VERSION,
        "tensors": {name: encoding.description for name, encoding in encodings.items()},
        "metadata": dict(metadata or {}),
    }
    try:
        text = json.dumps(header, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise TypeError(f"metadata must be what JSON can hold: {error}") from error
    payloads = {name: encoding.payload for name, encoding in encodings.items()}

    with replace_when_written(path) as temporary:
        temporary.write_bytes(to_safetensors(payloads, metadata={FORMAT: text}))
    return path.stat().st_size


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
    header, payloads = _read(path)
    descriptions, metadata = header.get("tensors"), header.get("metadata")
    if not isinstance(descriptions, dict) or not isinstance(metadata, dict):
        raise ValueError(f"{path}: corrupt, its header lacks the objects 'tensors' and 'metadata'")
    if descriptions.keys() != payloads.keys():
        names = ", ".join(sorted(descriptions.keys() ^ payloads.keys()))
        raise ValueError(f"{path}: corrupt, described but not stored or stored but not described: {names}")
    tensors = {}
    for name, description in descriptions.items():
        try:
            tensors[name] = decode(Encoding.from_description(description, payloads[name]))
        except ValueError as error:
            raise ValueError(f"{path}: tensor {name!r} is corrupt: {error}") from error
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
    if name == "__metadata__":
        raise ValueError("the tensor name '__metadata__' is reserved by safetensors: rename the tensor")
    try:
        return encode(tensor)
    except TypeError as error:
        raise TypeError(f"tensor {name!r}: {error}") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The header and the payloads of a file, the format and version checked."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(FORMAT)
            payloads = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise ValueError(f"{path}: corrupt or no safetensors file: {error}") from error
    if text is None:
        raise ValueError(f"{path}: a safetensors file, but not one that parsimo wrote")
    try:
        header = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: corrupt, its header is no JSON: {error}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"{path}: corrupt, its header does not say format {FORMAT!r}")
    if header.get("version") != VERSION:
        raise ValueError(
            f"{path}: version {header.get('version')!r} of the format, this parsimo reads {VERSION}: "
            "use the parsimo that wrote the file"
        )
    return header, payloads
