"""PALM and the multi-stage relaxation: their steps against the rules they are named after, and what they are given."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from solver_cases import Data, problem

import parsimo as ps
from parsimo.penalties.codebook import Line, best_codebook
from parsimo.solvers import ProximalGradient, stopping
from parsimo.solvers.palm import InertialConstants, longest_step
from parsimo.theory_checks.functions import Quadratic, weighted_l1_minimum

SLOPES: dict[str, Any] = {  # h' of the surrogate that rises from 0 to 1 at the flat point a, Zhang's g' up to scale
    "capped l1": (ps.phi.capped_l1(), lambda t, a: np.where(t < a, 1 / a, 0.0)),
    "mcp": (ps.phi.mcp(), lambda t, a: 2 / a * np.maximum(1 - t / a, 0.0)),
    "scad": (ps.phi.scad(), lambda t, a: 2 * 3.7 / (4.7 * a) * np.clip((1 - t / a) / (1 - 1 / 3.7), 0, 1)),
}


@pytest.mark.parametrize("member", SLOPES)
@pytest.mark.parametrize("seed", range(4))
def test_alternating_minimization_is_the_multi_stage_relaxation(member: str, seed: int):
    """Zhang's rule: weights h'(|x|), uniform in the first stage; then the weighted l1 problem, solved."""
    phi, slope = SLOPES[member]
    rng = np.random.default_rng(seed)
    f = Quadratic.random(rng, 4, lowest=0.5)
    f = Quadratic(f.Q, 4 * f.c)
    surrogate = ps.ZeroNormProblem(f, 1.0).to_mpec(phi).penalize(rho=0.7).eliminate()
    a = surrogate.g.flat_point
    solver = ps.AlternatingMinimization(inner_steps=400)
    state, x = solver.init(surrogate, np.zeros(4)), np.zeros(4)
    for _ in range(5):
        x = weighted_l1_minimum(f, slope(np.abs(x), a))
        state = solver.step(surrogate, state)
        np.testing.assert_allclose(state.x, x, atol=1e-8)


def test_a_step_is_the_prox_of_the_fixed_codebook_then_the_best_codebook():
    data = Data("tall least squares")
    prob = problem(data, "squared clusters")
    solver = ps.PALM(exact_every=1)
    x0 = np.linalg.lstsq(data.A, data.b, rcond=None)[0]
    state = solver.init(prob, x0)
    gamma, weight, k = state.step_size, prob.weight, prob.k
    assert gamma == pytest.approx(0.9 / np.linalg.norm(data.A, 2) ** 2)
    book = state.u[0].codebook
    np.testing.assert_allclose(book, best_codebook(Line.of(x0), k, "squared"))
    for _ in range(20):
        v = state.x - gamma * data.grad(state.x)
        nearest = book[np.abs(v[:, None] - book).argmin(axis=1)]
        expected = (v + gamma * weight * nearest) / (1 + gamma * weight)
        book = best_codebook(Line.of(expected), k, "squared")
        state = solver.step(prob, state)
        np.testing.assert_allclose(state.x, expected, rtol=1e-12)
        np.testing.assert_allclose(state.u[0].codebook, book, rtol=1e-12)


def test_without_inertia_and_auxiliary_variables_it_is_proximal_gradient():
    prob = problem(Data("wide least squares"), "zero norm")
    stop = stopping.max_iterations(30)
    x0 = np.linspace(-1, 1, 18)
    palm = ps.solve(prob, ps.PALM(), x0, stop=stop)
    gradient = ps.solve(prob, ProximalGradient(step_size=0.9 / prob.f.lipschitz), x0, stop=stop)
    np.testing.assert_allclose(palm.x, gradient.x, rtol=0, atol=1e-14)


def test_inertia_needs_fewer_steps_on_an_ill_conditioned_problem():
    rng = np.random.default_rng(3)
    A = rng.standard_normal((40, 20)) * np.geomspace(1, 0.1, 20)
    prob = ps.ZeroNormProblem(ps.LeastSquares(A, rng.standard_normal(40)), 1e-3).to_mpec(ps.phi.mcp()).penalize()
    stop = stopping.first_of(stopping.certificate_below(1e-8, relative=0.0), stopping.max_iterations(20_000))
    plain, inertial = (ps.solve(prob, ps.PALM(inertia=a), stop=stop, every=5).require() for a in (0.0, 0.3))
    assert inertial.iterations < 0.9 * plain.iterations
    assert np.diff([v for v in inertial.history["merit"] if not math.isnan(v)]).max() <= 1e-12


@pytest.mark.parametrize("inertia", [0.0, 0.3])
def test_an_unknown_curvature_is_watched(inertia: float):
    data = Data("logistic")

    class Unknown:
        convex = True
        lipschitz = None
        start, value = data.f.start, data.f.value
        grad, value_and_grad = data.f.grad, data.f.value_and_grad

    prob = ps.Composite(Unknown(), ps.L1(0.1))
    result = ps.solve(prob, ps.PALM(inertia=inertia)).require()
    assert "was estimated at the start" in result.notes[1]
    known = ps.solve(ps.Composite(data.f, ps.L1(0.1)), ps.PALM(inertia=inertia)).require()
    np.testing.assert_allclose(result.x, known.x, atol=1e-7)


def test_an_estimate_that_is_too_small_is_raised_and_the_step_with_it():
    """f is flat at the start, where L is estimated; on the way it bends."""

    class Bends:
        convex = True
        lipschitz = None

        def start(self) -> np.ndarray:
            return np.array([0.5, -0.5])

        def value(self, x: np.ndarray) -> float:
            return float(np.sum(np.maximum(2 - x, 0) ** 2) * 50 - 3 * x.sum() + (x**2).sum() / 20)

        def grad(self, x: np.ndarray) -> np.ndarray:
            return np.where(x > 2, 0.0, -100 * (2 - x)) - 3 + x / 10

        def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
            return self.value(x), self.grad(x)

    prob = ps.Composite(Bends(), ps.L1(0.1))
    result = ps.solve(prob, ps.PALM(), np.array([25.0, 25.0]), stop=stopping.max_iterations(400))
    assert np.isnan(result.history["guaranteed_decrease"]).sum() == result.notes[1].count("raised") * int(
        result.notes[1].split("raised ")[1].split(" ")[0]
    )
    np.testing.assert_allclose(result.x, 29.0, atol=1e-3)


def test_guaranteed_decreases_add_up_to_no_more_than_the_merit_fell():
    prob = problem(Data("tall least squares"), "squared clusters")
    history = ps.solve(prob, ps.PALM(inertia=0.2), stop=stopping.max_iterations(100)).history
    merit, least = np.array(history["merit"]), np.array(history["guaranteed_decrease"])
    assert (least[1:] >= 0).all()
    assert (merit[:-1] - merit[1:] >= least[1:] - 1e-12).all()
    assert least[0] == 0


def test_too_long_a_step_is_told():
    prob = problem(Data("tall least squares"), "l1")
    stop = stopping.max_iterations(1)
    assert "merit falls by Proposition 8.4" in ps.solve(prob, ps.PALM(inertia=0.4), stop=stop).notes[0]
    assert "no descent is guaranteed" in ps.solve(prob, ps.PALM(step_size=10.0), stop=stop).notes[0]


def test_the_longest_step_is_where_the_decrease_vanishes():
    for L, m, alpha in ((1.0, 1.0, 0.0), (3.0, 0.5, 0.2), (2.0, 0.0, 0.45)):
        gamma = longest_step(L, m, alpha)
        assert InertialConstants.of(L, m, alpha, gamma, convex=False).decrease == pytest.approx(0, abs=1e-12)
        assert InertialConstants.of(L, m, alpha, gamma, convex=True).decrease == pytest.approx(1 / (2 * gamma))


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("distance", ["squared", "absolute"])
def test_blocks_have_codebooks_of_their_own(anchored: bool, distance: Any):
    rng = np.random.default_rng(1)
    A = np.vstack([np.eye(10), rng.standard_normal((6, 10)) / 4])
    f = ps.LeastSquares(A, rng.standard_normal(16))
    prob = ps.ClusteringProblem(f, 0.5, 2, distance, anchored, blocks=(slice(0, 5), slice(5, 9)))
    result = ps.solve(prob, ps.PALM(inertia=0.1)).require()
    assert len(result.auxiliary) == 2
    if anchored:
        assert all(0.0 in partition.codebook for partition in result.auxiliary)
    assert abs(f.grad(result.x)[9]) <= 1e-7  # in no block: free


def test_torch_in_torch_out():
    torch = pytest.importorskip("torch")
    data = Data("tall least squares")
    f = ps.LeastSquares(torch.from_numpy(data.A), torch.from_numpy(data.b))
    numpys = ps.ClusteringProblem(data.f, 0.2, 3, "squared")
    x0 = np.linspace(-2, 2, 8)
    stop = stopping.max_iterations(20)
    ours = ps.solve(replace(numpys, f=f), ps.PALM(inertia=0.2), torch.from_numpy(x0), stop=stop)
    assert isinstance(ours.x, torch.Tensor)
    np.testing.assert_allclose(ours.x.numpy(), ps.solve(numpys, ps.PALM(inertia=0.2), x0, stop=stop).x, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: ps.PALM(inertia=0.5), ValueError, r"PALM: inertia must be below 1/2, got 0.5; take for example 0.3"),
        (lambda: ps.PALM(inertia=-0.1), ValueError, "PALM: inertia must be a finite number >= 0, got -0.1"),
        (lambda: ps.PALM(step_size=0.0), ValueError, "PALM: step_size must be a finite number > 0, got 0.0"),
        (lambda: ps.PALM(exact_every=0), ValueError, "PALM: exact_every must be at least 1, got 0"),
        (lambda: ps.PALM(exact_every=1.5), TypeError, "cannot be interpreted as an integer"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, error: type[Exception], match: str):
    with pytest.raises(error, match=match):
        make()
