"""Smooth clustering: the distance of each coordinate from the nearest of k representatives, softened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, to_float, to_numpy
from parsimo.core.validation import check_nonnegative, check_number, check_vector

__all__ = ["HarmonicClustering", "SoftMinClustering"]


@dataclass(frozen=True, eq=False)
class _SoftClustering(ABC):
    """f(x) = weight sum_i s(x_i; c), with ds/dx_i = 2 sum_j q_ij (x_i - c_j) and ds/dc_j = -2 q_ij (x_i - c_j).

    A member gives s and the shares q, of the shape of x with k appended: time and memory are those of n k numbers.
    """

    weight: float | Array
    codebook: Array

    def __post_init__(self) -> None:
        owner = type(self).__name__
        object.__setattr__(self, "weight", check_nonnegative(self.weight, f"{owner}: weight"))
        object.__setattr__(self, "codebook", check_vector(self.codebook, f"{owner}: codebook"))
        if self.codebook.shape[0] == 0:
            raise ValueError(f"{owner}: codebook is empty; give at least one representative")

    @abstractmethod
    def _terms_and_shares(self, squares: Array) -> tuple[Array, Array]:
        """s for each entry of x, and the shares q, from squares = (x_i - c_j)^2."""

    @property
    @abstractmethod
    def _curvature(self) -> tuple[float, float]:
        """Bounds of the second derivative of s in x_i, at every x_i."""

    @property
    def lipschitz(self) -> float:
        """A Lipschitz constant of the gradient in x, from the bounds of the curvature."""
        return self._largest_weight * max(abs(bound) for bound in self._curvature)

    @property
    def weak_convexity(self) -> float:
        """m with f + m|x|^2/2 convex."""
        return self._largest_weight * max(-self._curvature[0], 0.0)

    @property
    def convex(self) -> bool:
        """Whether `weak_convexity` is 0."""
        return self.weak_convexity == 0

    @property
    def coordinate_curvature(self) -> np.ndarray | float:
        """Bounds on the curvature along each coordinate, from above."""
        bound = self._curvature[1] * to_numpy(self.weight)
        return bound if bound.ndim else float(bound)

    @property
    def _largest_weight(self) -> float:
        return float(to_numpy(self.weight).max())

    def value(self, x: Array) -> float:
        """f(x)."""
        return self._value(x, self._terms_and_shares(self._gaps(x) ** 2)[0])

    def grad(self, x: Array) -> Array:
        """The gradient in x."""
        return self.value_and_grad(x)[1]

    def value_and_grad(self, x: Array) -> tuple[float, Array]:
        """f(x) and its gradient in x from one n x k array of distances."""
        xp, gaps = array_namespace(x), self._gaps(x)
        terms, shares = self._terms_and_shares(gaps**2)
        return self._value(x, terms), 2 * asarray_like(self.weight, x) * xp.sum(shares * gaps, axis=-1)

    def codebook_grad(self, x: Array) -> Array:
        """The gradient in the codebook, (k,), of the library and dtype of x."""
        xp, gaps = array_namespace(x), self._gaps(x)
        _, shares = self._terms_and_shares(gaps**2)
        pulls = xp.expand_dims(asarray_like(self.weight, x), axis=-1) * shares * gaps
        return -2 * xp.sum(xp.reshape(pulls, (-1, self.codebook.shape[0])), axis=0)

    def _gaps(self, x: Array) -> Array:
        """x_i - c_j, of the shape of x with k appended."""
        return array_namespace(x).expand_dims(x, axis=-1) - asarray_like(self.codebook, x)

    def _value(self, x: Array, terms: Array) -> float:
        return to_float(array_namespace(x).sum(asarray_like(self.weight, x) * terms))


@dataclass(frozen=True, eq=False)
class SoftMinClustering(_SoftClustering):
    """f(x) = -weight T sum_i log sum_j exp(-(x_i - c_j)^2 / T), T the temperature.

    With d_i the distance from the nearest representative, each term lies between d_i^2 - T log k and d_i^2: as T
    falls to 0, f becomes twice `Clustering(weight, codebook, "squared")`. The shares are
    q_ij proportional to exp(-(x_i - c_j)^2 / T).

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative.
    codebook : array of shape (k,)
        The representatives, kept in the order given; one that is given twice counts twice.
    temperature : float
        Positive, in the unit of x squared.

    Raises
    ------
    ValueError
        If the codebook is empty, not 1-D or not finite, or a parameter is out of its range.

    Notes
    -----
    docs/theory.md, Proposition 5.6. The second derivative is weight (2 - 4 Var_q(c) / T): between 2 - D^2/T and 2
    times the weight, with D the range of the codebook, so that the gradient steepens as T falls.
    """

    temperature: float

    def __post_init__(self) -> None:
        super().__post_init__()
        temperature = check_number(self.temperature, "SoftMinClustering: temperature", positive=True)
        object.__setattr__(self, "temperature", temperature)

    @property
    def _curvature(self) -> tuple[float, float]:
        spread = float(np.ptp(to_numpy(self.codebook).astype(np.float64)))
        return 2.0 - spread**2 / self.temperature, 2.0

    def _terms_and_shares(self, squares: Array) -> tuple[Array, Array]:
        xp = array_namespace(squares)
        least = xp.min(squares, axis=-1, keepdims=True)  # the largest exponent becomes 0: nothing overflows
        powers = xp.exp((least - squares) / self.temperature)
        total = xp.sum(powers, axis=-1, keepdims=True)
        return xp.squeeze(least - self.temperature * xp.log(total), axis=-1), powers / total


@dataclass(frozen=True, eq=False)
class HarmonicClustering(_SoftClustering):
    """f(x) = weight sum_i 1 / sum_j 1 / ((x_i - c_j)^2 + epsilon).

    With d_i the distance from the nearest representative, each term lies between (d_i^2 + epsilon) / k and
    d_i^2 + epsilon. The shares are q_ij = p_ij^2, with p_ij proportional to 1 / ((x_i - c_j)^2 + epsilon).

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative.
    codebook : array of shape (k,)
        The representatives, kept in the order given; one that is given twice counts twice.
    epsilon : float
        Positive, in the unit of x squared, and not so small that the dtype of x makes it 0.

    Raises
    ------
    ValueError
        If the codebook is empty, not 1-D or not finite, or a parameter is out of its range.

    Notes
    -----
    docs/theory.md, Proposition 5.7. The second derivative lies between -3 and 2 times the weight, whatever the
    codebook and epsilon: unlike the soft minimum, f does not steepen as it sharpens.
    """

    epsilon: float

    def __post_init__(self) -> None:
        super().__post_init__()
        epsilon = check_number(self.epsilon, "HarmonicClustering: epsilon", positive=True)
        object.__setattr__(self, "epsilon", epsilon)

    @property
    def _curvature(self) -> tuple[float, float]:
        return (2.0, 2.0) if self.codebook.shape[0] == 1 else (-3.0, 2.0)

    def _terms_and_shares(self, squares: Array) -> tuple[Array, Array]:
        xp = array_namespace(squares)
        softened = squares + self.epsilon
        least = xp.min(softened, axis=-1, keepdims=True)  # ratios to the least: nothing overflows
        ratios = least / softened
        total = xp.sum(ratios, axis=-1, keepdims=True)
        return xp.squeeze(least / total, axis=-1), (ratios / total) ** 2
