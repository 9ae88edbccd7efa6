"""The least weight from which on nothing but the free coordinates is worth its price."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from parsimo._array import Array, all_finite, array_namespace, norm, to_float
from parsimo.core.functions import Traits
from parsimo.core.problem import Composite, certificate
from parsimo.selection.families import FlatPoint, family_of
from parsimo.solvers.moves import curvatures
from parsimo.solvers.settling import settled

__all__ = ["Null", "weight_max"]

_LEAP = 1e100
_RELATIVE = 1e-13  # accuracy of the weight
_AT_REST = 1e-6  # of the gradient at 0
_SCALE = "scale the data to about 1, for example divide each column by its norm"


def weight_max(f: Any, penalty: Any, *, flat_point: FlatPoint | None = None) -> float:
    """The least weight from which on the null model is a fixed point of the prox at the steps 1/L_j.

    The null model is x = 0; where there are coordinates that no weight holds at 0, such as an intercept of weight 0, it
    is the minimizer over these, the others being 0. With d the gradient of f there, the condition on each of the
    others is that 0 minimizes g_j(s) + (s + d_j / L_j)^2 L_j / 2, or

        |d_j| / L_j <= threshold of g_j at the step 1 / L_j.

    For L1 this is max |d_j|, for the zero norm max d_j^2 / (2 L_j); for MCP it depends on the flat point.

    Parameters
    ----------
    f : Smooth
        With `coordinate_curvature` L_j, or `lipschitz`.
    penalty : str, Proximable, Family or callable
        The penalty at weight 1, or the family, as in `regularization_path`. For one that is not separable (groups,
        rank) the step is 1/L for all coordinates.
    flat_point : "fixed" or "scaled", optional
        What becomes of the flat point of a penalty given as template; fixed by default.

    Returns
    -------
    float
        0 where the null model is optimal at every weight. Rounded up, so that the condition holds at it.

    Raises
    ------
    TypeError
        If f states neither curvature, or there is no weight to change.
    ValueError
        If the gradient or the curvature is not finite, no weight meets the condition, or the penalty holds no
        coordinate at 0.

    Notes
    -----
    docs/theory.md, Proposition 12.1. Below this weight a single coordinate lowers the objective. From it on none
    does if f is quadratic along coordinates (`f.coordinate_curvature_is_exact`) and the penalty separable, and the
    null model is a minimizer if f and the penalty are convex. Otherwise the condition says that it is prox-stationary.

    Examples
    --------
    >>> import numpy as np
    >>> import parsimo as ps
    >>> weight_max(ps.LeastSquares(np.eye(2), np.array([3.0, -4.0])), "zero-norm")
    8.0
    """
    return Null.of(f, family_of(penalty, flat_point, f)).weight_max


@dataclass(frozen=True, eq=False)
class Null:
    """The null model of a family: nothing but the free coordinates."""

    f: Any
    family: Callable[[float], Any]
    x: Array
    """0, but for the free coordinates."""
    held: Array
    """Which coordinates are not free."""
    grad: Array
    """The gradient of f at x."""

    @classmethod
    def of(cls, f: Any, family: Callable[[float], Any]) -> Null:
        """Minimizes f over the free coordinates."""
        zeros, g = _zeros(f), family(1.0)
        held = _held(g, zeros)
        if not bool(array_namespace(zeros).any(held)):
            raise ValueError(
                f"weight_max: {g!r} holds no coordinate at 0, so that there is no largest weight that matters; "
                "pass weights instead"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            x = _over_the_free(f, g, zeros, held)
            null = cls(f, family, x, held, f.grad(x))
            slope = null.slope
        if not math.isfinite(slope):
            raise ValueError(f"weight_max: the gradient of {f!r} at the null model overflows; {_SCALE}")
        return null

    @property
    def slope(self) -> float:
        """|grad f|: the certificate with no penalty at all, by which tolerances are measured."""
        with np.errstate(over="ignore"):
            return norm(self.grad)

    @cached_property
    def weight_max(self) -> float:
        """The least weight from which on x is a fixed point of the prox."""
        g, d, xp = self.family(1.0), self.grad, array_namespace(self.x)
        with np.errstate(all="ignore"):  # weights far off are tried too
            steps = _steps(self.f, g, self.x)
            pull = xp.where(self.held, -steps * d, xp.zeros_like(d))
            gains = -pull * d / 2  # d_j^2 / (2 L_j), what a coordinate can gain
            if not all_finite(gains) or not all_finite(d) or not xp.all(xp.asarray(steps) > 0):
                raise ValueError(f"weight_max: the curvature of {self.f!r} overflows; {_SCALE}")

            def is_null(weight: float) -> bool:
                return not bool(xp.any(self.held & (self.family(weight).prox(pull, steps) != 0)))

            return 0.0 if is_null(0.0) else _least(is_null, max(to_float(xp.max(gains)), sys.float_info.min))

    @property
    def proved(self) -> str:
        """What x is from `weight_max` on (docs/theory.md, Proposition 12.1)."""
        traits = self.family(1.0).traits
        if getattr(self.f, "convex", False) and traits.convex:
            return "a minimizer"
        exact = getattr(self.f, "coordinate_curvature_is_exact", False) and traits.separable
        return "optimal along each coordinate" if exact else "prox-stationary"


def _least(holds: Callable[[float], bool], likely: float) -> float:
    """The least weight with a property that all larger ones have, rounded up, by bisection from a likely one."""
    low = high = likely
    factor = 4.0
    while not holds(high):
        if not math.isfinite(high * factor):
            raise ValueError(
                f"weight_max: even at weight {high:.3g} the penalty does not hold x at 0; is 0 all that costs nothing?"
            )
        low, high, factor = high, high * factor, min(factor**2, _LEAP)
    factor = 4.0
    while low == high or (low > 0 and holds(low)):
        low, high, factor = low / factor, low, min(factor**2, _LEAP)
    while high > 4 * low > 0:
        middle = math.sqrt(low) * math.sqrt(high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    while high - low > _RELATIVE * high and low < (middle := low + (high - low) / 2) < high:
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _zeros(f: Any) -> Array:
    for name in ("value", "grad", "start"):
        if isinstance(f, type) or not callable(getattr(f, name, None)):
            raise TypeError(f"weight_max: {f!r} offers no {name}(); it needs a smooth part such as LeastSquares(A, b)")
    return array_namespace(start := f.start()).zeros_like(start)


def _held(g: Any, zeros: Array) -> Array:
    """Which coordinates the penalty holds at 0 against a small pull to either side."""
    xp = array_namespace(zeros)
    pull = xp.full_like(zeros, float(xp.finfo(zeros.dtype).eps) ** 2)
    return (g.prox(pull, 1.0) == 0) & (g.prox(-pull, 1.0) == 0)


def _steps(f: Any, g: Any, x: Array) -> float | Array:
    """1/L_j for each coordinate; 1/L for all where the penalty takes no step of their own, or f states no L_j."""
    if g.traits.separable and getattr(f, "coordinate_curvature", None) is not None:
        return 1 / curvatures(f, x)
    if f.lipschitz is None:
        raise TypeError(f"weight_max: {f!r} states neither coordinate_curvature nor lipschitz; pass weights instead")
    return 1 / f.lipschitz if f.lipschitz > 0 else 1.0


def _over_the_free(f: Any, g: Any, zeros: Array, held: Array) -> Array:
    """The minimizer over the coordinates that are not held, which the settling of a support finds."""
    if bool(array_namespace(zeros).all(held)):
        return zeros
    problem = Composite(f, _Pinned(g, held))
    before, x = certificate(problem, zeros), settled(problem, zeros)
    if not certificate(problem, x) <= _AT_REST * before:
        raise ValueError(
            f"weight_max: no minimizer of {f!r} over its {int((~held).sum())} free coordinates was found: from 0 the "
            f"gradient fell from {before:.3g} to {certificate(problem, x):.3g}; pass weights instead"
        )
    return x


@dataclass(frozen=True, eq=False)
class _Pinned:
    """g, with some coordinates pinned to 0."""

    g: Any
    pinned: Array

    @property
    def traits(self) -> Traits:
        return self.g.traits

    def value(self, x: Array) -> float:
        return self.g.value(x)

    def terms(self, x: Array) -> Array:
        xp = array_namespace(x)
        free = self.g.terms(x) if hasattr(self.g, "terms") else xp.zeros_like(x)
        return xp.where(self.pinned & (x != 0), xp.full_like(x, math.inf), free)

    def slopes(self, x: Array) -> tuple[Array, Array]:
        xp = array_namespace(x)
        left, right = self.g.slopes(x) if hasattr(self.g, "slopes") else (xp.zeros_like(x), xp.zeros_like(x))
        at_pin, infinity = self.pinned & (x == 0), xp.full_like(x, math.inf)
        return xp.where(at_pin, -infinity, left), xp.where(at_pin, infinity, right)

    def prox(self, v: Array, step_size: float | Array) -> Array:
        xp = array_namespace(v)
        return xp.where(self.pinned, xp.zeros_like(v), self.g.prox(v, step_size))

    def subdiff_distance(self, x: Array, grad: Array) -> float:
        xp = array_namespace(x)
        return self.g.subdiff_distance(x, xp.where(self.pinned, xp.zeros_like(grad), grad))
