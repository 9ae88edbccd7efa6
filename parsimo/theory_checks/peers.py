"""Penalties of skglm and PyProximal as objects that `check_prox` takes, each with the function it documents."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Peer", "pyproximal_penalties", "skglm_penalties"]

Terms = Callable[[np.ndarray], np.ndarray]
_INSTALL = 'install it with pip install "parsimo[peers]"'


@dataclass(frozen=True, eq=False)
class Peer:
    """A separable penalty of another library: its prox, beside the function that it documents.

    Parameters
    ----------
    name : str
        Library and call, such as "skglm MCPenalty(1.0, 3.0)".
    penalty : object
        Of skglm, with `prox_1d(v, step, j)`; or of PyProximal, with `prox(v, step)`.
    terms : callable
        The documented function, entry by entry. The library's own value is `own_value`.
    breakpoints : tuple of float
        Where the function has kinks and jumps other than 0.
    lower : float
        A lower bound of the function.

    Notes
    -----
    skglm's `prox_1d` is called once for each entry, which is how its solvers call it. Results come back in the dtype
    of v: the check is about formulas.
    """

    name: str
    penalty: Any
    terms: Terms
    breakpoints: tuple[float, ...] = ()
    lower: float = 0.0

    def value(self, x: np.ndarray) -> float:
        """The documented function at x."""
        return float(self.terms(x).sum())

    def own_value(self, x: np.ndarray) -> float:
        """What the library returns as the value at x."""
        call = self.penalty.value if hasattr(self.penalty, "value") else self.penalty
        return float(call(x))

    def prox(self, v: np.ndarray, step_size: float) -> np.ndarray:
        """The library's prox of v.

        Raises
        ------
        TypeError
            If step_size is an array, which PyProximal does not take.
        """
        if np.ndim(step_size):
            raise TypeError(f"{self.name}: step_size must be one number")
        if hasattr(self.penalty, "prox_1d"):
            entries = [self.penalty.prox_1d(float(v_i), float(step_size), 0) for v_i in v]
            return np.array(entries, dtype=v.dtype)
        return np.asarray(self.penalty.prox(v.copy(), float(step_size))).astype(v.dtype)

    def __repr__(self) -> str:
        return f"<{self.name}>"


def skglm_penalties() -> tuple[Peer, ...]:
    """The separable penalties of skglm. `positive=True` means the constraint x >= 0, which its values leave out.

    Raises
    ------
    ImportError
        If skglm is not installed.
    """
    try:
        from skglm import penalties as sk
    except ImportError as error:
        raise ImportError(f"the penalties of skglm need the package skglm: {_INSTALL}") from error

    two = np.array([2.0])
    return (
        Peer("skglm L1(0.7)", sk.L1(0.7), lambda x: 0.7 * np.abs(x)),
        Peer("skglm L1(0.7, positive=True)", sk.L1(0.7, True), _nonnegative(lambda x: 0.7 * np.abs(x))),
        Peer("skglm WeightedL1(0.7, [2.0])", sk.WeightedL1(0.7, two), lambda x: 1.4 * np.abs(x)),
        Peer("skglm L1_plus_L2(0.7, 0.4)", sk.L1_plus_L2(0.7, 0.4), lambda x: 0.28 * np.abs(x) + 0.21 * x**2),
        Peer("skglm MCPenalty(1.0, 3.0)", sk.MCPenalty(1.0, 3.0), lambda x: mcp(x, 1.0, 3.0), (-3.0, 3.0)),
        Peer(
            "skglm MCPenalty(1.0, 3.0, positive=True)",
            sk.MCPenalty(1.0, 3.0, True),
            _nonnegative(lambda x: mcp(x, 1.0, 3.0)),
            (3.0,),
        ),
        Peer(
            "skglm WeightedMCPenalty(1.0, 3.0, [2.0])",
            sk.WeightedMCPenalty(1.0, 3.0, two),
            lambda x: 2 * mcp(x, 1.0, 3.0),
            (-3.0, 3.0),
        ),
        Peer("skglm SCAD(1.0, 3.7)", sk.SCAD(1.0, 3.7), lambda x: scad(x, 1.0, 3.7), (-3.7, -1.0, 1.0, 3.7)),
        Peer("skglm L0_5(0.7)", sk.L0_5(0.7), lambda x: 0.7 * np.abs(x) ** 0.5),
        Peer("skglm L2_3(0.7)", sk.L2_3(0.7), lambda x: 0.7 * np.abs(x) ** (2 / 3)),
        Peer("skglm LogSumPenalty(0.7, 0.5)", sk.LogSumPenalty(0.7, 0.5), lambda x: 0.7 * np.log1p(np.abs(x) / 0.5)),
        Peer("skglm IndicatorBox(1.5)", sk.IndicatorBox(1.5), _inside(0.0, 1.5), (1.5,)),
        Peer("skglm PositiveConstraint()", sk.PositiveConstraint(), _inside(0.0, math.inf)),
    )


def pyproximal_penalties() -> tuple[Peer, ...]:
    """The separable functions of PyProximal.

    The values of L0 and Log1 leave out sigma, those of Box are booleans, and that of RelaxedMumfordShah caps the norm
    of all entries together, where its prox caps each. Here are the functions as documented, entry by entry.

    Raises
    ------
    ImportError
        If PyProximal is not installed.
    """
    try:
        import pyproximal as pp
    except ImportError as error:
        raise ImportError(f"the penalties of PyProximal need the package pyproximal: {_INSTALL}") from error

    return (
        Peer("pyproximal L0(0.7)", pp.L0(0.7), lambda x: 0.7 * (x != 0)),
        Peer("pyproximal L1(0.7)", pp.L1(0.7), lambda x: 0.7 * np.abs(x)),
        Peer("pyproximal L2(sigma=0.7)", pp.L2(sigma=0.7), lambda x: 0.35 * x**2),
        Peer("pyproximal Box(-0.5, 1.5)", pp.Box(-0.5, 1.5), _inside(-0.5, 1.5), (-0.5, 1.5)),
        Peer("pyproximal Huber(0.8)", pp.Huber(0.8), _huber(0.8), (-0.8, 0.8)),
        Peer("pyproximal Log(0.7, 1.3)", pp.Log(0.7, 1.3), lambda x: 0.7 * np.log1p(1.3 * np.abs(x)) / np.log(2.3)),
        Peer(
            "pyproximal Log1(0.7, 0.5)",
            pp.Log1(0.7, 0.5),
            lambda x: 0.7 * np.log(np.abs(x) + 0.5),
            (),
            0.7 * np.log(0.5),
        ),
        Peer("pyproximal ETP(0.7, 1.0)", pp.ETP(0.7, 1.0), lambda x: 0.7 * np.expm1(-np.abs(x)) / np.expm1(-1.0)),
        Peer("pyproximal Geman(0.7, 1.3)", pp.Geman(0.7, 1.3), lambda x: 0.7 * np.abs(x) / (np.abs(x) + 1.3)),
        Peer("pyproximal SCAD(1.0, 3.7)", pp.SCAD(1.0, 3.7), lambda x: scad(x, 1.0, 3.7), (-3.7, -1.0, 1.0, 3.7)),
        Peer(
            "pyproximal QuadraticEnvelopeCard(0.7)",
            pp.QuadraticEnvelopeCard(0.7),
            lambda x: 0.7 - 0.5 * np.maximum(0, math.sqrt(1.4) - np.abs(x)) ** 2,
            (-math.sqrt(1.4), math.sqrt(1.4)),
        ),
        Peer(
            "pyproximal RelaxedMumfordShah(0.7, 0.9)",
            pp.RelaxedMumfordShah(0.7, 0.9),
            lambda x: np.minimum(0.7 * x**2, 0.9),
            (-math.sqrt(9 / 7), math.sqrt(9 / 7)),
        ),
    )


def mcp(x: np.ndarray, alpha: float, gamma: float) -> np.ndarray:
    """alpha |x| - x^2 / (2 gamma) up to alpha gamma, constant beyond."""
    u = np.minimum(np.abs(x), alpha * gamma)
    return alpha * u - u**2 / (2 * gamma)


def scad(x: np.ndarray, alpha: float, gamma: float) -> np.ndarray:
    """alpha |x| up to alpha, (2 gamma alpha |x| - x^2 - alpha^2) / (2 (gamma - 1)) up to gamma alpha, then constant."""
    u = np.minimum(np.abs(x), gamma * alpha)
    return np.where(u <= alpha, alpha * u, (2 * gamma * alpha * u - u**2 - alpha**2) / (2 * (gamma - 1)))


def _huber(alpha: float) -> Terms:
    return lambda x: np.where(np.abs(x) <= alpha, x**2 / (2 * alpha), np.abs(x) - alpha / 2)


def _inside(low: float, high: float) -> Terms:
    return lambda x: np.where((low <= x) & (x <= high), 0.0, math.inf)


def _nonnegative(terms: Terms) -> Terms:
    return lambda x: np.where(x >= 0, terms(x), math.inf)
