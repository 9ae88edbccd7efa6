"""Residual balancing: sigma follows the two residuals for a while, and then stays."""

from __future__ import annotations

from dataclasses import dataclass

from parsimo.core.validation import check_number

__all__ = ["Balancing"]


@dataclass(frozen=True)
class Balancing:
    """Raise sigma where the primal residual lags behind, lower it where the dual one does, finitely often.

    The two are compared relative to what they are differences of: |x - z| / max(|x|, |z|) with sigma |dx| / |y|.
    sigma changes at most `changes` times and stays admissible. At a change the method starts again from z, so that the
    merit falls there too; from the last change on the theory holds as for a sigma that was given (docs/theory.md,
    Proposition 6.11).

    Parameters
    ----------
    ratio : float
        Above 1; sigma stays where neither residual exceeds the other so many times.
    factor : float
        Above 1; what sigma is multiplied or divided by.
    changes : int
        The most changes in a run.
    every : int
        Steps between two changes, at least.
    beyond : bool
        Whether sigma may become smaller than is admissible where f and R are convex and the steps exact without
        proximal terms or leaps. They converge for every sigma (Proposition 6.13), often in far fewer steps, but the
        merit may rise.

    Notes
    -----
    Boyd, Parikh, Chu, Peleato and Eckstein, Found. Trends Mach. Learn. 3 (2011), section 3.4.1, for the rule; Wohlberg,
    arXiv 1704.06209, for relative residuals.
    """

    ratio: float = 10.0
    factor: float = 2.0
    changes: int = 20
    every: int = 5
    beyond: bool = False

    def __post_init__(self) -> None:
        for name in ("ratio", "factor"):
            value = check_number(getattr(self, name), f"Balancing: {name}")
            if value <= 1:
                raise ValueError(f"Balancing: {name} must be above 1, got {value}")
            object.__setattr__(self, name, value)
        for name in ("changes", "every"):
            if getattr(self, name) < 1:
                raise ValueError(f"Balancing: {name} must be an integer >= 1, got {getattr(self, name)!r}")

    def of(self, sigma: float, primal: float, dual: float, floor: float) -> float:
        """The next sigma, from relative residuals; no less than floor."""
        if primal > self.ratio * dual:
            return self.factor * sigma
        if dual > self.ratio * primal:
            return max(sigma / self.factor, min(floor, sigma))
        return sigma
