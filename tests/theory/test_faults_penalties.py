"""Wrong proxes and slopes of the scalar penalties, each of a kind that is easily written, are caught by the checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parsimo._array import Array
from parsimo.penalties import (
    L1,
    EntropyCodebook,
    Exponential,
    LogSum,
    Lq,
    WithRidge,
    ZeroNorm,
    ZeroNormBox,
    ZeroNormCodebook,
)
from parsimo.theory_checks import check_prox, check_subdifferential

BOOK = np.array([-1.0, 0.0, 0.5, 2.0])
PRICES = np.array([0.25, 0.0, 0.0625, 0.4375])
BOOK_KINKS = (-1.0, -0.5, 0.25, 0.5, 1.25, 2.0)


class LqKeepsWhereRootsBegin(Lq):
    """Takes the root wherever there is one, and forgets to compare it with 0."""

    def _jump(self, tau: Array) -> Array:
        q = self.q
        lowest = (tau * q * (1 - q)) ** (1 / (2 - q))
        return lowest * (1 + 1 / (1 - q))


class LqWithoutTie(Lq):
    """`prox_set` without the root: at the threshold, and beyond, only 0 and v are compared."""

    def _stationary(self, v: float, tau: float) -> Any:
        return ()


class ContinuousLogSum(LogSum):
    """Uses the threshold tau / epsilon of small steps for all of them."""

    def _shrink(self, v: Array, tau: Array) -> Array:
        root, missing = self._root(v / self.epsilon, tau / self.epsilon**2)
        return np.where((v <= tau / self.epsilon) | missing, 0.0, root * self.epsilon)


class UnfinishedRoot(Exponential):
    """A Newton iteration that has not arrived."""

    def _root(self, w: Array, k: Array) -> tuple[Array, Array]:
        root, missing = super()._root(w, k)
        return root * 1.0001, missing


class BoxAfterThreshold(ZeroNormBox):
    """Projects what hard thresholding leaves, although a projected v gains less."""

    def prox(self, v: Array, step_size: Any) -> Array:
        return self._box.prox(ZeroNorm(self.weight).prox(v, step_size), step_size)


class ClustersAfterThreshold(ZeroNormCodebook):
    """Thresholds first and clusters what is left."""

    def prox(self, v: Array, step_size: Any) -> Array:
        return self._clustering.prox(ZeroNorm(self.weight).prox(v, step_size), step_size)


class PricesOfThePenalty(EntropyCodebook):
    """Assigns v as the penalty would, without the factor 1 + tau of the prices."""

    def _winners(self, v: Array, tau: float, side: str = "left") -> Array:
        return super()._winners(v, 0.0, side)


class RidgeWithTheSameStep(WithRidge):
    """Shrinks v, but keeps the step."""

    def prox(self, v: Array, step_size: Any) -> Array:
        return self.penalty.prox(v / (1 + step_size * self.ridge), step_size)


PROX_FAULTS = [
    (LqKeepsWhereRootsBegin(0.7, 0.5), ()),
    (LqWithoutTie(0.7, 0.5), ()),
    (ContinuousLogSum(0.7, 0.8), ()),
    (UnfinishedRoot(0.7, 0.8), ()),
    (BoxAfterThreshold(0.7, -0.5, 1.5), (-0.5, 1.5)),
    (ClustersAfterThreshold(0.3, 0.7, BOOK), BOOK_KINKS),
    (PricesOfThePenalty(0.7, BOOK, PRICES), (-0.75, 0.375, 1.5)),
    (RidgeWithTheSameStep(L1(0.7), 0.5), ()),
]


@pytest.mark.parametrize(("g", "breakpoints"), PROX_FAULTS, ids=[type(g).__name__ for g, _ in PROX_FAULTS])
def test_wrong_proxes_are_caught(g: Any, breakpoints: tuple[float, ...]):
    assert check_prox(g, breakpoints=breakpoints).verdict == "fails"


class NoJumpAtZero(ZeroNormBox):
    """Forgets that every number is a subgradient at 0."""

    def slopes(self, x: Array) -> tuple[Array, Array]:
        return self._box.slopes(x)


class OneCell(EntropyCodebook):
    """Takes the slope of the lower cell on both sides of a boundary."""

    def slopes(self, x: Array) -> tuple[Array, Array]:
        below, _ = super().slopes(x)
        return below, below


class FiniteSlope(Lq):
    """A slope of the root at 0 that is large, but no jump."""

    def _slope_at_zero(self) -> float:
        return 1.0


SLOPE_FAULTS = [
    (NoJumpAtZero(0.7, -0.5, 1.5), (-0.5, 1.5)),
    (OneCell(0.7, BOOK, PRICES), (-0.75, 0.375, 1.5)),
    (FiniteSlope(0.7, 0.5), ()),
]


@pytest.mark.parametrize(("g", "breakpoints"), SLOPE_FAULTS, ids=[type(g).__name__ for g, _ in SLOPE_FAULTS])
def test_wrong_slopes_are_caught(g: Any, breakpoints: tuple[float, ...]):
    assert check_subdifferential(g, breakpoints=breakpoints).verdict == "fails"
