"""Wrong proxes and slopes of the scalar penalties, each of a kind that is easily written, are caught by the checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parsimo._array import Array
from parsimo.penalties import (
    L1,
    MCP,
    CappedL1,
    EntropyCodebook,
    Exponential,
    Group,
    LogSum,
    Lq,
    Spectral,
    WithRidge,
    ZeroNorm,
    ZeroNormBall,
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


# ---- several coordinates


def replacing(base: type, **methods: Any) -> type:
    return type(f"Faulty{base.__name__}", (base,), methods)


def gathered(base: type, method: str, gather: Callable[[Any], float]) -> dict[str, Any]:
    """The numbers of single coordinates, gathered otherwise than as the root of the sum of squares."""

    def faulty(self: Any, x: Array, grad: Array) -> float:
        single = getattr(base, method)
        return float(gather([single(self, x[i : i + 1], grad[i : i + 1]) for i in range(x.size)]))

    return {method: faulty}


def scaled(base: type, method: str, factor: float) -> dict[str, Any]:
    return {method: lambda self, x, grad: factor * getattr(base, method)(self, x, grad)}


class RidgeThatCounts(WithRidge):
    """A factor that one coordinate does not show."""

    def subdiff_distance(self, x: Array, grad: Array) -> float:
        return self.penalty.subdiff_distance(x, grad + self.ridge * x) * len(x) ** 2


SEVERAL: dict[str, Any] = {
    "distances added": replacing(L1, **gathered(L1, "subdiff_distance", sum))(0.7),
    "largest distance": replacing(L1, **gathered(L1, "subdiff_distance", max))(0.7),
    "rates added": replacing(L1, **gathered(L1, "descent_rate", sum))(0.7),
    "largest rate": replacing(L1, **gathered(L1, "descent_rate", max))(0.7),
    "rate is zero": replacing(L1, descent_rate=lambda self, x, grad: 0.0)(0.7),
    "rate is the distance": replacing(CappedL1, descent_rate=CappedL1.subdiff_distance)(0.7, 0.8),
    "distance is the rate": replacing(CappedL1, subdiff_distance=CappedL1.descent_rate)(0.7, 0.8),
    "ridge that counts": RidgeThatCounts(L1(0.5), 0.3),
    "rate of a root, 1 % large": replacing(Lq, **scaled(Lq, "descent_rate", 1.01))(0.7, 0.5),
}


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("seed", [0, 1])
def test_wrong_certificates_of_several_coordinates_are_caught(name: str, seed: int):
    g = SEVERAL[name]
    breakpoints = (-0.8, 0.8) if isinstance(g, CappedL1) else ()
    evidence = check_subdifferential(g, seed, breakpoints=breakpoints)
    assert evidence.verdict == "fails", evidence


@pytest.mark.parametrize("weight", [1e-3, 0.057])
@pytest.mark.parametrize("q", [0.2, 2 / 3, 0.9])
def test_the_infinite_slope_of_a_small_root_is_no_fault(weight: float, q: float):
    for seed in range(3):
        evidence = check_subdifferential(Lq(weight, q), seed)
        assert evidence.holds, evidence


# ---- arrays

LABELS = np.array([0, 1, 0, -1])


def of_shape(base: type, *parameters: Any) -> dict[str, Any]:
    """Faults that any penalty of arrays may have."""
    zero = {"subdiff_distance": lambda self, x, grad: 0.0}
    still = {"descent_rate": lambda self, x, grad: 0.0}
    faults = {
        "distance 1 % small": scaled(base, "subdiff_distance", 0.99),
        "distance 1 % large": scaled(base, "subdiff_distance", 1.01),
        "distance zero": zero,
        "rate 1 % small": scaled(base, "descent_rate", 0.99),
        "rate 1 % large": scaled(base, "descent_rate", 1.01),
        "rate zero": still,
    }
    about = f"{base.__name__}{parameters[:1]}"
    return {f"{about}, {name}": replacing(base, **methods)(*parameters) for name, methods in faults.items()}


ARRAYS: dict[str, Any] = {
    **of_shape(Group, L1(0.7), LABELS),
    **of_shape(Group, MCP(0.7, 0.8), LABELS),
    **of_shape(Spectral, ZeroNorm(0.7), (2, 2)),
    **of_shape(Spectral, CappedL1(0.7, 0.8), (2, 2)),
    **of_shape(ZeroNormBall, 2),
    "distance is the rate": replacing(ZeroNormBall, subdiff_distance=ZeroNormBall.descent_rate)(2),
    "rate is the distance": replacing(ZeroNormBall, descent_rate=ZeroNormBall.subdiff_distance)(2),
    "finite outside the ball": replacing(
        ZeroNormBall,
        subdiff_distance=lambda self, x, grad: min(1e3, ZeroNormBall.subdiff_distance(self, x, grad)),
    )(2),
    "distances added": replacing(L1, **gathered(L1, "subdiff_distance", sum))(0.7),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_wrong_certificates_of_arrays_are_caught(name: str):
    evidence = check_subdifferential(ARRAYS[name], 1, shape=4)
    assert evidence.verdict == "fails", evidence


@pytest.mark.parametrize("seed", range(2))
def test_right_certificates_of_arrays_hold(seed: int):
    weights = np.array([0.1, 0.5, 2.0])
    for g, shape in (
        (L1(weights), 3),
        (ZeroNormBall(1), 5),
        (ZeroNormBall(3), 8),
        (Group(MCP(0.7, 0.8), np.repeat(np.arange(3), 3)), 9),
        (Spectral(MCP(0.7, 0.8), (2, 3)), (2, 3)),
        (WithRidge(ZeroNormBall(2), 0.5), 4),
    ):
        evidence = check_subdifferential(g, seed, 16, shape=shape)
        assert evidence.holds, evidence
