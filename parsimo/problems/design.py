"""The linear map of a data term: a dense array, a scipy sparse matrix or a linear operator."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from parsimo._array import (
    Array,
    all_finite,
    array_namespace,
    as_float_array,
    device_of,
    is_real_floating,
    to_float,
    to_numpy,
)
from parsimo.core.validation import check_finite

__all__ = ["Design"]

_LARGEST_EXACT_SPECTRUM = 2000  # up to this min(m, n), all eigenvalues; beyond it, Lanczos iteration
_FEW = 8  # times fewer columns than all: then the search for them pays
_FEW_IN_ORDER = 3  # the same for a dense matrix whose columns lie one after the other
_ALWAYS_FACTORIZED = 5000  # up to this min(m, n), a factorization of a Gram matrix that fills in takes seconds
_FILLS = 50  # entries a row from which on a sparse Gram matrix beyond that order is taken to fill in
_AT_ONCE = 10_000  # terms of sums over columns: they stay in the cache
_MANY_ENTRIES = 50_000  # below, a product costs no more than the calls that would save it


class Design:
    """An m x n matrix A as a linear map, with the norms that constants are made of.

    Parameters
    ----------
    A : array, scipy sparse matrix or scipy LinearOperator
        m x n and real; integers become float64.
    owner : str
        The data term, named in errors.

    Raises
    ------
    TypeError
        If A is none of the three kinds, not real, or in another precision than float32 or float64.
    ValueError
        If A is not a nonempty 2-D map, or has NaN or infinite entries.
    """

    def __init__(self, A: Any, owner: str) -> None:
        self.is_operator = self.is_sparse = False
        if isinstance(A, np.ndarray) or hasattr(A, "__array_namespace__") or hasattr(A, "detach"):
            A = as_float_array(A, f"{owner}: A")
            _check_precision(A, owner)
            squares = np.einsum("ij,ij->j", A, A) if isinstance(A, np.ndarray) and A.ndim == 2 else np.nan
            if not np.isfinite(squares).all():  # in one pass with the norms, and without an array of bits
                check_finite(A, f"{owner}: A")
            if np.ndim(squares):
                self.column_norms_squared = squares
        elif hasattr(A, "tocsr"):  # scipy sparse
            self.is_sparse = True
            A = A if A.format == "csc" else A.tocsr()
            A = A if is_real_floating(A.data) else A.astype(np.float64)
            _check_precision(A.data, owner)
            if not A.has_canonical_format:  # two stored entries at one place would count apart in column norms
                A = A.copy()
                A.sum_duplicates()
            if not all_finite(A.data):
                check_finite(A.data, f"{owner}: A (stored entries)")
        elif hasattr(A, "matvec") and hasattr(A, "rmatvec"):
            self.is_operator = True
            try:
                A.rmatvec(np.zeros(A.shape[0], dtype=A.dtype))
            except NotImplementedError as error:
                raise TypeError(
                    f"{owner}: the LinearOperator A needs rmatvec, the product with A'; define it"
                ) from error
        else:
            raise TypeError(
                f"{owner}: A must be a dense array, a scipy.sparse matrix or a scipy LinearOperator, "
                f"got {type(A).__name__}; convert it, for example with numpy.asarray"
            )
        if len(A.shape) != 2 or 0 in A.shape:
            raise ValueError(f"{owner}: A must be a nonempty matrix, got shape {tuple(A.shape)}")
        self.A = A
        self.shape: tuple[int, int] = (int(A.shape[0]), int(A.shape[1]))

    def forward(self, x: Array) -> Array:
        """A x; where few entries of x are nonzero and columns are at hand, from their columns alone."""
        columns, few = self._stored_by_column, _FEW if self.is_sparse else _FEW_IN_ORDER
        if columns is not None and few * np.count_nonzero(x) <= x.shape[0]:  # counting is quicker than listing
            support = np.flatnonzero(x)
            return columns[:, support] @ x[support]
        return self.A @ x

    def on(self, index: Array) -> Any:
        """The columns of these indices, as a matrix; not for an operator."""
        if self.is_sparse:
            return self.by_column[:, index]
        return (
            self.A[:, index] if isinstance(self.A, np.ndarray) else array_namespace(self.A).take(self.A, index, axis=1)
        )

    def adjoint(self, r: Array) -> Array:
        """A' r."""
        return self._transposed @ r

    @cached_property
    def _transposed(self) -> Any:
        return self.A.T.tocsr() if self.is_sparse else self.A.T  # of a matrix in columns, the same arrays

    @cached_property
    def _stored_by_column(self) -> Any:
        """A, where a few of its columns are read for less than all of it; None elsewhere."""
        if self.is_sparse:
            return self.by_column
        in_columns = isinstance(self.A, np.ndarray) and self.A.flags.f_contiguous
        return self.A if in_columns and not self.A.flags.c_contiguous else None

    @property
    def is_dense(self) -> bool:
        """Whether the entries are at hand as one array."""
        return not (self.is_sparse or self.is_operator)

    @cached_property
    def costs_more_than_vectors(self) -> bool:
        """Whether a product with A costs far more than a pass over vectors of m and n entries."""
        m, n = self.shape
        if self.is_operator:
            return False
        return (m * n if self.is_dense else self.A.nnz) >= max(_FEW * (m + n), _MANY_ENTRIES)

    def zeros(self, size: int) -> Array:
        """A zero vector of A's library, dtype and device."""
        if self.is_dense:
            return array_namespace(self.A).zeros(size, dtype=self.A.dtype, device=device_of(self.A))
        return np.zeros(size, dtype=np.dtype(self.A.dtype or np.float64))

    @cached_property
    def column_norms_squared(self) -> Array | None:
        """|a_j|^2 for each column, or None for an operator, whose entries are not at hand."""
        return self._column_sums(lambda a: a * a)

    @cached_property
    def column_abs_sums(self) -> Array | None:
        """|a_j|_1 for each column, or None for an operator."""
        return self._column_sums(abs)

    def _column_sums(self, entrywise: Any) -> Array | None:
        if self.is_operator:
            return None
        if self.is_sparse:
            data, ends = self.by_column.data, self.by_column.indptr
            sums, filled = np.zeros(self.shape[1], dtype=data.dtype), np.flatnonzero(np.diff(ends))
            for some in np.array_split(filled, 1 + data.size // _AT_ONCE):  # without an array of all terms
                if some.size:
                    first, last = ends[some[0]], ends[some[-1] + 1]
                    sums[some] = np.add.reduceat(entrywise(data[first:last]), ends[some] - first)
            return sums
        return array_namespace(self.A).sum(entrywise(self.A), axis=0)

    @cached_property
    def gram(self) -> Any:
        """A'A or AA', whichever is smaller.

        Raises
        ------
        ValueError
            If it overflows.
        """
        m, n = self.shape
        gram = self._transposed @ self.A if n <= m else self.A @ self._transposed
        if self.is_dense and not all_finite(gram):
            raise ValueError("A'A overflows; scale the data, for example divide A and its targets by a number")
        return gram

    @property
    def has_gram(self) -> bool:
        """Whether `gram` is known already."""
        return "gram" in self.__dict__

    @property
    def has_factors(self) -> bool:
        """Whether I + t A'A can be factorized: not for an operator, nor where a large sparse Gram matrix fills in."""
        if not self.is_sparse:
            return not self.is_operator
        m, n = self.shape
        order = min(m, n)
        if order <= _ALWAYS_FACTORIZED:
            return True
        met = np.diff((self.A.tocsr() if n <= m else self.A.tocsc()).indptr)  # entries of the rows that are multiplied
        return float(met.astype(np.float64) @ met) <= _FILLS * order

    @cached_property
    def gram_eigh(self) -> tuple[Array, Array]:
        """Eigenvalues and eigenvectors of the smaller Gram matrix of a dense A."""
        xp = array_namespace(self.A)
        eigenvalues, eigenvectors = xp.linalg.eigh(self.gram)
        return xp.clip(eigenvalues, 0.0, None), eigenvectors  # rounding may leave a zero eigenvalue negative

    def weighted_gram(self, weights: Array, rows: Sequence[int] | None, columns: Sequence[int]) -> Array:
        """a_i' diag(weights) a_j for i in rows and j in columns, dense; every i where rows is None."""
        if self.is_sparse:
            by_column = self.by_column
            right = by_column[:, list(columns)].multiply(weights[:, None])
            left = by_column if rows is None else by_column[:, list(rows)]
            return np.asarray((left.T @ right).todense())
        xp, device = array_namespace(weights), device_of(self.A)
        right = self.on(xp.asarray(columns, device=device)) * weights[:, None]
        left = self.A if rows is None else self.on(xp.asarray(rows, device=device))
        return left.T @ right

    @property
    def by_column(self) -> Any:
        """A sparse A in compressed column format: the rows of A' as they are stored."""
        return self._transposed.T

    @cached_property
    def smallest_eigenvalue(self) -> float:
        """A lower bound of the smallest eigenvalue of A'A, 0 where none is at hand.

        Forming A'A and its eigenvalues err by less than 8 (m + n) units in the last place of |A|_F^2.
        """
        m, n = self.shape
        if n > m or not self.is_dense or n > _LARGEST_EXACT_SPECTRUM:
            return 0.0
        xp = array_namespace(self.A)
        rounding = 8 * (m + n) * float(xp.finfo(self.A.dtype).eps) * to_float(xp.sum(self.A * self.A))
        return max(to_float(xp.linalg.eigvalsh(self.gram)[0]) - rounding, 0.0)

    @property
    def has_exact_norm(self) -> bool:
        """Whether `norm_squared` comes from all eigenvalues rather than from Lanczos iteration."""
        return self.is_dense and min(self.shape) <= _LARGEST_EXACT_SPECTRUM

    @cached_property
    def norm_squared(self) -> float:
        """The squared spectral norm of A; see `has_exact_norm`."""
        if self.has_exact_norm:
            if "gram_eigh" in self.__dict__:
                return to_float(self.gram_eigh[0][-1])
            return to_float(array_namespace(self.A).linalg.eigvalsh(self.gram)[-1])
        from scipy.sparse.linalg import LinearOperator, eigsh

        n = self.shape[1]
        if n == 1:
            return float(np.sum(np.square(self.forward(np.ones(1)))))

        def gram_product(x: np.ndarray) -> np.ndarray:
            like = self.zeros(n)
            column = array_namespace(like).asarray(x.reshape(-1), dtype=like.dtype)
            return to_numpy(self.adjoint(self.forward(column)))

        operator = LinearOperator((n, n), matvec=gram_product, dtype=np.float64)
        start = np.random.default_rng(0).standard_normal(n)  # fixed, so that runs repeat
        if not gram_product(start).any():  # A = 0, which Lanczos iteration refuses
            return 0.0
        return float(eigsh(operator, k=1, which="LA", v0=start, tol=1e-6, return_eigenvectors=False)[0])


def _check_precision(entries: Array, owner: str) -> None:
    """Refuse half precision, in which no certificate means anything, and long doubles, which LAPACK does not know."""
    xp = array_namespace(entries)
    if entries.dtype not in (xp.float32, xp.float64):
        raise TypeError(f"{owner}: A has dtype {entries.dtype}; cast it to float64, or to float32")
