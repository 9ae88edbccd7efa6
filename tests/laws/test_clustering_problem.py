"""The clustering problem: values, proxes and partitions against brute force."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch

import parsimo as ps
from parsimo._array import to_numpy
from parsimo.problems.clustering import Partition

DISTANCES = ("absolute", "squared")


def problem(n: int, k: int, distance: Any = "absolute", weight: float = 0.7, **keywords: Any) -> ps.ClusteringProblem:
    return ps.ClusteringProblem(ps.LeastSquares(np.eye(n), np.zeros(n)), weight, k, distance, **keywords)


def brute_force(x: np.ndarray, k: int, distance: str, anchored: bool) -> float:
    """The least cost over all assignments to k clusters, each with its best center, one of them 0 if anchored."""
    best = np.inf
    for codes in itertools.product(range(k), repeat=x.size):
        total = 0.0
        for j in set(codes):
            members = x[np.array(codes) == j]
            center = 0.0 if anchored and j == 0 else np.median(members) if distance == "absolute" else members.mean()
            d = np.abs(members - center)
            total += float(np.sum(d if distance == "absolute" else d * d / 2))
        best = min(best, total)
    return best


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_value_is_the_best_clustering(k: int, distance: str, anchored: bool):
    rng = np.random.default_rng(k)
    for trial in range(4):
        x = rng.normal(size=6) if trial % 2 else rng.integers(-2, 3, size=6).astype(float)  # with ties
        p = problem(6, k, distance, anchor_zero=anchored)
        expected = float(x @ x) / 2 + 0.7 * brute_force(x, k, distance, anchored)
        assert p.value(x) == pytest.approx(expected, rel=1e-12)
        (partition,) = p.auxiliary(x)
        assert partition.codebook.size <= k
        assert (np.diff(partition.codebook) > 0).all()
        assert partition.codes.shape == x.shape
        assert not anchored or 0.0 in partition.codebook
        assert p.value(x, p.auxiliary(x)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("distance", DISTANCES)
def test_descent_is_never_worse_than_the_partition_it_starts_from(distance: str, anchored: bool):
    """Also where x has moved far from the old representatives, and where a cluster is empty."""
    rng = np.random.default_rng(0)
    for _ in range(80):
        p = problem(7, 3, distance, anchor_zero=anchored)
        u = p.auxiliary(rng.normal(size=7))
        x = 3 * rng.normal(size=7) + rng.normal()
        assert p.value(x, p.auxiliary(x, u)) <= p.value(x, u) + 1e-12
        assert p.value(x, p.auxiliary(x)) <= p.value(x, p.auxiliary(x, u)) + 1e-12


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("distance", DISTANCES)
def test_the_prox_is_no_worse_than_any_point_with_the_old_partition(distance: str, anchored: bool):
    """This is all that the decrease of the solvers needs (docs/theory.md, 5.3)."""
    rng = np.random.default_rng(1)
    for _ in range(100):
        p = problem(7, 3, distance, anchor_zero=anchored)
        u, v, t = p.auxiliary(rng.normal(size=7)), 2 * rng.normal(size=7), float(10 ** rng.uniform(-1, 1))
        x, new = p.prox(v, t, u)
        reached = p.given(new).value(x) + float(np.sum((x - v) ** 2)) / (2 * t)
        convex = p.given(u).prox(v, t)  # the best x with the old codes
        assert reached <= p.given(u).value(convex) + float(np.sum((convex - v) ** 2)) / (2 * t) + 1e-10


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_prox_is_the_joint_one_of_its_codes(distance: str):
    rng = np.random.default_rng(2)
    for anchored, t in itertools.product((False, True), (0.05, 0.5, 5.0)):
        p, v = problem(8, 3, distance, anchor_zero=anchored), rng.normal(size=8)
        x, u = p.prox(v, t)
        np.testing.assert_allclose(x, p.given(u).prox(v, t), atol=1e-12)
        again, same = p.prox(v, t, u)
        np.testing.assert_allclose(again, x, atol=1e-12)
        np.testing.assert_array_equal(same[0].codes, u[0].codes)


def test_a_quantized_point_is_told_to_be_quantized():
    """Its representatives are its values, bit for bit, for either distance."""
    rng = np.random.default_rng(8)
    for distance in DISTANCES:
        p = problem(50, 5, distance)
        x = rng.normal(size=5)[rng.integers(0, 5, size=50)] / 3
        assert p.describe(x) == {"distinct values": 5, "largest distance": 0.0}
        assert p.value(x) == pytest.approx(float(x @ x) / 2, rel=1e-15)


def test_large_steps_quantize_exactly():
    rng = np.random.default_rng(3)
    for anchored in (False, True):
        p = problem(20, 4, "absolute", anchor_zero=anchored)
        for dtype in (np.float32, np.float64):
            x, u = p.prox(rng.normal(size=20).astype(dtype), 1e3)
            assert x.dtype == dtype
            assert np.unique(x).size <= 4
            assert p.largest_distance(x, u) == 0
            np.testing.assert_array_equal(p.quantize(x, u), x)


def test_blocks_have_codebooks_of_their_own_and_the_rest_is_free():
    blocks = (slice(0, 3), np.array([6, 4, 5]))
    p = problem(8, 2, "squared", blocks=blocks)
    x = np.array([0.0, 0.1, 5.0, 77.0, -1.0, -1.2, 9.0, -55.0])
    first, second = p.auxiliary(x)
    np.testing.assert_allclose(first.codebook, [0.05, 5.0])
    np.testing.assert_allclose(second.codebook, [-1.1, 9.0])
    np.testing.assert_array_equal(second.codes, [1, 0, 0])
    q = p.quantize(x, (first, second))
    np.testing.assert_allclose(q, [0.05, 0.05, 5.0, 77.0, -1.1, -1.1, 9.0, -55.0])
    assert x[0] == 0.0
    assert p.value(x) == pytest.approx(float(x @ x) / 2 + 0.7 * (2 * 0.05**2 + 2 * 0.1**2) / 2)
    y, _ = p.prox(x, 1.0)
    assert (y[3], y[7]) == (77.0, -55.0)
    away = tuple(dataclasses.replace(part, codebook=part.codebook + 1.0) for part in p.auxiliary(x))
    assert p.describe(x, away)["largest distance"] > 0.5  # of the given representatives
    assert p.describe(x)["distinct values"] == 6
    assert p.describe(x)["largest distance"] == pytest.approx(0.1)


def test_the_anchored_zero_stays_zero_bit_for_bit():
    p = problem(6, 2, "squared", anchor_zero=True)
    x = np.array([0.01, -0.02, 0.03, 2.0, 2.2, 1.9])
    u = p.auxiliary(x)
    for _ in range(5):
        assert 0.0 in u[0].codebook
        assert (p.quantize(x, u)[:3] == 0.0).all()
        x, u = p.prox(x, 1.0, u)
    only_zero = problem(3, 1, "absolute", anchor_zero=True)
    np.testing.assert_array_equal(only_zero.auxiliary(np.ones(3))[0].codebook, [0.0])


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_certificate_bounds_the_slope_of_the_objective(distance: str):
    """With the codes fixed the objective is convex: no direction falls faster than the certificate."""
    rng = np.random.default_rng(4)
    p = problem(6, 2, distance)
    for _ in range(30):
        x = rng.normal(size=6)
        u = p.auxiliary(x)
        certificate = ps.certificate(p, x, u)
        for _ in range(20):
            d = rng.normal(size=6)
            d /= np.linalg.norm(d)
            assert (p.value(x + 1e-6 * d, u) - p.value(x, u)) / 1e-6 >= -certificate - 1e-4


def test_torch_and_numpy_agree():
    rng = np.random.default_rng(5)
    A, b, v = rng.normal(size=(9, 6)), rng.normal(size=9), rng.normal(size=6)
    for distance in DISTANCES:
        numpy = ps.ClusteringProblem(ps.LeastSquares(A, b), 0.7, 2, distance)  # type: ignore[arg-type]
        f = ps.LeastSquares(torch.from_numpy(A), torch.from_numpy(b))
        in_torch = ps.ClusteringProblem(f, 0.7, 2, distance)  # type: ignore[arg-type]
        x, u = in_torch.prox(torch.from_numpy(v), 0.5)
        y, w = numpy.prox(v, 0.5)
        assert isinstance(x, torch.Tensor)
        np.testing.assert_allclose(to_numpy(x), y, atol=1e-12)
        np.testing.assert_array_equal(u[0].codes, w[0].codes)
        assert in_torch.value(x) == pytest.approx(numpy.value(y), rel=1e-12)
        np.testing.assert_allclose(to_numpy(in_torch.quantize(x, u)), numpy.quantize(y, w), atol=1e-12)


def test_notes_say_what_is_proven():
    rng = np.random.default_rng(6)
    A, y = rng.normal(size=(10, 3)), np.where(rng.random(10) < 0.5, -1.0, 1.0)
    f = ps.Logistic(A, y)
    largest = float(np.abs(A).sum(axis=0).max())
    above, below = (ps.ClusteringProblem(f, factor * largest, 2).notes[0] for factor in (1.01, 1.0))
    assert above.startswith("exact: weight = ")
    assert below.startswith("not exact: weight = ")
    assert "Theorem 5.1" in above
    assert problem(3, 2).notes[0].startswith("not proven exact: f gives no coordinatewise Lipschitz constant")
    assert problem(3, 2, "squared").notes[0].startswith("squared distance: no finite weight quantizes exactly")


def test_a_start_is_near_a_minimizer_of_f():
    rng = np.random.default_rng(7)
    A, b = rng.normal(size=(10, 3)), rng.normal(size=10)
    squares = ps.LeastSquares(A, b)
    least = ps.ClusteringProblem(squares, 0.1, 2).start()
    L = np.linalg.norm(A, 2) ** 2
    near = np.linalg.solve(A.T @ A + L / 100 * np.eye(3), A.T @ b + L / 100 * squares.start())
    np.testing.assert_allclose(least, near, rtol=1e-6)
    np.testing.assert_allclose(least, np.linalg.lstsq(A, b)[0], atol=0.1)
    f = ps.Logistic(A, np.where(b > 0, 1.0, -1.0))
    x = f.start()
    for _ in range(100):
        x = x - f.grad(x) / f.lipschitz
    np.testing.assert_allclose(ps.ClusteringProblem(f, 0.1, 2).start(), x, rtol=1e-12)
    assert f.value(x) < f.value(np.zeros(3))


class Plain:
    lipschitz = None

    def value(self, x: np.ndarray) -> float:
        return 0.0

    def grad(self, x: np.ndarray) -> np.ndarray:
        return x

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return 0.0, x


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: problem(3, 0), ValueError, "ClusteringProblem: k must be at least 1, got 0"),
        (lambda: problem(3, 2.0), TypeError, "integer"),  # type: ignore[arg-type]
        (lambda: problem(3, 2, "cubed"), ValueError, 'ClusteringProblem: distance must be "absolute" or "squared"'),
        (lambda: problem(3, 2, weight=-1.0), ValueError, "ClusteringProblem: weight must be a finite number >= 0"),
        (lambda: problem(3, 2, weight=np.ones(3)), ValueError, "weight must be one number; give blocks"),  # type: ignore[arg-type]
        (lambda: ps.ClusteringProblem(object(), 1.0, 2), TypeError, "smooth part: it lacks value, grad"),
        (lambda: ps.ClusteringProblem(Plain(), 1.0, 2).start(), ValueError, r"offers no start\(\); pass x0"),
        (
            lambda: problem(4, 3).check_start(np.array([1.0, 1.0, 2.0, 1.0])),
            ValueError,
            "k = 3 but the start has 2 distinct values in block 0; lower k, or start elsewhere",
        ),
        (
            lambda: problem(4, 1, blocks=(slice(0, 3), np.array([2, 3]))).check_start(np.arange(4.0)),
            ValueError,
            "blocks must be disjoint, but two of them share a coordinate",
        ),
    ],
)
def test_wrong_arguments_are_refused(make: Any, error: type[Exception], match: str):
    with pytest.raises(error, match=match):
        make()


def test_the_right_starts_beside_the_wrong_ones():
    problem(4, 3).check_start(np.array([1.0, 3.0, 2.0, 1.0]))
    problem(4, 2, blocks=(slice(0, 2), np.array([2, 3]))).check_start(np.arange(4.0))
    assert isinstance(problem(4, 2).auxiliary(np.arange(4.0))[0], Partition)
