"""torch differentiates through values and proxes: the derivatives are right, and never NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from penalty_cases import MAKERS, random_cases

RANDOM = list(random_cases(2))
CASES = [make(0.7) for make in MAKERS.values()] + [g for g, _ in RANDOM]
STEPS = (0.05, 0.9, 1.0, 40.0)
WIDTH = 1e-6

each = pytest.mark.parametrize("g", CASES, ids=[repr(g) for g in CASES])


def derivative(function: Callable[[Any], Any], at: np.ndarray) -> np.ndarray:
    """That of each entry of a separable function; 0 where its values do not depend on x, as inside a box."""
    x = torch.tensor(at, requires_grad=True)
    total = function(x)[torch.isfinite(function(x.detach()))].sum()
    if not total.requires_grad:
        return np.zeros_like(at)
    (slope,) = torch.autograd.grad(total, x)
    return slope.numpy()


def landmarks(g: Any, step_size: float) -> np.ndarray:
    """0, thresholds from both sides, and numbers of many sizes."""
    threshold = g.threshold(step_size) if hasattr(g, "threshold") else 1.0
    near = threshold * np.array([1.0, 1 - 1e-12, 1 + 1e-12, 1 - 1e-3, 1 + 1e-3, 1.5])
    sizes = np.geomspace(1e-8, 1e4, 25)
    return np.concatenate([[0.0, -0.0], near, -near, sizes, -sizes])


@each
def test_the_derivative_of_the_terms_is_their_slope(g: Any):
    x = np.concatenate([np.random.default_rng(0).normal(size=200) * 2, landmarks(g, 1.0)])
    left, right = g.slopes(x)
    smooth = (left == right) & np.isfinite(g.terms(x))
    slope = derivative(g.terms, x)
    assert not np.isnan(slope).any()
    np.testing.assert_allclose(slope[smooth], right[smooth], rtol=1e-7, atol=1e-9)


@each
@pytest.mark.parametrize("step_size", STEPS)
def test_the_derivative_of_the_prox_is_that_of_differences(g: Any, step_size: float):
    v = np.random.default_rng(1).normal(size=300) * 3
    left = (g.prox(v, step_size) - g.prox(v - WIDTH, step_size)) / WIDTH
    right = (g.prox(v + WIDTH, step_size) - g.prox(v, step_size)) / WIDTH
    smooth = np.abs(left - right) <= 1e-5 * (1 + np.abs(left))  # neither a jump nor a kink between
    assert smooth.sum() >= 250
    slope = derivative(lambda x: g.prox(x, step_size), v)
    np.testing.assert_allclose(slope[smooth], ((left + right) / 2)[smooth], rtol=1e-5, atol=1e-6)


@each
@pytest.mark.parametrize("step_size", STEPS)
def test_the_derivative_of_the_prox_is_a_number_everywhere(g: Any, step_size: float):
    v = landmarks(g, step_size)
    slope = derivative(lambda x: g.prox(x, step_size), v)
    assert np.isfinite(slope).all(), v[~np.isfinite(slope)]
    assert (slope >= 0).all()  # a prox on a line rises
    x = g.prox(v, step_size)
    with_graph = g.prox(torch.tensor(v, requires_grad=True), step_size).detach().numpy()
    np.testing.assert_allclose(with_graph, x, rtol=1e-14, atol=1e-300)


@each
def test_single_precision_and_array_steps_have_derivatives_too(g: Any):
    v = torch.tensor(landmarks(g, 1.0), dtype=torch.float32, requires_grad=True)
    steps = torch.linspace(0.1, 10.0, v.numel())
    x = g.prox(v, steps)
    assert x.dtype == torch.float32
    (slope,) = torch.autograd.grad(x.sum(), v)
    assert torch.isfinite(slope).all()
