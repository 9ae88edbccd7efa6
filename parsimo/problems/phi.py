"""The generator family: convex functions phi on [0, 1] that write the zero norm as a minimum.

A member is closed, proper and convex with [0, 1] inside its domain, phi(1) = 1, a unique minimizer t* in [0, 1)
over [0, 1] with phi(t*) = 0, and a finite left slope at 1. With psi = phi + indicator of [0, 1] and s = rho |x|,

    |x|_0 = min { sum phi(w_i) : 0 <= w <= 1, <1 - w, |x|> = 0 }                              (2.1)
    h(|x|) = min_w { phi(w) + rho (1 - w) |x| : 0 <= w <= 1 } = s - psi*(s)                   (2.2)

(docs/theory.md, 2). The names are functions, so that `parsimo.phi.mcp()` reads as it should.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, to_numpy
from parsimo.core.functions import Proximable
from parsimo.penalties import MCP, SCAD, CappedL1

__all__ = ["Phi", "capped_l1", "custom", "log", "lq", "mcp", "power", "scad"]

_GRID = 2001  # points of [0, 1] on which axioms and curvature margins are evaluated


@dataclass(frozen=True)
class Phi(ABC):
    """A member of the family: `value`, `maximizer`, `slope_at_one`, `minimizer`; the rest follows from them.

    `strictly_convex` may be True where phi has no linear piece, so that h has no kink before its flat point: a numeric
    prox is then found sooner.
    """

    strictly_convex = False

    @property
    @abstractmethod
    def slope_at_one(self) -> float:
        """The left derivative at 1, which scales every exactness threshold."""

    @property
    @abstractmethod
    def minimizer(self) -> float:
        """t*, the value of w_i where x_i = 0."""

    @abstractmethod
    def value(self, t: Array) -> Array:
        """phi(t) for t in [0, 1]."""

    @abstractmethod
    def maximizer(self, s: Array) -> Array:
        """argmax over w in [0, 1] of s w - phi(w), for s >= 0: the derivative of psi* at s."""

    def conjugate(self, s: Array) -> Array:
        """psi*(s) = max over w in [0, 1] of s w - phi(w), for s >= 0."""
        w = self.maximizer(s)
        return s * w - self.value(w)

    def surrogate(self, s: Array) -> Array:
        """h = s - psi*(s), the surrogate of 1[x != 0] at s = rho |x|; 0 at 0, 1 from s = slope_at_one on (2.2)."""
        w = self.maximizer(s)
        xp = array_namespace(s)
        rising = xp.where(s > 0, s * (1 - w) + self.value(w), s)  # s itself at 0, where phi(t*) rounds, and at NaN
        return xp.where(s >= self.slope_at_one, xp.ones_like(s), rising)

    def penalty(self, weight: float | Array, flat_point: float) -> Proximable:
        """weight * sum h(|x|) with h = 1 from the flat point on, that is with rho = slope_at_one / flat_point."""
        from parsimo.problems.surrogate import PhiPenalty

        return PhiPenalty(weight, flat_point, self)

    @cached_property
    def curvature_margin(self) -> float:
        """kappa of the curvature theorem, or a lower bound of it (docs/theory.md, Theorem 3.3).

        The surrogate is exact when flat_point^2 * curvature < kappa * weight. With h scaled to reach 1 at u = 1,

            kappa = 2 inf over 0 < u <= 1 of [(1 - sqrt(1 - h(u))) / u]^2                        (3.1)

        compares h with MCP, for which the bracket is 1. On a cell [l, r] of a grid, h(u) >= max(h(l), u h(r) / r),
        since h rises and is concave; and 1 - sqrt(1 - c u) is convex in u. The bound is some thousandths below kappa at
        most.
        """
        u = np.linspace(0.0, 1.0, 2 * _GRID)
        h = np.clip(to_numpy(self.surrogate(self.slope_at_one * u)), 0.0, 1.0)
        left, right, chord = u[:-1], u[1:], h[1:] / u[1:]
        by_left_end = (1 - np.sqrt(1 - h[:-1])) / right
        by_chord = np.append(chord[0] / 2, (1 - np.sqrt(1 - chord[1:] * left[1:])) / left[1:])
        return float(2 * np.maximum(by_left_end, by_chord).min() ** 2)


@dataclass(frozen=True)
class _CappedL1(Phi):
    slope_at_one = 1.0
    minimizer = 0.0
    curvature_margin = 0.5

    def value(self, t: Array) -> Array:
        return t

    def maximizer(self, s: Array) -> Array:
        xp = array_namespace(s)
        return xp.where(s > 1, xp.ones_like(s), xp.zeros_like(s))

    def penalty(self, weight: float | Array, flat_point: float) -> CappedL1:
        return CappedL1(weight, flat_point)


@dataclass(frozen=True)
class _SCAD(Phi):
    shape: float

    minimizer = 0.0

    @property
    def slope_at_one(self) -> float:
        return 2 * self.shape / (self.shape + 1)

    @property
    def curvature_margin(self) -> float:
        return self.slope_at_one**2 / 2  # attained as u goes to 0

    def value(self, t: Array) -> Array:
        a = self.shape
        return (a - 1) / (a + 1) * t * t + 2 * t / (a + 1)

    def maximizer(self, s: Array) -> Array:
        a = self.shape
        return array_namespace(s).clip(((a + 1) * s - 2) / (2 * (a - 1)), 0.0, 1.0)

    def penalty(self, weight: float | Array, flat_point: float) -> SCAD:
        return SCAD(weight, flat_point, self.shape)


@dataclass(frozen=True)
class _MCP(Phi):
    a: float

    curvature_margin = 2.0

    @property
    def slope_at_one(self) -> float:
        return self.a

    @property
    def minimizer(self) -> float:
        return (self.a - 2) / self.a

    def value(self, t: Array) -> Array:
        a = self.a
        return a * a / 4 * t * t - (a * a / 2 - a) * t + (a - 2) ** 2 / 4

    def maximizer(self, s: Array) -> Array:
        a = self.a
        return array_namespace(s).clip(1 + 2 * (s - a) / (a * a), 0.0, 1.0)

    def penalty(self, weight: float | Array, flat_point: float) -> MCP:
        return MCP(weight, flat_point)


@dataclass(frozen=True)
class _Power(Phi):
    p: float

    strictly_convex = True
    minimizer = 0.0

    @property
    def slope_at_one(self) -> float:
        return self.p

    @property
    def curvature_margin(self) -> float:
        return min(self.p**2 / 2, 2.0)

    def value(self, t: Array) -> Array:
        return t**self.p

    def maximizer(self, s: Array) -> Array:
        return array_namespace(s).clip(s / self.p, None, 1.0) ** (1 / (self.p - 1))

    def penalty(self, weight: float | Array, flat_point: float) -> Proximable:
        return MCP(weight, flat_point) if self.p == 2 else super().penalty(weight, flat_point)


@dataclass(frozen=True)
class _Log(Phi):
    epsilon: float

    strictly_convex = True
    curvature_margin = 2.0

    @property
    def _scale(self) -> float:
        return self.epsilon - 1 - math.log(self.epsilon)

    @property
    def slope_at_one(self) -> float:
        return (1 / self.epsilon - 1) / self._scale

    @property
    def minimizer(self) -> float:
        return self.epsilon

    def value(self, t: Array) -> Array:
        e = self.epsilon
        return (e - t - array_namespace(t).log(1 - t + e)) / self._scale

    def maximizer(self, s: Array) -> Array:
        return array_namespace(s).clip(1 + self.epsilon - 1 / (1 + self._scale * s), None, 1.0)


@dataclass(frozen=True)
class _Lq(Phi):
    q: float
    epsilon: float

    strictly_convex = True
    curvature_margin = 2.0

    @property
    def _scale(self) -> float:
        q, e = self.q, self.epsilon
        return e - 1 + (1 - q) / q * (e ** (q / (q - 1)) - 1)

    @property
    def slope_at_one(self) -> float:
        return (self.epsilon ** (1 / (self.q - 1)) - 1) / self._scale

    @property
    def minimizer(self) -> float:
        return self.epsilon

    def value(self, t: Array) -> Array:
        q, e = self.q, self.epsilon
        return (e - t + (1 - q) / q * ((1 - t + e) ** (q / (q - 1)) - 1)) / self._scale

    def maximizer(self, s: Array) -> Array:
        return array_namespace(s).clip(1 + self.epsilon - (1 + self._scale * s) ** (self.q - 1), None, 1.0)


@dataclass(frozen=True)
class _Custom(Phi):
    function: Callable[[np.ndarray], np.ndarray]
    name: str

    @cached_property
    def slope_at_one(self) -> float:
        one_sided = [(1.0 - self._at(1 - d)) / d for d in (1e-5, 5e-6)]
        return 2 * one_sided[1] - one_sided[0]  # Richardson: the error term linear in d cancels

    @cached_property
    def minimizer(self) -> float:
        return float(self.maximizer(np.zeros(1))[0])

    def _at(self, t: float) -> float:
        return float(np.asarray(self.function(np.array([t])))[0])

    def value(self, t: Array) -> Array:
        return asarray_like(np.asarray(self.function(to_numpy(t)), dtype=np.float64), t)

    def maximizer(self, s: Array) -> Array:
        slopes = to_numpy(s).astype(np.float64)
        return asarray_like(_maximize_concave(lambda w: slopes * w - self.function(w), slopes.shape), s)


def capped_l1() -> Phi:
    """phi(t) = t, whose surrogate is the capped l1 penalty."""
    return _CappedL1()


def scad(shape: float = 3.7) -> Phi:
    """phi(t) = (a-1)/(a+1) t^2 + 2t/(a+1) with a = shape > 1, whose surrogate is SCAD."""
    _demand(shape > 1, "scad", "shape > 1", shape)
    return _SCAD(shape)


def mcp(a: float = 2.0) -> Phi:
    """phi(t) = (a t/2)^2 - a^2 t/2 + a t + (a-2)^2/4 with a >= 2, whose surrogate is MCP.

    The surrogate depends on (a, rho) through a/rho alone; a = 2 is phi(t) = t^2.
    """
    _demand(a >= 2, "mcp", "a >= 2", a)
    return _MCP(a)


def power(p: float) -> Phi:
    """phi(t) = t^p with p > 1; p = 2 gives MCP."""
    _demand(p > 1, "power", "p > 1 (for p = 1 take capped_l1)", p)
    return _Power(p)


def log(epsilon: float = 0.1) -> Phi:
    """phi(t) = [epsilon - t - ln(1 - t + epsilon)] / Z, 0 < epsilon < 1, whose surrogate is a truncated log-sum."""
    _demand(0 < epsilon < 1, "log", "0 < epsilon < 1", epsilon)
    return _Log(epsilon)


def lq(q: float = 0.5, epsilon: float = 0.1) -> Phi:
    """The member whose surrogate is a truncated (epsilon-shifted) l_q penalty, 0 < q < 1 and 0 < epsilon < 1."""
    _demand(0 < q < 1, "lq", "0 < q < 1", q)
    _demand(0 < epsilon < 1, "lq", "0 < epsilon < 1", epsilon)
    return _Lq(q, epsilon)


def custom(function: Callable[[np.ndarray], np.ndarray], name: str = "custom") -> Phi:
    """A member of the family given by its values alone; the conjugate is found by numeric maximization.

    Parameters
    ----------
    function : callable
        Takes and returns numpy arrays; evaluated on [0, 1].
    name : str
        Shown in reports.

    Raises
    ------
    TypeError
        If the function does not return numbers.
    ValueError
        If an axiom of the family fails on a grid of [0, 1], with the numbers that break it.

    Notes
    -----
    Weights w come out to about 1e-8 (a maximum is flat), values of the conjugate to rounding.
    """
    grid = np.linspace(0.0, 1.0, _GRID)
    who, returned = f"phi.{name}", np.asarray(function(grid))
    if returned.dtype.kind not in "biuf":
        raise TypeError(f"{who}: the function must return an array of numbers, got {returned!r}; phi(t) is a float")
    values = returned.astype(np.float64)
    if values.shape != grid.shape:
        raise ValueError(f"{who}: the function must return one value per entry, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{who}: phi({grid[~np.isfinite(values)][0]:g}) is not finite; [0, 1] must lie in its domain")
    if abs(values[-1] - 1) > 1e-9:
        raise ValueError(f"{who}: phi(1) must be 1, got {values[-1]}; divide by it")
    bends = np.diff(values, 2)
    if bends.min() < -1e-10:
        at = grid[1:-1][bends.argmin()]
        raise ValueError(f"{who}: phi must be convex, but its second difference at t = {at:g} is {bends.min():.3g}")
    member = _Custom(function, name)
    lowest = min(member._at(member.minimizer), float(values.min()))
    if abs(lowest) > 1e-9 or member.minimizer == 1:
        raise ValueError(f"{who}: the minimum over [0, 1) must be 0, got {lowest} at t = {member.minimizer:g}")
    flat = grid[values == values.min()]
    if flat.size > 2:  # two neighbours may straddle the minimizer
        raise ValueError(f"{who}: the minimizer must be unique, but phi is constant from {flat[0]:g} to {flat[-1]:g}")
    quotients = [(1.0 - member._at(1 - d)) / d for d in (1e-2, 1e-4, 1e-6)]
    # towards a finite slope their growth dies out like d; towards an infinite one, even a logarithmic one, it does not
    if quotients[2] - quotients[1] > 0.1 * (quotients[1] - quotients[0]) + 1e-6 * max(1.0, quotients[2]):
        raise ValueError(
            f"{who}: the left slope at 1 must be finite, but the difference quotients keep growing: "
            f"{', '.join(f'{q:.4g}' for q in quotients)}"
        )
    return member


def _maximize_concave(objective: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Entrywise argmax over [0, 1] of concave functions, by golden section; the ends are tried too."""
    ratio = (math.sqrt(5) - 1) / 2
    low, high = np.zeros(shape), np.ones(shape)
    for _ in range(60):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        rising = objective(left) < objective(right)
        low, high = np.where(rising, left, low), np.where(rising, high, right)
    best = (low + high) / 2
    for end in (np.zeros(shape), np.ones(shape)):
        best = np.where(objective(end) >= objective(best), end, best)
    return best


def _demand(holds: bool, name: str, demand: str, value: float) -> None:
    if not holds:
        raise ValueError(f"phi.{name}: needs {demand}, got {value}")
