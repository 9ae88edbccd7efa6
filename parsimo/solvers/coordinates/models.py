"""Quadratic models of f on a working set of coordinates, and what a pass of coordinate descent does to them.

Q(y) = d'(y - x) + (y - x)'H(y - x)/2 + g(y),   H = A' diag(h) A,                                   (11.1)

with x the point the model is made at, d the gradient of f there, A the columns of the working set and h the second
derivatives of the loss. The models differ in what they keep along with y: the slopes d + H (y - x) where H is at hand,
the image diag(h) A (y - x) where columns are cheaper. A pass changes both in place.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from parsimo.solvers.coordinates.terms import Compiled, Plain, Terms

__all__ = ["ByColumns", "ByGram", "BySparseColumns", "Model", "positive"]

_LARGEST_GRAM = 2000  # coordinates: 32 MB
_PRODUCT = 30  # multiplications of a product of matrices in the time of one in a pass
_SCATTERED = 4  # multiplications of a pass in the time of one entry of a sparse product


class Model(ABC):
    """Q on the working set.

    Parameters
    ----------
    terms : Terms
        g on the working set.
    x, d : arrays of shape (k,)
        The point of the model, and the gradient of f there.
    curvatures : array of shape (k,)
        The diagonal of H.
    """

    def __init__(self, terms: Terms, x: np.ndarray, d: np.ndarray, curvatures: np.ndarray) -> None:
        self.terms, self.x, self.d = terms, x, d
        self.curvatures = positive(curvatures)

    def sweep(self, y: np.ndarray, kept: np.ndarray, target: float, iterates: np.ndarray) -> tuple[int, float]:
        """Passes over the working set, in place, up to one whose largest L_j |y_j+ - y_j| is at most the target.

        As many as `iterates`, (p, k), has rows are made at most, which receive what y is after each. Returned are the
        number of them, and the largest move of the last one.
        """
        if isinstance(self.terms, Compiled):
            return self._compiled_sweep(self.terms, y, kept, target, iterates)
        made, largest = 0, math.inf
        while made < len(iterates) and largest > target:
            largest = self._pass(self.terms, y, kept)
            iterates[made] = y
            made += 1
        return made, largest

    def _pass(self, terms: Plain, y: np.ndarray, kept: np.ndarray) -> float:
        largest = 0.0
        for j, L in enumerate(self.curvatures):
            best = terms.best(j, y[j], self._slope(kept, j), L)
            delta = best - y[j]
            if delta != 0:
                y[j] = best
                self._shift(kept, j, delta)
                largest = max(largest, L * abs(delta))
        return largest

    def value(self, y: np.ndarray, kept: np.ndarray) -> float:
        """Q(y), up to a constant."""
        return self.smooth_value(y, kept) + self.terms.value(y)

    @abstractmethod
    def start(self) -> np.ndarray:
        """What goes along with y = x."""

    @abstractmethod
    def moved(self, kept: np.ndarray, step: np.ndarray) -> np.ndarray:
        """What goes along with y + step, from what goes along with y."""

    @abstractmethod
    def cost(self, active: int) -> float:
        """Of a pass in which so many coordinates move, in multiplications."""

    @abstractmethod
    def cost_of_hessian(self, size: int) -> float:
        """Of H on so many coordinates, in multiplications of a pass."""

    @abstractmethod
    def smooth_value(self, y: np.ndarray, kept: np.ndarray) -> float:
        """Q(y) - g(y)."""

    @abstractmethod
    def slopes(self, kept: np.ndarray) -> np.ndarray:
        """d + H (y - x)."""

    @abstractmethod
    def hessian(self, index: np.ndarray) -> np.ndarray:
        """H of some coordinates of the working set, an array of its own."""

    @abstractmethod
    def _compiled_sweep(
        self, terms: Compiled, y: np.ndarray, kept: np.ndarray, target: float, iterates: np.ndarray
    ) -> tuple[int, float]: ...

    @abstractmethod
    def _slope(self, kept: np.ndarray, j: int) -> float: ...

    @abstractmethod
    def _shift(self, kept: np.ndarray, j: int, delta: float) -> None: ...


class ByGram(Model):
    """Q with H at hand, (k, k): passes keep the slopes, and a coordinate that rests costs its prox alone."""

    def __init__(self, terms: Terms, x: np.ndarray, d: np.ndarray, H: np.ndarray) -> None:
        super().__init__(terms, x, d, H.diagonal())
        self.H = H

    def start(self) -> np.ndarray:
        return self.d.copy()

    def moved(self, kept: np.ndarray, step: np.ndarray) -> np.ndarray:
        if not isinstance(self.terms, Compiled):
            return kept + self.H @ step
        slopes = kept.copy()
        self.terms.passes.gram_shift(slopes, self.H, step)
        return slopes

    def cost(self, active: int) -> float:
        return active * self.x.size

    def cost_of_hessian(self, size: int) -> float:
        return size * size

    def smooth_value(self, y: np.ndarray, kept: np.ndarray) -> float:
        return float((y - self.x) @ (self.d + kept)) / 2

    def slopes(self, kept: np.ndarray) -> np.ndarray:
        return kept

    def hessian(self, index: np.ndarray) -> np.ndarray:
        if isinstance(self.terms, Compiled):
            block: np.ndarray = self.terms.passes.block(self.H, index)
            return block
        return self.H[np.ix_(index, index)]

    def _compiled_sweep(
        self, terms: Compiled, y: np.ndarray, kept: np.ndarray, target: float, iterates: np.ndarray
    ) -> tuple[int, float]:
        kinds, rows = terms.twins.kinds, terms.twins.rows
        return terms.passes.gram_passes(y, kept, self.H, self.curvatures, kinds, rows, target, iterates)

    def _slope(self, kept: np.ndarray, j: int) -> float:
        return float(kept[j])

    def _shift(self, kept: np.ndarray, j: int, delta: float) -> None:
        kept += delta * self.H[j]


class ByColumns(Model):
    """Q through its columns, the rows of a (k, m) array: passes keep the image of y - x, (m,).

    `diagonal` is that of H, where it is known; `gram` is called for H, of which the first `known` rows and columns cost
    nothing any more.
    """

    def __init__(
        self,
        terms: Terms,
        x: np.ndarray,
        d: np.ndarray,
        columns: np.ndarray,
        h: np.ndarray,
        diagonal: np.ndarray | None,
        gram: Callable[[], np.ndarray],
        known: int = 0,
    ) -> None:
        super().__init__(terms, x, d, np.einsum("ji,ji->j", columns * h, columns) if diagonal is None else diagonal)
        self.columns, self.h = columns, h
        self._gram, self._known = gram, known

    @property
    def cost_of_gram(self) -> float:
        """Of H, in multiplications of a pass; infinite where passes over columns are never dearer."""
        k, m = self.columns.shape
        return math.inf if k > min(2 * m, _LARGEST_GRAM) else m * k * (k - self._known) / _PRODUCT

    def by_gram(self) -> ByGram:
        """The same model with H at hand."""
        return ByGram(self.terms, self.x, self.d, self._gram())

    def start(self) -> np.ndarray:
        return np.zeros_like(self.h)

    def moved(self, kept: np.ndarray, step: np.ndarray) -> np.ndarray:
        return kept + self.h * (step @ self.columns)

    def cost(self, active: int) -> float:
        k, m = self.columns.shape
        return (k + active) * m

    def cost_of_hessian(self, size: int) -> float:
        return size * size * self.columns.shape[1] / _PRODUCT

    def smooth_value(self, y: np.ndarray, kept: np.ndarray) -> float:
        return _image_value(self.d, y - self.x, self.h, kept)

    def slopes(self, kept: np.ndarray) -> np.ndarray:
        return self.d + self.columns @ kept

    def hessian(self, index: np.ndarray) -> np.ndarray:
        part = self.columns[index]
        return (part * self.h) @ part.T

    def _compiled_sweep(
        self, terms: Compiled, y: np.ndarray, kept: np.ndarray, target: float, iterates: np.ndarray
    ) -> tuple[int, float]:
        terms_of_g = (self.curvatures, terms.twins.kinds, terms.twins.rows)
        return terms.passes.dense_passes(y, self.d, kept, self.columns, self.h, *terms_of_g, target, iterates)

    def _slope(self, kept: np.ndarray, j: int) -> float:
        return float(self.d[j] + self.columns[j] @ kept)

    def _shift(self, kept: np.ndarray, j: int, delta: float) -> None:
        kept += delta * self.h * self.columns[j]


class BySparseColumns(Model):
    """Q through the columns of an m x k matrix in compressed column format: passes keep the image of y - x, (m,)."""

    def __init__(
        self, terms: Terms, x: np.ndarray, d: np.ndarray, columns: Any, h: np.ndarray, diagonal: np.ndarray | None
    ) -> None:
        super().__init__(terms, x, d, columns.power(2).T @ h if diagonal is None else diagonal)
        self.columns, self.h = columns, h

    def start(self) -> np.ndarray:
        return np.zeros_like(self.h)

    def moved(self, kept: np.ndarray, step: np.ndarray) -> np.ndarray:
        return kept + self.h * (self.columns @ step)

    def cost(self, active: int) -> float:
        return 2 * self.columns.nnz

    def cost_of_hessian(self, size: int) -> float:
        return _SCATTERED * size * size

    def smooth_value(self, y: np.ndarray, kept: np.ndarray) -> float:
        return _image_value(self.d, y - self.x, self.h, kept)

    def slopes(self, kept: np.ndarray) -> np.ndarray:
        return self.d + self.columns.T @ kept

    def hessian(self, index: np.ndarray) -> np.ndarray:
        part = self.columns[:, index]
        return (part.T @ part.multiply(self.h[:, None])).toarray()

    def _compiled_sweep(
        self, terms: Compiled, y: np.ndarray, kept: np.ndarray, target: float, iterates: np.ndarray
    ) -> tuple[int, float]:
        c, terms_of_g = self.columns, (self.curvatures, terms.twins.kinds, terms.twins.rows)
        matrix = (c.data, c.indices.astype(np.int64, copy=False), c.indptr.astype(np.int64, copy=False))
        return terms.passes.sparse_passes(y, self.d, kept, *matrix, self.h, *terms_of_g, target, iterates)

    def _slope(self, kept: np.ndarray, j: int) -> float:
        part = slice(self.columns.indptr[j], self.columns.indptr[j + 1])
        return float(self.d[j] + self.columns.data[part] @ kept[self.columns.indices[part]])

    def _shift(self, kept: np.ndarray, j: int, delta: float) -> None:
        part = slice(self.columns.indptr[j], self.columns.indptr[j + 1])
        rows = self.columns.indices[part]
        kept[rows] += delta * self.columns.data[part] * self.h[rows]


def positive(curvatures: np.ndarray) -> np.ndarray:
    """The curvatures, and where one is 0 the rounding of the largest: f does not bend there, and any long step will do.

    It is an upper bound, so that a step still descends (docs/theory.md, Proposition 11.1).
    """
    largest = float(curvatures.max(initial=0.0)) or 1.0
    return np.where(curvatures > 0, curvatures, np.finfo(float).eps * largest)


def _image_value(d: np.ndarray, step: np.ndarray, h: np.ndarray, image: np.ndarray) -> float:
    """d'step + step'H step / 2, from image = diag(h) A step."""
    return float(d @ step + np.sum(image * (image / np.where(h > 0, h, 1.0))) / 2)
