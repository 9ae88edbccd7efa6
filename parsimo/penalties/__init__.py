"""Proximable functions g: value, prox for every step size, prox_set, subdifferential distance, traits."""

from parsimo.penalties.box import Box
from parsimo.penalties.calculus import SeparableSum
from parsimo.penalties.capped_l1 import CappedL1
from parsimo.penalties.clustering import Clustering
from parsimo.penalties.entropy_codebook import EntropyCodebook
from parsimo.penalties.exponential import Exponential
from parsimo.penalties.group import Group
from parsimo.penalties.l1 import L1
from parsimo.penalties.log_sum import LogSum
from parsimo.penalties.lq import Lq
from parsimo.penalties.mcp import MCP
from parsimo.penalties.ridge import WithRidge
from parsimo.penalties.scad import SCAD
from parsimo.penalties.spectral import Spectral
from parsimo.penalties.zero_norm import ZeroNorm
from parsimo.penalties.zero_norm_ball import ZeroNormBall
from parsimo.penalties.zero_norm_box import ZeroNormBox
from parsimo.penalties.zero_norm_codebook import ZeroNormCodebook

REGISTRY = (
    ZeroNorm,
    L1,
    Lq,
    LogSum,
    CappedL1,
    MCP,
    SCAD,
    Exponential,
    Box,
    ZeroNormBox,
    Clustering,
    EntropyCodebook,
    ZeroNormCodebook,
)
"""Every penalty of one formula; the laws in tests/laws run over it."""

__all__ = [
    "L1",
    "MCP",
    "REGISTRY",
    "SCAD",
    "Box",
    "CappedL1",
    "Clustering",
    "EntropyCodebook",
    "Exponential",
    "Group",
    "LogSum",
    "Lq",
    "SeparableSum",
    "Spectral",
    "WithRidge",
    "ZeroNorm",
    "ZeroNormBall",
    "ZeroNormBox",
    "ZeroNormCodebook",
]
