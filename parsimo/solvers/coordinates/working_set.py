"""The working set of coordinate descent: its coordinates, and what has been computed of their columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parsimo.solvers.coordinates.models import ByColumns, ByGram, BySparseColumns, Model
from parsimo.solvers.coordinates.terms import Terms

__all__ = ["WorkingSet"]

Nearly = Callable[[], np.ndarray]
_NOTE = "working set of coordinate descent"
_STALE = 2  # times as many as the nonzeros and the first ones together: then those that rest leave


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

    @classmethod
    def left_by_the_last_run(cls, source: Any, x: np.ndarray) -> WorkingSet:
        """The nonzeros of x among the coordinates of the last run on the same f, with what was computed of them."""
        last: WorkingSet | None = source.notes.get(_NOTE)
        return cls.empty(source) if last is None else last._kept(np.flatnonzero(x[last.index]))

    def others(self, values: np.ndarray) -> np.ndarray:
        """The values, (n,), with 0 on the working set."""
        outside = values.copy()
        outside[self.index] = 0.0
        return outside

    def grown(self, source: Any, calls: np.ndarray, nearly: Nearly, x: np.ndarray, first: int) -> WorkingSet:
        """With the nonzeros and the loudest callers, then those that nearly call: as many as there are nonzeros.

        `first` at least. Where none calls it stays as it is; where it has become too large, those that rest leave it.
        """
        missing = self.others(x != 0) > 0
        loudness = np.where(missing, np.inf, self.others(calls))
        if not loudness.any():
            return self
        support, base = int(np.count_nonzero(x)), self
        count = max(support, first)
        if self.index.size + count > _STALE * (support + first):
            base = self._kept(np.flatnonzero((x[self.index] != 0) | (calls[self.index] > 0)))
            loudness = base.others(np.where(x != 0, np.inf, calls))
        loudness = np.maximum(loudness, np.finfo(float).tiny * base.others(nearly()))
        candidates = np.flatnonzero(loudness)
        ranked = candidates[np.argsort(-loudness[candidates], kind="stable")]
        return base._with(source, ranked[: max(count, int(missing.sum()))])

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

    def model(self, terms: Terms, x: np.ndarray, d: np.ndarray, h: np.ndarray, diagonal: np.ndarray | None) -> Model:
        """The quadratic model at x, whose Hessian is A' diag(h) A, with the diagonal where it is known."""
        if _is_sparse(self.columns):
            return BySparseColumns(terms, x, d, self.columns, h, diagonal)
        if 0 < self.gram.shape[0] == self.index.size:
            return ByGram(terms, x, d, self.gram)
        return ByColumns(terms, x, d, self.columns, h, diagonal, known=self.gram)

    def after(self, source: Any, model: Model) -> WorkingSet:
        """With what a descent along the model has computed that will be of use again, in the next run as well."""
        if not (source.is_quadratic and isinstance(model, ByGram)):
            return self
        known = replace(self, gram=model.H)
        source.notes[_NOTE] = known
        return known

    def predictions(self, x: np.ndarray) -> np.ndarray:
        """A x for an x that is 0 outside the working set."""
        y = x[self.index]
        return self.columns @ y if _is_sparse(self.columns) else y @ self.columns


def _is_sparse(matrix: Any) -> bool:
    return hasattr(matrix, "indptr")
