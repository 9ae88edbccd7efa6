"""The separable penalty as coordinate descent uses it: compiled where every coordinate has a twin, else as it is."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parsimo.penalties.even import EvenPenalty
from parsimo.solvers.compiled import PASSES, passes_of
from parsimo.solvers.compiled.twins import Twins, twins_of

__all__ = ["Compiled", "Plain", "Relaxation", "Terms", "terms_of"]


@dataclass(frozen=True, eq=False)
class Compiled:
    """Coordinates that all have a compiled twin."""

    twins: Twins
    """Those of the coordinates, in their order."""

    @property
    def passes(self) -> Any:
        """The module of compiled passes, which `terms_of` has imported."""
        return sys.modules[PASSES]

    def take(self, index: np.ndarray, x: np.ndarray) -> Compiled:
        """The terms of some coordinates, whatever the others of x are."""
        return Compiled(self.twins.take(index))

    def moves(self, x: np.ndarray, slopes: np.ndarray, curvatures: np.ndarray) -> np.ndarray:
        """prox_{g_j / L_j}(x_j - s_j / L_j) - x_j for each coordinate by itself."""
        return self.passes.prox_moves(x, slopes, curvatures, self.twins.kinds, self.twins.rows)

    def tangent(self) -> Compiled | None:
        """Absolute values with the slopes of g at 0+ in place of terms that are concave in |x_j|; None without such.

        They lie above g and touch it at 0 (docs/theory.md, Proposition 11.4).
        """
        concave = self.twins.concave
        if not concave.any():
            return None
        slopes = self.shapes(np.full(concave.size, np.finfo(float).tiny ** 0.5))[1]
        return Compiled(self.twins.with_slopes(concave, slopes))

    def value(self, x: np.ndarray) -> float:
        """The sum of the terms."""
        return float(self.passes.total(x, self.twins.kinds, self.twins.rows))

    def shapes(self, x: np.ndarray) -> np.ndarray:
        """Value, slope and curvature of each term as rows; an infinite curvature marks a point without one."""
        return self.passes.shapes(x, self.twins.kinds, self.twins.rows)


@dataclass(frozen=True, eq=False)
class Plain:
    """Coordinates of a penalty without twins: each prox is a call of the penalty's own."""

    penalty: Any
    """g, restricted to the coordinates where that is known to be possible."""
    places: np.ndarray
    """Where the coordinates are in the argument of g."""
    argument: np.ndarray
    """The whole argument of g, into which values of the coordinates are put."""

    def __str__(self) -> str:
        return type(self.penalty).__name__

    def take(self, index: np.ndarray, x: np.ndarray) -> Plain:
        """The terms of some coordinates of x; g is given the others as well, where it cannot do without."""
        if isinstance(self.penalty, EvenPenalty):
            return Plain(_restricted(self.penalty, index), np.arange(index.size), x[index])
        return Plain(self.penalty, index, x)

    def moves(self, x: np.ndarray, slopes: np.ndarray, curvatures: np.ndarray) -> np.ndarray:
        """prox_{g_j / L_j}(x_j - s_j / L_j) - x_j for each coordinate by itself."""
        steps = np.ones_like(self.argument)
        steps[self.places] = 1 / curvatures
        return self.penalty.prox(self._put(x - slopes / curvatures), steps)[self.places] - x

    def best(self, j: int, x: float, slope: float, curvature: float) -> float:
        """prox_{g_j / L_j}(x_j - s_j / L_j) of one coordinate."""
        v, step_size = x - slope / curvature, 1 / curvature
        if isinstance(self.penalty, EvenPenalty):
            return float(_restricted(self.penalty, np.array([j])).prox(np.array([v]), step_size)[0])
        argument = self.argument.copy()
        argument[self.places[j]] = v
        return float(self.penalty.prox(argument, step_size)[self.places[j]])

    def value(self, x: np.ndarray) -> float:
        """The sum of the terms, and of those of the other coordinates that g is given."""
        return float(self.penalty.value(self._put(x)))

    def _put(self, values: np.ndarray) -> np.ndarray:
        argument = self.argument.copy()
        argument[self.places] = values
        return argument


Terms = Compiled | Plain


@dataclass(frozen=True, eq=False)
class Relaxation:
    """Absolute values in place of the terms that are concave in |x_j|: above them, and touching them at 0."""

    terms: Compiled
    """Weighted absolute values where g_j is concave in |x_j|, g_j itself elsewhere."""
    goal: float | None
    """How small the largest move must be for the relaxation to be left."""

    @classmethod
    def at(cls, x: np.ndarray, terms: Terms) -> Relaxation | None:
        """The one that touches at x; None where no term is known to be concave, and where x is not 0.

        From 0 it is the convex problem that leads to better minimizers; whoever gives another start means that one.
        """
        tangent = None if x.any() or isinstance(terms, Plain) else terms.tangent()
        return None if tangent is None else cls(tangent, None)


def terms_of(penalty: Any, x: np.ndarray) -> Terms:
    """The terms of all coordinates of x.

    Raises
    ------
    ImportError
        If the penalty has twins and numba is not installed.
    """
    twins = twins_of(penalty, x.size)
    if twins is None:
        return Plain(penalty, np.arange(x.size), x)
    passes_of("CoordinateDescent")
    return Compiled(twins)


def _restricted(penalty: EvenPenalty, index: np.ndarray) -> EvenPenalty:
    """g on some coordinates, which differ in their weights alone."""
    weight = penalty.weight
    return penalty if isinstance(weight, float) else replace(penalty, weight=weight[index])
