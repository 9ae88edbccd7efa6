"""What the standard checks are run on: members of the family, and penalties with their kinks."""

from __future__ import annotations

from typing import Any

import numpy as np

from parsimo.penalties import L1, MCP, SCAD, Box, CappedL1, Clustering, ZeroNorm
from parsimo.problems import phi

__all__ = ["FAMILY", "PENALTIES"]

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

_POLYGON_KINKS = tuple(0.8 * slope / 3 for slope in (0.1, 1.0))

PENALTIES: dict[str, tuple[Any, tuple[float, ...]]] = {
    "ZeroNorm": (ZeroNorm(0.7), ()),
    "L1": (L1(0.7), ()),
    "CappedL1": (CappedL1(0.7, 0.8), (-0.8, 0.8)),
    "MCP": (MCP(0.7, 0.8), (-0.8, 0.8)),
    "SCAD": (SCAD(0.7, 0.8), (-0.8, 0.8)),
    "SCAD(1.5)": (SCAD(0.7, 0.8, 1.5), (-0.8, 0.8)),
    "Box": (Box(-0.5, 1.5), (-0.5, 1.5)),
    "Clustering": (Clustering(0.7, np.array([-1.0, 0.0, 0.3, 2.0])), (-1.0, -0.5, 0.15, 0.3, 1.15, 2.0)),
    "Clustering squared": (
        Clustering(0.7, np.array([-1.0, 0.0, 0.3, 2.0]), "squared"),
        (-1.0, -0.5, 0.15, 0.3, 1.15, 2.0),
    ),
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
