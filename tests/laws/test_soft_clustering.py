"""The soft minimum and the harmonic mean of squared distances: formulas, gradients, constants."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch

import parsimo as ps
from parsimo._array import array_namespace, to_numpy
from parsimo.theory_checks.oracles.differences import difference_gradient

BOOK = np.array([0.3, -1.0, 2.0, 0.0])  # in no order
X = np.array([0.3, -0.35, 0.15, 1.15, -4.0, 7.0])  # representatives, midpoints and beyond

KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "numpy": np.asarray,
    "torch": torch.from_numpy,
    "array-api-strict": lambda a: array_api_strict.asarray(a.tolist(), dtype=array_api_strict.float64),
}
MEMBERS = {"soft minimum": ps.SoftMinClustering, "harmonic": ps.HarmonicClustering}


def written_out(name: str, weights: np.ndarray, book: np.ndarray, softness: float, x: np.ndarray) -> float:
    def term(t: float) -> float:
        if name == "soft minimum":
            return -softness * math.log(sum(math.exp(-((t - c) ** 2) / softness) for c in book))
        return 1 / sum(1 / ((t - c) ** 2 + softness) for c in book)

    return sum(w * term(t) for w, t in zip(weights, x, strict=True))


@pytest.mark.parametrize("softness", [0.07, 1.3])
@pytest.mark.parametrize("weight", [0.7, np.array([0.0, 1.0, 2.0, 0.5, 3.0, 0.1])])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MEMBERS)
def test_values_and_gradients(name: str, kind: str, weight: Any, softness: float):
    make, as_array = MEMBERS[name], KINDS[kind]
    f = make(weight if np.ndim(weight) == 0 else as_array(weight), as_array(BOOK), softness)
    x = as_array(X)
    weights = np.broadcast_to(weight, X.shape)
    value, grad = f.value_and_grad(x)
    assert type(value) is float
    assert value == pytest.approx(written_out(name, weights, BOOK, softness, X), rel=1e-9)
    assert f.value(x) == value
    np.testing.assert_array_equal(to_numpy(f.grad(x)), to_numpy(grad))
    np.testing.assert_allclose(to_numpy(grad), difference_gradient(make(weight, BOOK, softness), X), atol=1e-6)

    class OfTheCodebook:
        def value(self, c: np.ndarray) -> float:
            return make(weight, c, softness).value(X)

    of_codebook = f.codebook_grad(x)
    np.testing.assert_allclose(to_numpy(of_codebook), difference_gradient(OfTheCodebook(), BOOK), atol=1e-6)
    for result in (grad, of_codebook):
        assert array_namespace(result) is array_namespace(x)
        assert result.dtype == x.dtype
    np.testing.assert_array_equal(to_numpy(x), X)


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("library", [np.asarray, torch.from_numpy])
def test_float32_is_kept_and_the_codebook_may_come_from_elsewhere(library: Any, name: str):
    f, x = MEMBERS[name](0.7, BOOK, 0.1), library(X.astype(np.float32).reshape(2, 3))
    value, grad = f.value_and_grad(x)
    assert (grad.dtype, grad.shape) == (x.dtype, x.shape)
    assert (f.codebook_grad(x).dtype, tuple(f.codebook_grad(x).shape)) == (x.dtype, (4,))
    assert value == pytest.approx(f.value(X), rel=1e-5)
    np.testing.assert_allclose(to_numpy(grad).reshape(-1), f.grad(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MEMBERS)
def test_far_points_and_little_softness_overflow_nowhere(name: str):
    f = MEMBERS[name](1.0, BOOK, 1e-300)
    x = np.array([1e100, 0.3, 0.3 + 1e-9])
    assert f.value(x[1:]) == pytest.approx(1e-18, rel=1e-6)
    np.testing.assert_allclose(f.grad(x)[1:], [0.0, 2e-9], rtol=1e-6)
    # far away the soft minimum follows the nearest representative, the harmonic mean all of them
    assert f.grad(x)[0] == pytest.approx(2e100 if name == "soft minimum" else 2e100 / BOOK.size)


@pytest.mark.parametrize(("k", "softness"), [(1, 0.5), (2, 0.01), (2, 5.0), (5, 0.3)])
@pytest.mark.parametrize("name", MEMBERS)
def test_the_constants_bound_what_they_say(name: str, k: int, softness: float):
    rng = np.random.default_rng(k)
    weights = np.array([0.5, 2.0])
    f = MEMBERS[name](weights, rng.normal(size=k), softness)
    for _ in range(300):
        x = rng.normal(size=2) * 2
        z = x + rng.normal(size=2) * 10 ** rng.uniform(-3, 1)
        change, step = f.grad(x) - f.grad(z), x - z
        allowed = 1e-9 * float(step @ step)
        assert np.linalg.norm(change) <= f.lipschitz * np.linalg.norm(step) * (1 + 1e-9)
        assert change @ step >= -f.weak_convexity * float(step @ step) - allowed
        assert (change * step <= f.coordinate_curvature * step**2 + allowed).all()
    assert f.convex == (f.weak_convexity == 0)
    assert MEMBERS[name](2.0, BOOK, softness).coordinate_curvature == 4.0


@pytest.mark.parametrize("name", MEMBERS)
def test_the_constants_are_attained_between_two_representatives(name: str):
    f = MEMBERS[name](0.7, np.array([-1.0, 1.0]), 1e-6 if name == "harmonic" else 0.25)
    h = 1e-5
    slope = float(f.grad(np.array([h]))[0] - f.grad(np.array([-h]))[0]) / (2 * h)
    assert slope == pytest.approx(-f.lipschitz, rel=1e-4)


def test_a_high_temperature_is_convex():
    assert ps.SoftMinClustering(1.0, BOOK, 4.5).convex  # range 3: D^2 = 2 T
    assert ps.SoftMinClustering(1.0, BOOK, 4.5).lipschitz == 2.0
    assert not ps.SoftMinClustering(1.0, BOOK, 4.4).convex
    assert ps.HarmonicClustering(1.0, np.array([3.0]), 1.0).convex


@pytest.mark.parametrize("name", MEMBERS)
def test_solvers_take_it(name: str):
    problem = ps.Composite(MEMBERS[name](1.0, BOOK, 0.1), ps.Zero())
    result = ps.solve(problem, ps.ProximalGradient(), X).require()
    assert np.abs(problem.f.grad(result.x)).max() < 1e-4


def test_numbers_are_kept_as_numbers():
    for f in (ps.SoftMinClustering(1, BOOK, 2), ps.HarmonicClustering(1, BOOK, 2)):
        temperature = f.temperature if isinstance(f, ps.SoftMinClustering) else f.epsilon
        assert (f.weight, temperature) == (1.0, 2.0)
        assert type(f.weight) is type(temperature) is float


def test_wrong_arguments_are_refused():
    for make in MEMBERS.values():
        name = make.__name__
        with pytest.raises(ValueError, match=f"{name}: weight must be a finite number >= 0"):
            make(-1.0, BOOK, 1.0)
        with pytest.raises(ValueError, match=f"{name}: codebook is empty"):
            make(1.0, np.empty(0), 1.0)
        with pytest.raises(ValueError, match=f"{name}: codebook must have shape"):
            make(1.0, BOOK.reshape(2, 2), 1.0)
        with pytest.raises(ValueError, match=f"{name}: codebook has 1 entries that are NaN"):
            make(1.0, np.array([0.0, math.nan]), 1.0)
        with pytest.raises(TypeError, match="must be one number"):
            make(1.0, BOOK, np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="SoftMinClustering: temperature must be a finite number > 0"):
        ps.SoftMinClustering(1.0, BOOK, 0.0)
    with pytest.raises(ValueError, match="HarmonicClustering: epsilon must be a finite number > 0"):
        ps.HarmonicClustering(1.0, BOOK, -1.0)
