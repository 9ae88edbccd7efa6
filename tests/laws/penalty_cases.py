"""Penalties of every class, with random parameters, and where their jumps and kinks are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import array_api_strict
import numpy as np
import torch

from parsimo.penalties import L1, MCP, SCAD, Box, CappedL1, Clustering, ZeroNorm
from parsimo.problems import PhiPenalty, phi

Weight = Any  # a number or an array


def clustering(weight: Weight) -> Clustering:
    return Clustering(weight, np.array([-1.0, 0.0, 0.3, 2.0]))


def squared_clustering(weight: Weight) -> Clustering:
    return Clustering(weight, np.array([-1.0, 0.0, 0.3, 2.0]), "squared")


MAKERS: dict[str, Callable[[Weight], Any]] = {
    "ZeroNorm": ZeroNorm,
    "L1": L1,
    "CappedL1": lambda weight: CappedL1(weight, 0.8),
    "MCP": lambda weight: MCP(weight, 0.8),
    "SCAD": lambda weight: SCAD(weight, 0.8),
    "SCAD, shape 1.5": lambda weight: SCAD(weight, 0.8, 1.5),
    "Box": lambda weight: Box(-0.5, 1.5),
    "Clustering": clustering,
    "Clustering, squared": squared_clustering,
    "PhiPenalty": lambda weight: PhiPenalty(weight, 0.8, phi.log()),
}
"""Each class at least once; a Box ignores the weight."""

EVEN = ("ZeroNorm", "L1", "CappedL1", "MCP", "SCAD", "SCAD, shape 1.5", "PhiPenalty")
FLAT = ("CappedL1", "MCP", "SCAD", "SCAD, shape 1.5", "PhiPenalty")

LIBRARIES: dict[str, Callable[[np.ndarray], Any]] = {
    "numpy": lambda a: a,
    "torch": lambda a: torch.from_numpy(a.copy()),
    "array-api-strict": lambda a: array_api_strict.asarray(a.tolist(), dtype=getattr(array_api_strict, str(a.dtype))),
}

STEPS = (1e-2, 0.3, 1.0, 5.0, 1e2)


def random_cases(count: int = 4) -> Iterator[tuple[Any, tuple[float, ...]]]:
    """Penalties of a scalar weight with random parameters, each with its breakpoints other than 0."""
    rng = np.random.default_rng(3)
    for _ in range(count):
        weight, a = (float(10 ** rng.uniform(-1.5, 1.5)) for _ in range(2))
        ends = (-a, a)
        yield ZeroNorm(weight), ()
        yield L1(weight), ()
        yield CappedL1(weight, a), ends
        yield MCP(weight, a), ends
        yield SCAD(weight, a, float(1 + 10 ** rng.uniform(-1, 1))), ends
        yield Box(-a, weight), (-a, weight)
        codebook = np.sort(rng.normal(size=rng.integers(1, 6)) * a)
        kinks = (*codebook.tolist(), *((codebook[1:] + codebook[:-1]) / 2).tolist())
        yield Clustering(weight, codebook), kinks
        yield Clustering(weight, codebook, "squared"), kinks
        members = (phi.power(float(1 + 10 ** rng.uniform(-1, 1))), phi.log(float(rng.uniform(0.01, 0.9))))
        for member in (*members, phi.lq(float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.05, 0.9)))):
            yield PhiPenalty(weight, a, member), ends
