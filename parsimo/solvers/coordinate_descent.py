"""Coordinate descent on working sets."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, to_numpy
from parsimo.core.problem import Problem
from parsimo.core.validation import check_number
from parsimo.solvers.coordinates import Compiled, Model, Relaxation, Terms, WorkingSet, descend, positive, terms_of
from parsimo.solvers.stationarity import plain_penalty

__all__ = ["CoordinateDescent"]

_INNER = 0.1  # a working set is solved to this share of the largest move of those that joined it
_DEEPEST = 1e-6  # and to no less than this share of the largest move in it
_SHARES = (0.0, 1e-6, 1e-4, 1e-2, 0.1, 1.0)  # of the way from the curvature of the loss at x to its bound
_PAYS = 0.01  # of the decrease of the model is enough for the objective
_REST = 1e-7  # of the terms of a gradient: moves below it are none, until x may jump
_NEARLY = 1.1  # times the slope at which a coordinate would move: it comes along with those that do
_FIRST = 2  # times sqrt(n): by default a working set begins with so many coordinates
_GENTLY = 1e4  # times the curvature: with steps that short a coordinate follows its slope, and does not jump


@dataclass(frozen=True)
class State:
    """Where coordinate descent stands."""

    x: Array
    """The iterate, (n,), of the library and dtype of the data."""
    u: Any
    """Auxiliary variables that go with x."""
    terms: Terms
    """g, coordinate by coordinate."""
    relaxation: Relaxation | None
    """What is solved first where g_j is concave in |x_j|; None from then on, and where it is not."""
    jumps: bool
    """Whether coordinates may enter by a jump: for nonconvex g once x has been critical, slopes lead until then."""
    curvatures: np.ndarray
    """L, bounds of the curvature of f along each coordinate, (n,)."""
    slopes: np.ndarray
    """d, the gradient of f at x, (n,)."""
    calls: np.ndarray
    """How much each coordinate asks to be in the next working set, (n,); 0 for one that rests."""
    working: WorkingSet
    """The coordinates of the last model, with their columns."""
    damping: int
    """Which of the shares of the bound of the curvature the last model had; 0 is Newton's model."""
    residual: float
    """The largest L_j |prox_{g_j / L_j}(x_j - d_j / L_j) - x_j|, with g of the relaxation while that is solved.

    Infinite before the first step.
    """
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
    quadratic model of f, and looks at all coordinates again. Coordinates that a slope leads down come first; when
    there are none left, those that a jump to a better value would lower. On the working set passes of coordinate
    descent alternate with Newton steps on the coordinates where g is smooth and with Anderson's extrapolation; either
    is taken only where it lowers the model. Where g_j is concave in |x_j|, as for MCP and SCAD, a run from 0 first
    solves, roughly, the problem with absolute values of the slopes of g at 0: it is convex, and lies above.

    Assumptions: f offers `columns`; g is separable. Penalties in closed form are compiled with numba
    (`pip install "parsimo[fast]"`); any other is passed over in Python, which is slow, and `notes` says so.

    The merit is the objective, and that of the relaxation while it is solved; it falls at every step. At a point where
    the residual is 0 no move of one coordinate lowers the objective if f is quadratic, and every coordinate is
    prox-stationary otherwise.

    Parameters
    ----------
    first : int, optional
        How many coordinates the working set begins with; it at most doubles at each step. By default 2 sqrt(n).
    relax : float
        In [0, 1]. The relaxation is left when no coordinate moves by more than this share of the largest move at the
        start; 1 leaves it at once.

    Raises
    ------
    ValueError
        If `first` is no integer >= 1, or `relax` not in [0, 1].

    Notes
    -----
    docs/algorithms.md, 8, and docs/theory.md, 11. Working sets: Massias, Gramfort and Salmon, ICML (2018); Bertrand et
    al., NeurIPS (2022), who extrapolate as Bertrand and Massias, AISTATS (2021).
    """

    first: int | None = None
    relax: float = 0.1

    def __post_init__(self) -> None:
        if self.first is not None:
            first = check_number(self.first, "CoordinateDescent: first", positive=True)
            if not first.is_integer():
                raise ValueError(f"CoordinateDescent: first must be an integer >= 1, got {self.first}")
            object.__setattr__(self, "first", int(first))
        relax = check_number(self.relax, "CoordinateDescent: relax")
        if relax > 1:
            raise ValueError(f"CoordinateDescent: relax must be in [0, 1], got {self.relax}")
        object.__setattr__(self, "relax", relax)

    def init(self, problem: Problem, x0: Array) -> State:
        """The state at x0; coordinates outside the domain of g are moved into it.

        Raises
        ------
        TypeError
            If f offers no columns, or the penalty is not a plain separable one.
        ImportError
            If the penalty is one that is compiled, and numba is missing.
        """
        columns, g = _columns(problem), plain_penalty(problem)
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
            x=x,
            u=problem.auxiliary(x),
            terms=terms,
            relaxation=Relaxation.at(_numbers(x), terms),
            jumps=g.traits.convex,
            curvatures=positive(columns.largest_curvature * columns.norms_squared),
            slopes=np.empty(0),
            calls=np.empty(0),
            working=WorkingSet.at(columns, _numbers(x)),
            damping=0,
            residual=math.inf,
            passes=0,
        )
        return replace(self._looked_at(problem, state), residual=math.inf)

    def step(self, problem: Problem, state: State) -> State:
        """A descent on the working set, and the next look at all coordinates (11.1)."""
        x, columns = _numbers(state.x), _columns(problem)
        first = self.first or math.ceil(_FIRST * math.sqrt(x.size))
        working = state.working.grown(columns, state.calls, lambda: _nearly(columns, state, x), x, first)
        inside, outside = _largest(state.calls), _largest(state.working.others(state.calls))
        target = max(_INNER * outside, _DEEPEST * inside)
        height = math.nan if columns.is_quadratic else _height(problem, state)
        for damping in (len(_SHARES) - 1,) if columns.is_quadratic else range(max(state.damping - 1, 0), len(_SHARES)):
            share = _SHARES[damping]
            found = descend(_model(columns, state, working, x, share), target)
            y = x.copy()
            y[working.index] = found.y
            trial = _moved(problem, state, working, y, found.passes)
            # with all of the bound the model lies above f, and falls with it
            rounding = 4 * float(np.finfo(float).eps) * abs(height)
            if share == 1 or _height(problem, trial) <= height - _PAYS * found.decrease + rounding:
                break
        working.note(columns, _numbers(trial.x))
        return self._looked_at(problem, replace(trial, damping=damping))

    def _looked_at(self, problem: Problem, state: State) -> State:
        """The state with the gradient at its point, and what each coordinate would do by itself."""
        x, d = _numbers(state.x), _numbers(problem.f.value_and_grad(state.x)[1])
        L, relaxation = state.curvatures, state.relaxation
        if relaxation is not None:
            relaxed = np.abs(L * relaxation.terms.moves(x, d, L))
            goal = self.relax * _largest(relaxed) if relaxation.goal is None else relaxation.goal
            if _largest(relaxed) > goal:
                relaxation = replace(relaxation, goal=goal)
                return replace(state, slopes=d, calls=relaxed, relaxation=relaxation, residual=_largest(relaxed))
        moves = np.abs(L * state.terms.moves(x, d, L))
        jumps, calls, residual = state.jumps, moves, _largest(moves)
        if not jumps and state.working.others(moves).any():
            led = state.terms.moves(x, d, _GENTLY * L) != 0
            rest = _rest(state.x) * _largest(np.abs(d) + L * np.abs(x))
            jumps = not state.working.others(led).any() and _largest(moves[state.working.index]) <= rest
            calls = moves if jumps else np.where(led, moves, 0.0)
        return replace(state, slopes=d, calls=calls, relaxation=None, jumps=jumps, residual=residual)

    def measures(self, state: State) -> dict[str, float]:
        """The largest move of a coordinate in units of the gradient, the size of the working set, and all passes."""
        size = float(state.working.index.size)
        return {"residual": state.residual, "working_set": size, "passes": float(state.passes)}

    def merit(self, problem: Problem, state: State) -> float:
        """The objective, or that of the relaxation."""
        return _height(problem, state)

    def notes(self, state: State) -> tuple[str, ...]:
        """How passes were made, and over how many coordinates."""
        compiled = isinstance(state.terms, Compiled)
        how = "compiled" if compiled else f"in plain Python, slowly: {state.terms} has no compiled twin"
        return (f"{state.passes} passes, {how}; the last working set had {state.working.index.size} coordinates",)


def _nearly(columns: Any, state: State, x: np.ndarray) -> np.ndarray:
    """The coordinates that would move if slopes were a tenth steeper; none where their Gram matrix would be lost."""
    if not columns.is_quadratic:
        return np.zeros(x.size, dtype=bool)
    terms = state.terms if state.relaxation is None else state.relaxation.terms
    return terms.moves(x, _NEARLY * state.slopes, state.curvatures) != 0


def _model(columns: Any, state: State, working: WorkingSet, x: np.ndarray, share: float) -> Model:
    """The model whose curvature is a share of the way from that of the loss at x to its bound."""
    terms = state.terms if state.relaxation is None else state.relaxation.terms
    index, bound = working.index, columns.largest_curvature
    h, diagonal = bound, bound * columns.norms_squared[index]
    if share < 1:
        h, diagonal = (1 - share) * columns.curvatures(state.x) + share * h, None
    return working.model(terms.take(index, x), x[index], state.slopes[index], h, diagonal)


def _moved(problem: Problem, state: State, working: WorkingSet, y: np.ndarray, passes: int) -> State:
    """The state at y, where the gradient is still to be seen."""
    x = asarray_like(y, state.x)
    _columns(problem).remember(x, working.predictions(_numbers(x)))
    u = problem.auxiliary(x, state.u)
    return replace(state, x=x, u=u, working=working, passes=state.passes + passes)


def _height(problem: Problem, state: State) -> float:
    """What a step lowers: the objective, or that of the relaxation, which lies above."""
    terms = state.terms if state.relaxation is None else state.relaxation.terms
    return problem.f.value(state.x) + terms.value(_numbers(state.x))


def _columns(problem: Problem) -> Any:
    """What f shows of its columns; None where it shows nothing."""
    return getattr(problem.f, "columns", None)


def _largest(sizes: np.ndarray) -> float:
    return float(sizes.max(initial=0.0))


def _rest(x: Array) -> float:
    """The share of its terms below which a move is none."""
    return max(_REST, 10 * float(array_namespace(x).finfo(x.dtype).eps))


def _numbers(x: Array) -> np.ndarray:
    return to_numpy(x).astype(np.float64)


def _into_domain(g: Any, x: Array) -> Array:
    """x with the coordinates that are outside the domain of g on its nearest point."""
    if math.isfinite(g.value(x)):
        return x
    xp = array_namespace(x)
    nearest = g.prox(x, float(xp.finfo(x.dtype).eps))  # as good as the projection
    return xp.where(xp.isinf(g.terms(x)), nearest, x)
