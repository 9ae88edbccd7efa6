"""The working set of coordinate descent: its coordinates, and what was computed of their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo._array import Array
from parsimo.solvers.coordinates.models import ByColumns, ByGram, BySparseColumns, Model
from parsimo.solvers.coordinates.terms import Terms

__all__ = ["WorkingSet"]

_LARGEST_GRAM = 2000  # coordinates: 32 MB
_STALE = 4  # times larger than it needs be: then the working set is begun again


@dataclass(frozen=True, eq=False)
class WorkingSet:
    """Coordinates that move together."""

    index: np.ndarray
    """Which they are, (k,), those that came first before the others."""
    columns: Any
    """Their columns in float64: the rows of a (k, m) array, or an m x k matrix in compressed column format."""
    gram: np.ndarray | None
    """A'A of the columns, (k, k), where it is used and does not depend on x."""

    @classmethod
    def empty(cls) -> WorkingSet:
        """No coordinates."""
        return cls(np.empty(0, dtype=np.int64), None, None)

    def grown(self, columns: Any, moves: np.ndarray, x: np.ndarray, first: int) -> tuple[WorkingSet, float]:
        """With the coordinates that move farthest by themselves, and how far those outside would at most.

        As many are added as there are already, `first` at least. All nonzeros belong to it.
        """
        base = self
        if self.index.size > _STALE * (np.count_nonzero(x[self.index]) + first):
            base = self._kept(np.flatnonzero(x[self.index]))
        score = np.abs(moves)
        score[base.index] = 0.0
        outside = float(score.max(initial=0.0))
        nonzero = (x != 0) & np.isin(np.arange(x.size), base.index, invert=True)
        count = min(max(base.index.size, first), int(np.count_nonzero(score)))
        score[nonzero] = np.inf
        count = max(count, int(np.count_nonzero(nonzero)))
        if count == 0:
            return base, outside
        new = np.argpartition(score, -count)[-count:]
        new = new[np.argsort(-score[new], kind="stable")]
        return base._with(columns, new), outside

    def _kept(self, places: np.ndarray) -> WorkingSet:
        sparse = hasattr(self.columns, "indptr")
        gram = None if self.gram is None else self.gram[np.ix_(places, places)]
        return WorkingSet(self.index[places], self.columns[:, places] if sparse else self.columns[places], gram)

    def _with(self, source: Any, new: np.ndarray) -> WorkingSet:
        index = np.concatenate([self.index, new])
        if hasattr(source.matrix, "indptr"):
            part = source.matrix[:, index].astype(np.float64)
            part.indices, part.indptr = part.indices.astype(np.int64), part.indptr.astype(np.int64)
            return WorkingSet(index, part, None)
        added = np.ascontiguousarray(source.matrix.T[new], dtype=np.float64)
        rows = added if self.columns is None else np.concatenate([self.columns, added])
        k, m = rows.shape
        if not source.is_quadratic or k > min(m, _LARGEST_GRAM):
            return WorkingSet(index, rows, None)
        old = k - new.size if self.gram is not None else 0
        gram = np.empty((k, k))
        gram[:old, :old] = self.gram if old else 0.0
        gram[old:] = rows[old:] @ rows.T
        gram[:old, old:] = gram[old:, :old].T
        return WorkingSet(index, rows, gram)

    def model(self, source: Any, terms: Terms, point: Array, x: np.ndarray, d: np.ndarray, share: float) -> Model:
        """The quadratic model at a point, its curvature a share of the way from that of the loss to its bound."""
        bound = source.largest_curvature
        if self.gram is not None:
            return ByGram(terms, x, d, bound * self.gram)
        m = source.matrix.shape[0]
        h = np.full(m, bound) if source.is_quadratic else source.curvatures(point) * (1 - share) + share * bound
        if hasattr(self.columns, "indptr"):
            return BySparseColumns(terms, x, d, self.columns, h)
        if self.index.size <= min(m, _LARGEST_GRAM):
            return ByGram(terms, x, d, (self.columns * h) @ self.columns.T)
        return ByColumns(terms, x, d, self.columns, h)
