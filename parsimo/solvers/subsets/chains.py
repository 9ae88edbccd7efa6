"""Supports found by one rule throughout, without swaps: good places for them to start from."""

from __future__ import annotations

from collections.abc import Iterator

from parsimo.solvers.subsets.search import ROUNDING
from parsimo.solvers.subsets.support import Support

__all__ = ["forward", "overshot"]

_BEYOND = 10  # columns taken in beyond the largest size, before columns go out again


def forward(s: Support, size: int) -> Iterator[Support]:
    """s, and after it the column of largest gain again and again, up to a size or until none gains anything."""
    yield s
    while len(s.members) < size and s.gains.max() > ROUNDING:
        s = s.with_column(int(s.gains.argmax()))
        yield s


def overshot(s: Support) -> Iterator[Support]:
    """From a support with columns beyond s back to one column, each time without the member of least loss."""
    size = len(s.members)
    *_, s = forward(s, size + _BEYOND)
    while len(s.members) > 1:
        s = s.without(int(s.losses.argmin()))
        if len(s.members) <= size:
            yield s
