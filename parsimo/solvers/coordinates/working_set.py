"""The working set of coordinate descent: its coordinates, and what has been computed of their columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parsimo.solvers.coordinates.models import ByColumns, ByGram, BySparseColumns, Model
from parsimo.solvers.coordinates.terms import Terms

__all__ = ["WorkingSet"]

_STALE = 2  # times larger than it needs to be: then it is begun again from the nonzeros


@dataclass(frozen=True, eq=False)
class WorkingSet:
    """Coordinates that move together; all nonzeros are among them."""

    index: np.ndarray
    """Which they are, (k,); those that came first stand before the others."""
    columns: Any
    """Their columns in float64: the rows of a (k, m) array, or an m x k matrix in compressed column format."""
    gram: np.ndarray
    """The Hessian of f on the first of them, where it has been used and does not depend on x."""

    @classmethod
    def empty(cls, source: Any) -> WorkingSet:
        """No coordinates yet."""
        index = np.empty(0, dtype=np.int64)
        columns = source.matrix[:, index] if _is_sparse(source.matrix) else np.empty((0, source.matrix.shape[0]))
        return cls(index, columns, np.empty((0, 0)))

    def others(self, values: np.ndarray) -> np.ndarray:
        """The values, (n,), with 0 on the working set."""
        outside = values.copy()
        outside[self.index] = 0.0
        return outside

    def grown(self, source: Any, calls: np.ndarray, x: np.ndarray, first: int) -> WorkingSet:
        """With the nonzeros and the loudest callers: as many as there are already, `first` at least."""
        base = self
        if self.index.size > _STALE * (np.count_nonzero(x) + first):
            base = self._kept(np.flatnonzero(x[self.index]))
        missing = base.others((x != 0).astype(np.float64)) > 0
        loudness = np.where(missing, np.inf, base.others(calls))
        count = min(max(base.index.size, first, int(missing.sum())), int(np.count_nonzero(loudness)))
        if count == 0:
            return base
        new = np.argpartition(loudness, -count)[-count:]
        return base._with(source, new[np.argsort(-loudness[new], kind="stable")])

    def _kept(self, places: np.ndarray) -> WorkingSet:
        columns = self.columns[:, places] if _is_sparse(self.columns) else self.columns[places]
        known = places[places < self.gram.shape[0]]
        return WorkingSet(self.index[places], columns, self.gram[np.ix_(known, known)])

    def _with(self, source: Any, new: np.ndarray) -> WorkingSet:
        index = np.concatenate([self.index, new])
        if _is_sparse(source.matrix):
            columns = source.matrix[:, index].astype(np.float64)
            columns.indices, columns.indptr = columns.indices.astype(np.int64), columns.indptr.astype(np.int64)
            return WorkingSet(index, columns, self.gram)
        added = np.ascontiguousarray(source.matrix.T[new], dtype=np.float64)
        return WorkingSet(index, np.concatenate([self.columns, added]), self.gram)

    def model(self, terms: Terms, x: np.ndarray, d: np.ndarray, curvature: np.ndarray) -> Model:
        """The quadratic model at x, whose Hessian is A' diag(curvature) A."""
        if _is_sparse(self.columns):
            return BySparseColumns(terms, x, d, self.columns, curvature)
        if 0 < self.gram.shape[0] == self.index.size:
            return ByGram(terms, x, d, self.gram)
        return ByColumns(terms, x, d, self.columns, curvature, known=self.gram)

    def after(self, source: Any, model: Model) -> WorkingSet:
        """With what a descent along the model has computed that will be of use again."""
        return replace(self, gram=model.H) if source.is_quadratic and isinstance(model, ByGram) else self

    def predictions(self, x: np.ndarray) -> np.ndarray:
        """A x for an x that is 0 outside the working set."""
        y = x[self.index]
        return self.columns @ y if _is_sparse(self.columns) else y @ self.columns


def _is_sparse(matrix: Any) -> bool:
    return hasattr(matrix, "indptr")
