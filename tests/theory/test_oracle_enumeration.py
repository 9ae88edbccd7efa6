"""Enumeration of supports and of partitions, extrapolated differences, automatic differentiation."""

from __future__ import annotations

import builtins
import itertools
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import expit

import parsimo as ps
from parsimo.penalties.codebook import Line, best_codebook
from parsimo.theory_checks.oracles.autograd import autograd_gradient
from parsimo.theory_checks.oracles.differences import directional_derivative, extrapolated_gradient
from parsimo.theory_checks.oracles.enumeration import (
    clustering_minimum,
    zero_norm_minimizers,
    zero_norm_minimum,
    zero_norm_minimum_of,
)


def data(m: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((m, n)), 3 * rng.standard_normal(m)


# ---- supports


def plain_minimum(A: np.ndarray, b: np.ndarray, weight: Any) -> float:
    """One support after the other, by lstsq."""
    n, best = A.shape[1], math.inf
    prices = np.broadcast_to(weight, (n,))
    for support in itertools.chain.from_iterable(itertools.combinations(range(n), k) for k in range(n + 1)):
        columns = list(support)
        x = np.linalg.lstsq(A[:, columns], b, rcond=None)[0]
        best = min(best, float(np.sum((A[:, columns] @ x - b) ** 2)) / 2 + float(prices[columns].sum()))
    return best


@pytest.mark.parametrize(("m", "n"), [(12, 6), (4, 7), (1, 3)])
@pytest.mark.parametrize("weight", [0.0, 0.8, "each"])
def test_batches_of_supports_against_one_after_the_other(m: int, n: int, weight: Any):
    A, b = data(m, n)
    weight = np.linspace(0.1, 2, n) if weight == "each" else weight
    value, x = zero_norm_minimum(A, b, weight)
    assert value == pytest.approx(plain_minimum(A, b, weight), rel=1e-12, abs=1e-12)
    assert value == pytest.approx(np.sum((A @ x - b) ** 2) / 2 + np.sum(weight * (x != 0)), abs=1e-12)


def test_columns_that_depend_on_each_other():
    A, noise = data(8, 4)
    A, b = np.hstack([A, A[:, :2]]), 5 * A[:, 0] + 0.1 * noise
    assert zero_norm_minimum(A, b, 0.5)[0] == pytest.approx(plain_minimum(A, b, 0.5), abs=1e-10)
    _, minimizers = zero_norm_minimizers(A, b, 0.5)
    assert len(minimizers) >= 2  # each of the two equal columns will do


def test_all_minimizers_at_a_tie():
    """With A = I and b_i^2 / 2 = weight, a coordinate may be kept or dropped."""
    value, minimizers = zero_norm_minimizers(np.eye(3), np.array([math.sqrt(2.0), 0.1, 3.0]), 1.0)
    assert value == pytest.approx(2.005)
    assert sorted(np.count_nonzero(x) for x in minimizers) == [1, 2]


@pytest.mark.parametrize("kind", ["least squares", "logistic"])
def test_newton_on_every_support(kind: str):
    A, b = data(24, 6)
    if kind == "least squares":
        value, x = zero_norm_minimum_of(ps.LeastSquares(A, b), 2.0)
        assert value == pytest.approx(zero_norm_minimum(A, b, 2.0)[0], abs=1e-10)
        return
    y = np.where(A[:, 0] - A[:, 3] + 0.5 * b > 0, 1.0, -1.0)
    f = ps.Logistic(A, y)
    value, x = zero_norm_minimum_of(f, 1.0)
    margins = y * (A @ x)
    assert value == pytest.approx(np.log1p(np.exp(-margins)).sum() + np.count_nonzero(x), abs=1e-12)
    slopes = -A.T @ (y / (1 + np.exp(margins)))
    assert np.abs(slopes[x != 0]).max() <= 1e-8
    result = ps.solve(ps.ZeroNormProblem(f, 1.0), ps.ProximalGradient())
    assert value <= result.objective + 1e-9


def test_an_infimum_that_is_not_attained_counts():
    """The logistic loss of separable classes tends to 0."""
    A = np.array([[1.0], [2.0], [-1.0]])
    value, _ = zero_norm_minimum_of(ps.Logistic(A, np.array([1.0, 1.0, -1.0])), 0.1)
    assert value == pytest.approx(0.1, abs=1e-8)


def test_newton_that_does_not_end_is_an_error():
    falling = SimpleNamespace(shape=(1,), value=lambda x: float(-x[0]), grad=lambda x: -np.ones(1))
    with pytest.raises(ArithmeticError, match=r"does not end on the support \[0\]; f must be convex"):
        zero_norm_minimum_of(falling, 0.1)


def test_too_many_columns_are_refused():
    for call in (
        lambda: zero_norm_minimum(np.eye(13), np.ones(13), 1.0),
        lambda: zero_norm_minimum_of(ps.LeastSquares(np.eye(13), np.ones(13)), 1.0),
    ):
        with pytest.raises(ValueError, match=r"2\^13 supports are too many; take at most 12"):
            call()


# ---- partitions


@pytest.mark.parametrize("distance", ["absolute", "squared"])
def test_orthogonal_columns_are_clustered_as_points_on_a_line(distance: Any):
    """Under a large weight x takes k values, and the best ones are a best codebook of b for the squared distance."""
    b = np.array([0.1, 0.3, 1.9, 2.4, -3.0])
    bound = clustering_minimum(np.eye(5), b, 1e4, 3, distance)
    book = best_codebook(Line.of(b), 3, "squared")
    least = (np.abs(b[:, None] - book).min(axis=1) ** 2).sum() / 2
    assert bound.value == pytest.approx(least, abs=1e-3)
    assert bound.lower <= bound.value <= bound.lower + 1e-6


@pytest.mark.parametrize("distance", ["absolute", "squared"])
def test_no_random_point_beats_the_best_partition(distance: str):
    A, b = data(9, 4)
    bound = clustering_minimum(A, b, 1.5, 2, distance)
    rng = np.random.default_rng(1)
    x = bound.x + rng.standard_normal((20_000, 4)) * 10.0 ** rng.uniform(-4, 0.5, (20_000, 1))
    center = np.take_along_axis(x, rng.integers(4, size=(20_000, 2)), axis=1)
    center += rng.standard_normal(center.shape) * 10.0 ** rng.uniform(-6, 0, (20_000, 1))
    d = np.abs(x[:, :, None] - center[:, None, :]).min(axis=2)
    penalty = d.sum(axis=1) if distance == "absolute" else (d**2).sum(axis=1) / 2
    assert (((x @ A.T - b) ** 2).sum(axis=1) / 2 + 1.5 * penalty).min() >= bound.lower


def test_as_many_clusters_as_coordinates_cost_nothing():
    A, b = data(9, 4)
    free = np.sum((A @ np.linalg.lstsq(A, b, rcond=None)[0] - b) ** 2) / 2
    for k in (4, 7):
        for distance in ("absolute", "squared"):
            bound = clustering_minimum(A, b, 2.0, k, distance)
            assert bound.value == pytest.approx(free, abs=1e-9)
            assert bound.source == "all 1 partitions of 4 coordinates into 4 clusters"


def test_what_cannot_be_partitioned_is_named():
    with pytest.raises(ValueError, match="9 columns are too many; take at most 8"):
        clustering_minimum(np.eye(9), np.ones(9), 1.0, 2)
    with pytest.raises(ValueError, match='distance must be "absolute" or "squared"'):
        clustering_minimum(np.eye(2), np.ones(2), 1.0, 2, "cubic")


# ---- derivatives


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_extrapolated_differences_know_their_error(scale: float):
    A, b = data(20, 5)
    x = scale * np.random.default_rng(5).standard_normal(5)
    y = np.sign(b)
    cases = {
        "squares": (lambda x: float(np.sum((A @ x - b) ** 2)) / 2, A.T @ (A @ x - b)),
        "logistic": (lambda x: float(np.logaddexp(0, -y * (A @ x)).sum()), -A.T @ (y * expit(-y * (A @ x)))),
        "sine": (lambda x: float(np.sin(x / scale).sum()), np.cos(x / scale) / scale),
    }
    for name, (value, gradient) in cases.items():
        derivatives, errors = extrapolated_gradient(SimpleNamespace(value=value), x)
        assert (np.abs(derivatives - gradient) <= errors).all(), name
        if name != "sine":  # which has a scale of its own
            assert errors.max() <= 1e-8 * np.abs(gradient).max(), name


def test_wide_steps_do_not_hide_a_narrow_feature():
    """A ridge of width 1e-4 at x, which steps of 0.05 down to 1e-4 hardly see: the error says so."""
    f = SimpleNamespace(value=lambda x: float(x @ x + 1e-3 * np.tanh(x / 1e-4).sum()))
    derivative, error = directional_derivative(f, np.zeros(1), np.ones(1))
    assert abs(derivative - 10.0) <= error or error > 1.0


def test_single_precision_is_allowed_its_rounding():
    A, b = (a.astype(np.float32) for a in data(20, 5))
    f = ps.LeastSquares(A, b)
    x = np.ones(5, dtype=np.float32)
    derivatives, errors = extrapolated_gradient(f, x, coordinates=[1, 3])
    assert (np.abs(derivatives - f.grad(x)[[1, 3]]) <= errors).all()
    assert errors.max() <= 1e-3 * np.abs(f.grad(x)).max()


def test_autograd_of_losses_written_out_in_torch():
    A, b = data(20, 5)
    y = np.sign(b)
    At, bt, yt = (torch.from_numpy(a) for a in (A, b, y))
    x = np.random.default_rng(4).standard_normal(5)
    for f, reference in (
        (ps.LeastSquares(A, b), lambda x: ((At @ x - bt) ** 2).sum() / 2),
        (ps.Logistic(A, y, average=True), lambda x: torch.log1p(torch.exp(-yt * (At @ x))).mean()),
    ):
        value, gradient = autograd_gradient(reference, x)
        assert value == pytest.approx(f.value(x), rel=1e-13)
        np.testing.assert_allclose(gradient, f.grad(x), rtol=1e-12)
        assert gradient.dtype == np.float64
    assert autograd_gradient(lambda x: (x**2).sum(), torch.ones(2, dtype=torch.float32))[1].dtype == np.float64


def test_autograd_refuses_what_it_cannot_differentiate(monkeypatch: pytest.MonkeyPatch):
    for function in (lambda x: x, lambda x: 1.0, lambda x: x.detach().sum()):
        with pytest.raises(TypeError, match="must return a 0-d tensor that depends on its argument"):
            autograd_gradient(function, np.ones(2))
    find = builtins.__import__

    def absent(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "torch":
            raise ImportError(name)
        return find(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match=r'autograd_gradient needs torch: pip install "parsimo\[neural\]"'):
        autograd_gradient(lambda x: x.sum(), np.ones(2))
