"""The columns of a least squares problem at length 1, and the parts of their Gram matrix that were asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

__all__ = ["DEPENDENT", "Core", "Gram", "UnitColumns"]

DEPENDENT = 1e-8  # a column whose squared distance from the span of the support is below it does not come in

_SMALLEST, _LARGEST = 1e-200, 1e200  # squared lengths in between are sums without overflow or lost digits
_BATCH = 16  # rows of H made at a time: a pass over A costs little more for them than for one
_ENTRIES = 4_000_000  # of correlations held at a time


class Gram(Protocol):
    """H, of unit diagonal but for columns that are 0, and c, with |c_j| <= 1."""

    c: np.ndarray
    nonzero: np.ndarray
    """1.0 for each column, 0.0 where it is 0: the diagonal of H."""

    def row(self, j: int, promise: Callable[[], np.ndarray]) -> np.ndarray:
        """H_j; the columns of most promise() are those whose rows may be asked for next."""

    def combination(self, members: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """The sum of coefficients_i H_i over columns i whose rows were asked for before."""

    def block(self, members: np.ndarray, others: np.ndarray | None) -> np.ndarray:
        """H_ij for i in members, whose rows were asked for before, and j in others, or all j."""


class UnitColumns:
    """H = A'A + ridge I and c = A'b, after scaling every column to H_jj = 1 and b to |b| = 1.

    Parameters
    ----------
    A : m x n numpy array or scipy sparse matrix
    b : array of shape (m,)
    ridge : float
        Nonnegative; |A x - b|^2 + ridge |x|^2 is what the columns stand for.

    Attributes
    ----------
    lengths : array of shape (n,)
        sqrt(|a_j|^2 + ridge), what column j was divided by; a column of length 0 stays 0.
    share : array of shape (n,)
        ridge / lengths^2, the part of H_jj that is ridge.
    b : array of shape (m,)
    height : float
        |b| before scaling; 0 stays 0.
    """

    def __init__(self, A: Any, b: np.ndarray, ridge: float = 0.0) -> None:
        self._sparse = hasattr(A, "tocsc")
        A = A.tocsc().astype(np.float64) if self._sparse else np.asarray(A, dtype=np.float64)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            squares = self._squares(A)
        sizes = np.ones_like(squares)
        if not ((squares > _SMALLEST) & (squares < _LARGEST)).all():
            A, sizes = self._by_largest_entries(A)
            squares = self._squares(A)
        self.lengths = np.hypot(sizes * np.sqrt(squares), math.sqrt(ridge))
        inverse = np.divide(1.0, self.lengths, out=np.zeros_like(squares), where=self.lengths > 0)
        self._A, self._factor = A, sizes * inverse
        self.share = (math.sqrt(ridge) * inverse) ** 2
        self.nonzero = (self.lengths > 0).astype(np.float64)
        largest = float(np.abs(b).max())
        b = np.asarray(b, dtype=np.float64) / (largest or 1.0)
        norm = float(np.linalg.norm(b))
        self.b, self.height = b / (norm or 1.0), largest * norm
        self.c = self.correlations(self.b)
        self._place = np.full(len(self.c), -1)
        self._rows = np.empty((64, len(self.c)))
        self._used = 0
        self._made = np.zeros(len(self.c), dtype=bool)
        self._waiting: dict[int, np.ndarray] = {}

    def correlations(self, residuals: np.ndarray) -> np.ndarray:
        """The scaled columns times a vector of shape (m,), or times each row of a matrix of shape (k, m)."""
        if self._sparse:
            return (self._A.T @ residuals.T).T * self._factor
        return (residuals @ self._A) * self._factor  # in this order a product with A reads its rows as they lie

    def taken(self, members: np.ndarray) -> np.ndarray:
        """Some of the scaled columns, dense."""
        columns = self._A[:, members]
        return (columns.toarray() if self._sparse else columns) * self._factor[members]

    def row(self, j: int, promise: Callable[[], np.ndarray]) -> np.ndarray:
        """See `Gram`."""
        if self._place[j] < 0:
            if not self._made[j]:
                likely = np.argsort(-promise())[: 2 * _BATCH]
                self.prepare(np.append(j, likely[likely != j])[:_BATCH])
            self._admit(j)
        return self._rows[self._place[j]]

    def prepare(self, members: np.ndarray) -> None:
        """Make the rows of these columns in one pass over A, those that are not there."""
        new = members[~self._made[members]]
        if not len(new):
            return
        columns = self.taken(new)
        block = (self._A.T @ columns).T if self._sparse else columns.T @ self._A
        block = block * self._factor
        block[np.arange(len(new)), new] = self.nonzero[new]
        self._waiting.update(zip(new.tolist(), block, strict=True))
        self._made[new] = True

    def combination(self, members: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """See `Gram`."""
        spread = np.zeros(self._used)
        spread[self._place[members]] = coefficients
        return spread @ self._rows[: self._used]  # rows of other columns are few, and are not worth a copy of these

    def block(self, members: np.ndarray, others: np.ndarray | None) -> np.ndarray:
        """See `Gram`."""
        places = self._place[members]
        return self._rows[places] if others is None else self._rows[places[:, None], others]

    def _admit(self, j: int) -> None:
        """Keep the row of j among those that are combined."""
        if self._used == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[self._used] = self._waiting.pop(j)
        self._place[j] = self._used
        self._used += 1

    def _squares(self, A: Any) -> np.ndarray:
        if self._sparse:
            return np.asarray(A.multiply(A).sum(axis=0)).reshape(-1)
        return np.einsum("ij,ij->j", A, A)

    def _by_largest_entries(self, A: Any) -> tuple[Any, np.ndarray]:
        """A with every column divided by its largest entry, and these."""
        largest = abs(A).max(axis=0)
        largest = largest.toarray().reshape(-1) if self._sparse else largest
        sizes = np.where(largest > 0, largest, 1.0)
        if not self._sparse:
            return A / sizes, sizes
        A = A.copy()
        A.data = A.data / np.repeat(sizes, np.diff(A.indptr))
        return A, sizes


class Core:
    """The Gram matrix of some of the columns, whole: a small problem to search in.

    With `within`, the first columns chosen are those of that core.
    """

    def __init__(self, columns: UnitColumns, chosen: np.ndarray, within: Core | None = None) -> None:
        old = 0 if within is None else len(within.chosen)
        A = columns.taken(chosen[old:])
        self.chosen: np.ndarray = chosen
        self.A: np.ndarray = A if within is None else np.concatenate((within.A, A), axis=1)
        self.c, self.nonzero = columns.c[chosen], columns.nonzero[chosen]
        self.H = np.empty((len(chosen), len(chosen)))
        self.H[:, old:] = self.A.T @ A
        if within is not None:
            self.H[:old, :old] = within.H
            self.H[old:, :old] = self.H[:old, old:].T
        np.fill_diagonal(self.H, self.nonzero)

    def row(self, j: int, promise: Callable[[], np.ndarray]) -> np.ndarray:
        """See `Gram`."""
        return self.H[j]

    def combination(self, members: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """See `Gram`."""
        return coefficients @ self.H[members]

    def block(self, members: np.ndarray, others: np.ndarray | None) -> np.ndarray:
        """See `Gram`."""
        rows = self.H.take(members, 0)
        return rows if others is None else rows.take(others, 1)
