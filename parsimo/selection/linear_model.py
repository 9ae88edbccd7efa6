"""A linear model in the columns it is solved in: centered, scaled, rows weighted; and the way back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from parsimo._array import Array
from parsimo.core.validation import check_finite, check_nonnegative, check_vector
from parsimo.penalties import SeparableSum
from parsimo.penalties.even import EvenPenalty
from parsimo.problems import LeastSquares, Logistic
from parsimo.problems.columns import Columns

__all__ = ["LinearModel", "Loss", "WeightedLogistic", "held_out_loss"]

Loss = Literal["squares", "logistic"]
Intercept = Literal["none", "centered", "column"]
_ROUNDING = 1e-12  # a column whose deviation is this share of its mean is constant


class WeightedLogistic(Logistic):
    """f(x) = scale * sum_i frequencies_i log(1 + exp(-y_i a_i'x))."""

    def __init__(self, A: Any, y: Any, frequencies: np.ndarray, average: bool = False) -> None:
        super().__init__(A, y, average)
        self.frequencies = frequencies
        self.bend = 0.25 * float(frequencies.max())  # of any row

    @property
    def coordinate_lipschitz(self) -> np.ndarray | None:
        """That of the plain sum times the largest frequency."""
        bound = super().coordinate_lipschitz
        return None if bound is None else bound * float(self.frequencies.max())

    @cached_property
    def coordinate_curvature(self) -> np.ndarray:
        """scale * sum_i frequencies_i a_ij^2 / 4."""
        squares = self.design.A**2
        return self.scale / 4 * np.asarray(squares.T @ self.frequencies)

    @cached_property
    def columns(self) -> Columns | None:
        """With norms by which the bound of all rows gives `coordinate_curvature`."""
        plain = super().columns
        norms = self.coordinate_curvature / (self.bend * self.scale)
        return None if plain is None else replace(plain, norms_squared=norms)

    def _loss(self, predictions: Array) -> float:
        return float(self.frequencies @ np.logaddexp(0.0, -self.targets * predictions))

    def _loss_grad(self, predictions: Array) -> Array:
        return self.frequencies * super()._loss_grad(predictions)

    def _loss_curvature(self, predictions: Array) -> Array:
        return self.frequencies * super()._loss_curvature(predictions)


@dataclass(frozen=True, eq=False)
class LinearModel:
    """y ~ A coef + intercept as a data term f of x, where column j of f's matrix is (a_j - center_j) / scale_j.

    Least squares with an intercept and a dense A is centered, columns and targets: the intercept is minimized out
    (docs/theory.md, Proposition 12.4). Otherwise the intercept is a last coordinate of x, of a column of ones, and no
    penalty sees it; a sparse A is then not centered, which would fill it.
    """

    f: Any
    """LeastSquares or Logistic, averaged over rows."""
    rows: float
    """How many rows count: the sum of the frequencies."""
    center: np.ndarray
    """(p,)"""
    scale: np.ndarray
    """(p,)"""
    offset: float
    """The mean of the targets, where the intercept is minimized out."""
    intercept: Intercept

    @classmethod
    def of(
        cls,
        A: Any,
        y: Any,
        loss: Loss = "squares",
        *,
        fit_intercept: bool = True,
        standardize: bool = True,
        sample_weight: Any = None,
    ) -> LinearModel:
        """The model of a table.

        Parameters
        ----------
        A : array or scipy sparse matrix of shape (m, p)
        y : array of shape (m,)
            Numbers; -1 and 1 for the logistic loss.
        loss : "squares" or "logistic"
        fit_intercept : bool
        standardize : bool
            Divide each column by its standard deviation (its root mean square without an intercept), so that one
            weight suits all coefficients.
        sample_weight : array of shape (m,), optional
            Frequencies: a row of weight 2 counts as two rows.

        Raises
        ------
        ValueError
            If shapes do not fit, an entry is NaN or infinite, or no row has a positive weight.
        """
        if loss not in ("squares", "logistic"):
            raise ValueError(f'LinearModel: loss must be "squares" or "logistic", got {loss!r}')
        matrix, is_sparse = _matrix(A)
        y = check_vector(np.asarray(y, dtype=np.float64), "LinearModel: y", size=matrix.shape[0])
        frequencies = _frequencies(sample_weight, matrix.shape[0])
        if not (counted := frequencies > 0).all():
            matrix, y, frequencies = matrix[counted], y[counted], frequencies[counted]
        rows = float(frequencies.sum())
        shares = frequencies / rows
        kind: Intercept = "column" if is_sparse or loss == "logistic" else "centered"
        kind = kind if fit_intercept else "none"
        columns = _sparse_columns if is_sparse else _dense_columns
        matrix, center, scale = columns(matrix, shares, fit_intercept, standardize, kind == "column")
        offset = float(shares @ y) if kind == "centered" else 0.0
        relative = None if (frequencies == frequencies[0]).all() else shares * frequencies.size
        f = _data_term(loss, matrix, y - offset, relative)
        if not math.isfinite(f.value(f.start())):
            raise ValueError("LinearModel: the squares of y overflow; scale y to about 1")
        return cls(f, rows, center, scale, offset, kind)

    def family(self, family: Callable[[float], Any]) -> Callable[[float], Any]:
        """The family on the columns, with the intercept free where it is a coordinate."""
        return family if self.intercept != "column" else lambda weight: _with_free_last(family(weight), self.scale.size)

    def coefficients(self, x: Array) -> tuple[np.ndarray, float]:
        """(coef, intercept) of the columns as they came, from a point of f."""
        p = self.scale.size
        coef = np.asarray(x)[:p] / self.scale
        constant = {"none": 0.0, "centered": self.offset, "column": float(np.asarray(x)[-1])}[self.intercept]
        return coef, constant - float(self.center @ coef) if self.intercept != "none" else 0.0


def _data_term(loss: Loss, matrix: Any, targets: np.ndarray, relative: np.ndarray | None) -> Any:
    """The loss averaged over rows, each with its frequency relative to the mean of all."""
    if loss == "logistic":
        return (
            Logistic(matrix, targets, True) if relative is None else WeightedLogistic(matrix, targets, relative, True)
        )
    if relative is None:
        return LeastSquares(matrix, targets, average=True)
    root = np.sqrt(relative)
    weighted = matrix.multiply(root[:, None]).tocsc() if hasattr(matrix, "tocsc") else matrix * root[:, None]
    return LeastSquares(weighted, targets * root, average=True)


def _matrix(A: Any) -> tuple[Any, bool]:
    """A in float64, and whether it is sparse."""
    if hasattr(A, "tocsc"):
        matrix = A.tocsr().astype(np.float64)
        check_finite(matrix.data, "LinearModel: A (stored entries)")
        return matrix, True
    matrix = np.asarray(A, dtype=np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"LinearModel: A must be a nonempty matrix, got shape {matrix.shape}")
    return check_finite(matrix, "LinearModel: A"), False


def _frequencies(sample_weight: Any, rows: int) -> np.ndarray:
    if sample_weight is None:
        return np.ones(rows)
    given = check_nonnegative(np.asarray(sample_weight, dtype=np.float64), "LinearModel: sample_weight")
    frequencies = check_vector(given, "LinearModel: sample_weight", size=rows)
    if not frequencies.any():
        raise ValueError("LinearModel: sample_weight is 0 for every row; at least one must be positive")
    return frequencies


def _dense_columns(
    matrix: np.ndarray, shares: np.ndarray, centered: bool, standardize: bool, with_ones: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The columns, their centers and scales. Divided by their largest entries first, no square of them overflows.

    A constant column has an infinite scale: it becomes 0, as its coefficient does.
    """
    peak = np.abs(matrix).max(axis=0)
    peak = np.where(peak > 0, peak, 1.0)
    unit = matrix / peak
    mean = shares @ unit if centered else np.zeros(peak.size)
    unit -= mean
    deviation = np.sqrt(shares @ unit**2)
    varies = deviation > _ROUNDING * np.abs(mean)
    scale = np.where(varies, deviation * peak if standardize else 1.0, np.inf)
    ready = unit * (peak / scale)
    ready = np.column_stack([ready, np.ones(len(ready))]) if with_ones else ready
    return np.asfortranarray(ready), mean * peak, scale


def _sparse_columns(
    matrix: Any, shares: np.ndarray, centered: bool, standardize: bool, with_ones: bool
) -> tuple[Any, np.ndarray, np.ndarray]:
    """The same without centering; deviations are differences of means, which loses half of the digits."""
    import scipy.sparse as sp

    peak = np.asarray(abs(matrix).max(axis=0).todense()).reshape(-1)
    peak = np.where(peak > 0, peak, 1.0)
    unit = sp.csc_array(matrix) @ sp.diags_array(1 / peak)
    mean = unit.T @ shares if centered else np.zeros(peak.size)
    deviation = np.sqrt(np.maximum(unit.power(2).T @ shares - mean**2, 0.0))
    varies = deviation > math.sqrt(_ROUNDING) * np.abs(mean)
    scale = np.where(varies, deviation * peak if standardize else 1.0, np.inf)
    ready = unit @ sp.diags_array(peak / scale)
    ready = sp.hstack([ready, np.ones((matrix.shape[0], 1))]) if with_ones else ready
    return sp.csc_array(ready), np.zeros(peak.size), scale


def _with_free_last(penalty: Any, p: int) -> Any:
    """The penalty on the first p coordinates, and nothing on the last."""
    if isinstance(penalty, EvenPenalty):
        return replace(penalty, weight=np.append(np.broadcast_to(penalty.weight, (p,)), 0.0))
    return SeparableSum([slice(0, p)], [penalty])


def held_out_loss(loss: Loss, predictions: np.ndarray, y: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Mean squared error, or mean log loss, of predictions A coef + intercept; one a row of `predictions`."""
    errors = (predictions - y) ** 2 if loss == "squares" else np.logaddexp(0.0, -y * predictions)
    return np.asarray(errors @ shares)
