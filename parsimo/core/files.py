"""Files are written under a temporary name and moved: a reader never meets half of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import getpid
from pathlib import Path

__all__ = ["replace_when_written"]


@contextmanager
def replace_when_written(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, of the same ending; move it to `path` when the block succeeds.

    Raises
    ------
    FileNotFoundError
        If the folder of `path` does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}; create it first")
    temporary = path.with_name(f".{path.stem}.{getpid()}.partial{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
