"""Information criteria along a path, with the size of the support for the degrees of freedom."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from parsimo.core.result import Result
from parsimo.core.validation import check_number
from parsimo.problems import LeastSquares, Logistic
from parsimo.selection.outcome import Path, frame

__all__ = ["CRITERIA", "Choice", "Criterion", "choose", "deviance"]

Criterion = Literal["aic", "bic", "ebic", "gic"]
CRITERIA = ("aic", "bic", "ebic", "gic")


@dataclass(frozen=True, eq=False)
class Choice:
    """What a criterion says of each point of a path.

    Attributes
    ----------
    path : Path
    criterion : str
    values : array of shape (K,)
        Infinite at the points that are not compared: those with more than `max_support` nonzeros.
    best : int
        The point of the smallest value, the sparsest of them at a tie.
    """

    path: Path
    criterion: str
    values: np.ndarray
    best: int

    @property
    def weight(self) -> float:
        """That of the chosen point."""
        return float(self.path.weights[self.best])

    @property
    def result(self) -> Result:
        """The chosen point, with its certificate and status."""
        return self.path.results[self.best]

    def table(self) -> dict[str, list[Any]]:
        """That of the path, with the criterion."""
        return self.path.table() | {self.criterion: self.values.tolist()}

    def to_dataframe(self) -> Any:
        """`table()` as a pandas DataFrame; ImportError names the extra that brings pandas."""
        return frame(self.table(), "Choice")

    def __str__(self) -> str:
        place = f"point {self.best + 1} of {len(self.values)}"
        return f"{self.criterion} {self.values[self.best]:.6g} at weight {self.weight:.6g}, {place}\n{self.result}"

    def __repr__(self) -> str:
        return f"Choice({self.criterion!r}, weight={self.weight:.6g}, {self.path!r})"


def choose(
    path: Path,
    criterion: Criterion = "ebic",
    *,
    rows: float | None = None,
    gamma: float = 1.0,
    max_support: int | None = None,
) -> Choice:
    """The point of a path that an information criterion prefers.

    With k nonzeros of n coordinates, m rows and D the deviance, the criteria are D plus

        AIC   2 k
        BIC   k log m
        EBIC  k log m + 2 gamma log C(n, k)
        GIC   k log n log log m

    D is m log(RSS / m) for least squares, whose noise is not known, and 2 sum_i log(1 + exp(-y_i a_i'x)) for the
    logistic loss. The criteria compare models by their size; they do not look at how x was found, and presume that
    coefficients are hardly shrunk, as beyond a flat point.

    Parameters
    ----------
    path : Path
        Of `LeastSquares` or `Logistic`.
    criterion : "aic", "bic", "ebic" or "gic"
    rows : float, optional
        m, where it is not the number of rows of A: the sum of frequencies.
    gamma : float
        Of EBIC; 0 is BIC.
    max_support : int, optional
        Larger supports are not compared; m / 2 by default. A residual that has almost been interpolated says nothing
        about noise, and log(RSS / m) falls without bound.

    Raises
    ------
    TypeError
        If f is neither of the two data terms.
    ValueError
        If there is no such criterion, or every support is larger than `max_support`.

    Notes
    -----
    docs/theory.md, 12: Schwarz (1978), Chen and Chen (2008), Fan and Tang (2013).
    """
    if criterion not in CRITERIA:
        raise ValueError(f"choose: criterion must be one of {', '.join(CRITERIA)}, got {criterion!r}")
    m = float(path.f.targets.shape[0]) if rows is None else check_number(rows, "choose: rows", positive=True)
    limit = m / 2 if max_support is None else check_number(max_support, "choose: max_support")
    k, n = path.supports, path.f.shape[0]
    values = np.array([deviance(path.f, loss, m) for loss in path.losses])
    values = values + _price(criterion, k, m, n, check_number(gamma, "choose: gamma"))
    values = np.where((k <= limit) | (k == k.min()), values, math.inf)
    best = int(np.lexsort((k, values))[0])
    return Choice(path, criterion, values, best)


def deviance(f: Any, loss: float, rows: float) -> float:
    """-2 log likelihood at the value `loss` of f, up to a constant; the noise of least squares is that of the residual.

    A residual below rounding counts as one at rounding, so that a perfect fit has a finite deviance.
    """
    if isinstance(f, Logistic):
        return 2 * loss / f.scale * rows / f.targets.shape[0]
    if not isinstance(f, LeastSquares):
        raise TypeError(f"criteria need the loss of LeastSquares or Logistic, got {f!r}")
    mean_square = 2 * loss / f.scale / f.targets.shape[0]
    largest = float(abs(f.targets).max())
    floor = (largest * float(np.finfo(float).eps)) ** 2
    return rows * math.log(max(mean_square, floor, np.finfo(float).tiny))


def _price(criterion: str, k: np.ndarray, m: float, n: int, gamma: float) -> np.ndarray:
    if criterion == "aic":
        return 2.0 * k
    if criterion == "gic":
        return k * math.log(n) * math.log(max(math.log(m), 1.0)) if m > 1 else 0.0 * k
    log_choices = np.array([math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in k.tolist()])
    return k * math.log(m) + (2 * gamma * log_choices if criterion == "ebic" else 0.0)
