"""Reading of files that several loaders share: compressed files, NPZ archives, optional packages."""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

_DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
}
COMPRESSED = tuple(_DECOMPRESS)


def read_bytes(path: Path) -> bytes:
    """The content of a file, decompressed if its name ends in one of `COMPRESSED`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the compressed data are damaged or incomplete.
    """
    content = require_file(path).read_bytes()
    if path.suffix not in _DECOMPRESS:
        return content
    try:
        return _DECOMPRESS[path.suffix](content)
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"{path} is no complete {path.suffix} file: {error}. Get it anew.") from error


def read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All arrays of an NPZ archive. Pickled objects are refused, never loaded.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no NPZ archive, is damaged or holds Python objects.
    """
    try:
        if not zipfile.is_zipfile(require_file(path)):
            raise ValueError("it is no zip archive, or incomplete")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} does not read as NPZ: {error}. Write it with numpy.savez.") from error


def find_files(names: Sequence[str], folders: Sequence[Path], suffixes: Sequence[str] = ("",)) -> list[Path]:
    """The path of each file, all in the first of the folders that has any of them.

    Parameters
    ----------
    names : sequence of str
        Names of the files, each without a suffix of `suffixes`.
    folders : sequence of Path
        Where to look, in this order.
    suffixes : sequence of str
        What may follow a name, the preferred one first.

    Raises
    ------
    FileNotFoundError
        If files are missing; lists them and says where all of them belong.
    """
    for folder in folders:
        candidates = {name: [folder / (name + suffix) for suffix in suffixes] for name in names}
        found = {name: next(filter(Path.is_file, paths), None) for name, paths in candidates.items()}
        missing = [name for name, path in found.items() if path is None]
        if len(missing) < len(names):
            break
    if missing:
        where = folder if len(missing) < len(names) else " or ".join(map(str, folders))
        variants = "".join(f" (or {suffix})" for suffix in suffixes if suffix)
        raise FileNotFoundError(f"no {', '.join(missing)}{variants}: place {', '.join(names)} in {where}")
    return [path for path in found.values() if path is not None]


def require_file(path: Path) -> Path:
    """`path`, if it is a file.

    Raises
    ------
    FileNotFoundError
        If it is not.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    return path


def require_module(name: str, purpose: str) -> ModuleType:
    """An optional package, imported when it is needed.

    Raises
    ------
    ImportError
        If it is not installed; says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ImportError(f'{purpose} needs {package}: pip install "parsimo[data]"') from error
