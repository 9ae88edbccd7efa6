"""States of a long run on disk: whole or not there, checked when read, and without pickle."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from parsimo.core.files import replace_when_written
from parsimo.solvers.stopping import Report

__all__ = ["Checkpoints", "read_checkpoint", "write_checkpoint"]

_NAME, _SUM = "parsimo-checkpoint", "crc32"


@dataclass(frozen=True)
class Checkpoints:
    """Where a run keeps its state, and how often; a run finds there what an equal one has left.

    Parameters
    ----------
    folder : path-like
        Made if it is not there.
    every : int
        Rows of the history from one checkpoint to the next, at least 1.
    kept : int
        How many are kept, at least 1; with two, a damaged one has a predecessor.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    folder: str | Path
    every: int = 20
    kept: int = 2

    def __post_init__(self) -> None:
        for name in ("every", "kept"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"Checkpoints: {name} must be an integer >= 1, got {value!r}")

    def observer(self, state: Callable[[Report], Mapping[str, Any]]) -> Callable[[Report], None]:
        """Writes the state at every so many iterations; `state` says what it is."""

        def observe(report: Report) -> None:
            if report.iteration > 0 and report.iteration % self.every == 0:
                self.write(state(report))

        return observe

    def write(self, state: Mapping[str, Any]) -> None:
        """A new checkpoint, numbered behind the last; the oldest beyond `kept` are removed."""
        folder = Path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        files = self._files()
        number = int(files[-1].stem.rpartition("-")[2]) + 1 if files else 0
        write_checkpoint(folder / f"checkpoint-{number:08d}.safetensors", state)
        for old in files[: max(len(files) + 1 - self.kept, 0)]:
            old.unlink(missing_ok=True)

    def newest(self, settings: Mapping[str, Any]) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        """The state of the last checkpoint that is whole, or None; and what is to be said of those that are not.

        Raises
        ------
        ValueError
            If it is that of a run with other settings; names them.
        """
        notes: list[str] = []
        for path in reversed(self._files()):
            try:
                state = read_checkpoint(path)
            except ValueError as error:
                notes.append(f"{error}; the one before is used")
                continue
            own, saved = json.loads(json.dumps(dict(settings))), state.get("settings", {})
            if own != saved:
                apart = ", ".join(
                    f"{name} = {saved.get(name)!r} there, {own.get(name)!r} here"
                    for name in sorted({*own, *saved})
                    if own.get(name) != saved.get(name)
                )
                raise ValueError(f"{path} is of another run: {apart}; use another folder, or the same settings")
            return state, tuple(notes)
        return None, tuple(notes)

    def _files(self) -> list[Path]:
        return sorted(Path(self.folder).glob("checkpoint-*.safetensors"))


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Nested dicts and lists of tensors, numbers, texts and None, as one safetensors file with a checksum."""
    from safetensors.torch import save

    tensors: list[Tensor] = []
    text = json.dumps(_plain(state, tensors))
    stored = {str(i): t.detach().cpu().contiguous().clone() for i, t in enumerate(tensors)}
    with replace_when_written(path) as temporary:
        temporary.write_bytes(save(stored, metadata={_NAME: text, _SUM: str(_checksum(text, stored))}))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What `write_checkpoint` was given.

    Raises
    ------
    ValueError
        If the file is damaged, or no checkpoint; names it.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        text = metadata[_NAME]
        if str(_checksum(text, stored)) != metadata.get(_SUM):
            raise ValueError("its checksum is not that of its content")
        state = _whole(json.loads(text), stored)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is no whole checkpoint ({error})") from error
    return dict(state)


def _checksum(text: str, stored: Mapping[str, Tensor]) -> int:
    total = zlib.crc32(text.encode())
    for name in sorted(stored):
        total = zlib.crc32(
            stored[name].reshape(-1).view(torch.uint8).numpy().tobytes() if stored[name].numel() else b"", total
        )
    return total


def _plain(value: Any, tensors: list[Tensor]) -> Any:
    """For JSON: a tensor by its number, a dict as pairs, whose keys keep their kind."""
    if isinstance(value, Tensor):
        tensors.append(value)
        return {"tensor": len(tensors) - 1, "shape": list(value.shape)}
    if isinstance(value, Mapping):
        return {"pairs": [[key, _plain(each, tensors)] for key, each in value.items()]}
    if isinstance(value, tuple | list):
        return [_plain(each, tensors) for each in value]
    return value


def _whole(value: Any, stored: Mapping[str, Tensor]) -> Any:
    if isinstance(value, dict) and "tensor" in value:
        return stored[str(value["tensor"])].reshape(value["shape"])
    if isinstance(value, dict):
        return {key: _whole(each, stored) for key, each in value["pairs"]}
    if isinstance(value, list):
        return [_whole(each, stored) for each in value]
    return value
