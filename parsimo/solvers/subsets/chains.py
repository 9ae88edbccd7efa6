"""Supports found by other rules than the sweeps', which settle elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from parsimo.solvers.subsets.columns import Core
from parsimo.solvers.subsets.search import ROUNDING
from parsimo.solvers.subsets.support import Support

__all__ = ["forward", "overshot", "spliced"]

_BEYOND = 30  # columns taken in beyond the largest size, before columns go out again
_EXCHANGED = 5  # columns exchanged at once at most
_TURNS = 20  # exchanges for one size at most
_SHIFT = 1e-10  # of the diagonal of H, so that columns that depend on each other can be solved for


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


def spliced(core: Core, max_size: int) -> Iterator[Support]:
    """One support a size, by exchanges of several columns at once.

    The members of least x_i^2 go out for the columns of largest r_j^2, 5 at once or 2 or 1, while 2 q falls: the
    splicing of Zhu et al., PNAS 117 (2020).
    """
    c, H = core.c, core.H + _SHIFT * np.eye(len(core.c))
    members, r = np.empty(0, dtype=np.intp), c
    for size in range(1, max_size + 1):
        entry = r * r
        entry[members] = np.inf
        members = np.argpartition(-entry, size - 1)[:size]
        x = np.linalg.solve(H[members[:, None], members], c[members])
        r = c - x @ H[members]
        count, turns = min(_EXCHANGED, size), 0
        while count and turns < _TURNS:
            turns += 1
            entry = r * r
            entry[members] = 0.0
            weakest, strongest = (x * x).argsort()[:count], entry.argsort()[::-1][:count]
            while count:
                trial = np.concatenate((np.delete(members, weakest[:count]), strongest[:count]))
                y = np.linalg.solve(H[trial[:, None], trial], c[trial])
                if c[trial] @ y > c[members] @ x + ROUNDING:
                    members, x, r = trial, y, c - y @ H[trial]
                    break
                count //= 2
        if core.are_independent(members):
            yield Support.of(core, members)
