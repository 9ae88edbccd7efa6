"""Proximable functions g: value, prox for every step size, prox_set, subdifferential distance, traits."""

from parsimo.penalties.box import Box
from parsimo.penalties.calculus import SeparableSum
from parsimo.penalties.capped_l1 import CappedL1
from parsimo.penalties.clustering import Clustering
from parsimo.penalties.group import Group
from parsimo.penalties.l1 import L1
from parsimo.penalties.mcp import MCP
from parsimo.penalties.scad import SCAD
from parsimo.penalties.spectral import Spectral
from parsimo.penalties.zero_norm import ZeroNorm
from parsimo.penalties.zero_norm_ball import ZeroNormBall

REGISTRY = (ZeroNorm, L1, CappedL1, MCP, SCAD, Box, Clustering)
"""Every penalty of one formula; the laws in tests/laws run over it."""

__all__ = [
    "L1",
    "MCP",
    "REGISTRY",
    "SCAD",
    "Box",
    "CappedL1",
    "Clustering",
    "Group",
    "SeparableSum",
    "Spectral",
    "ZeroNorm",
    "ZeroNormBall",
]
