"""Penalties of every class, with random parameters, and where their jumps and kinks are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import array_api_strict
import numpy as np
import torch

from parsimo.penalties import (
    L1,
    MCP,
    SCAD,
    Box,
    CappedL1,
    Clustering,
    EntropyCodebook,
    Exponential,
    LogSum,
    Lq,
    WithRidge,
    ZeroNorm,
    ZeroNormBox,
    ZeroNormCodebook,
)
from parsimo.problems import PhiPenalty, phi

Weight = Any  # a number or an array


BOOK = np.array([-1.0, 0.0, 0.3, 2.0])
PRICES = np.array([0.3, 0.0, 0.02, 0.5])


MAKERS: dict[str, Callable[[Weight], Any]] = {
    "ZeroNorm": ZeroNorm,
    "L1": L1,
    "Lq": lambda weight: Lq(weight, 0.5),
    "Lq, q 2/3": lambda weight: Lq(weight, 2 / 3),
    "Lq, q 0.1": lambda weight: Lq(weight, 0.1),
    "Lq, q 0.9": lambda weight: Lq(weight, 0.9),
    "LogSum": lambda weight: LogSum(weight, 0.8),
    "LogSum, boundary": lambda weight: LogSum(weight, math.sqrt(0.7)),
    "CappedL1": lambda weight: CappedL1(weight, 0.8),
    "MCP": lambda weight: MCP(weight, 0.8),
    "SCAD": lambda weight: SCAD(weight, 0.8),
    "SCAD, shape 1.5": lambda weight: SCAD(weight, 0.8, 1.5),
    "Exponential": lambda weight: Exponential(weight, 0.8),
    "Exponential, boundary": lambda weight: Exponential(weight, math.sqrt(0.7)),
    "Box": lambda weight: Box(-0.5, 1.5),
    "ZeroNormBox": lambda weight: ZeroNormBox(weight, -0.5, 1.5),
    "Clustering": lambda weight: Clustering(weight, BOOK),
    "Clustering, squared": lambda weight: Clustering(weight, BOOK, "squared"),
    "EntropyCodebook": lambda weight: EntropyCodebook(weight, BOOK, PRICES),
    "ZeroNormCodebook": lambda weight: ZeroNormCodebook(weight, weight, BOOK),
    "ZeroNormCodebook, squared": lambda weight: ZeroNormCodebook(weight, weight, BOOK, "squared"),
    "ridge, ZeroNorm": lambda weight: WithRidge(ZeroNorm(weight), 0.5),
    "ridge, L1": lambda weight: WithRidge(L1(weight), 0.5),
    "ridge, MCP": lambda weight: WithRidge(MCP(weight, 0.8), 0.5),
    "ridge, Clustering": lambda weight: WithRidge(Clustering(weight, BOOK), 0.5),
    "PhiPenalty": lambda weight: PhiPenalty(weight, 0.8, phi.log()),
}
"""Each class at least once; a Box ignores the weight. "boundary" is one of regimes, at weight 0.7 and step 1."""

EVEN = tuple(name for name in MAKERS if hasattr(MAKERS[name](1.0), "threshold"))
FREE = tuple(name for name in MAKERS if "Box" not in name and "ridge" not in name)
"""Those that do not act on a coordinate of weight 0."""
FLAT = ("CappedL1", "MCP", "SCAD", "SCAD, shape 1.5", "PhiPenalty")

LIBRARIES: dict[str, Callable[[np.ndarray], Any]] = {
    "numpy": lambda a: a,
    "torch": lambda a: torch.from_numpy(a.copy()),
    "array-api-strict": lambda a: array_api_strict.asarray(a.tolist(), dtype=getattr(array_api_strict, str(a.dtype))),
}

STEPS = (1e-2, 0.3, 1.0, 5.0, 1e2)


def cell_ends(g: EntropyCodebook) -> tuple[float, ...]:
    """Where two representatives cost the same: among the crossings of all pairs of parabolas, kinks or not."""
    c, p = np.asarray(g.codebook), np.asarray(g.prices)
    i, j = np.triu_indices(c.size, 1)
    return tuple(((c[i] + c[j]) / 2 + (p[j] - p[i]) / (c[j] - c[i])).tolist())


def random_cases(count: int = 4) -> Iterator[tuple[Any, tuple[float, ...]]]:
    """Penalties of a scalar weight with random parameters, each with its breakpoints other than 0."""
    rng, more = np.random.default_rng(3), np.random.default_rng(4)
    for _ in range(count):
        weight, a = (float(10 ** rng.uniform(-1.5, 1.5)) for _ in range(2))
        other = float(10 ** more.uniform(-1.5, 1.5))
        ends = (-a, a)
        yield ZeroNorm(weight), ()
        yield L1(weight), ()
        # differences cannot tell the slope at 0 from a finite one where q is close to 1
        for q in (1 / 2, 2 / 3, float(more.uniform(0.02, 0.6))):
            yield Lq(weight, q), ()
        yield LogSum(weight, a), ()
        yield Exponential(weight, a), ()
        yield CappedL1(weight, a), ends
        yield MCP(weight, a), ends
        yield SCAD(weight, a, float(1 + 10 ** rng.uniform(-1, 1))), ends
        yield Box(-a, weight), (-a, weight)
        yield ZeroNormBox(weight, -a, other), (-a, other)
        yield ZeroNormBox(weight, 0.0, math.inf), ()
        yield WithRidge(ZeroNorm(weight), other), ()
        yield WithRidge(SCAD(weight, a), other), ends
        codebook = np.sort(rng.normal(size=rng.integers(1, 6)) * a)
        kinks = (*codebook.tolist(), *((codebook[1:] + codebook[:-1]) / 2).tolist())
        yield Clustering(weight, codebook), kinks
        yield Clustering(weight, codebook, "squared"), kinks
        yield WithRidge(Clustering(weight, codebook), other), kinks
        coded = EntropyCodebook(weight, codebook, more.exponential(size=codebook.size) * a * a)
        yield coded, cell_ends(coded)
        anchored = np.unique(np.append(codebook, 0.0))
        kinks = (*anchored.tolist(), *((anchored[1:] + anchored[:-1]) / 2).tolist())
        yield ZeroNormCodebook(weight, other, anchored), kinks
        yield ZeroNormCodebook(weight, other, anchored, "squared"), kinks
        members = (phi.power(float(1 + 10 ** rng.uniform(-1, 1))), phi.log(float(rng.uniform(0.01, 0.9))))
        for member in (*members, phi.lq(float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.05, 0.9)))):
            yield PhiPenalty(weight, a, member), ends
