"""Coordinate descent: a pass lowers its model by what was proved, a run its merit; the residual looks everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.sparse as sp

from parsimo.core.problem import Composite
from parsimo.penalties import L1, MCP, SCAD, Box, CappedL1, Clustering, ZeroNorm
from parsimo.problems import LeastSquares, Logistic
from parsimo.solvers import CoordinateDescent
from parsimo.solvers.coordinates import Plain, terms_of
from parsimo.solvers.coordinates.models import ByColumns, ByGram, BySparseColumns, Model
from parsimo.theory_checks.contract import name_of
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.functions import array_text

__all__ = ["CHECKS", "Pass", "check_coordinate_descent", "check_coordinate_passes", "move_decrease", "one_pass"]

_ROUNDING = 1e-11  # relative to the objectives or gradients that are compared
_STEPS = 12
_PENALTIES: tuple[Any, ...] = (
    L1(0.3),
    MCP(0.3, 0.5),
    SCAD(0.3, 0.5),
    CappedL1(0.3, 0.5),
    ZeroNorm(0.2),
    Box(-0.4, 1.0),
)
_WITHOUT_TWIN = Clustering(0.4, np.array([-1.0, 0.0, 0.7]))
_FORMS = ("gram", "columns", "sparse")
_AT_REST = 1e-9  # a run is at rest where its residual is below this share of the gradient at 0

Pass = Callable[[str, bool, Any, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(form, compiled, g, A, h, d, x, y) -> y after one pass over the model (11.1) at x."""


def one_pass(
    form: str,
    compiled: bool,
    g: Any,
    A: np.ndarray,
    h: np.ndarray,
    d: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
) -> np.ndarray:
    """y after one pass of coordinate descent on Q, kept in this form, by compiled code or by the prox of g itself."""
    terms: Any = terms_of(g, x) if compiled else Plain(g, np.arange(x.size), x)
    model: Model
    if form == "gram":
        model = ByGram(terms, x, d, A.T @ (h[:, None] * A))
    elif form == "columns":
        model = ByColumns(terms, x, d, np.ascontiguousarray(A.T), h, None, lambda: A.T @ (h[:, None] * A))
    else:
        model = BySparseColumns(terms, x, d, sp.csc_matrix(A), h, None)
    after = y.copy()
    model.sweep(after, model.moved(model.start(), y - x), 0.0, np.empty((1, x.size)))
    return after


def move_decrease(curvature: float, w: float) -> float:
    """max(L - w, 0) / 2, the least fall of Q for each unit of the square of a move with L = H_jj."""
    return max(curvature - w, 0.0) / 2


def check_coordinate_passes(
    rng: Seed = 0,
    trials: int = 120,
    sweep: Pass = one_pass,
    decrease: Callable[[float, float], float] = move_decrease,
) -> Evidence:
    """One pass lowers Q by the sum of (H_jj - w) / 2 times the squares of its moves at least, w the weak convexity of
    g_j, and by 0 where g_j has none; after it no value of the last coordinate makes Q lower.

    Moves within a piece of curvature -w are equalities. Columns may be 0, and the curvatures of the rows differ.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "a pass of coordinate descent lowers the model by the sum of (H_jj - w)/2 |move|^2, each a best one",
        "docs/theory.md, Proposition 11.1",
        "models kept by slopes, by columns and by sparse columns; penalties in every regime of the step; zero columns",
    )
    for trial in range(trials):
        g, form = _PENALTIES[trial % len(_PENALTIES)], _FORMS[int(rng.integers(len(_FORMS)))]
        compiled = _compiles() and bool(rng.integers(2))
        k, m = int(rng.integers(1, 6)), int(rng.integers(1, 8))
        A = 10 ** rng.uniform(-1, 0.7) * rng.standard_normal((m, k)) * (rng.random(k) < 0.9)
        h, d = rng.uniform(0.5, 2.0, m), rng.standard_normal(k)
        x, y = (np.clip(rng.standard_normal(k), -0.4, 1.0) for _ in range(2))
        after = sweep(form, compiled, g, A, h, d, x, y)
        H, w = A.T @ (h[:, None] * A), g.traits.weak_convexity

        def model(z: np.ndarray, H: np.ndarray = H, x: np.ndarray = x, d: np.ndarray = d, g: Any = g) -> float:
            return float(d @ (z - x) + (z - x) @ H @ (z - x) / 2 + g.value(z))

        data = ", ".join(array_text(a) for a in (A, h, d, x, y))
        case = f"one_pass({form!r}, {compiled}, {g!r}, {data})"
        if not math.isfinite(model(after)):
            outcome.add(-math.inf, f"{case}  # is in the domain of g")
            continue
        fall, unit = model(y) - model(after), 1 + abs(model(y)) + abs(model(after))
        least = float(sum(decrease(H[j, j], w) * (after[j] - y[j]) ** 2 for j in range(k)))
        tried = after + np.eye(k)[-1] * np.concatenate([_around(rng, after[-1]), _POINTS - after[-1]])[:, None]
        lowest = min(model(z) for z in tried)
        outcome.add((fall - least) / unit + _ROUNDING, f"{case}  # lowers Q by {fall!r}, at least {least!r}")
        if H[-1, -1] > 0:
            said = f"Q is {model(after)!r} there, and {lowest!r} at another value of the last coordinate"
            outcome.add((lowest - model(after)) / unit + _ROUNDING, f"{case}  # {said}")
    return outcome.evidence()


_POINTS = np.array([-1.0, -0.5, -0.4, 0.0, 0.5, 0.625, 1.0])  # kinks and ends of the penalties above


def _around(rng: np.random.Generator, t: float) -> np.ndarray:
    """Steps from t of all sizes."""
    return np.concatenate([rng.uniform(-3, 3, 30), 10 ** rng.uniform(-6, 0, 20) * rng.choice([-1.0, 1.0], 20)])


def check_coordinate_descent(rng: Seed = 0, trials: int = 60, make: Any = CoordinateDescent) -> Evidence:
    """A step lowers the merit or leaves it; the merit is no lower than the objective, and that at 0 where the start is;
    the residual is the largest move of any coordinate; at rest no other value of a coordinate lowers a quadratic f + g.

    Runs have working sets of a few coordinates, so that steps do not look at all of them.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "the merit of coordinate descent falls and bounds the objective, and its residual is that of all coordinates",
        "docs/theory.md, Propositions 11.2, 11.3 and 11.4",
        "least squares and logistic losses, dense and sparse; penalties in every regime; from 0 and elsewhere",
    )
    penalties = (*_PENALTIES, _WITHOUT_TWIN) if _compiles() else (_WITHOUT_TWIN,)
    for trial in range(trials):
        drawn, text = _problem(rng, penalties[trial % len(penalties)])
        n = drawn.f.shape[0]
        x0 = np.zeros(n) if rng.integers(2) else np.clip(rng.standard_normal(n), -0.4, 1.0)
        solver = make(first=int(rng.integers(1, 4)), relax=float(rng.choice([0.0, 0.1, 1.0])))
        state = solver.init(drawn, x0)
        before, start = solver.merit(drawn, state), drawn.value(x0)
        unit, pull = 1 + abs(before), 1 + float(np.max(np.abs(drawn.f.grad(np.zeros(n)))))
        case = partial(_run, text, solver, x0)
        outcome.add(_ROUNDING - abs(before - start) / unit, case(0, f"the merit is {before!r}, F {start!r}"))
        for k in range(_STEPS):
            state = solver.step(drawn, state)
            after, objective = solver.merit(drawn, state), drawn.value(state.x)
            slack = min(before - after, after - objective, start - objective) / unit
            said = f"the merit falls from {before!r} to {after!r}, over an objective of {objective!r}"
            outcome.add(slack + _ROUNDING, case(k + 1, said))
            residual, before = solver.measures(state)["residual"], after
            if state.relaxation is None:
                own = float(np.max(_moves(drawn, state.x)))
                said = f"the residual is {residual!r}, and the largest move {own!r}"
                outcome.add(_ROUNDING - abs(residual - own) / pull, case(k + 1, said))
                if residual <= _AT_REST * pull and isinstance(drawn.f, LeastSquares):
                    lowest = min(drawn.value(z) for z in _neighbours(rng, state.x))
                    said = f"F is {objective!r}, and {lowest!r} with another value of one coordinate"
                    outcome.add((lowest - objective) / unit + _ROUNDING, case(k + 1, said))
                    break
    return outcome.evidence()


def _compiles() -> bool:
    """Whether penalties that have a compiled twin can be minimized with it."""
    return find_spec("numba") is not None


def _problem(rng: np.random.Generator, g: Any) -> tuple[Composite, str]:
    """A problem of a few more coordinates than a working set has, and its expression."""
    m, n = int(rng.integers(5, 12)), int(rng.integers(4, 12))
    A = 10 ** rng.uniform(-0.5, 0.5) * rng.standard_normal((m, n)) * (rng.random((m, n)) < 0.8)
    quadratic = bool(rng.integers(4))
    b = 2 * rng.standard_normal(m) if quadratic else rng.choice([-1.0, 1.0], m)
    loss, sparse = (LeastSquares if quadratic else Logistic), bool(rng.integers(2))
    matrix = f"sp.csc_array({array_text(A)})" if sparse else array_text(A)
    f = loss(sp.csc_array(A) if sparse else A, b)
    return Composite(f, g), f"Composite({loss.__name__}({matrix}, {array_text(b)}), {name_of(g)})"


def _run(text: str, solver: Any, x0: np.ndarray, steps: int, said: str) -> str:
    return f"solve({text}, {solver!r}, {array_text(x0)}, max_iterations({steps}))  # {said}"


def _moves(problem: Composite, x: np.ndarray) -> np.ndarray:
    """L_j |prox_{g/L_j}(x_j - d_j / L_j) - x_j|, L_j the bound of the curvature along coordinate j."""
    L = np.asarray(problem.f.coordinate_curvature, dtype=float)
    L = np.where(L > 0, L, np.finfo(float).eps * (float(L.max()) or 1.0))
    return L * np.abs(problem.g.prox(x - problem.f.grad(x) / L, 1 / L) - x)


def _neighbours(rng: np.random.Generator, x: np.ndarray) -> list[np.ndarray]:
    """x with another value of one coordinate, all of them in turn."""
    values = [np.concatenate([t + _around(rng, t), _POINTS]) for t in x]
    return [np.concatenate([x[:j], [t], x[j + 1 :]]) for j in range(x.size) for t in values[j]]


CHECKS = (
    Check(37, "passes over coordinates", check_coordinate_passes),
    Check(37, "coordinate descent", check_coordinate_descent),
)
