"""How proximal gradient makes use of the steps before."""

from __future__ import annotations

import math
from dataclasses import dataclass

from parsimo.core.validation import check_number
from parsimo.solvers.anderson import Anderson

__all__ = ["Acceleration", "Anderson", "Inertial", "Nesterov"]

_SHARE = 0.95  # of the admissible range of gamma L


@dataclass(frozen=True)
class Nesterov:
    """Steps from v = x + beta_k (x - x_previous), beta_k = (t_k - 1)/t_{k+1}, t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2.

    For convex f and R. The momentum is dropped, t = 1, whenever <v - x+, x+ - x> > 0: it points uphill.

    Notes
    -----
    Beck and Teboulle, SIAM J. Imaging Sci. 2 (2009) 183-202; O'Donoghue and Candes, Found. Comput. Math. 15 (2015)
    715-732, for the restart.
    """

    @staticmethod
    def next_t(t: float) -> float:
        """t_{k+1}."""
        return (1 + math.sqrt(1 + 4 * t * t)) / 2

    def beta(self, t: float) -> float:
        """beta_k."""
        return (t - 1) / self.next_t(t)


@dataclass(frozen=True)
class Inertial:
    """Steps x+ = prox_{gamma R}(x - gamma grad f(x) + beta (x - x_previous)), with the gradient at x.

    For any R. The merit F(x) + beta/(2 gamma) |x - x_previous|^2 falls at every step where

        (1 - 2 beta)/gamma + max(1/gamma - w, 0) > L,

    w the weak convexity of R, infinite where there is none (docs/theory.md, Proposition 7.6).

    Parameters
    ----------
    beta : float, optional
        In [0, 1) where R has a w, and in [0, 1/2) where it has not. By default 0.7 and 0.2.

    Notes
    -----
    Ochs, Chen, Brox and Pock, SIAM J. Imaging Sci. 7 (2014) 1388-1419, for convex R.
    """

    beta: float | None = None

    def __post_init__(self) -> None:
        if self.beta is not None:
            object.__setattr__(self, "beta", check_number(self.beta, "Inertial: beta"))
            if self.beta >= 1:
                raise ValueError(f"Inertial: beta must be below 1, got {self.beta}")

    def weight(self, w: float) -> float:
        """beta for a penalty of weak convexity w.

        Raises
        ------
        ValueError
            If it is not below 1/2 where w is infinite.
        """
        if self.beta is None:
            return 0.7 if w < math.inf else 0.2
        if self.beta >= 0.5 and w == math.inf:
            raise ValueError(
                f"Inertial: beta must be below 1/2 for a penalty that is not weakly convex, got {self.beta}"
            )
        return self.beta

    def theta(self, gamma: float, w: float) -> float:
        """The largest gamma L that is used with this gamma: 0.95 times what is admissible, 0 or less where none is."""
        return _SHARE * (1 - 2 * self.weight(w) + max(1 - gamma * w, 0.0))

    def step_size(self, L: float, w: float) -> float:
        """The longest gamma with gamma L <= theta(gamma, w)."""
        beta = self.weight(w)
        short = _SHARE * (1 - 2 * beta) / L
        return max(short, min(_SHARE * (2 - 2 * beta) / (L + _SHARE * w), 1 / w if w > 0 else math.inf))


Acceleration = Nesterov | Anderson | Inertial
