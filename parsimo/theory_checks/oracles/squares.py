"""Least squares over a box: level sets, fits on a support, and the rounding of both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import lsq_linear

from parsimo.core.validation import check_number
from parsimo.theory_checks.oracles.instance import least_squares_of

__all__ = ["Box", "Squares"]

_WIDEN = 1 + 1e-6  # of the level set, for the rounding of its radius
_ROUNDING = 1e-12  # of the least value, relative to |b|^2

Box = tuple[Any, Any]


@dataclass(frozen=True, eq=False)
class Squares:
    """|A x - b|^2 / 2 = |R x - q|^2 / 2 + rest over a box, with what is known of its level sets."""

    A: np.ndarray
    b: np.ndarray
    R: np.ndarray
    q: np.ndarray
    rest: float
    ls: np.ndarray
    """A minimizer without the box."""
    least: float
    """The minimum without the box."""
    radii: np.ndarray
    """sqrt(2 [(A'A)^-1]_ii), infinite without full column rank."""
    lower: np.ndarray
    upper: np.ndarray

    @classmethod
    def of(cls, f: Any, ridge: float, box: Box | None, owner: str) -> Squares:
        A, b = least_squares_of(f, owner)
        n = A.shape[1]
        ridge = check_number(ridge, f"{owner}: ridge")
        if ridge > 0:
            A, b = np.vstack([A, math.sqrt(ridge) * np.eye(n)]), np.append(b, np.zeros(n))
        Q, R = np.linalg.qr(A)
        q = Q.T @ b
        rest = float(np.sum((b - Q @ q) ** 2)) / 2
        ls = np.linalg.lstsq(A, b, rcond=None)[0]
        full = np.linalg.matrix_rank(R) == n
        inverse = np.linalg.inv(R) if full else np.zeros((n, n))
        radii = np.sqrt(2 * (inverse**2).sum(axis=1)) if full else np.full(n, math.inf)
        lower, upper = (np.broadcast_to(np.asarray(e, dtype=float), (n,)) for e in box or (-math.inf, math.inf))
        return cls(A, b, R, q, rest, ls, float(np.sum((A @ ls - b) ** 2)) / 2, radii, lower, upper)

    def value(self, x: np.ndarray) -> float:
        """|A x - b|^2 / 2."""
        return float(np.sum((self.A @ x - self.b) ** 2)) / 2

    def ends(self, level: float, owner: str) -> tuple[np.ndarray, np.ndarray]:
        """Ends of an interval for each coordinate that holds the points of the box with value at most `level`."""
        height = max(level - self.least, 0.0) + _ROUNDING * float(self.b @ self.b)
        reach = _WIDEN * math.sqrt(height) * self.radii
        lower, upper = np.maximum(self.ls - reach, self.lower), np.minimum(self.ls + reach, self.upper)
        if not (np.isfinite(lower) & np.isfinite(upper)).all():
            raise ValueError(
                f"{owner}: A has not full column rank, so that level sets of f are unbounded and there is no valid "
                "big M; give a box with finite ends, or a ridge > 0"
            )
        return np.minimum(lower, upper), np.maximum(lower, upper)

    def fit(self, support: np.ndarray) -> np.ndarray:
        """The minimizer over the box of the points that vanish off the support."""
        x = np.zeros(self.ls.size)
        if support.size == 0:
            return x
        if np.isinf(self.lower).all() and np.isinf(self.upper).all():
            x[support] = np.linalg.lstsq(self.A[:, support], self.b, rcond=None)[0]
        else:
            ends = self.lower[support], np.maximum(self.upper[support], np.nextafter(self.lower[support], math.inf))
            solution = lsq_linear(self.A[:, support], self.b, ends, tol=1e-12).x
            x[support] = np.clip(solution, self.lower[support], self.upper[support])
        return x

    def steepest(self, largest: np.ndarray) -> np.ndarray:
        """Bounds of |d_i f| where |x_i| <= largest_i."""
        return np.abs(self.A.T @ self.A) @ largest + np.abs(self.A.T @ self.b)

    def floor(self, dual: float, value: float) -> float:
        """The larger of the dual bound and the minimum of f alone, both below the value."""
        return min(max(dual + self.rest, self.least - _ROUNDING * float(self.b @ self.b)), value)

    @property
    def origin(self) -> str:
        """Where the ends come from."""
        level_set, box = np.isfinite(self.radii).all(), np.isfinite(self.lower).any() or np.isfinite(self.upper).any()
        return " and ".join(["level set"] * bool(level_set) + ["box"] * bool(box))
