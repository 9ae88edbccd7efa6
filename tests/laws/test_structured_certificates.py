"""Certificates and traits of group and spectral penalties, and of at most k nonzeros, against the definitions."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from structured_cases import (
    CASES,
    LABELS,
    SCALARS,
    SHAPE,
    V,
    charts,
    draw,
    each,
    generator,
    group,
    search,
    spectral,
    values,
)

from parsimo.penalties import L1, MCP, Group, Spectral, ZeroNormBall

# ---- certificates


@each
def test_prox_points_are_critical_for_the_prox_objective(name: str):
    """(v - p) / t is a subgradient of g at p, and a regular one."""
    rng, g = generator(), CASES[name]()
    for _ in range(60):
        v, step_size = draw(rng)
        p = g.prox(v, step_size)
        slope, rounding = (p - v) / step_size, 1e-6 * (1 + np.abs(v).max() / step_size)
        assert g.subdiff_distance(p, slope) <= rounding
        assert g.descent_rate(p, slope) <= rounding


def steepest(g: Any, x: np.ndarray, grad: np.ndarray, rng: np.random.Generator) -> float:
    """max over |d| <= 1 of -(<grad, d> + g'(x; d)) by difference quotients of g, where its slopes are finite."""
    width, height = 1e-6, values(g, x[None])[0]

    def rise(points: np.ndarray) -> np.ndarray:
        d = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-300)
        return d @ grad + (values(g, x + width * d) - height) / width

    faces = [lambda z: z] if isinstance(g, Spectral) else [chart for _, chart in charts(g, x.size)]
    least = min(search(lambda z, face=face: rise(face(z)), x.size, rng, 1.0, rounds=200) for face in faces)
    return max(0.0, -least)


STEEP = {n for n, make in SCALARS.items() if make(1.0).slopes(np.zeros(1))[1] == math.inf}
POINTS = {
    "generic": V,
    "zero": np.zeros(4),
    "zero group": np.array([0.0, 0.5, 1.0, 0.0]),
    "rank one": np.outer([1.0, 0.3], [0.6, -0.4]).reshape(-1),
    "repeated singular value": 0.5 * np.array([0.6, -0.8, 0.8, 0.6]),
    "at the flat point": np.array([0.8, 0.0, 0.0, -0.8]),
    "beyond": np.array([1.7, 0.0, 0.0, 0.9]),
}


@pytest.mark.parametrize("name", [n for n in SCALARS if n not in STEEP])
@pytest.mark.parametrize("make", [group, spectral])
@pytest.mark.parametrize("where", POINTS)
def test_descent_rate_is_the_steepest_slope(name: str, make: Any, where: str):
    rng, g = generator(), make(name)
    for scale in (0.3, 3.0):
        grad = scale * rng.normal(size=4)
        found = steepest(g, POINTS[where], grad, rng)
        assert g.descent_rate(POINTS[where], grad) == pytest.approx(found, rel=2e-4, abs=2e-4)


@pytest.mark.parametrize("name", [n for n in SCALARS if n != "CappedL1"])
@pytest.mark.parametrize("make", [group, spectral])
@pytest.mark.parametrize("where", POINTS)
def test_without_a_concave_kink_the_distance_is_the_descent_rate(name: str, make: Any, where: str):
    rng, g = generator(), make(name)
    grad = rng.normal(size=4)
    distance = g.subdiff_distance(POINTS[where], grad)
    assert distance == pytest.approx(g.descent_rate(POINTS[where], grad), rel=1e-12)


@pytest.mark.parametrize("make", [group, spectral])
@pytest.mark.parametrize("x", [np.array([0.8, 0.0, 0.0, -0.8]), np.array([0.0, 0.8, -0.3, 0.0])])
def test_at_a_concave_kink_limits_of_gradients_nearby_are_the_subgradients(make: Any, x: np.ndarray):
    """Two singular values at the kink among the cases: rotations of their vectors give a continuum of limits."""
    g, rng, width = make("CappedL1"), generator(), 1e-4

    def distances(points: np.ndarray, grad: np.ndarray) -> np.ndarray:
        """|grad + gradient of g| close to x, where g is differentiable: the differences of both sides agree."""
        near = x + width * points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
        ahead, behind = (
            np.stack([(values(g, near + h * e) - values(g, near)) / h for e in np.eye(4)], axis=1)
            for h in (1e-8, -1e-8)
        )
        smooth = np.abs(ahead - behind).max(axis=1) <= 1e-3
        return np.where(smooth, np.linalg.norm(ahead + grad, axis=1), math.inf)

    for _ in range(4):
        grad = rng.normal(size=4)
        found = search(lambda d, grad=grad: distances(d, grad), 4, rng, 1.0, rounds=40)
        distance = g.subdiff_distance(x, grad)
        if make is spectral and np.count_nonzero(x) == 2:  # no zero singular value: every subgradient is such a limit
            assert distance == pytest.approx(found, abs=1e-2)
        assert distance <= found + 1e-2
        assert g.descent_rate(x, grad) >= distance - 1e-12  # a pair of slopes lies in no smaller interval


def test_normals_of_fixed_rank_are_orthogonal_to_the_tangent_space():
    """Tangents at X = A B are dA B + A dB."""
    rng = generator()
    for shape, rank in itertools.product([(3, 4), (4, 2)], (0, 1, 2)):
        A, B = rng.normal(size=(shape[0], rank)), rng.normal(size=(rank, shape[1]))
        X, G = A @ B, rng.normal(size=shape)
        tangents = [np.outer(e, B[j]) for e in np.eye(shape[0]) for j in range(rank)]
        tangents += [np.outer(A[:, j], e) for e in np.eye(shape[1]) for j in range(rank)]
        basis = np.array(tangents).reshape(len(tangents), G.size)
        along = basis.T @ np.linalg.lstsq(basis.T, G.reshape(-1), rcond=None)[0] if tangents else np.zeros(1)
        g = Spectral.rank(0.7, shape)
        assert g.subdiff_distance(X, G) == pytest.approx(float(np.linalg.norm(along)), rel=1e-9, abs=1e-12)
        assert g.descent_rate(X, G) == pytest.approx(g.subdiff_distance(X, G), rel=1e-12)


def test_normals_of_at_most_k_by_comparison_of_all_supports():
    rng = generator()
    for x in (np.zeros(5), np.array([0.0, 2.0, 0.0, 0.0, -1.0]), np.array([1.0, 2.0, 0.0, 3.0, 0.0])):
        support = set(np.flatnonzero(x).tolist())
        for k in range(7):
            g, grad = ZeroNormBall(k), rng.normal(size=5)
            faces = [J for J in itertools.combinations(range(5), min(k, 5)) if support <= set(J)]
            norms = [float(np.linalg.norm(grad[list(J)])) for J in faces]
            assert g.subdiff_distance(x, grad) == pytest.approx(min(norms, default=math.inf))
            assert g.descent_rate(x, grad) == pytest.approx(max(norms, default=math.inf))


@each
def test_subgradients_bound_g_below(name: str):
    """A regular subgradient s has g(y) >= g(x) + <s, y - x> - o(|y - x|)."""
    rng, g = generator(), CASES[name]()
    for _ in range(20):
        v, step_size = draw(rng)
        x = g.prox(v, step_size)
        s = (v - x) / step_size
        assert g.descent_rate(x, -s) <= 1e-5 * (1 + np.abs(s).max())
        y = np.concatenate([x + 1e-4 * rng.normal(size=(200, 4)), *(_near(g, x, rng) for _ in range(3))])
        shortfall = values(g, x[None])[0] + (y - x) @ s - values(g, y)
        assert (shortfall <= np.sum((y - x) ** 2, axis=1) / (2 * step_size) + 1e-9 * (1 + np.abs(s).max())).all()


def _near(g: Any, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Points about x of the same rank, or of every set of zeros."""
    if isinstance(g, Spectral):
        left, right = np.eye(2) + 1e-3 * rng.normal(size=(2, 20, 2, 2))
        return (left @ x.reshape(SHAPE) @ right).reshape(-1, 4)
    return np.concatenate([chart(x + 1e-3 * rng.normal(size=(20, 4))) for _, chart in charts(g, 4)])


# ---- traits


@pytest.mark.parametrize("name", [n for n in SCALARS if n not in STEEP])
@pytest.mark.parametrize("make", [group, spectral])
def test_traits_hold(name: str, make: Any):
    """No chord is below g + m |x|^2 / 2 by more than convexity allows, and one coordinate changes g no faster."""
    rng, g = generator(), make(name)
    traits, scalar = g.traits, SCALARS[name](0.7).traits
    assert not traits.separable
    assert traits.convex == scalar.convex
    x, y = rng.normal(size=(2, 4000, 4)) * rng.choice([0.2, 1.0], size=(4000, 1))
    if traits.weak_convexity < math.inf:

        def lifted(points: np.ndarray) -> np.ndarray:
            return values(g, points) + traits.weak_convexity / 2 * np.sum(points**2, axis=1)

        assert (lifted((x + y) / 2) <= (lifted(x) + lifted(y)) / 2 + 1e-9).all()
    y = np.where(np.arange(4) == rng.integers(0, 4, size=(4000, 1)), y, x)
    assert (np.abs(values(g, x) - values(g, y)) <= traits.lipschitz * np.linalg.norm(x - y, axis=1) + 1e-9).all()


def test_sublevel_radii():
    g, labels = MCP(0.7, 0.8), np.array([0, 0, 1])
    assert Group(g, labels).sublevel_radius(0.3) == g.sublevel_radius(0.3)
    assert Group(g, labels, np.array([2.0, 3.0])).sublevel_radius(0.3) == g.sublevel_radius(0.15)
    assert Group(g, LABELS).sublevel_radius(0.3) == math.inf
    assert Spectral(L1(0.5), SHAPE).sublevel_radius(2.0) == 4.0
    radius = Spectral(g, SHAPE).sublevel_radius(0.3)
    assert Spectral(g, SHAPE).value(np.array([radius, 0.0, 0.0, 0.0])) == pytest.approx(0.3)


def test_at_most_none_is_convex():
    assert ZeroNormBall(0).traits.convex
    assert not ZeroNormBall(1).traits.convex
