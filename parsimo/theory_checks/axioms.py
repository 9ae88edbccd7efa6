"""The axioms of the generator family (docs/theory.md, section 2), tried on values of a member alone.

What is small is measured by what it is compared with: differences by the rounding of the values, slopes by the growth
of their quotients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo.theory_checks.subjects import member_text

__all__ = ["GRID", "LeftSlope", "axioms", "left_slope", "rounding_of", "rounding_of_surrogate", "undecided"]

GRID = np.linspace(0.0, 1.0, 1001)

_EPS = float(np.finfo(np.float64).eps)
_APART = 0.01  # minimizers nearer than this count as one
_UNDERFLOW = 1e-290  # a function that rises from 0 by less may have been above it before
_JUMP = 1e-3  # relative to the values: what phi may move within rounding of an end of [0, 1]
_TENDS = 0.97  # the growth of quotients falls by no less for each halving where their limit is finite
_LEVELS = 8  # halvings over which that is measured
_KNOWN = 1e-6  # relative to the slope: growth that need not fall any more
_STATED = 1e-4  # relative to 1 + the slope, within which a member must state it


def axioms(phi: Any, tolerance: float) -> Iterator[tuple[float, str]]:
    """The margin of each axiom, and an expression that shows it, with the axiom and the numbers behind it.

    Parameters
    ----------
    phi : Phi
    tolerance : float
        On values at 1 and at t*; not less than their rounding.
    """
    name, values = member_text(phi), np.asarray(phi.value(GRID), dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    k = int(wrong[0]) if wrong.size else 0
    case = f"{name}.value(np.array([{float(GRID[k])!r}]))  # finite on [0, 1]: got {float(values[k])!r}"
    yield -np.inf if wrong.size else 0.0, case
    largest = float(np.abs(values).max())
    tolerance = max(tolerance, rounding_of(phi))

    one = float(values[-1])
    yield tolerance - abs(one - 1), f"{name}.value(np.ones(1))  # phi(1) = 1: got {one!r}"

    for end, inner in ((0.0, 1e-12), (1.0, 1 - _EPS / 2)):
        at_end, beside = (float(v) for v in phi.value(np.array([end, inner])))
        case = (
            f"{name}.value(np.array([{end!r}, {inner!r}]))  # [0, 1] inside the domain: a jump of {at_end - beside:.3g}"
        )
        yield _JUMP * largest - abs(at_end - beside), case

    bends = values[:-2] + values[2:] - 2 * values[1:-1]
    k = int(bends.argmin())
    case = f"{name}.value(np.array({GRID[k : k + 3].tolist()}))  # convex: the chord lies {-bends[k] / 2:.3g} too low"
    yield max(1e-10, rounding_of(phi)) + float(bends[k]), case

    t = float(phi.minimizer)
    yield 1 - t - 1e-6, f"{name}.minimizer  # less than 1: got {t!r}"
    at_t, least = _at(phi, t), float(values.min())
    case = (
        f"{name}.value(np.array([{t!r}]))  # the minimum is 0, at phi.minimizer: got {at_t!r}, and {least!r} on a grid"
    )
    yield tolerance - max(abs(at_t), -least), case
    k, rise = _least_rise(phi, values)
    case = (
        f"{name}.value(np.array([{t!r}, {float(GRID[k])!r}]))  # one minimizer: got {at_t!r} and {float(values[k])!r}"
    )
    yield rise if rise > 0 else 0.0 if undecided(phi) and rise == 0 else -1.0, case

    slope = left_slope(phi)
    case = f"(1 - {name}.value(1 - np.array([1e-2, 1e-4, 1e-6])))  # finite left slope at 1: quotients "
    quotients = ", ".join(f"{(one - _at(phi, 1 - d)) / d:.6g}" for d in (1e-2, 1e-4, 1e-6))
    yield 0.0 if np.isfinite(slope.error) else -1.0, f"{case}{quotients}"
    allowed = slope.error + _STATED * (1 + slope.value)
    case = f"{name}.slope_at_one  # the left slope at 1 is {slope.value:.9g}, to {slope.error:.1g}"
    yield allowed - abs(float(phi.slope_at_one) - slope.value), case


def rounding_of(phi: Any) -> float:
    """What values of phi may be off by: some units in the last place of the largest, since terms may cancel."""
    return 16 * _EPS * float(np.abs(phi.value(GRID)).max())


def rounding_of_surrogate(phi: Any) -> float:
    """What h = s (1 - w) + phi(w) may be off by, where 1 - w has the rounding of w and s is up to phi'(1-)."""
    return rounding_of(phi) + 2 * _EPS * abs(float(phi.slope_at_one))


def undecided(phi: Any) -> str:
    """What double precision does not show of the axioms; empty if nothing.

    t^200 is 0 up to t = 0.024, as if it had many minimizers.
    """
    values = np.asarray(phi.value(GRID), dtype=np.float64)
    rises = values - _at(phi, float(phi.minimizer))
    underflows = _least_rise(phi, values)[1] == 0 and rises[rises > 0].min(initial=np.inf) < _UNDERFLOW
    return "not decided: whether the minimizer is unique, since phi underflows around it" if underflows else ""


def _least_rise(phi: Any, values: np.ndarray) -> tuple[int, float]:
    """The least of phi(t) - phi(t*) away from t*, and the number of its point: where phi is constant it is 0.

    No tolerance: t^50 rises by 1e-100.
    """
    t = float(phi.minimizer)
    rises = np.where(np.abs(GRID - t) > _APART, values - _at(phi, t), np.inf)
    k = int(rises.argmin())
    return k, float(rises[k])


@dataclass(frozen=True)
class LeftSlope:
    """The left slope of phi at 1, as values show it."""

    value: float
    """Extrapolated."""
    error: float
    """How far it may be off; infinity where the quotients grow without end."""


def left_slope(phi: Any) -> LeftSlope:
    """phi'(1-) from the quotients q_k = (phi(1) - phi(1 - d)) / d, d = 2^-k, which rise to it by convexity.

    The error of r_k = 2 q_(k+1) - q_k is about r_k - r_(k-1) and what is still to come, a geometric series if the
    difference falls at the rate at which it fell over the last halvings, and the rounding of the values over d. The
    best r_k is taken of those that lie, with their errors, above all quotients.
    """
    k = np.arange(1, 53)
    d = 2.0**-k
    noise = _noise(phi)
    quotients = (_at(phi, 1.0) - np.asarray(phi.value(1 - d), dtype=np.float64)) / d
    at_least = float((quotients - 4 * noise / d).max())

    limits = 2 * quotients[1:] - quotients[:-1]
    growth = np.abs(np.diff(limits)) + 10 * noise / d[1:-1]
    before = np.maximum(np.concatenate([np.full(_LEVELS, np.inf), growth[:-_LEVELS]]), np.finfo(np.float64).tiny)
    rate = np.where(np.isfinite(before), (growth / before) ** (1 / _LEVELS), 0.5)
    tends = (rate < _TENDS) | (growth <= _KNOWN * (1 + np.abs(limits[1:])))
    errors = np.where(tends, growth / (1 - np.minimum(rate, _TENDS)), np.inf)
    errors = np.where(limits[1:] + errors >= at_least, errors, np.inf)
    best = int(errors.argmin())
    return LeftSlope(float(limits[1:][best]), float(errors[best]))


def _noise(phi: Any) -> float:
    """How far values beside 1 scatter about a line, at points that no grid has; a unit in the last place at least."""
    t = 1 - 2.0**-20 + 2.0**-45 * (np.arange(1, 65) * ((5**0.5 - 1) / 2) % 1 - 0.5)
    x = (t - t.mean()) * 2.0**45
    values = np.asarray(phi.value(t), dtype=np.float64)
    values = values - values.mean()
    return max(_EPS, float(np.abs(values - x * (x @ values) / (x @ x)).max()))


def _at(phi: Any, t: float) -> float:
    return float(np.asarray(phi.value(np.array([t])))[0])
