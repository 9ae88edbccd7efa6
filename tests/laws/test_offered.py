"""`where_offered`: a method is there exactly where all parts have it, and a missing one names the part."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from parsimo.penalties.offered import where_offered


class Part:
    def measure(self, x: float) -> float:
        return x


def whole(*parts: Any) -> Any:
    """Of a class made here and now."""

    class Whole:
        def __repr__(self) -> str:
            return "the whole"

        @where_offered
        def measure(self, x: float, factor: float = 1.0) -> float:
            """What it measures."""
            return factor * sum(part.measure(x) for part in self.parts)

    w: Any = Whole()
    w.parts = parts
    return w


def test_it_is_the_method_where_all_parts_offer_it():
    w = whole(Part(), Part())
    assert w.measure(2.0) == 4.0
    assert w.measure(2.0, factor=3.0) == 12.0
    assert type(w).measure.__doc__ == "What it measures."


def test_it_is_missing_where_a_part_has_none():
    w = whole(Part(), SimpleNamespace(other=1))
    assert not hasattr(w, "measure")
    with pytest.raises(AttributeError, match=r"^the whole has no measure, because SimpleNamespace has none$"):
        w.measure(1.0)
