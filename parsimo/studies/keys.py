"""Tables of TOML, asked key by key."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from parsimo.studies.names import choices

__all__ = ["Keys"]

_KINDS = {str: "a text", int: "an integer", float: "a number", dict: "a table", list: "a list"}


class Keys:
    """A table of TOML that tells which of its keys were asked for."""

    def __init__(self, content: Mapping[str, Any], where: str) -> None:
        self._content, self._where = content, where
        self._asked: set[str] = set()

    def take(self, key: str, kind: Any, default: Any = None) -> Any:
        """The entry, of the given type; without a default it must be there."""
        self._asked.add(key)
        if key not in self._content:
            if default is None:
                raise ValueError(f"{self._at(key)} is missing; add it")
            return default
        value = self._content[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            said = " or ".join(_KINDS[each] for each in kinds)
            raise ValueError(f"{self._at(key)} = {value!r} must be {said}")
        return value

    def number(self, key: str, default: float, least: float | None = 0.0) -> float:
        """A finite number, at least `least`."""
        value = float(self.take(key, (int, float), default))
        if not math.isfinite(value) or (least is not None and not value >= least):
            raise ValueError(
                f"{self._at(key)} = {value!r} must be a finite number{'' if least is None else f' >= {least:g}'}"
            )
        return value

    def whole(self, key: str, default: int) -> int:
        """An integer >= 1."""
        value = int(self.take(key, int, default))
        if value < 1:
            raise ValueError(f"{self._at(key)} = {value!r} must be an integer >= 1")
        return value

    def tables(self, key: str, needed: bool = False) -> list[dict[str, Any]]:
        """A list of tables, empty if it is not there."""
        value = self.take(key, list, [])
        if not all(isinstance(each, dict) for each in value) or (needed and not value):
            raise ValueError(f"{self._at(key)} must be a list of tables; write [[{key}]] above each")
        return value

    def finish(self, also: Iterable[str] = ()) -> None:
        """Refuse keys that nothing asked for."""
        known = sorted(self._asked | set(also))
        for key in self._content:
            if key not in known:
                raise ValueError(f"{self._at(key)} is unknown; {choices(key, known)}")

    def _at(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key
