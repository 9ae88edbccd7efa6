"""When to stop: rules that look at a report and compose.

A rule maps a `Report` to a `Status`, or to None to go on. The default of `solve` is

    first_of(certificate_below(), stalled(), diverged(), max_iterations(10_000))
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from parsimo._array import Array, array_namespace
from parsimo.core.result import History, Status
from parsimo.core.validation import check_number

__all__ = [
    "Report",
    "Stop",
    "all_of",
    "certificate_below",
    "default_stop",
    "diverged",
    "first_of",
    "max_iterations",
    "stalled",
    "time_limit",
]


class Report(NamedTuple):
    """What is known after an iteration; the last row of `history` is this iteration's."""

    iteration: int
    """How many steps were taken."""
    x: Array
    """The point that would be returned now."""
    certificate: float
    """Its certificate, NaN where it was not evaluated at this iteration."""
    residual: float
    """Length of the last step in units of a gradient, as the solver measures it; infinite before the first."""
    objective: float
    """Its objective, NaN where it was not evaluated."""
    seconds: float
    """Wall time since the start, observers and evaluations included."""
    history: History
    """All rows so far."""
    state: Any = None
    """The solver's state."""
    ahead: float = 0.0
    """Seconds that one more iteration and the evaluation of the result would take, by those before."""
    scale: float = 0.0
    """|grad f| at the start: what a certificate is small against."""


Stop = Callable[[Report], Status | None]


def first_of(*rules: Stop) -> Stop:
    """Stop as soon as one of the rules does, with its status; earlier rules take precedence."""

    def rule(report: Report) -> Status | None:
        for each in rules:
            status = each(report)
            if status is not None:
                return status
        return None

    return rule


def all_of(*rules: Stop) -> Stop:
    """Stop when every rule does, with the status of the first."""

    def rule(report: Report) -> Status | None:
        statuses = [r(report) for r in rules]
        return statuses[0] if statuses and all(s is not None for s in statuses) else None

    return rule


def certificate_below(absolute: float = 1e-8, relative: float | None = None) -> Stop:
    """CONVERGED when certificate and residual are both <= absolute + relative * (their size at the start).

    The residual, how far the method itself still moves, guards against points that are critical without being
    fixed: 0 is critical for every zero-norm problem, and a step away from it shows whether it is more than that.
    For the same reason the size at the start is the largest of the certificate and |grad f| there and the residual of
    the first step: the certificate alone may be 0, and the first step may lead all the way.

    Parameters
    ----------
    absolute : float
        In units of the gradient of f.
    relative : float, optional
        By default 0 in double precision, so that no start loosens the tolerance; in lower precision 100 units in the
        last place of x's dtype, below which rounding decides.
    """
    check_number(absolute, "certificate_below: absolute")
    if relative is not None:
        check_number(relative, "certificate_below: relative")

    def rule(report: Report) -> Status | None:
        if math.isnan(report.certificate):  # not evaluated
            return None
        share = _rounding_share(report.x) if relative is None else relative
        starting_sizes = (report.scale, report.history["certificate"][0], *report.history["residual"][:2])
        # a start outside the domain has an infinite certificate, which must not loosen the tolerance
        tolerance = absolute + share * max((s for s in starting_sizes if math.isfinite(s)), default=0.0)
        small = report.certificate <= tolerance and report.residual <= tolerance  # False where one is NaN
        return Status.CONVERGED if small else None

    return rule


def max_iterations(limit: int) -> Stop:
    """MAX_ITERATIONS after so many steps."""
    if not (float(limit).is_integer() and limit >= 0):
        raise ValueError(f"max_iterations: limit must be an integer >= 0, got {limit}")
    return lambda report: Status.MAX_ITERATIONS if report.iteration >= limit else None


def time_limit(seconds: float) -> Stop:
    """TIME_LIMIT before the first iteration that would end later than so many seconds after the start.

    Wall time counts, with evaluations, observers and the evaluation of the result. How long an iteration will take is
    judged by the longest of the last three: a run keeps the limit unless one takes longer than those before it.
    """
    check_number(seconds, "time_limit: seconds")
    return lambda report: Status.TIME_LIMIT if report.seconds + report.ahead >= seconds else None


def stalled(window: int = 1000) -> Stop:
    """STALLED when the last `window` evaluations brought neither objective nor certificate to a new low.

    There must have been twice as many at least, and the rule looks at them every `window` iterations.
    """
    if window < 1:
        raise ValueError(f"stalled: window must be at least 1, got {window}")

    def rule(report: Report) -> Status | None:
        if report.history.rows % window:
            return None
        for name in ("objective", "certificate"):
            evaluated = [v for v in report.history[name] if not math.isnan(v)]
            if len(evaluated) < 2 * window or min(evaluated[-window:]) < min(evaluated[:-window]):
                return None
        return Status.STALLED

    return rule


def diverged(growth: float = 1e10) -> Stop:
    """DIVERGED when the objective exceeds that of the start by `growth` times its own scale, or falls without bound.

    The latter is said where its square would be beyond the range of the dtype: below -1.3e154 in float64.
    """
    check_number(growth, "diverged: growth", positive=True)

    def rule(report: Report) -> Status | None:
        if math.isnan(report.objective):  # not evaluated
            return None
        first = report.history["objective"][0]
        lowest = -math.sqrt(float(array_namespace(report.x).finfo(report.x.dtype).max))
        runaway = report.objective - first > growth * (1 + abs(first)) or report.objective < lowest
        return Status.DIVERGED if math.isfinite(first) and runaway else None

    return rule


def default_stop() -> Stop:
    """The rule of `solve` when none is given."""
    return first_of(certificate_below(), diverged(), stalled(), max_iterations(10_000))


def _rounding_share(x: Array) -> float:
    epsilon = float(array_namespace(x).finfo(x.dtype).eps)
    return 0.0 if epsilon < 1e-12 else 100 * epsilon
