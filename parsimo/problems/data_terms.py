"""Smooth data terms: how far the predictions A x are from the data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, detached, device_of, to_float, to_numpy
from parsimo.core.validation import check_vector
from parsimo.problems.columns import Columns
from parsimo.problems.design import Design
from parsimo.problems.gram import ByGram

__all__ = ["LeastSquares", "Logistic"]


class DataTerm(ABC):
    """f(x) = scale * sum_i loss(a_i'x, b_i), scale = 1 or 1/m, with a loss of second derivative at most `bend`."""

    convex = True
    weak_convexity = 0.0
    lower_bound = 0.0
    bend: float

    def __init__(self, A: Any, targets: Any, average: bool, name: str) -> None:
        owner = type(self).__name__
        self.design = Design(A, owner)
        self.targets = check_vector(targets, f"{owner}: {name}", size=self.design.shape[0])
        self._check_libraries(owner, name)
        self.average = average
        self.scale = 1.0 / self.design.shape[0] if average else 1.0
        self._last: _Visit | None = None

    @property
    def shape(self) -> tuple[int]:
        """The shape of x, (n,)."""
        return (self.design.shape[1],)

    def start(self) -> Array:
        """x = 0, of A's library and dtype."""
        return self.design.zeros(self.design.shape[1])

    @cached_property
    def lipschitz(self) -> float:
        """bend * scale * |A|^2, a Lipschitz constant of the gradient; see `lipschitz_is_exact`."""
        return self.bend * self.scale * self.design.norm_squared

    @property
    def lipschitz_is_exact(self) -> bool:
        """False where |A| comes from Lanczos iteration, which approaches it from below."""
        return self.design.has_exact_norm

    @cached_property
    def coordinate_curvature(self) -> np.ndarray | float:
        """Bounds on the curvature along each coordinate; L itself where A is an operator."""
        norms = self.design.column_norms_squared
        return self.lipschitz if norms is None else self.bend * self.scale * to_numpy(norms)

    @property
    def coordinate_curvature_is_exact(self) -> bool:
        """Whether f(x + s e_i) = f(x) + s d_i f(x) + L_i s^2 / 2 with L_i = coordinate_curvature."""
        return False

    @property
    def coordinate_lipschitz(self) -> np.ndarray | None:
        """Lipschitz constants of f along each coordinate, or None when there is no finite one."""
        return None

    @cached_property
    def columns(self) -> Columns | None:
        """A column by column, with the curvature of the loss, as numpy sees them; None for an operator."""
        norms = self.design.column_norms_squared
        if norms is None:
            return None
        return Columns(
            matrix=self.design.by_column if self.design.is_sparse else to_numpy(self.design.A),
            norms_squared=to_numpy(norms).astype(np.float64),
            curvatures=self._curvatures,
            remember=self._remember,
            largest_curvature=self.bend * self.scale,
            is_quadratic=self.coordinate_curvature_is_exact,
        )

    def _curvatures(self, x: Array) -> np.ndarray:
        return self.scale * to_numpy(self._loss_curvature(self._visit(x).predictions)).astype(np.float64)

    def value(self, x: Array) -> float:
        """f(x)."""
        return self.scale * self._loss(self._visit(x).predictions)

    def grad(self, x: Array) -> Array:
        """The gradient at x."""
        return self._gradient(self._visit(x))

    def value_and_grad(self, x: Array) -> tuple[float, Array]:
        """f(x) and its gradient from one product A x."""
        visit = self._visit(x)
        return self.scale * self._loss(visit.predictions), self._gradient(visit)

    def _visit(self, x: Array) -> _Visit:
        """A x; where a product costs far more than a look at x, the last one is remembered."""
        last = self._last
        if last is not None and last.is_at(x):
            return last
        return self._remember(x, self.design.forward(x))

    def _remember(self, x: Array, predictions: Array) -> _Visit:
        visit = _Visit(asarray_like(predictions, x))
        if self.design.costs_more_than_vectors:
            visit.point = array_namespace(x).asarray(detached(x), copy=True)  # the caller may write to x
            self._last = visit
        return visit

    def _gradient(self, visit: _Visit) -> Array:
        """A' loss'(A x), computed once at a point; the caller gets an array of its own."""
        if visit.gradient is None:
            gradient = self.design.adjoint(self._loss_grad(visit.predictions))
            visit.gradient = gradient if self.scale == 1 else self.scale * gradient
        if visit.point is None:  # not remembered: no one else has it
            return visit.gradient
        return array_namespace(visit.gradient).asarray(visit.gradient, copy=True)

    @property
    def hessian(self) -> Callable[[Array, Sequence[int] | None, Sequence[int]], Array] | None:
        """hessian(x, rows, columns), a block of second derivatives, every row if rows is None; None for an operator."""
        return None if self.design.is_operator else self._hessian

    def _hessian(self, x: Array, rows: Sequence[int] | None, columns: Sequence[int]) -> Array:
        weights = self.scale * self._loss_curvature(self._visit(x).predictions)
        return self.design.weighted_gram(weights, rows, columns)

    @property
    def restricted(self) -> Callable[[Array], DataTerm] | None:
        """restricted(index), f of the coordinates of these indices, the others 0; None where that saves little."""
        return self._restricted if self.design.costs_more_than_vectors else None

    def _restricted(self, index: Array) -> DataTerm:
        kind: Any = type(self)
        restricted: DataTerm = kind(self.design.on(index), self.targets, self.average)
        return restricted

    @abstractmethod
    def _loss(self, predictions: Array) -> float: ...

    @abstractmethod
    def _loss_grad(self, predictions: Array) -> Array: ...

    @abstractmethod
    def _loss_curvature(self, predictions: Array) -> Array: ...

    def _check_libraries(self, owner: str, name: str) -> None:
        like = self.start()
        if array_namespace(like) is not array_namespace(self.targets):
            raise TypeError(
                f"{owner}: A and {name} must come from one array library, got {type(like).__module__} and "
                f"{type(self.targets).__module__}; convert one of them"
            )
        if like.dtype != self.targets.dtype:
            raise TypeError(
                f"{owner}: A and {name} must share a dtype, got {like.dtype} and {self.targets.dtype}; cast one of them"
            )

    def __repr__(self) -> str:
        m, n = self.design.shape
        return f"{type(self).__name__}({m} x {n}{', average=True' if self.average else ''})"


class _Visit:
    """What has been computed at one point."""

    __slots__ = ("gradient", "point", "predictions")

    def __init__(self, predictions: Array) -> None:
        self.predictions = predictions
        """A x, (m,)."""
        self.point: Array = None
        """x, (n,)."""
        self.gradient: Array = None
        """That of f, once it was asked for."""

    def is_at(self, x: Array) -> bool:
        """Whether x is the same point, entry for entry."""
        point = self.point
        alike = type(x) is type(point) and x.dtype == point.dtype and x.shape == point.shape
        return alike and bool(array_namespace(x).all(x == point))


class LeastSquares(DataTerm):
    """f(x) = |A x - b|^2 / 2, divided by m if `average`.

    Parameters
    ----------
    A : m x n dense array (numpy, torch, ...), scipy sparse matrix or scipy LinearOperator
    b : array of shape (m,)
    average : bool
        Divide by the number of rows m.

    Raises
    ------
    TypeError, ValueError
        If shapes or libraries do not fit, or an entry is NaN or infinite.

    Notes
    -----
    L = |A|^2, coordinatewise |a_j|^2. There is no global coordinatewise Lipschitz constant.
    """

    bend = 1.0

    def __init__(self, A: Any, b: Any, average: bool = False) -> None:
        super().__init__(A, b, average, "b")
        self._factorized: tuple[float, Callable[[Array], Array]] | None = None

    def _loss(self, predictions: Array) -> float:
        residual = predictions - self.targets
        return to_float(array_namespace(residual).vecdot(residual, residual)) / 2

    def _loss_grad(self, predictions: Array) -> Array:
        return predictions - self.targets

    def _loss_curvature(self, predictions: Array) -> Array:
        return array_namespace(predictions).ones_like(predictions)

    @property
    def coordinate_curvature_is_exact(self) -> bool:
        """True where the entries of A are at hand: f is quadratic."""
        return not self.design.is_operator

    def _hessian(self, x: Array, rows: Sequence[int] | None, columns: Sequence[int]) -> Array:
        design = self.design
        if not (design.has_gram and design.is_dense and design.shape[1] <= design.shape[0]):
            return super()._hessian(x, rows, columns)
        xp, device = array_namespace(x), device_of(x)
        block = xp.take(design.gram, xp.asarray(columns, device=device), axis=1)
        return self.scale * (block if rows is None else xp.take(block, xp.asarray(rows, device=device), axis=0))

    @cached_property
    def strong_convexity(self) -> float:
        """A proven mu with f - mu |x|^2 / 2 convex: scale * the smallest eigenvalue of A'A, less its rounding.

        0 where A has more columns than rows, or is not dense (docs/theory.md, Proposition 10.5).
        """
        return self.scale * self.design.smallest_eigenvalue

    @property
    def prox(self) -> Callable[[Array, float], Array] | None:
        """prox(v, t) = (A'A + I/t)^{-1} (A'b + v/t), or None where A is an operator or its factors would fill in.

        Dense: one eigendecomposition of the smaller Gram matrix serves every step t. Sparse: one sparse
        factorization, kept until t changes; not offered for min(m, n) > 5000 where rows of the smaller Gram matrix
        may have more than 50 entries on average. Where n > m, by the Woodbury identity.
        """
        return self._prox if self.design.has_factors else None

    def _prox(self, v: Array, step_size: float) -> Array:
        m, n = self.design.shape
        t = self.scale * step_size
        r = v + t * self._adjoint_targets  # x = (I + t A'A)^{-1} r
        if n <= m:
            return self._solve_shifted(r, t)
        return r - t * self.design.adjoint(self._solve_shifted(self.design.forward(r), t))

    def repeated(self) -> Any:
        """This function for a solver that asks for many gradients: by A'A once that pays, where A is dense and tall."""
        m, n = self.design.shape
        tall = self.design.is_dense and n < m and self.design.costs_more_than_vectors
        return ByGram(self) if tall else self

    def gram_gradient(self, x: Array) -> Array:
        """The gradient at x as scale (A'A x - A'b), for m > n."""
        return self.scale * (self.design.gram @ x - self._adjoint_targets)

    @cached_property
    def _adjoint_targets(self) -> Array:
        return self.design.adjoint(self.targets)

    def _solve_shifted(self, r: Array, t: float) -> Array:
        """(I + t K)^{-1} r, K the smaller Gram matrix."""
        if self.design.is_dense:
            eigenvalues, eigenvectors = self.design.gram_eigh
            return eigenvectors @ ((eigenvectors.T @ r) / (1 + t * eigenvalues))
        if self._factorized is None or self._factorized[0] != t:
            import scipy.sparse as sp
            from scipy.sparse.linalg import splu

            gram = self.design.gram
            identity = sp.eye_array(gram.shape[0], format="csc", dtype=gram.dtype)
            self._factorized = (t, splu((identity + t * gram).tocsc()).solve)
        return self._factorized[1](r)


class Logistic(DataTerm):
    """f(x) = sum_i log(1 + exp(-y_i a_i'x)), divided by m if `average`.

    Parameters
    ----------
    A : m x n dense array (numpy, torch, ...), scipy sparse matrix or scipy LinearOperator
    y : array of shape (m,)
        Labels -1 and 1.
    average : bool
        Divide by the number of rows m.

    Raises
    ------
    TypeError, ValueError
        If shapes or libraries do not fit, an entry is NaN or infinite, or a label is neither -1 nor 1.

    Notes
    -----
    L = |A|^2 / 4, coordinatewise |a_j|^2 / 4. Since |loss'| < 1, |a_j|_1 is a coordinatewise Lipschitz constant.
    """

    bend = 0.25

    def __init__(self, A: Any, y: Any, average: bool = False) -> None:
        super().__init__(A, y, average, "y")
        labels = np.unique(to_numpy(self.targets))
        if not np.isin(labels, (-1.0, 1.0)).all():
            remedy = "map 0/1 labels by 2*y - 1" if np.isin(labels, (0.0, 1.0)).all() else "recode the two classes"
            raise ValueError(f"Logistic: labels must be -1 or 1, got {labels[:6]}; {remedy}")

    @property
    def coordinate_lipschitz(self) -> np.ndarray | None:
        """scale * |a_j|_1, or None where A is an operator."""
        sums = self.design.column_abs_sums
        return None if sums is None else self.scale * to_numpy(sums)

    def _loss(self, predictions: Array) -> float:
        xp = array_namespace(predictions)
        margins = self.targets * predictions
        return to_float(xp.sum(xp.logaddexp(xp.zeros_like(margins), -margins)))

    def _loss_grad(self, predictions: Array) -> Array:
        xp = array_namespace(predictions)
        margins = self.targets * predictions
        # 1 / (1 + exp(m)) without overflow
        return -self.targets * xp.exp(-xp.logaddexp(xp.zeros_like(margins), margins))

    def _loss_curvature(self, predictions: Array) -> Array:
        xp = array_namespace(predictions)
        zeros = xp.zeros_like(predictions)  # p (1 - p), the two factors without overflow
        return xp.exp(-xp.logaddexp(zeros, predictions) - xp.logaddexp(zeros, -predictions))
