"""Proxes piece by piece and whole convex problems, written down anew and solved by cvxpy with CLARABEL.

Nothing here uses a value, a slope or a prox of the library: a penalty is a list of pieces, each convex but for a
concave quadratic, and a problem is built from the entries of its data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from parsimo._array import to_numpy
from parsimo.theory_checks.oracles.instance import data_of, kind_of

__all__ = ["PIECES", "Piece", "convex_minimum", "prox_by_pieces", "value_by_pieces"]

_KINDS = ("LeastSquares", "Logistic")


@dataclass(frozen=True, eq=False)
class Piece:
    """convex(x) - bend x^2 / 2 for low <= x <= high; a penalty is the least of its pieces that hold x."""

    convex: Callable[[Any], Any]
    """Of a cvxpy expression; a number where it is constant. Affine where bend > 0."""
    low: float = -math.inf
    high: float = math.inf
    bend: float = 0.0

    def value(self, x: float) -> float:
        """The value of this piece at x, infinity outside its interval."""
        cp = _cvxpy("Piece.value")
        if not self.low <= x <= self.high:
            return math.inf
        return float(cp.promote(self.convex(cp.Constant(x)), ()).value) - self.bend * x * x / 2


def value_by_pieces(pieces: Iterable[Piece], x: float) -> float:
    """The least of the pieces at one number."""
    return min(piece.value(x) for piece in pieces)


def prox_by_pieces(pieces: Iterable[Piece], v: float, step_size: float) -> tuple[float, list[float]]:
    """The least value of g(x) + (x - v)^2 / (2 step_size), and the best point of each piece that attains it.

    With t the step, a piece plus the quadratic, times t, is t convex(x) + (1 - t bend) x^2 / 2 - v x and a constant.
    Where t bend <= 1, cvxpy solves it; where not, it is concave and the best point is an end of the interval.

    Raises
    ------
    ImportError
        If cvxpy is absent: `pip install "parsimo[checks]"`.
    cvxpy.error.SolverError
        If CLARABEL does not solve a piece.
    """
    found = []
    for piece in pieces:
        candidates = {x for x in (piece.low, piece.high) if math.isfinite(x)}
        if step_size * piece.bend <= 1 and piece.low < piece.high:
            candidates.add(_minimizer(piece, v, step_size))
        found.append(min((piece.value(x) + (x - v) ** 2 / (2 * step_size), x) for x in candidates))
    least = min(value for value, _ in found)
    return least, sorted({x for value, x in found if value <= least + 1e-9 * (1 + abs(least))})


def _minimizer(piece: Piece, v: float, step_size: float) -> float:
    """argmin of t convex(x) + (1 - t bend) x^2 / 2 - v x over the interval of the piece."""
    problem, x, scale, root, pull = _compiled(piece)
    scale.value, root.value, pull.value = step_size, math.sqrt(1 - step_size * piece.bend), v
    problem.solve(**_clarabel(1e-11))
    return float(np.clip(float(x.value), piece.low, piece.high))


@lru_cache(maxsize=512)
def _compiled(piece: Piece) -> tuple[Any, ...]:
    """The problem of a piece with its parameters open (DPP), so that it is compiled once for all v and t."""
    cp = _cvxpy("prox_by_pieces")
    x, scale, root, pull = cp.Variable(), cp.Parameter(nonneg=True), cp.Parameter(nonneg=True), cp.Parameter()
    ends = [x >= piece.low] * math.isfinite(piece.low) + [x <= piece.high] * math.isfinite(piece.high)
    objective = scale * piece.convex(x) + cp.square(root * x) / 2 - pull * x
    return cp.Problem(cp.Minimize(objective), ends), x, scale, root, pull


# ---- penalties, from their definitions


def _l1(weight: float) -> tuple[Piece, ...]:
    cp = _cvxpy("PIECES")
    return (Piece(lambda x: weight * cp.abs(x)),)


def _elastic_net(weight: float, ridge: float) -> tuple[Piece, ...]:
    cp = _cvxpy("PIECES")
    return (Piece(lambda x: weight * cp.abs(x) + ridge * cp.square(x) / 2),)


def _box(lower: float, upper: float) -> tuple[Piece, ...]:
    return (Piece(lambda x: 0.0, lower, upper),)


def _zero_norm(weight: float) -> tuple[Piece, ...]:
    return Piece(lambda x: 0.0, 0.0, 0.0), Piece(lambda x: weight)


def _zero_norm_box(weight: float, lower: float, upper: float) -> tuple[Piece, ...]:
    return Piece(lambda x: 0.0, 0.0, 0.0), Piece(lambda x: weight, lower, upper)


def _zero_norm_ridge(weight: float, ridge: float) -> tuple[Piece, ...]:
    cp = _cvxpy("PIECES")
    return Piece(lambda x: 0.0, 0.0, 0.0), Piece(lambda x: weight + ridge * cp.square(x) / 2)


def _capped_l1(weight: float, flat_point: float) -> tuple[Piece, ...]:
    cp = _cvxpy("PIECES")
    return Piece(lambda x: weight / flat_point * cp.abs(x)), Piece(lambda x: weight)


def _mcp(weight: float, flat_point: float) -> tuple[Piece, ...]:
    """Zhang: alpha |x| - x^2 / (2 gamma) up to gamma alpha, then gamma alpha^2 / 2."""
    alpha, gamma = 2 * weight / flat_point, flat_point**2 / (2 * weight)
    return (
        Piece(lambda x: gamma * alpha**2 / 2, -math.inf, -gamma * alpha),
        Piece(lambda x: -alpha * x, -gamma * alpha, 0.0, bend=1 / gamma),
        Piece(lambda x: alpha * x, 0.0, gamma * alpha, bend=1 / gamma),
        Piece(lambda x: gamma * alpha**2 / 2, gamma * alpha, math.inf),
    )


def _scad(weight: float, flat_point: float, shape: float = 3.7) -> tuple[Piece, ...]:
    """Fan and Li, times a factor s that makes the height the weight: alpha |x| up to alpha,
    (2 shape alpha |x| - x^2 - alpha^2) / (2 (shape - 1)) up to shape alpha, then alpha^2 (shape + 1) / 2."""
    cp = _cvxpy("PIECES")
    alpha = flat_point / shape
    height = alpha**2 * (shape + 1) / 2
    s = weight / height

    def bent(side: int) -> Piece:
        def rise(x: Any) -> Any:
            return s * (2 * shape * alpha * side * x - alpha**2) / (2 * (shape - 1))

        low, high = sorted((side * alpha, side * shape * alpha))
        return Piece(rise, low, high, bend=s / (shape - 1))

    return (
        Piece(lambda x: s * alpha * cp.abs(x), -alpha, alpha),
        bent(-1),
        bent(1),
        Piece(lambda x: weight, -math.inf, -shape * alpha),
        Piece(lambda x: weight, shape * alpha, math.inf),
    )


def _clustering(
    weight: float, codebook: Iterable[float], distance: str = "absolute", price: float = 0.0
) -> tuple[Piece, ...]:
    cp = _cvxpy("PIECES")

    def about(c: float) -> Piece:
        if distance == "absolute":
            return Piece(lambda x: price + weight * cp.abs(x - c))
        return Piece(lambda x: price + weight * cp.square(x - c) / 2)

    return tuple(about(float(c)) for c in codebook)


def _zero_norm_codebook(
    weight: float, cluster_weight: float, codebook: Iterable[float], distance: str = "absolute"
) -> tuple[Piece, ...]:
    return Piece(lambda x: 0.0, 0.0, 0.0), *_clustering(cluster_weight, codebook, distance, price=weight)


PIECES: dict[str, Callable[..., tuple[Piece, ...]]] = {
    "L1": _l1,
    "Box": _box,
    "elastic net": _elastic_net,
    "CappedL1": _capped_l1,
    "MCP": _mcp,
    "SCAD": _scad,
    "ZeroNorm": _zero_norm,
    "ZeroNormBox": _zero_norm_box,
    "zero norm and ridge": _zero_norm_ridge,
    "Clustering": _clustering,
    "ZeroNormCodebook": _zero_norm_codebook,
}
"""The pieces of each penalty, as a function of the parameters that its docstring names."""


# ---- whole problems


def convex_minimum(problem: Any) -> tuple[float, np.ndarray]:
    """The optimal value and a minimizer of f + g for a data term f and a convex penalty g.

    Parameters
    ----------
    problem : Problem
        With attributes f, a `LeastSquares` or `Logistic` whose entries are at hand, and g: `L1`, `Box`, `Zero`,
        `Group` and `Spectral` of `L1`, or one of them `WithRidge`. Only parameters and data are read.

    Returns
    -------
    value : float
        The objective at the minimizer; above the optimal value by 1e-8 of its terms at most, as CLARABEL reports it.
    x : array of shape (n,)

    Raises
    ------
    ImportError
        If cvxpy is absent: `pip install "parsimo[checks]"`.
    TypeError
        If f or g is none of those named.
    ArithmeticError
        If CLARABEL does not report an optimum, as it happens for the logistic loss with 100 columns.
    """
    cp = _cvxpy("convex_minimum")
    kind = kind_of(problem.f, "convex_minimum", _KINDS)
    A, targets, scale = data_of(problem.f, "convex_minimum")
    x = cp.Variable(A.shape[1])
    if kind == "LeastSquares":
        loss = cp.sum_squares(A @ x - targets) / 2
    else:
        loss = cp.sum(cp.logistic(-cp.multiply(targets, A @ x)))
    penalty, constraints = _convex_penalty(problem.g, x)
    whole = cp.Problem(cp.Minimize(loss + penalty / scale), constraints)  # an average would be too flat for CLARABEL
    whole.solve(**_clarabel(1e-9))
    if whole.status != "optimal":
        raise ArithmeticError(f"convex_minimum: CLARABEL reports {whole.status!r} for {problem!r}")
    if type(problem.g).__name__ == "Box":
        x.value = np.clip(x.value, to_numpy(problem.g.lower), to_numpy(problem.g.upper))
    return scale * float(whole.objective.value), np.asarray(x.value)


def _convex_penalty(g: Any, x: Any) -> tuple[Any, list[Any]]:
    """A cvxpy expression and the constraints that belong to it."""
    cp, name = _cvxpy("convex_minimum"), type(g).__name__
    if name == "WithRidge":
        penalty, constraints = _convex_penalty(g.penalty, x)
        return penalty + g.ridge * cp.sum_squares(x) / 2, constraints
    if name == "Zero":
        return 0.0, []
    if name == "L1":
        return cp.sum(cp.multiply(np.broadcast_to(to_numpy(g.weight), x.shape), cp.abs(x))), []
    if name == "Box":
        ends = [np.broadcast_to(to_numpy(end), x.shape) for end in (g.lower, g.upper)]
        low, high = (np.isfinite(end) for end in ends)
        return 0.0, [x[low] >= ends[0][low]] * bool(low.any()) + [x[high] <= ends[1][high]] * bool(high.any())
    if name == "Group" and type(g.penalty).__name__ == "L1":
        labels = to_numpy(g.labels).reshape(-1)
        factors = np.ones(labels.max() + 1) if g.weights is None else to_numpy(g.weights)
        norms = [factors[j] * cp.norm(x[labels == j]) for j in range(labels.max() + 1)]
        return g.penalty.weight * sum(norms), []
    if name == "Spectral" and type(g.penalty).__name__ == "L1":
        return g.penalty.weight * cp.normNuc(cp.reshape(x, g.shape, order="C")), []
    raise TypeError(
        f"convex_minimum: g must be Zero, L1, Box, Group or Spectral of L1, or one of them WithRidge, got {g!r}"
    )


def _clarabel(accuracy: float) -> dict[str, Any]:
    return {"solver": "CLARABEL", "tol_gap_abs": accuracy, "tol_gap_rel": accuracy, "tol_feas": accuracy}


def _cvxpy(owner: str) -> Any:
    try:
        import cvxpy
    except ImportError as error:
        raise ImportError(f'{owner} needs cvxpy: pip install "parsimo[checks]"') from error
    return cvxpy
