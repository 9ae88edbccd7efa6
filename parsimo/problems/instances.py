"""Synthetic instances: data drawn from a seed, the truth known.

Each function returns an `Instance` and draws from `numpy.random.default_rng(seed)` alone, so that equal arguments give
equal data. Two definitions hold for all of them, where a is a random row of A and x the truth:

* **snr** = E (a'x)^2 / s^2, the power of the signal over that of the noise of standard deviation s. The expectation is
  that of the design, not of the rows drawn; infinity means no noise.
* **correlation** = rho: columns i and j of a Gaussian design are correlated by rho^|i - j| in the population.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parsimo.core.validation import check_number
from parsimo.problems.data_terms import LeastSquares, Logistic

__all__ = [
    "REGISTRY",
    "Instance",
    "clustered",
    "compressed_sensing",
    "gaussian",
    "groups",
    "l1_transition",
    "logistic",
    "low_rank",
]


@dataclass(frozen=True, eq=False)
class Instance:
    """A data term with the coefficients that its data were drawn from.

    Attributes
    ----------
    kind : str
        The function that made it, a key of `REGISTRY`.
    f : LeastSquares or Logistic
        The mean loss of the data.
    truth : ndarray, shape (n,)
        The coefficients; read-only. Of a matrix, in C order.
    noise : float
        Standard deviation of the noise; NaN where the data are labels.
    description : str
        One line for a reader.
    labels : ndarray of int, shape (n,), optional
        The group of each coordinate, of grouped instances.
    shape : tuple of int, optional
        Rows and columns of the matrix that x stands for, of low-rank instances.
    """

    kind: str
    f: Any = field(repr=False)
    truth: np.ndarray = field(repr=False)
    noise: float
    description: str
    labels: np.ndarray | None = field(default=None, repr=False)
    shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self.truth.flags.writeable = False


def gaussian(
    rows: int, columns: int, nonzeros: int, correlation: float = 0.0, snr: float = 5.0, seed: int = 0
) -> Instance:
    """Sparse regression on a Gaussian design: b = A x + noise, `nonzeros` entries of x are 1 or -1.

    Parameters
    ----------
    rows, columns : int
        Shape m x n of A, whose rows are normal with covariance rho^|i - j|.
    nonzeros : int
        Size of the support, which is drawn uniformly.
    correlation : float
        rho, in [0, 1).
    snr : float
        Signal-to-noise ratio, positive; may be infinite.
    seed : int

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    rng = np.random.default_rng(seed)
    A = _design(rng, rows, columns, correlation)
    x = _signs(rng, columns, nonzeros)
    said = f"{nonzeros} of {columns} coefficients are 1 or -1, correlation {correlation:g}, snr {snr:g}"
    return _regression("gaussian", rng, A, x, _variance(x, correlation), snr, said)


def compressed_sensing(
    columns: int, ratio: float = 0.5, at: float = 1.0, snr: float = math.inf, seed: int = 0
) -> Instance:
    """Compressed sensing near the phase transition of l1 minimization: A has ratio * n rows of entries N(0, 1/m).

    The support has `at` times the size at which, for large n, recovery of x from A x by least |x|_1 ceases: below 1 it
    succeeds with high probability, above 1 it fails. See `l1_transition`.

    Parameters
    ----------
    columns : int
        n.
    ratio : float
        m/n, in (0, 1).
    at : float
        Size of the support over that of the transition, positive.
    snr : float
        Signal-to-noise ratio, positive; by default there is no noise.
    seed : int

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    check_number(at, "compressed_sensing: at", positive=True)
    share = l1_transition(ratio)
    rows = _whole(round(ratio * columns), "compressed_sensing: ratio * columns", 1)
    rng = np.random.default_rng(seed)
    nonzeros = max(1, round(at * share * columns))
    A = _design(rng, rows, columns, 0.0) / math.sqrt(rows)
    x = _signs(rng, columns, nonzeros)
    said = f"{nonzeros} of {columns} coefficients are 1 or -1, {at:g} of the phase transition, snr {snr:g}"
    return _regression("compressed_sensing", rng, A, x, nonzeros / rows, snr, said)


def l1_transition(ratio: float) -> float:
    """The share k/n of nonzeros at which l1 minimization from m = ratio * n Gaussian measurements ceases to recover.

    The curve (m/n, k/n) = (d(t), s(t)), t > 0, with Phi and p the normal distribution function and density,

        s / (1 - s) = 2 (p(t)/t - Phi(-t)),    d = s (1 + t^2) + 2 (1 - s) ((1 + t^2) Phi(-t) - t p(t)),

    which is where the statistical dimension of the descent cone of |.|_1 equals m.

    Parameters
    ----------
    ratio : float
        In (0, 1).

    Raises
    ------
    ValueError
        If `ratio` is not in (0, 1).

    Notes
    -----
    Amelunxen, Lotz, McCoy and Tropp, Inf. Inference 3 (2014) 224-294, Proposition 4.5 and Theorem II [M].
    """
    from scipy.optimize import brentq
    from scipy.stats import norm as normal

    if not 0 < ratio < 1:
        raise ValueError(f"l1_transition: ratio = rows / columns must be in (0, 1), got {ratio}")

    def share(t: float) -> float:
        odds = 2 * (normal.pdf(t) / t - normal.sf(t))
        return float(odds / (1 + odds))

    def measurements(t: float) -> float:
        tail = (1 + t * t) * normal.sf(t) - t * normal.pdf(t)
        return float(share(t) * (1 + t * t) + 2 * (1 - share(t)) * tail)

    return share(brentq(lambda t: measurements(t) - ratio, 1e-8, 30.0, xtol=1e-12))


def logistic(
    rows: int, columns: int, nonzeros: int, correlation: float = 0.0, signal: float = 2.0, seed: int = 0
) -> Instance:
    """Sparse classification: P(y = 1) = 1 / (1 + exp(-a'x)) on the design of `gaussian`.

    The nonzero entries of x are equal in size and random in sign.

    Parameters
    ----------
    rows, columns, nonzeros, correlation, seed
        As for `gaussian`.
    signal : float
        Standard deviation of a'x, positive; the larger, the more separable the classes.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    check_number(signal, "logistic: signal", positive=True)
    rng = np.random.default_rng(seed)
    A = _design(rng, rows, columns, correlation)
    x = _signs(rng, columns, nonzeros)
    x *= signal / math.sqrt(_variance(x, correlation))
    probability = np.exp(-np.logaddexp(0.0, -(A @ x)))
    y = np.where(rng.random(rows) < probability, 1.0, -1.0)
    said = f"{nonzeros} of {columns} coefficients, correlation {correlation:g}, a'x of standard deviation {signal:g}"
    return Instance("logistic", Logistic(A, y, average=True), x, math.nan, said)


def groups(
    rows: int,
    columns: int,
    group_size: int,
    active: int,
    correlation: float = 0.0,
    snr: float = 5.0,
    seed: int = 0,
) -> Instance:
    """Regression with coefficients in groups of neighbours, of which `active` are nonzero, with normal entries.

    Parameters
    ----------
    rows, columns, correlation, snr, seed
        As for `gaussian`.
    group_size : int
        Coordinates in a group; divides `columns`.
    active : int
        Number of nonzero groups.

    Raises
    ------
    ValueError
        If an argument is out of its range, or groups of this size do not fill the columns.
    """
    _whole(group_size, "groups: group_size", 1)
    if _whole(columns, "groups: columns", 1) % group_size:
        raise ValueError(f"groups: group_size must divide columns, got {group_size} and {columns}")
    rng = np.random.default_rng(seed)
    A = _design(rng, rows, columns, correlation)
    labels = np.repeat(np.arange(columns // group_size), group_size)
    chosen = _subset(rng, columns // group_size, active, "groups: active")
    x = np.where(np.isin(labels, chosen), rng.standard_normal(columns), 0.0)
    said = f"{active} of {columns // group_size} groups of {group_size}, correlation {correlation:g}, snr {snr:g}"
    return _regression("groups", rng, A, x, _variance(x, correlation), snr, said, labels=labels)


def low_rank(
    rows: int, columns: int, rank: int, observed: float = 0.5, snr: float = math.inf, seed: int = 0
) -> Instance:
    """Matrix completion: a share of the entries of X = U V' / sqrt(rank) is seen, U and V of standard normal entries.

    Here a is a unit matrix at a random place, so that the signal is the mean square of the entries of X.

    Parameters
    ----------
    rows, columns : int
        Shape of X.
    rank : int
        At most the smaller of the two.
    observed : float
        Share of the entries, in (0, 1], drawn without replacement.
    snr : float
        Signal-to-noise ratio, positive; by default there is no noise.
    seed : int

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    import scipy.sparse as sp

    _whole(rows, "low_rank: rows", 1)
    _whole(columns, "low_rank: columns", 1)
    if _whole(rank, "low_rank: rank", 1) > min(rows, columns):
        raise ValueError(f"low_rank: rank must be at most {min(rows, columns)}, got {rank}")
    if not 0 < observed <= 1:
        raise ValueError(f"low_rank: observed must be in (0, 1], got {observed}")
    rng = np.random.default_rng(seed)
    U, V = rng.standard_normal((rows, rank)), rng.standard_normal((columns, rank))
    x = (U @ V.T / math.sqrt(rank)).reshape(-1)
    seen = np.sort(rng.choice(x.size, max(1, round(observed * x.size)), replace=False))
    A = sp.csr_array((np.ones(seen.size), (np.arange(seen.size), seen)), shape=(seen.size, x.size))
    said = f"{rows} x {columns} of rank {rank}, {100 * observed:g} % of the entries seen, snr {snr:g}"
    return _regression("low_rank", rng, A, x, float(np.mean(x**2)), snr, said, shape=(rows, columns))


def clustered(
    rows: int, columns: int, clusters: int, correlation: float = 0.0, snr: float = 5.0, seed: int = 0
) -> Instance:
    """Regression whose coefficients take `clusters` values, spaced by 1 around 0, drawn uniformly, each at least once.

    Parameters
    ----------
    rows, columns, correlation, snr, seed
        As for `gaussian`.
    clusters : int
        At least 2, and at most `columns`; an odd number has 0 among its values.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    if _whole(clusters, "clustered: clusters", 2) > _whole(columns, "clustered: columns", 1):
        raise ValueError(f"clustered: clusters must be at most columns = {columns}, got {clusters}")
    rng = np.random.default_rng(seed)
    A = _design(rng, rows, columns, correlation)
    codes = np.concatenate([np.arange(clusters), rng.integers(0, clusters, columns - clusters)])
    x = rng.permutation(codes) - (clusters - 1) / 2
    said = f"{columns} coefficients of {clusters} values, correlation {correlation:g}, snr {snr:g}"
    return _regression("clustered", rng, A, x, _variance(x, correlation), snr, said)


REGISTRY: Mapping[str, Callable[..., Instance]] = {
    function.__name__: function for function in (gaussian, compressed_sensing, logistic, groups, low_rank, clustered)
}
"""Every kind of instance by its name."""


def _design(rng: np.random.Generator, rows: int, columns: int, correlation: float) -> np.ndarray:
    """Rows of a stationary AR(1) process, a_j = rho a_{j-1} + sqrt(1 - rho^2) z_j, in Fortran order."""
    _whole(rows, "rows", 1)
    _whole(columns, "columns", 1)
    if not 0 <= correlation < 1:
        raise ValueError(f"correlation must be in [0, 1), got {correlation}")
    A: np.ndarray = rng.standard_normal((columns, rows)).T
    if correlation:
        innovation = math.sqrt(1 - correlation**2)
        for j in range(1, columns):
            A[:, j] = correlation * A[:, j - 1] + innovation * A[:, j]
    return A


def _variance(x: np.ndarray, correlation: float) -> float:
    """Var a'x = sum_ij rho^|i - j| x_i x_j = sum_i x_i (2 u_i - x_i), u_i = x_i + rho u_{i-1}."""
    total, u = 0.0, 0.0
    for x_i in x.tolist():
        u = x_i + correlation * u
        total += x_i * (2 * u - x_i)
    return total


def _regression(
    kind: str, rng: np.random.Generator, A: Any, x: np.ndarray, signal: float, snr: float, said: str, **structure: Any
) -> Instance:
    """The instance with b = A x + noise of variance signal / snr."""
    if not snr > 0:
        raise ValueError(f"{kind}: snr must be > 0, got {snr}; it may be infinite")
    noise = math.sqrt(signal / snr)
    b = A @ x + noise * rng.standard_normal(A.shape[0])
    return Instance(kind, LeastSquares(A, b, average=True), x, noise, said, **structure)


def _signs(rng: np.random.Generator, columns: int, nonzeros: int) -> np.ndarray:
    x = np.zeros(columns)
    x[_subset(rng, columns, nonzeros, "nonzeros")] = rng.choice([-1.0, 1.0], nonzeros)
    return x


def _subset(rng: np.random.Generator, total: int, size: int, name: str) -> np.ndarray:
    if _whole(size, name, 1) > total:
        raise ValueError(f"{name} must be at most {total}, got {size}")
    return rng.choice(total, size, replace=False)


def _whole(value: int, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")
    return int(value)
