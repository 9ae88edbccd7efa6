"""What group and spectral penalties share: an even penalty p, lifted from the line to radii of x."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

from parsimo._array import Array, norm
from parsimo.core.functions import Traits
from parsimo.penalties.even import EvenPenalty

__all__ = ["Lifted", "check_liftable"]


class Lifted(ABC):
    """g(x) = sum_j p_j(r_j(x)) with p_j even and radii r_j(x) >= 0: the norms of groups, or the singular values.

    A gradient at x splits into its slopes along the radii and a rest, along which no radius changes at first order.
    Certificates are those of the even penalty at (radii, slopes), and all of the rest (docs/theory.md,
    Propositions 4.12 and 4.13).
    """

    @property
    @abstractmethod
    def _scalar(self) -> EvenPenalty:
        """The penalty sum_j p_j(|r_j|) of the radii."""

    @abstractmethod
    def _radii(self, x: Array) -> Array:
        """r(x), 1-D."""

    @abstractmethod
    def _split(self, x: Array, grad: Array) -> tuple[Array, Array, Array]:
        """(radii of x, slopes of grad along them, rest of grad)."""

    @property
    def traits(self) -> Traits:
        """Those of the even penalty, but not separable (docs/theory.md, Proposition 4.14)."""
        scalar: Any = self._scalar
        return replace(scalar.traits, separable=False)

    def sublevel_radius(self, level: float) -> float:
        """The largest |x| with g(x) <= level, which is that of the radii; infinity where p does not know its own."""
        scalar: Any = self._scalar
        return scalar.sublevel_radius(level) if hasattr(scalar, "sublevel_radius") else math.inf

    def value(self, x: Array) -> float:
        """g(x)."""
        return self._scalar.value(self._radii(x))

    def subdiff_distance(self, x: Array, grad: Array) -> float:
        """Distance of -grad from the limiting subdifferential of g at x."""
        radii, slopes, rest = self._split(x, grad)
        return math.hypot(self._scalar.subdiff_distance(radii, slopes), norm(rest))

    def descent_rate(self, x: Array, grad: Array) -> float:
        """max over |d| <= 1 of -(<grad, d> + dg(x)(d)), with dg(x) the subderivative of g at x.

        Where p has a finite slope at 0 it is the directional derivative, and the number is the steepest rate along a
        ray. Otherwise dg(x)(d) is the least slope of g along curves that leave x in the direction d.
        """
        radii, slopes, rest = self._split(x, grad)
        return math.hypot(self._scalar.descent_rate(radii, slopes), norm(rest))


def check_liftable(penalty: EvenPenalty, owner: str) -> None:
    """Refuse what is not an even penalty with one weight.

    Raises
    ------
    TypeError
        Naming the object.
    """
    if not isinstance(penalty, EvenPenalty):
        raise TypeError(
            f"{owner}: penalty={penalty!r} must be an even penalty of one number, such as L1(0.1) or ZeroNorm(0.1)"
        )
    if not isinstance(penalty.weight, float):
        raise TypeError(f"{owner}: the weight of {type(penalty).__name__} must be one number, got {penalty.weight!r}")
