"""What a step of P-ADMM takes off its merit function, and the sigma from which on that is positive."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

__all__ = ["MeritConstants", "MeritLaw", "SharpConstants"]


class MeritLaw(Protocol):
    """The merit L_sigma + (memory / sigma) |dx|^2 falls by decrease(sigma) |dx|^2 a step."""

    def remembered(self, sigma: float) -> float:
        """memory / sigma: what the merit holds of the last step for each unit of |dx|^2."""

    def decrease(self, sigma: float) -> float:
        """The guaranteed decrease of the merit for each unit of |dx|^2."""

    @property
    def smallest_sigma(self) -> float:
        """The sigma at which the guaranteed decrease is 0; every larger one is admissible."""


@dataclass(frozen=True)
class MeritConstants:
    """The constants of Theorem 6.2 for one kind of x-step, where |dy| <= new |dx| + old |dx_-|.

    There q = (new + old)^2 and memory = old (new + old). Neither is formed: squares of a large L overflow.
    """

    p: float
    new: float
    old: float

    def decrease(self, sigma: float) -> float:
        """(sigma + p)/2 - q/sigma."""
        total = self.new + self.old
        return (sigma + self.p) / 2 - total * (total / sigma)

    def remembered(self, sigma: float) -> float:
        """memory / sigma."""
        return self.old * ((self.new + self.old) / sigma)

    @property
    def smallest_sigma(self) -> float:
        """(-p + sqrt(p^2 + 8q)) / 2."""
        return (-self.p + math.hypot(self.p, math.sqrt(8) * (self.new + self.old))) / 2


@dataclass(frozen=True)
class SharpConstants:
    """Exact x-steps without proximal term: curvatures of f between -m and L, relaxation r (Proposition 6.10)."""

    L: float
    m: float
    relaxation: float = 1.0

    def remembered(self, sigma: float) -> float:
        """0: y = -grad f(x), and nothing of the step before is left."""
        return 0.0

    def decrease(self, sigma: float) -> float:
        """sigma min(n(L / sigma), n(-m / sigma)), n(q) = (1 - q)(2 + 2q - r) / (2r); attained at either curvature."""
        r = self.relaxation
        return sigma * min((1 - q) * (2 + 2 * q - r) / (2 * r) for q in (self.L / sigma, -self.m / sigma))

    @property
    def smallest_sigma(self) -> float:
        """max(L, 2m / (2 - r))."""
        return max(self.L, 2 * self.m / (2 - self.relaxation))

    def envelope(self, sigma: float) -> float:
        """C: the forward-backward envelope falls by sigma C |x - z+|^2 a step.

        C is the least of r^2 n(kappa) / (1 + kappa)^2 over curvatures sigma kappa between -m and L, where n also holds
        what p = grad f(x+) - grad f(x) costs in between: with u = 1 / (1 + kappa) a parabola in u.
        """
        r, t, mu = self.relaxation, self.L / sigma, self.m / sigma
        bend = ((1 - mu) ** 2 / (t + mu) - (1 + mu)) / 2
        constant = 1 / (2 * (t + mu)) - 1 / r
        slope = mu / (t + mu) - 2 * constant
        ends = 1 / (1 + t), 1 / (1 - mu)
        lowest = [*ends, min(max(-slope / (2 * bend), ends[0]), ends[1])] if bend > 0 else [*ends]
        return r**2 * min(bend * u * u + slope * u + constant for u in lowest)
