"""Traits and radii that promise too much, on which certificates would rest, are seen by `check_subdifferential`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from planting import fault

from parsimo.core.functions import Traits
from parsimo.penalties import (
    L1,
    MCP,
    SCAD,
    Box,
    CappedL1,
    Clustering,
    Exponential,
    Group,
    LogSum,
    Lq,
    Spectral,
    WithRidge,
    ZeroNorm,
    ZeroNormBall,
)
from parsimo.theory_checks import check_subdifferential

LABELS = np.array([0, 1, 0, -1])
BOOK, BOOK_KINKS = np.array([-1.0, 0.0, 2.0]), (-1.0, -0.5, 1.0, 2.0)


def stating(base: type, **traits: Any) -> Any:
    """A class with other traits."""
    return fault(base, traits=Traits(**{"convex": False, "weak_convexity": math.inf, **traits}))


WRONG: dict[str, tuple[Any, tuple[float, ...]]] = {
    "a convex zero norm": (stating(ZeroNorm, weak_convexity=0.0)(0.7), ()),
    "a zero norm that says convex": (stating(ZeroNorm, convex=True)(1e-6), ()),
    "a weakly convex zero norm": (stating(ZeroNorm, weak_convexity=1e3)(0.7), ()),
    "a weakly convex root": (stating(Lq, weak_convexity=1e3)(0.7, 0.5), ()),
    "a weakly convex cap": (stating(CappedL1, weak_convexity=1e3)(0.7, 0.8), (-0.8, 0.8)),
    "convex clusters": (stating(Clustering, convex=True)(0.7, BOOK), BOOK_KINKS),
    "MCP, 1 % too convex": (stating(MCP, weak_convexity=0.99 * 2 * 0.7 / 0.8**2)(0.7, 0.8), (-0.8, 0.8)),
    "SCAD, 1 % too convex": (
        stating(SCAD, weak_convexity=0.99 * SCAD(0.7, 0.8).traits.weak_convexity)(0.7, 0.8),
        (-0.8, 0.8),
    ),
    "log-sum, 1 % too convex": (stating(LogSum, weak_convexity=0.99 * 0.7 / 0.8**2)(0.7, 0.8), ()),
    "exponential, 1 % too convex": (stating(Exponential, weak_convexity=0.99 * 0.7 / 0.8**2)(0.7, 0.8), ()),
    "L1, 1 % too flat": (stating(L1, convex=True, lipschitz=0.99 * 0.7)(0.7), ()),
    "a zero norm with a slope": (stating(ZeroNorm, lipschitz=1e3)(0.7), ()),
    "a box with a slope": (stating(Box, convex=True, lipschitz=1.0)(-0.5, 1.5), (-0.5, 1.5)),
    "a radius 1 % too small": (fault(L1, sublevel_radius=lambda self, level: 0.99 * level / self.weight)(0.7), ()),
    "a radius of one coordinate, to the fourth": (
        fault(
            L1,
            terms=lambda self, x: x**4,
            slopes=lambda self, x: (4 * x**3, 4 * x**3),
            prox=lambda self, v, t: quartic(v, t),
            sublevel_radius=lambda self, level: level**0.25,
            traits=Traits(convex=True),
        )(1.0),
        (),
    ),
    "a finite radius of a capped penalty": (
        fault(MCP, sublevel_radius=lambda self, level: self.flat_point)(0.7, 0.8),
        (-0.8, 0.8),
    ),
}


def quartic(v: np.ndarray, t: Any) -> np.ndarray:
    """The prox of x^4: the root of x + 4 t x^3 = v by Cardano's formula, improved by Newton's method."""
    p, q = 1 / (4 * np.asarray(t, v.dtype)), v / (4 * np.asarray(t, v.dtype))
    root = np.sqrt(q**2 / 4 + p**3 / 27)
    x = np.cbrt(q / 2 + root) + np.cbrt(q / 2 - root)
    for _ in range(6):
        x = x - (x**3 + p * x - q) / (3 * x**2 + p)
    return x.astype(v.dtype)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", WRONG)
def test_a_promise_too_many_is_seen(name: str, seed: int):
    g, breakpoints = WRONG[name]
    evidence = check_subdifferential(g, seed, breakpoints=breakpoints)
    assert evidence.verdict == "fails", evidence
    assert ".value(x) for x in (" in evidence.worst_case or ".sublevel_radius(" in evidence.worst_case
    names = {"np": np, type(g).__name__: type(g), "g": g}
    assert eval(evidence.worst_case, names) is not None


def test_a_right_radius_and_right_traits_hold():
    """To the fourth power, where many equal coordinates go farthest; and what a ridge makes convex."""
    many = fault(
        L1,
        terms=lambda self, x: x**4,
        slopes=lambda self, x: (4 * x**3, 4 * x**3),
        prox=lambda self, v, t: quartic(v, t),
        sublevel_radius=lambda self, level: math.sqrt(40) * level**0.25,
        traits=Traits(convex=True),
    )(1.0)
    for g, breakpoints in ((many, ()), (WithRidge(MCP(0.7, 0.8), 2 * 0.7 / 0.8**2), (-0.8, 0.8))):
        assert g.traits.convex
        evidence = check_subdifferential(g, breakpoints=breakpoints)
        assert evidence.holds, evidence


ARRAYS: dict[str, Any] = {
    "convex rank": stating(Spectral, convex=True, separable=False)(ZeroNorm(0.7), (2, 2)),
    "weakly convex groups": stating(Group, weak_convexity=1.0, separable=False)(MCP(0.7, 0.8), LABELS),
    "a convex ball": stating(ZeroNormBall, convex=True, separable=False)(2),
    "separable groups": stating(Group, convex=True, separable=True)(L1(0.7), LABELS),
    "groups that are too flat": stating(Group, convex=True, separable=False, lipschitz=0.6)(L1(0.7), LABELS),
    "a radius of groups": fault(Group, sublevel_radius=lambda self, level: 0.9 * level / 0.7)(
        L1(0.7), np.array([0, 1, 0, 2])
    ),
    "weights that are too flat": stating(L1, convex=True, lipschitz=1.9)(np.array([0.1, 0.5, 2.0, 0.7])),
    "weights with a radius of the largest": fault(L1, sublevel_radius=lambda self, level: level / self.weight.max())(
        np.array([0.1, 0.5, 2.0, 0.7])
    ),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", ARRAYS)
def test_a_promise_too_many_is_seen_in_arrays(name: str, seed: int):
    evidence = check_subdifferential(ARRAYS[name], seed, trials=2, shape=(2, 2) if "rank" in name else 4)
    assert evidence.verdict == "fails", evidence
    assert ".value(x) for x in (" in evidence.worst_case or ".sublevel_radius(" in evidence.worst_case
