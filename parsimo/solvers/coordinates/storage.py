"""What coordinate descent keeps of the columns of its working set: dense with their Gram matrix, or sparse."""

from __future__ import annotations

from typing import Any

import numpy as np

from parsimo.solvers.coordinates.models import ByColumns, ByGram, BySparseColumns, Model
from parsimo.solvers.coordinates.terms import Terms

__all__ = ["DenseColumns", "SparseColumns", "Stored", "none_of"]

_SMALL = 64  # columns: their Gram matrix is formed at once
_ROOM = 2  # times as much as is needed is reserved; what is not used takes no memory


class DenseColumns:
    """Some columns of a dense matrix in float64, and the Hessian of f on the first of them where that is known.

    Whoever is joined by more columns stays what it was: a buffer holds those of both, and room for the next.
    """

    __slots__ = ("_buffer", "_hessian", "size")

    def __init__(self, buffer: _Buffer, size: int, hessian: np.ndarray) -> None:
        self._buffer, self.size, self._hessian = buffer, size, hessian

    def joined_by(self, matrix: np.ndarray, new: np.ndarray) -> DenseColumns:
        """These, and behind them the columns of the matrix at the new indices."""
        size, buffer = self.size + new.size, self._buffer
        if buffer.filled != self.size or size > buffer.rows.shape[0]:  # another one went on from here, or it is full
            buffer = _Buffer(matrix.shape[0], min(_ROOM * size, matrix.shape[1]))
            buffer.rows[: self.size], buffer.filled = self._rows, self.size
        buffer.take_in(matrix, new)
        return DenseColumns(buffer, size, self._hessian)

    def only(self, places: np.ndarray) -> DenseColumns:
        """Those at some places."""
        buffer, known = _Buffer(self._rows.shape[1], _ROOM * places.size), places[places < self._hessian.shape[0]]
        buffer.rows[: places.size], buffer.filled = self._rows[places], places.size
        return DenseColumns(buffer, places.size, self._hessian[known][:, known])

    def model(self, terms: Terms, x: np.ndarray, d: np.ndarray, h: Any, diagonal: np.ndarray | None) -> Model:
        """The quadratic model at x, whose Hessian is A' diag(h) A; h is one number where that is the same for all x."""
        k, m = self._rows.shape
        if np.ndim(h) > 0:
            return ByColumns(terms, x, d, self._rows, h, diagonal, lambda: (self._rows * h) @ self._rows.T)
        known = self._hessian.shape[0]
        if known == k or k <= _SMALL:
            return ByGram(terms, x, d, self._hessian_of_all(h))
        return ByColumns(terms, x, d, self._rows, np.full(m, h), diagonal, lambda: self._hessian_of_all(h), known)

    def predictions(self, y: np.ndarray) -> np.ndarray:
        """A y."""
        return y @ self._rows

    @property
    def _rows(self) -> np.ndarray:
        return self._buffer.rows[: self.size]

    def _hessian_of_all(self, h: float) -> np.ndarray:
        """h A'A; what was computed before is not computed again."""
        old = self._hessian.shape[0]
        if old < self.size:
            known, added = self._rows[:old], self._rows[old:]
            H = np.empty((self.size, self.size))
            H[:old, :old] = self._hessian
            np.matmul(added, known.T, out=H[old:, :old])
            np.matmul(added, added.T, out=H[old:, old:])  # of a matrix with itself, half of the products do
            H[old:] *= h
            H[:old, old:] = H[old:, :old].T
            self._hessian = H
        return self._hessian


class _Buffer:
    """Columns, as the first rows of an array; others wait to be filled."""

    def __init__(self, m: int, capacity: int) -> None:
        self.rows, self.filled = np.empty((capacity, m)), 0

    def take_in(self, matrix: np.ndarray, new: np.ndarray) -> None:
        """Fill the next rows with columns of a matrix."""
        rows = self.rows[self.filled : self.filled + new.size]
        if matrix.flags.f_contiguous and matrix.dtype == rows.dtype:
            np.take(matrix.T, new, axis=0, out=rows, mode="clip")  # without a copy on the way
        else:
            rows[:] = matrix.T[new]
        self.filled += new.size


class SparseColumns:
    """Some columns of a sparse matrix, in compressed column format and float64."""

    def __init__(self, columns: Any) -> None:
        self._columns = columns

    def joined_by(self, matrix: Any, new: np.ndarray) -> SparseColumns:
        """These, and behind them the columns of the matrix at the new indices."""
        from scipy.sparse import hstack

        return SparseColumns(hstack([self._columns, _in_float64(matrix[:, new])], format="csc"))

    def only(self, places: np.ndarray) -> SparseColumns:
        """Those at some places."""
        return SparseColumns(self._columns[:, places])

    def model(self, terms: Terms, x: np.ndarray, d: np.ndarray, h: Any, diagonal: np.ndarray | None) -> Model:
        """The quadratic model at x, whose Hessian is A' diag(h) A; h is one number where that is the same for all x."""
        m, k = self._columns.shape
        if np.ndim(h) == 0 and k <= _SMALL:
            return ByGram(terms, x, d, h * (self._columns.T @ self._columns).toarray())
        return BySparseColumns(terms, x, d, self._columns, h * np.ones(m), diagonal)

    def predictions(self, y: np.ndarray) -> np.ndarray:
        """A y."""
        predictions: np.ndarray = self._columns @ y
        return predictions


Stored = DenseColumns | SparseColumns


def none_of(matrix: Any) -> Stored:
    """No columns yet, of a matrix dense or sparse."""
    if hasattr(matrix, "indptr"):
        return SparseColumns(_in_float64(matrix[:, :0]))
    return DenseColumns(_Buffer(matrix.shape[0], 0), 0, np.empty((0, 0)))


def _in_float64(columns: Any) -> Any:
    columns = columns.astype(np.float64)
    columns.indices, columns.indptr = columns.indices.astype(np.int64), columns.indptr.astype(np.int64)
    return columns
