"""How fast a sequence falls to 0, with intervals, and the Kurdyka-Lojasiewicz exponent it points to.

A sequence that falls like q^k is a line against k on a logarithmic axis; one that falls like k^-p is a line against
log k. Both lines are fitted to the tail. The one that predicts what comes next is chosen, and neither where the
intervals of their errors overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Line", "Rate", "Regime", "fit_rate"]

Regime = Literal["finite", "linear", "sublinear", "undecided"]
Quantity = Literal["gap", "certificate"]

LEVEL = 0.95  # of all intervals
_TAILS = (0.75, 0.5, 0.25, 0.1, 0.01)  # a tail begins at such a share of the last k
_LEAST = 12  # it has so many points at least,
_FALL = 10.0  # falls by this factor at least,
_BEND = 0.05  # and bends by no more than this share of its fall
_ORIGINS = (0.5, 0.6, 0.7, 0.8)  # shares of the tail that a line is fitted to before it predicts the next fifth
_AHEAD = 0.2
_ROUNDING = 1e-13  # of a logarithm: errors of prediction below are equal
_FLAT = 1.05  # a last quarter that falls by less has reached its floor
_STEEP = 6.0  # no power beyond is called sublinear: it would point to an exponent below 0.59, next to linear
_CLEAR = 100.0  # times its noise floor, a sequence is not yet bent by it
_DROP, _JUMP = 1e3, 5.0  # an end is finite if it is reached from so far above, by a step so much longer than others


@dataclass(frozen=True)
class Line:
    """A line fitted to logarithms by least squares.

    The interval is Student's, with the number of points reduced to that of independent ones,
    n (1 - r) / (1 + r), r the correlation of neighbouring residuals: points of one run are not independent.
    """

    slope: float
    """Against k, or against log k."""
    interval: tuple[float, float]
    """Of the slope, at level `LEVEL`."""
    bend: float
    """How far a parabola leaves its chord, as a share of the fall."""
    error: tuple[float, float]
    """Interval of the logarithm (base 10) of the root mean square error of prediction."""


@dataclass(frozen=True)
class Rate:
    """What a sequence a_k says about its rate.

    `value` and `interval` are q of a_k ~ q^k for "linear", p of a_k ~ k^-p for "sublinear", the number of steps for
    "finite", and NaN for "undecided".
    """

    regime: Regime
    value: float
    interval: tuple[float, float]
    kl: str
    """The Kurdyka-Lojasiewicz exponent that the regime points to."""
    rows: tuple[int, int]
    """First and last k of the tail that was looked at."""
    reason: str
    """One sentence: what decided."""

    def __str__(self) -> str:
        low, high = self.interval
        sizes = {
            "finite": f"in {self.value:.0f} steps",
            "linear": f"q = {self.value:.6g} ({low:.6g} to {high:.6g})",
            "sublinear": f"k^-{self.value:.3g} ({low:.3g} to {high:.3g})",
            "undecided": self.reason,
        }
        return f"{self.regime}: {sizes[self.regime]}"


def fit_rate(
    values: Sequence[float] | np.ndarray,
    iterations: Sequence[float] | np.ndarray | None = None,
    floor: float = 0.0,
    quantity: Quantity = "gap",
) -> Rate:
    """The regime of a sequence of nonnegative numbers, and its rate.

    1. Values from the first one at or below the floor on are left out. So are those near a noise floor: where the last
       quarter falls by less than 5 %, or by no more than its scatter explains, all below 100 times its largest.
    2. *finite*: the floor is reached from 1000 times its height at least, by a step that falls five times as far, in
       logarithms, as any before it in the second half.
    3. Of the rest, a tail is the last quarter; or half, three quarters, nine tenths, all but a hundredth. It must have
       12 values and fall by a factor of 10. The shortest that decides does.
    4. Lines against k and log k are fitted to the first 50, 60, 70 and 80 % of the tail, and predict the fifth of it
       that follows. The intervals of their four errors (Student's, in logarithms) decide between *linear* and
       *sublinear*; where they overlap, or the better line bends, or the interval of its slope has
       0 in it, or it is a power beyond 6, the rate is *undecided*.

    Parameters
    ----------
    values : sequence of float
        a_k >= 0: the gap to the least objective, or the certificate. NaN are left out.
    iterations : sequence of float, optional
        The k of each; by default 0, 1, 2, ...
    floor : float
        What is not to be told from 0; rounding, 2.2e-16 of the largest value, counts as such in any case.
    quantity : {"gap", "certificate"}
        Which of the two it is: the exponent that k^-p points to differs.

    Raises
    ------
    ValueError
        If a value is negative, or k does not rise.

    Notes
    -----
    Under the Kurdyka-Lojasiewicz inequality dist(0, dF(x)) >= c (F(x) - F*)^theta, descent methods end after finitely
    many steps for theta = 0, converge linearly for theta in (0, 1/2], and F - F* falls like k^(-1/(2 theta - 1)) for
    theta in (1/2, 1): Attouch and Bolte, Math. Program. 116 (2009) 5-16 [M]. The exponents here invert this, so they
    are what the rate points to; the inequality itself is not tested.
    """
    a = np.asarray(values, dtype=float)
    k = np.arange(a.size, dtype=float) if iterations is None else np.asarray(iterations, dtype=float)
    _check(a, k)
    known = ~np.isnan(a)
    a, k = a[known], k[known]
    floor = max(floor, float(np.finfo(float).eps * a.max(initial=0.0)))
    end = int(np.argmax(a <= floor)) if (a <= floor).any() else a.size
    if steps := _finite(a, k, end, floor):
        return steps
    end = min(end, _floor(a[:end]))
    return _of_tails(a[:end], k[:end], quantity)


def _of_tails(a: np.ndarray, k: np.ndarray, quantity: Quantity) -> Rate:
    """The rate of the shortest tail that decides; if none does, what the longest says."""
    rate = _undecided((0, 0), "too short: no value above the floor")
    for share in _TAILS:
        tail = k >= max(share * k[-1], 1.0) if k.size else np.zeros(0, dtype=bool)  # log 0
        if tail.any():
            rate = _of_tail(a[tail], k[tail], quantity)
        if rate.regime != "undecided":
            break
    return rate


def _of_tail(a: np.ndarray, k: np.ndarray, quantity: Quantity) -> Rate:
    rows = (int(k[0]), int(k[-1]))
    if k.size < _LEAST:
        return _undecided(rows, f"too short: {k.size} values above the floor, {_LEAST} are needed")
    if (fall := _fall(a)) < _FALL:
        return _undecided(rows, f"too short: the values fall by a factor of {fall:.2g}, {_FALL:g} are needed")
    return _choose(_fit(k, np.log(a)), _fit(np.log(k), np.log(a)), rows, quantity)


def _choose(linear: Line, power: Line, rows: tuple[int, int], quantity: Quantity) -> Rate:
    regime: Regime = "linear" if linear.error[1] < power.error[0] else "sublinear"
    best, other = (linear, power) if regime == "linear" else (power, linear)
    if best.error[1] >= other.error[0]:
        return _undecided(rows, "lines against k and against log k predict alike: their intervals of error overlap")
    if best.bend > _BEND:
        return _undecided(
            rows, f"neither line is straight: the better one bends by {100 * best.bend:.0f} % of its fall"
        )
    if not best.interval[1] < 0:
        return _undecided(rows, "the interval of the slope contains 0")
    errors = "predicts with an error of 10^({:.1f} to {:.1f}), the other line with 10^({:.1f} to {:.1f})"
    said = errors.format(*best.error, *other.error)
    if regime == "linear":
        low, high = (math.exp(s) for s in best.interval)
        return Rate("linear", math.exp(best.slope), (low, high), "in (0, 1/2]", rows, f"the line against k {said}")
    if -best.slope > _STEEP:
        return _undecided(rows, f"k^{best.slope:.1f} falls too fast to be told from a linear rate that sets in slowly")
    interval = (-best.interval[1], -best.interval[0])
    kl = _exponents(-best.slope, interval, quantity)
    return Rate("sublinear", -best.slope, interval, kl, rows, f"the line against log k {said}")


def _exponents(p: float, interval: tuple[float, float], quantity: Quantity) -> str:
    """theta of a_k ~ k^-p: (p + 1) / (2 p) for the gap, p / (2 p - 1) for the certificate, which is gap^theta."""
    if not p > 1:
        return "none below 1"
    theta = [(q + 1) / (2 * q) if quantity == "gap" else q / (2 * q - 1) for q in (p, *interval) if q > 1]
    low, high = theta[-1], theta[1] if interval[0] > 1 else 1.0
    return f"{theta[0]:.2f} ({low:.2f} to {high:.2f})"


def _fit(t: np.ndarray, y: np.ndarray) -> Line:
    from scipy.stats import t as student

    slope, intercept = _least_squares(t, y)
    residual = y - intercept - slope * t
    power = float(residual @ residual)
    exact = power <= y.size * (_ROUNDING * (1 + float(np.abs(y).max()))) ** 2
    r = 0.0 if exact else max(0.0, float(residual[1:] @ residual[:-1]) / power)
    independent = max(y.size * (1 - r) / (1 + r), 3.0)
    spread = math.sqrt(power / y.size / (independent - 2)) / float(np.std(t))
    wide = float(student.ppf((1 + LEVEL) / 2, independent - 2)) * spread
    length = float(t[-1] - t[0])
    bend = abs(float(np.polyfit(t - t.mean(), y, 2)[0])) * length / (4 * max(abs(slope), 1e-300))
    return Line(slope, (slope - wide, slope + wide), bend, _prediction_error(t, y))


def _prediction_error(t: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Student's interval for the mean over the origins of log10 of the root mean square error ahead."""
    from scipy.stats import t as student

    logs = []
    for origin in _ORIGINS:
        now, then = round(origin * y.size), round((origin + _AHEAD) * y.size)
        slope, intercept = _least_squares(t[:now], y[:now])
        error = y[now:then] - intercept - slope * t[now:then]
        logs.append(math.log10(math.sqrt(float(np.mean(error**2))) + _ROUNDING * (1 + float(np.abs(y).max()))))
    wide = student.ppf((1 + LEVEL) / 2, len(logs) - 1) * np.std(logs, ddof=1) / math.sqrt(len(logs))
    return float(np.mean(logs) - wide), float(np.mean(logs) + wide)


def _least_squares(t: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    centered = t - t.mean()
    slope = float(centered @ y) / float(centered @ centered)
    return slope, float(y.mean() - slope * t.mean())


def _fall(a: np.ndarray) -> float:
    """The factor by which values fall along their line."""
    if a.size < 2:
        return 1.0
    slope, _ = _least_squares(np.arange(a.size, dtype=float), np.log(a))
    return math.exp(-slope * (a.size - 1))


def _finite(a: np.ndarray, k: np.ndarray, end: int, floor: float) -> Rate | None:
    """The rate of a sequence that falls to the floor by a step unlike those before; None of any other."""
    start = int(np.searchsorted(k[:end], k[end - 1] / 2)) if end else 0
    if end == a.size or end - start < 3:
        return None
    before = np.log(a[start:end])
    longest = float(np.max(before[:-1] - before[1:], initial=0.0))
    last = float(before[-1]) - math.log(floor)
    if last < math.log(_DROP) or last < _JUMP * longest:
        return None
    step = int(k[end])
    said = f"step {step} reaches the floor from {a[end - 1]:.1e}"
    return Rate("finite", step, (step, step), "0", (int(k[start]), step), said)


def _floor(a: np.ndarray) -> int:
    """Where a sequence meets its noise floor; its length if it has none."""
    if a.size < 16:
        return a.size
    quarter = a[a.size - max(a.size // 4, 8) :]
    logs, steps = np.log(quarter), np.arange(quarter.size, dtype=float)
    slope, intercept = _least_squares(steps, logs)
    scatter = float(np.std(logs - intercept - slope * steps))
    falls = -slope * quarter.size
    noisy = falls < 4 * scatter / math.sqrt(quarter.size) * math.sqrt(12)  # four standard errors of the slope
    if falls > math.log(_FLAT) and not noisy:
        return a.size
    return int(np.argmax(a <= _CLEAR * quarter.max()))


def _undecided(rows: tuple[int, int], reason: str) -> Rate:
    return Rate("undecided", math.nan, (math.nan, math.nan), "undecided", rows, reason)


def _check(a: np.ndarray, k: np.ndarray) -> None:
    if a.ndim != 1 or a.shape != k.shape:
        raise ValueError(f"fit_rate: values and iterations must be 1-D of one length, got {a.shape} and {k.shape}")
    if (a < 0).any():
        where = int(np.argmax(a < 0))
        raise ValueError(
            f"fit_rate: values must be >= 0, got {a[where]} at {where}; subtract the least objective known"
        )
    if (np.diff(k) <= 0).any():
        raise ValueError("fit_rate: iterations must rise")
