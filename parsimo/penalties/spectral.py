"""Spectral penalties: an even penalty of the singular values of a matrix."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, to_numpy
from parsimo.core.validation import check_step
from parsimo.penalties.even import EvenPenalty
from parsimo.penalties.lifted import Lifted, check_liftable
from parsimo.penalties.ties import check_listable
from parsimo.penalties.zero_norm import ZeroNorm

__all__ = ["Spectral"]


@dataclass(frozen=True, eq=False)
class Spectral(Lifted):
    """g(X) = sum_i p(s_i(X)), with p an even penalty of one number and s(X) the singular values of an m x n matrix.

    With L1 this is the nuclear norm, with ZeroNorm the rank. With V = U Diag(s) W^T the prox is

        X = U Diag(q) W^T,   q_i = prox_{t p}(s_i),

    in every regime of the step t (docs/theory.md, Proposition 4.11).

    A singular value of at most max(m, n) eps s_1, eps the rounding unit of the dtype, cannot be told from 0 and counts
    as 0, in values and in certificates alike. A prox that sets singular values to 0 thus has the rank it should.

    Parameters
    ----------
    penalty : EvenPenalty
        p, with one number as weight: ZeroNorm, L1, CappedL1, MCP, SCAD and their like.
    shape : tuple of two int
        (m, n), both positive. x is a matrix of this shape, or flat, in C order.

    Raises
    ------
    TypeError
        If the penalty is not even or has an array of weights.
    ValueError
        If the shape is not one of a matrix.

    Notes
    -----
    Certificates: docs/theory.md, Proposition 4.13; Lewis and Sendov, Set-Valued Analysis (2005).

    Examples
    --------
    >>> import numpy as np
    >>> Spectral.rank(2.0, (2, 2)).prox(np.diag([3.0, 1.0]), 1.0)
    array([[3., 0.],
           [0., 0.]])
    """

    penalty: EvenPenalty
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        check_liftable(self.penalty, "Spectral")
        shape = (self.shape,) if np.ndim(self.shape) == 0 else tuple(self.shape)
        if len(shape) != 2 or not all(isinstance(n, int | np.integer) and n > 0 for n in shape):
            raise ValueError(f"Spectral: shape must be two positive integers (m, n), got {self.shape!r}")
        object.__setattr__(self, "shape", (int(shape[0]), int(shape[1])))

    @classmethod
    def rank(cls, weight: float, shape: tuple[int, int]) -> Spectral:
        """weight times the rank."""
        return cls(ZeroNorm(weight), shape)

    def singular_values(self, x: Array) -> Array:
        """s(X) in falling order, with 0 for what is rounding."""
        X = self._matrix(x)
        return self._rounded(array_namespace(X).linalg.svdvals(X))

    def prox(self, v: Array, step_size: float) -> Array:
        """argmin_X g(X) + |X - V|^2 / (2 step_size), that of lower rank at a tie.

        Parameters
        ----------
        v : array
            Of the given shape, or flat.
        step_size : float
            Positive; one number, since no other metric leaves the singular vectors alone.

        Returns
        -------
        array
            Of the shape and dtype of v.

        Raises
        ------
        ValueError
            If v has another shape, or the step is an array.
        """
        v = self._checked(v, step_size, "Spectral.prox")
        U, s, Wt = array_namespace(v).linalg.svd(self._matrix(v), full_matrices=False)
        return self._like(v, (U * self.penalty.prox(s, step_size)) @ Wt)

    def prox_set(self, v: Array, step_size: float) -> tuple[Array, ...]:
        """The minimizers of g(X) + |X - V|^2 / (2 step_size) that share the singular vectors of one SVD of V.

        These are all of them, unless a singular value of V is repeated and has two minimizers of its own: then
        every orthonormal basis of its singular vectors gives others, and the set is infinite.
        Singular values are computed, and ties decided, in double precision.

        Raises
        ------
        ValueError
            As `prox` does; and if there are more than 10,000.
        """
        v = self._checked(v, step_size, "Spectral.prox_set")
        U, s, Wt = np.linalg.svd(self._matrix(to_numpy(v)).astype(np.float64), full_matrices=False)
        choices = [self.penalty.prox_set(float(s_i), float(step_size)) for s_i in s]
        check_listable(math.prod(map(len, choices)), "Spectral")
        return tuple(self._like(v, asarray_like((U * q) @ Wt, v)) for q in map(np.asarray, itertools.product(*choices)))

    @property
    def _scalar(self) -> EvenPenalty:
        return self.penalty

    def _radii(self, x: Array) -> Array:
        return self.singular_values(x)

    def _split(self, x: Array, grad: Array) -> tuple[Array, Array, Array]:
        """Along the u_i w_i^T; on the orthogonal complements of range and row space, along the best such pairs there.

        With X = U Diag(s) W^T, s > 0, these are the u_i^T grad w_i and the singular values of
        (I - U U^T) grad (I - W W^T).
        """
        X, G = self._matrix(x), self._matrix(grad)
        xp = array_namespace(X)
        U, s, Wt = xp.linalg.svd(X, full_matrices=False)
        s = self._rounded(s)
        rank = int(xp.count_nonzero(s))
        U, Wt = self._rotated(U[:, :rank], s[:rank], Wt[:rank, :], G)

        inside = xp.sum(U * (G @ Wt.T), axis=0)
        outside = G - U @ (U.T @ G)
        outside = outside - (outside @ Wt.T) @ Wt
        slopes = xp.concat([inside, xp.linalg.svdvals(outside)[: min(self.shape) - rank]])
        return s, slopes, G - (U * inside) @ Wt - outside

    def _rotated(self, U: Array, s: Array, Wt: Array, G: Array) -> tuple[Array, Array]:
        """The SVD that diagonalizes the symmetric part of U^T G W where p has a kink at a repeated singular value.

        Elsewhere the subdifferential is the same for every SVD.
        """
        xp = array_namespace(s)
        left, right = self.penalty.slopes(s)
        for kink in xp.unique_values(s[left != right]):
            start, stop = int(xp.count_nonzero(s > kink)), int(xp.count_nonzero(s >= kink))
            block = U[:, start:stop].T @ G @ Wt[start:stop, :].T
            _, Q = xp.linalg.eigh((block + block.T) / 2)
            U = xp.concat([U[:, :start], U[:, start:stop] @ Q, U[:, stop:]], axis=1)
            Wt = xp.concat([Wt[:start, :], Q.T @ Wt[start:stop, :], Wt[stop:, :]], axis=0)
        return U, Wt

    def _rounded(self, s: Array) -> Array:
        xp = array_namespace(s)
        level = max(self.shape) * float(xp.finfo(s.dtype).eps) * s[0]
        return xp.where(s <= level, xp.zeros_like(s), s)

    def _matrix(self, x: Array) -> Array:
        if tuple(x.shape) not in (self.shape, (math.prod(self.shape),)):
            raise ValueError(
                f"Spectral: x has shape {tuple(x.shape)}, but must be a matrix of shape {self.shape}, or flat"
            )
        return array_namespace(x).reshape(x, self.shape)

    def _checked(self, v: Array, step_size: float, owner: str) -> Array:
        if np.shape(step_size):
            raise ValueError(
                f"{owner}: step_size must be one number, got shape {np.shape(step_size)}; in another metric the prox "
                "has no closed form"
            )
        return check_step(v, step_size, owner)

    def _like(self, v: Array, X: Array) -> Array:
        return array_namespace(v).reshape(X, tuple(v.shape))
