"""The Lipschitz surrogate: the penalized MPEC with w eliminated, a problem in x alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, detached, device_of, to_float, to_numpy
from parsimo.core.functions import Traits
from parsimo.core.problem import Composite, count_nonzero
from parsimo.penalties.even import FlatPenalty

if TYPE_CHECKING:
    from parsimo.problems.exact_penalty import PenalizedMPEC
    from parsimo.problems.phi import Phi

__all__ = ["PhiPenalty", "SurrogateProblem"]

_NODES = np.concatenate([[0.0], 2.0 ** np.arange(-26, -6), np.arange(1, 65) / 64])
"""Where the derivative of the prox objective is looked at, as multiples of the largest candidate below v.

Where h' is convex, the derivative is so too: a valley between two nodes r <= 2 l is shallower than the climb to it.
"""
_BISECTIONS = 50
_SECANTS = 12
_AT_REST = 1e-11  # relative to the terms of the derivative: above what maximizers of given values leave of it


@dataclass(frozen=True, eq=False)
class SurrogateProblem(Composite):
    """Minimize f(x) + weight * sum h(rho |x_i|), h = s - psi*(s).

    A `Composite` whose penalty is the surrogate of the family's member phi. It keeps the way back: `penalized`
    is the problem in (x, w) it came from, and alternating minimization uses its w.

    Parameters
    ----------
    f : Smooth
    g : Proximable
        The surrogate penalty; CappedL1, MCP and SCAD where they are the surrogate.
    penalized : PenalizedMPEC
    """

    penalized: PenalizedMPEC

    def auxiliary(self, x: Array, u: Any = None) -> Array:
        """w(x), the w that the elimination removed."""
        return self.penalized.auxiliary(x)

    def given(self, u: Any) -> Any:
        """The weighted l1 norm in x at this w; the surrogate itself where w is None."""
        return self.g if u is None else self.penalized.given(u)

    def describe(self, x: Array, u: Any = None) -> dict[str, float | int | str]:
        """Support size, and the surrogate gap weight * (|x|_0 - sum h): 0 where no 0 < |x_i| < flat point."""
        return {"|x|_0": count_nonzero(x), "surrogate gap": surrogate_gap(self.penalized.weight, self.g, x)}

    @property
    def notes(self) -> tuple[str, ...]:
        """Whether the surrogate is exact, and by which theorem."""
        return (str(self.penalized.exactness),)


def surrogate_gap(weight: float | Array, g: Any, x: Array) -> float:
    """weight * |x|_0 - g(x) >= 0: what the surrogate undercharges at x; rounding below 1e-12 of it is dropped."""
    xp = array_namespace(x)
    zero_norm = to_float(xp.sum(xp.where(x != 0, asarray_like(weight, x), xp.zeros_like(x))))
    gap = zero_norm - g.value(x)
    return gap if gap > 1e-12 * max(zero_norm, 1.0) else 0.0


@dataclass(frozen=True, eq=False)
class PhiPenalty(FlatPenalty):
    """g(x) = weight * sum h(|x|), the surrogate of any member of the family, with a numeric prox.

    The derivative of the prox objective is scanned on [0, min(v, flat point)], every point where it turns from
    falling to rising is found by bisection, and their objectives are compared with those of 0 and v. Where phi is
    piecewise linear, h has kinks, and `subdiff_distance` takes one of the two slopes there.

    Parameters
    ----------
    weight : float or array of the shape of x
    flat_point : float
        phi.slope_at_one / rho.
    phi : Phi
    """

    phi: Phi

    @property
    def traits(self) -> Traits:
        """Lipschitz with constant weight h'(0+); the weak convexity modulus is not computed."""
        slope = float(to_numpy(self.weight).max()) * self._slope_at_zero()
        return Traits(convex=False, weak_convexity=math.inf, lipschitz=slope)

    @property
    def rho(self) -> float:
        """The exact-penalty parameter slope_at_one / flat_point."""
        return self.phi.slope_at_one / self.flat_point

    def _h(self, t: Array) -> Array:
        xp = array_namespace(t)
        positive = xp.where(t > 0, t, xp.ones_like(t))  # a weight may rise infinitely fast at 0
        h = self.phi.surrogate(self.rho * positive)
        # near 0 the surrogate has absolute accuracy alone; h is concave: t h'(t) <= h(t) <= t h'(0)
        tiny = self._slope_at_zero() * t < float(xp.finfo(t.dtype).eps) ** 0.5
        held = xp.minimum(xp.maximum(h, positive * self._slope(positive)), self._slope_at_zero() * positive)
        return xp.where(t > 0, xp.where(tiny, held, h), t)

    def _slope(self, t: Array) -> Array:
        xp = array_namespace(t)
        rising = self.rho * (1 - self.phi.maximizer(self.rho * t))
        return xp.where(t >= self.flat_point, xp.zeros_like(t), rising)

    def _slopes(self, t: Array) -> tuple[Array, ...]:
        return (self._slope(t),)

    def _slope_at_zero(self) -> float:
        return self.rho * (1 - self.phi.minimizer)

    def _shrink(self, v: Array, tau: Array) -> Array:
        xp, v, attached = array_namespace(v), detached(v), v

        def objective(x: Array) -> Array:
            return tau * self._h(x) + (x - v) ** 2 / 2

        zero = xp.zeros_like(v)
        solution, lowest = xp.where(xp.isnan(v), v, zero), objective(zero)
        for candidate in (*self._valleys(v, tau), v):
            trial = objective(candidate)
            solution = xp.where(trial < lowest, candidate, solution)
            lowest = xp.minimum(trial, lowest)
        return solution if attached is v else solution + self._rate(solution, tau) * (attached - v)

    def _rate(self, x: Array, tau: Array) -> Array:
        """dx/dv = 1 / (1 + tau h''(x)), with h'' from differences of h' (docs/theory.md, Remark 4.7); 0 at 0."""
        xp, a = array_namespace(x), self.flat_point
        inside = (x > 0) & (x < a)
        middle = xp.where(inside, x, xp.full_like(x, a / 2))
        width = float(xp.finfo(x.dtype).eps) ** (1 / 3) * xp.minimum(middle, a - middle)
        bend = (self._slope(middle + width) - self._slope(middle - width)) / (2 * width)
        rise = xp.where(inside, xp.clip(1 + tau * bend, float(xp.finfo(x.dtype).eps), None), xp.ones_like(x))
        return xp.where(x > 0, 1 / rise, xp.zeros_like(x))

    def _stationary(self, v: float, tau: float) -> Iterable[float]:
        for valley in self._valleys(np.asarray([v]), np.asarray([tau])):
            yield float(valley[0])

    def _valleys(self, v: Array, tau: Array) -> Iterator[Array]:
        """Candidates besides 0 and v, one for every entry at a time.

        They are, cell by cell of a grid, the x where the derivative of the prox objective turns upwards, and the
        end min(v, flat point). Where h has a kink, or bends sharply, it may turn and fall back within a cell. Then x
        is sought from the left by the secant method: it starts as if h' were constant, which gives a lower bound of
        x, and stays below x where the derivative is concave. Beside a concave kink, where phi has a linear piece,
        there may be two valleys in a cell; then h is linear from either end of it, and one step leads to each. An
        entry that has no more candidates repeats the end.
        """
        xp = array_namespace(v)
        end = xp.clip(v, None, self.flat_point)
        nodes = asarray_like(_NODES, v)
        grid = end[..., None] * nodes
        derivative = grid - v[..., None] + tau[..., None] * self._slope(grid)
        left, right = grid[..., :-1], grid[..., 1:]
        turns = (derivative[..., :-1] < 0) & (derivative[..., 1:] >= 0)
        turns_back = (derivative[..., :-1] < 0) & (derivative[..., 1:] < 0) & (left - derivative[..., :-1] <= right)
        for cell in _each_true(turns):
            low, high = _sum_where(cell, left), _sum_where(cell, right)
            for _ in range(_BISECTIONS):
                middle = (low + high) / 2
                falling = middle - v + tau * self._slope(middle) < 0
                low, high = xp.where(falling, middle, low), xp.where(falling, high, middle)
            yield xp.where(xp.any(cell, axis=-1), (low + high) / 2, end)
        for cell in _each_true(turns_back):
            before, slope_before = _sum_where(cell, left), _sum_where(cell, derivative[..., :-1])
            x = before - slope_before
            for _ in range(_SECANTS):
                slope = x - v + tau * self._slope(x)
                rising = (slope_before < slope) & (slope < 0)
                step = slope * (x - before) / xp.where(rising, slope - slope_before, xp.ones_like(x))
                before, slope_before, x = x, slope, xp.where(rising, x - step, x)
            yield xp.where(xp.any(cell, axis=-1), xp.minimum(x, end), end)
        beside_kinks = () if self.phi.strictly_convex else ((left, derivative[..., :-1]), (right, derivative[..., 1:]))
        for ends, slopes in beside_kinks:
            reached = ends - slopes
            for cell in _each_true((left < reached) & (reached < right)):
                x = _sum_where(cell, reached)
                at_rest = xp.abs(x - v + tau * self._slope(x)) <= _AT_REST * (v + tau * self._slope_at_zero())
                yield xp.where(xp.any(cell, axis=-1) & at_rest, x, end)
        yield end

    def _threshold(self, tau: float) -> float:
        """min over x > 0 of tau h(x) / x + x / 2: up to there, no x does better than 0."""
        beyond = max(self.flat_point, math.sqrt(2 * tau))  # the best x where h = 1
        least = min(tau * self._slope_at_zero(), tau / beyond + beyond / 2)
        x = self.flat_point * np.concatenate([np.geomspace(1e-12, 1e-3, 288), np.linspace(0.0, 1.0, 1025)[2:]])
        for _ in range(4):
            trial = tau * to_numpy(self._h(x)) / x + x / 2
            best = int(trial.argmin())
            least = min(least, float(trial[best]))
            x = np.linspace(x[max(best - 1, 0)], x[min(best + 1, x.size - 1)], 65)
        return least


def _each_true(mask: Array) -> Iterator[Array]:
    """Masks that leave one true entry of each row: the first of every row, then the second, ..."""
    xp = array_namespace(mask)
    columns = xp.arange(mask.shape[-1], device=device_of(mask))
    while bool(xp.any(mask)):
        first = columns == xp.argmax(xp.astype(mask, xp.int8), axis=-1)[..., None]
        yield mask & first
        mask = mask & ~first


def _sum_where(mask: Array, values: Array) -> Array:
    """The one value of each row that the mask leaves; 0 where it leaves none."""
    xp = array_namespace(values)
    return xp.sum(xp.where(mask, values, xp.zeros_like(values)), axis=-1)
