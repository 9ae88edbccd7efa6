"""What the standard checks are run on: members of the family, and penalties with their kinks."""

from __future__ import annotations

from typing import Any

import numpy as np

from parsimo.penalties import (
    L1,
    MCP,
    SCAD,
    Box,
    CappedL1,
    Clustering,
    EntropyCodebook,
    Exponential,
    Group,
    LogSum,
    Lq,
    Spectral,
    WithRidge,
    ZeroNorm,
    ZeroNormBall,
    ZeroNormBox,
    ZeroNormCodebook,
)
from parsimo.problems import phi

__all__ = ["FAMILY", "PENALTIES", "STRUCTURED", "member_text"]

FAMILY = {
    "capped_l1": phi.capped_l1(),
    "scad": phi.scad(),
    "mcp": phi.mcp(),
    "mcp(3)": phi.mcp(3.0),
    "power(1.5)": phi.power(1.5),
    "power(3)": phi.power(3.0),
    "log": phi.log(),
    "lq": phi.lq(),
    "custom": phi.custom(lambda t: (np.cosh(2 * t) - 1) / (np.cosh(2.0) - 1), "cosh"),
    "polygon": phi.custom(lambda t: np.maximum(np.maximum(0.1 * t, t - 0.3), 3 * t - 2), "polygon"),
}
"""Members of every kind: built in, given by values alone, and with kinks."""


def member_text(phi: Any) -> str:
    """The expression of a member, as FAMILY holds it; "phi" for any other, which is the reader's own."""
    return next((f"FAMILY[{name!r}]" for name, member in FAMILY.items() if member == phi), "phi")


_POLYGON_KINKS = tuple(0.8 * slope / 3 for slope in (0.1, 1.0))

_BOOK, _BOOK_KINKS = np.array([-1.0, 0.0, 0.3, 2.0]), (-1.0, -0.5, 0.15, 0.3, 1.15, 2.0)

PENALTIES: dict[str, tuple[Any, tuple[float, ...]]] = {
    "ZeroNorm": (ZeroNorm(0.7), ()),
    "L1": (L1(0.7), ()),
    "Lq(1/2)": (Lq(0.7, 1 / 2), ()),
    "Lq(2/3)": (Lq(0.7, 2 / 3), ()),
    "Lq(0.3)": (Lq(0.7, 0.3), ()),
    "LogSum": (LogSum(0.7, 0.8), ()),
    "CappedL1": (CappedL1(0.7, 0.8), (-0.8, 0.8)),
    "MCP": (MCP(0.7, 0.8), (-0.8, 0.8)),
    "SCAD": (SCAD(0.7, 0.8), (-0.8, 0.8)),
    "SCAD(1.5)": (SCAD(0.7, 0.8, 1.5), (-0.8, 0.8)),
    "Exponential": (Exponential(0.7, 0.8), ()),
    "Box": (Box(-0.5, 1.5), (-0.5, 1.5)),
    "ZeroNormBox": (ZeroNormBox(0.7, -0.5, 1.5), (-0.5, 1.5)),
    "Clustering": (Clustering(0.7, _BOOK), _BOOK_KINKS),
    "Clustering squared": (Clustering(0.7, _BOOK, "squared"), _BOOK_KINKS),
    "EntropyCodebook": (
        EntropyCodebook(0.7, np.array([-1.0, 0.0, 0.5, 2.0]), np.array([0.25, 0.0, 0.0625, 0.4375])),
        (-0.75, 0.375, 1.5),
    ),
    "ZeroNormCodebook": (ZeroNormCodebook(0.3, 0.7, _BOOK), _BOOK_KINKS),
    "ZeroNormCodebook squared": (ZeroNormCodebook(0.3, 0.7, _BOOK, "squared"), _BOOK_KINKS),
    "ZeroNorm with ridge": (WithRidge(ZeroNorm(0.7), 0.5), ()),
    "L1 with ridge": (WithRidge(L1(0.7), 0.5), ()),
    "CappedL1 with ridge": (WithRidge(CappedL1(0.7, 0.8), 0.5), (-0.8, 0.8)),
    "power(1.5)": (FAMILY["power(1.5)"].penalty(0.7, 0.8), (-0.8, 0.8)),
    "power(3)": (FAMILY["power(3)"].penalty(0.7, 0.8), (-0.8, 0.8)),
    "log": (FAMILY["log"].penalty(0.7, 0.8), (-0.8, 0.8)),
    "lq": (FAMILY["lq"].penalty(0.7, 0.8), (-0.8, 0.8)),
    "polygon": (
        FAMILY["polygon"].penalty(0.7, 0.8),
        (-0.8, 0.8, *_POLYGON_KINKS, *(-kink for kink in _POLYGON_KINKS)),
    ),
}
"""Penalties with a scalar weight, each with its jumps and kinks other than 0."""

_LABELS, _FACTORS = np.array([0, 1, 0, -1]), np.array([1.0, 0.5])

STRUCTURED: dict[str, tuple[Any, tuple[int, ...]]] = {
    **{
        f"groups, {name}": (Group(PENALTIES[name][0], _LABELS, _FACTORS), (4,))
        for name in ("ZeroNorm", "L1", "CappedL1", "MCP", "SCAD")
    },
    "columns, ZeroNorm": (Group.columns(ZeroNorm(0.7), (2, 2)), (4,)),
    "rows, MCP": (Group.rows(MCP(0.7, 0.8), (2, 2)), (2, 2)),
    "rank": (Spectral.rank(0.7, (2, 2)), (2, 2)),
    "nuclear norm": (Spectral(L1(0.7), (2, 2)), (4,)),
    "spectral MCP": (Spectral(MCP(0.7, 0.8), (2, 2)), (2, 2)),
    "spectral CappedL1": (Spectral(CappedL1(0.7, 0.8), (2, 2)), (4,)),
    "at most 2 nonzeros": (ZeroNormBall(2), (4,)),
}
"""Penalties that are no sum over coordinates, each with a shape of x."""
