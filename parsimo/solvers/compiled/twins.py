"""Which penalties have a compiled twin, and the row of numbers by which the twin knows each coordinate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo._array import to_numpy
from parsimo.core.functions import Zero
from parsimo.penalties import (
    L1,
    MCP,
    SCAD,
    Box,
    CappedL1,
    Exponential,
    LogSum,
    Lq,
    SeparableSum,
    WithRidge,
    ZeroNorm,
    ZeroNormBox,
)

__all__ = ["KINDS", "TABLE", "Twins", "twins_of"]

KINDS = ("absolute", "boxed", "power", "log", "capped", "minimax", "clipped", "exponential")
"""The formulas that are compiled; a kind is the place of its name here."""

TABLE: dict[type, tuple[str, tuple[str | float, ...]]] = {
    Zero: ("absolute", (0.0,)),
    L1: ("absolute", ("weight",)),
    ZeroNorm: ("boxed", ("weight", -np.inf, np.inf)),
    ZeroNormBox: ("boxed", ("weight", "lower", "upper")),
    Box: ("boxed", (0.0, "lower", "upper")),
    Lq: ("power", ("weight", "q")),
    LogSum: ("log", ("weight", "epsilon")),
    CappedL1: ("capped", ("weight", "flat_point")),
    MCP: ("minimax", ("weight", "flat_point")),
    SCAD: ("clipped", ("weight", "flat_point", "shape")),
    Exponential: ("exponential", ("weight", "scale")),
}
"""For each class its kind and what fills the row: names of attributes, or numbers. Subclasses may differ: not taken."""

_CONCAVE = tuple(KINDS.index(kind) for kind in ("log", "capped", "minimax", "clipped", "exponential"))
_RIDGE = 3  # the column of the ridge, behind weight and two more


@dataclass(frozen=True, eq=False)
class Twins:
    """One compiled penalty for each coordinate."""

    kinds: np.ndarray
    """Places in KINDS, (n,) int64."""
    rows: np.ndarray
    """Weight, two parameters of the kind, ridge: (n, 4) float64."""

    def take(self, index: np.ndarray) -> Twins:
        """Those of some coordinates."""
        return Twins(self.kinds[index], self.rows[index])

    @property
    def concave(self) -> np.ndarray:
        """Whether g_j is a concave function of |x_j| with a finite slope at 0, for each coordinate."""
        return np.isin(self.kinds, _CONCAVE)

    def with_slopes(self, where: np.ndarray, slopes: np.ndarray) -> Twins:
        """The same with slopes_j |x_j| + ridge x_j^2 / 2 at some coordinates."""
        kinds, rows = self.kinds.copy(), self.rows.copy()
        kinds[where], rows[where, 0] = KINDS.index("absolute"), slopes[where]
        return Twins(kinds, rows)


def twins_of(penalty: Any, n: int) -> Twins | None:
    """The twins of the n coordinates of a penalty; None where one of them has none."""
    kinds, rows = np.zeros(n, dtype=np.int64), np.zeros((n, _RIDGE + 1))
    return Twins(kinds, rows) if _fill(penalty, kinds, rows) else None


def _fill(penalty: Any, kinds: np.ndarray, rows: np.ndarray) -> bool:
    """Whether the penalty has twins; then they are written into the two arrays."""
    if type(penalty) is WithRidge:
        filled = _fill(penalty.penalty, kinds, rows)
        rows[:, _RIDGE] += penalty.ridge
        return filled
    if type(penalty) is SeparableSum:
        blocks = [(np.arange(kinds.size)[i if isinstance(i, slice) else to_numpy(i)]) for i in penalty.indices]
        parts = [twins_of(g, block.size) for block, g in zip(blocks, penalty.penalties, strict=True)]
        for block, part in zip(blocks, parts, strict=True):
            if part is not None:
                kinds[block], rows[block] = part.kinds, part.rows
        return None not in parts
    if type(penalty) not in TABLE:
        return False
    kind, parameters = TABLE[type(penalty)]
    kinds[:] = KINDS.index(kind)
    for column, parameter in enumerate(parameters):
        rows[:, column] = to_numpy(getattr(penalty, parameter)) if isinstance(parameter, str) else parameter
    return True
