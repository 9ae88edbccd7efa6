"""The working set of coordinate descent: its coordinates, and what has been computed of their columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo.solvers.coordinates.models import Model
from parsimo.solvers.coordinates.storage import Stored, none_of
from parsimo.solvers.coordinates.terms import Terms

__all__ = ["WorkingSet"]

Nearly = Callable[[], np.ndarray]
_NOTE = "coordinate descent: the last working set, and where it ended"
_STALE = 2  # times as many as the nonzeros and the first ones together: then those that rest leave


@dataclass(frozen=True, eq=False)
class WorkingSet:
    """Coordinates that move together; all nonzeros are among them."""

    index: np.ndarray
    """Which they are, (k,); those that came first stand before the others."""
    columns: Stored
    """Their columns, and what has been computed of them."""

    @classmethod
    def empty(cls, source: Any) -> WorkingSet:
        """No coordinates yet."""
        return cls(np.empty(0, dtype=np.int64), none_of(source.matrix))

    @classmethod
    def at(cls, source: Any, x: np.ndarray) -> WorkingSet:
        """The one of the last run on the same f, if x is where it ended; else an empty one."""
        working, end = source.notes.get(_NOTE, (None, x))
        return working if working is not None and np.array_equal(end, x) else cls.empty(source)

    def note(self, source: Any, x: np.ndarray) -> None:
        """Leave the working set to a next run on the same f, from x on."""
        if source.is_quadratic:
            source.notes[_NOTE] = (self, x)

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
            base = self._only(np.flatnonzero((x[self.index] != 0) | (calls[self.index] > 0)))
            loudness = base.others(np.where(x != 0, np.inf, calls))
        loudness = np.maximum(loudness, np.finfo(float).tiny * base.others(nearly()))
        candidates = np.flatnonzero(loudness)
        ranked = candidates[np.argsort(-loudness[candidates], kind="stable")]
        return base._joined_by(source, ranked[: max(count, int(missing.sum()))])

    def _only(self, places: np.ndarray) -> WorkingSet:
        return WorkingSet(self.index[places], self.columns.only(places))

    def _joined_by(self, source: Any, new: np.ndarray) -> WorkingSet:
        return WorkingSet(np.concatenate([self.index, new]), self.columns.joined_by(source.matrix, new))

    def model(self, terms: Terms, x: np.ndarray, d: np.ndarray, h: Any, diagonal: np.ndarray | None) -> Model:
        """The quadratic model at x, whose Hessian is A' diag(h) A, with the diagonal where it is known."""
        return self.columns.model(terms, x, d, h, diagonal)

    def predictions(self, x: np.ndarray) -> np.ndarray:
        """A x for an x that is 0 outside the working set."""
        return self.columns.predictions(x[self.index])
