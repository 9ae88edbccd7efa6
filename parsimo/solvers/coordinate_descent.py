"""Coordinate descent on working sets."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, to_numpy
from parsimo.core.problem import Problem
from parsimo.core.validation import check_number
from parsimo.solvers.coordinates import Compiled, Terms, WorkingSet, descend, positive, terms_of
from parsimo.solvers.stationarity import plain_penalty

__all__ = ["CoordinateDescent"]

_INNER = 0.1  # the working set is solved to this share of what is left outside it
_DEEPEST = 1e-6  # and to no less than this share of the largest move
_SHARES = (0.0, 0.1, 1.0)  # of the way from the curvature of the loss at x to its bound
_PAYS = 0.01  # of the decrease of the model is enough for the objective


@dataclass(frozen=True)
class State:
    """Where coordinate descent stands."""

    x: Array
    """The iterate, (n,), of the library and dtype of the data."""
    u: Any
    """Auxiliary variables that go with x."""
    terms: Terms
    """g, coordinate by coordinate."""
    moves: np.ndarray
    """L_j (prox_{g_j / L_j}(x_j - d_j / L_j) - x_j) for each coordinate, (n,)."""
    slopes: np.ndarray
    """d, the gradient of f at x, (n,)."""
    working: WorkingSet
    """The coordinates of the last model, with their columns."""
    residual: float
    """The largest of the moves in size; infinite before the first step."""
    passes: int
    """Passes over working sets so far."""

    @property
    def point(self) -> Array:
        """x."""
        return self.x


@dataclass(frozen=True)
class CoordinateDescent:
    """Minimize f + g for a separable g by moves of one coordinate, x_j+ = prox_{g_j / L_j}(x_j - d_j / L_j).

    Where f is a quadratic, such a move is the best one of its coordinate, in every regime of the step 1/L_j.
    One step of the solver takes the coordinates that would move farthest into a working set, descends on it along a
    quadratic model of f, and looks at all coordinates again. On the working set passes of coordinate descent
    alternate with Newton steps on the coordinates where g is smooth and with Anderson's extrapolation; either is
    taken only where it lowers the model.

    Assumptions: f offers `columns`; g is separable. Penalties in closed form are compiled with numba
    (`pip install "parsimo[fast]"`); any other is passed over in Python, which is slow, and `notes` says so.

    The objective falls at every step. At a point where the residual is 0 no single coordinate can lower the objective
    if f is quadratic, and every coordinate is prox-stationary otherwise.

    Parameters
    ----------
    first : int, optional
        How many coordinates the working set begins with; it at most doubles at each step. By default 3 sqrt(n) / 2.

    Raises
    ------
    ValueError
        If `first` is less than 1.

    Notes
    -----
    docs/algorithms.md, 8, and docs/theory.md, 11. Working sets: Massias, Gramfort and Salmon, ICML (2018); Bertrand et
    al., NeurIPS (2022), who extrapolate as Bertrand and Massias, AISTATS (2021).
    """

    first: int | None = None

    def __post_init__(self) -> None:
        if self.first is not None:
            first = check_number(self.first, "CoordinateDescent: first", positive=True)
            if not first.is_integer():
                raise ValueError(f"CoordinateDescent: first must be an integer >= 1, got {self.first}")
            object.__setattr__(self, "first", int(first))

    def init(self, problem: Problem, x0: Array) -> State:
        """The state at x0; coordinates outside the domain of g are moved into it.

        Raises
        ------
        TypeError
            If f offers no columns, or the penalty is not a plain separable one.
        ImportError
            If numba is missing.
        """
        columns, g = getattr(problem.f, "columns", None), plain_penalty(problem)
        if columns is None:
            raise TypeError(
                f"CoordinateDescent: {problem.f!r} offers no columns; it needs a data term such as LeastSquares with a "
                "dense or sparse A. For other smooth functions take ProximalGradient()"
            )
        if g is None or not g.traits.separable:
            raise TypeError(
                f"CoordinateDescent: needs a separable penalty, but {type(problem).__name__} has "
                f"{'none in x alone' if g is None else repr(g)}; take ProximalGradient() or ProximalADMM()"
            )
        x = _into_domain(g, x0)
        terms = terms_of(g, _numbers(x))
        state = State(
            x, problem.auxiliary(x), terms, np.empty(0), np.empty(0), WorkingSet.empty(), residual=math.inf, passes=0
        )
        return replace(self._looked_at(problem, state), residual=math.inf)

    def step(self, problem: Problem, state: State) -> State:
        """A descent on the working set, and the next look at all coordinates (11.1)."""
        f: Any = problem.f
        x, d = _numbers(state.x), state.slopes
        working, outside = state.working.grown(f.columns, state.moves, x, self.first or _first(x.size))
        index = working.index
        terms = state.terms.take(index, x)
        target = max(_INNER * outside, _DEEPEST * float(np.abs(state.moves).max(initial=0.0)))
        passes = state.passes
        before = math.nan if f.columns.is_quadratic else problem.value(state.x, state.u)
        for share in (0.0,) if f.columns.is_quadratic else _SHARES:
            model = working.model(f.columns, terms, state.x, x[index], d[index], share)
            y, taken, decrease = descend(model, target)
            passes += taken
            moved = x.copy()
            moved[index] = y
            point = asarray_like(moved, state.x)
            u = problem.auxiliary(point, state.u)
            if f.columns.is_quadratic or share == 1:
                break
            f.value_and_grad(point)
            if problem.value(point, u) <= before - _PAYS * decrease + 4 * np.finfo(float).eps * abs(before):
                break
        return self._looked_at(problem, replace(state, x=point, u=u, working=working, passes=passes))

    def _looked_at(self, problem: Problem, state: State) -> State:
        """The state with the gradient at its point, and how far each coordinate would move by itself."""
        columns: Any = getattr(problem.f, "columns", None)
        x = _numbers(state.x)
        d = _numbers(problem.f.value_and_grad(state.x)[1])
        L = positive(columns.largest_curvature * columns.norms_squared)
        moves = L * state.terms.moves(x, d, L)
        return replace(state, moves=moves, slopes=d, residual=float(np.abs(moves).max(initial=0.0)))

    def measures(self, state: State) -> dict[str, float]:
        """The largest move of a coordinate in units of the gradient, the size of the working set, and all passes."""
        size = float(state.working.index.size)
        return {"residual": state.residual, "working_set": size, "passes": float(state.passes)}

    def merit(self, problem: Problem, state: State) -> float:
        """The objective."""
        return problem.value(state.x, state.u)

    def notes(self, state: State) -> tuple[str, ...]:
        """How passes were made, and over how many coordinates."""
        how = (
            "compiled"
            if isinstance(state.terms, Compiled)
            else (f"in plain Python, slowly: {type(state.terms.penalty).__name__} has no compiled twin")
        )
        return (f"{state.passes} passes, {how}; the last working set had {state.working.index.size} coordinates",)


def _first(n: int) -> int:
    """A Gram matrix of 3 sqrt(n) / 2 columns costs about as much as one product with all n of them."""
    return math.ceil(1.5 * math.sqrt(n))


def _numbers(x: Array) -> np.ndarray:
    return to_numpy(x).astype(np.float64)


def _into_domain(g: Any, x: Array) -> Array:
    """x with the coordinates that are outside the domain of g on its nearest point."""
    if math.isfinite(g.value(x)):
        return x
    xp = array_namespace(x)
    nearest = g.prox(x, float(xp.finfo(x.dtype).eps))  # as good as the projection
    return xp.where(xp.isinf(g.terms(x)), nearest, x)
