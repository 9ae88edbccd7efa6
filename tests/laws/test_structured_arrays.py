"""Group and spectral penalties, and at most k nonzeros: libraries, dtypes, shapes, sizes, and wrong arguments."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest
import torch
from penalty_cases import LIBRARIES
from structured_cases import (
    CASES,
    FACTORS,
    LABELS,
    SHAPE,
    V,
    each,
    each_library,
    each_scalar,
    group,
    spectral,
)

from parsimo._array import array_namespace, device_of, to_numpy
from parsimo.penalties import L1, Group, Spectral, ZeroNorm, ZeroNormBall

# ---- libraries, dtypes, shapes


@each
@each_library
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4,), SHAPE])
def test_library_dtype_and_shape_are_kept(name: str, library: str, dtype: Any, shape: tuple[int, ...]):
    g = CASES[name]()
    if isinstance(g, Group) and g.labels.ndim == 1 and len(shape) == 2:
        g = Group(g.penalty, g.labels.reshape(shape), g.weights)
    points, cosines = V.reshape(shape).astype(dtype), np.cos(V).reshape(shape).astype(dtype)
    v, grad = LIBRARIES[library](points), LIBRARIES[library](cosines)
    x = g.prox(v, 0.4)
    for point in (x, *g.prox_set(v, 0.4)):
        assert array_namespace(point) is array_namespace(v)
        assert (device_of(point), point.dtype, tuple(point.shape)) == (device_of(v), v.dtype, shape)
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    np.testing.assert_allclose(to_numpy(x), g.prox(points.astype(np.float64), 0.4), atol=tolerance)
    for method in (g.subdiff_distance, g.descent_rate):
        assert type(method(x, grad)) is float
        expected = method(to_numpy(x), to_numpy(grad))
        assert method(x, grad) == pytest.approx(expected, rel=100 * tolerance, abs=tolerance)
    assert type(g.value(v)) is float
    assert g.value(v) == pytest.approx(g.value(points), rel=tolerance)
    np.testing.assert_array_equal(to_numpy(v), points)
    np.testing.assert_array_equal(to_numpy(grad), cosines)


@each_library
def test_arrays_of_steps_come_from_any_library(library: str):
    convert, steps = LIBRARIES[library], np.array([0.3, 2.0, 17.0, 0.3])
    for g in (group("MCP"), ZeroNormBall(2)):
        np.testing.assert_allclose(to_numpy(g.prox(convert(V), convert(steps))), g.prox(V, steps), rtol=1e-14)
        listed = g.prox_set(convert(V), convert(steps))
        np.testing.assert_allclose([to_numpy(x) for x in listed], g.prox_set(V, steps), rtol=1e-14)


def test_norms_and_singular_values():
    np.testing.assert_allclose(group("L1").norms(V), [1.7, 1.5])
    np.testing.assert_array_equal(Group.columns(L1(1.0), (2, 3)).norms(np.arange(6.0)), np.sqrt([9.0, 17.0, 29.0]))
    np.testing.assert_array_equal(Group.rows(L1(1.0), (2, 3)).norms(np.arange(6.0)), np.sqrt([5.0, 50.0]))
    np.testing.assert_allclose(spectral("L1").singular_values(np.array([0.0, 3.0, -4.0, 0.0])), [4.0, 3.0])
    assert Spectral.rank(1.0, (2, 2)).value(np.array([1.0, 1.0, 1.0, 1.0 + 1e-16])) == 1.0
    assert Spectral.rank(1.0, (2, 2)).value(np.array([1.0, 1.0, 1.0, 1.0 + 1e-13])) == 2.0


@each_scalar
def test_torch_differentiates_through_a_group_prox(name: str):
    g = group(name)
    for start in (V, np.array([0.0, 2.0, 0.3, 0.0]), np.array([1e-3, 1e-3, 1.0, 1e-3]), np.zeros(4)):
        v = torch.tensor(start, requires_grad=True)
        (gradient,) = torch.autograd.grad(g.prox(v, 0.4).sum(), v)
        assert torch.isfinite(gradient).all()
        if start[0]:
            h = 1e-6
            slopes = [
                float((g.prox(start + h * e, 0.4) - g.prox(start - h * e, 0.4)).sum()) / (2 * h) for e in np.eye(4)
            ]
            np.testing.assert_allclose(gradient.numpy(), slopes, atol=1e-5)
        (gradient,) = torch.autograd.grad(g.norms(v).sum(), v)
        assert torch.isfinite(gradient).all()


# ---- sizes

EXPONENTS = {np.float64: (600, -600, 1020, -1060), np.float32: (70, -70, 124, -140)}  # of 2; squares leave the range


@each_library
@pytest.mark.parametrize("dtype", EXPONENTS)
def test_group_norms_neither_over_nor_underflow(library: str, dtype: Any):
    """The group lasso is homogeneous: entries and weight times s move the prox by s, and leave slopes as they are."""
    v, grad = V.astype(dtype), np.cos(V).astype(dtype)
    for exponent in EXPONENTS[dtype]:
        s, convert = 2.0**exponent, LIBRARIES[library]
        g, scaled = Group(L1(0.5), LABELS, FACTORS), Group(L1(0.5 * s), LABELS, FACTORS)
        big, rough = convert((s * v).astype(dtype)), 0.1 if abs(exponent) > 700 or exponent == -140 else 1e-6
        np.testing.assert_allclose(to_numpy(g.norms(big)) / s, g.norms(v), rtol=rough)
        np.testing.assert_allclose(to_numpy(scaled.prox(big, 0.4)) / s, g.prox(v, 0.4), rtol=rough)
        np.testing.assert_allclose(to_numpy(scaled.prox_set(big, 0.4)[0]) / s, g.prox(v, 0.4), rtol=rough)
        for method in ("subdiff_distance", "descent_rate"):
            assert getattr(g, method)(big, convert(grad)) == pytest.approx(getattr(g, method)(v, grad), rel=rough)
        assert Group(ZeroNorm(1.0), LABELS).value(big) == 2.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_group_norms_of_ordinary_sizes_are_rounded_as_sums_of_squares_are(dtype: Any):
    x = np.random.default_rng(0).normal(size=(1000, 3)).astype(dtype)
    expected = np.sqrt(np.sum((x * x).astype(np.float64), axis=1).astype(dtype))
    np.testing.assert_array_equal(Group.rows(L1(1.0), x.shape).norms(x), expected)


def test_a_group_of_weight_zero_keeps_its_tiny_entries():
    for tiny, dtype in ((1e-170, np.float64), (5e-324, np.float64), (1e-24, np.float32), (1e-45, np.float32)):
        v = np.array([tiny, tiny, 1.0, 2.0], dtype=dtype)
        x = Group(L1(1.0), np.array([0, 0, 1, 1]), np.array([0.0, 1.0])).prox(v, 1.0)
        np.testing.assert_allclose(x[:2], v[:2], rtol=0.3)
        assert (x[:2] > 0).all()


def test_norms_of_infinite_and_missing_entries():
    x = np.array([math.inf, 1.0, math.nan, 3.0, 4.0, 0.0])
    np.testing.assert_array_equal(Group(L1(1.0), np.array([0, 0, 1, 1, 2, 3])).norms(x), [math.inf, math.nan, 4.0, 0.0])


@pytest.mark.parametrize("size", [1e-170, 1.0, 1e170])
def test_torch_differentiates_norms_of_every_size(size: float):
    x = torch.tensor([3.0 * size, 4.0 * size, 0.0], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(Group(L1(1.0), np.array([0, 0, 1])).norms(x).sum(), x)
    np.testing.assert_allclose(gradient.numpy(), [0.6, 0.8, 0.0], rtol=1e-14)


# ---- wrong arguments


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: Group(ZeroNormBall(2), LABELS), TypeError, r"Group: penalty=ZeroNormBall\(k=2\) must be an even pen"),
        (lambda: Group(L1, LABELS), TypeError, "must be an even penalty of one number, such as L1"),
        (lambda: Group(L1(np.ones(4)), LABELS), TypeError, "Group: the weight of L1 must be one number"),
        (lambda: Group(L1(1.0), LABELS / 2), TypeError, "Group: labels must be integers, got dtype float64"),
        (lambda: Group(L1(1.0), LABELS > 0), TypeError, "labels must be integers, got dtype bool"),
        (lambda: Group(L1(1.0), np.array([0, -2])), ValueError, "labels must be >= -1, .*, got -2"),
        (lambda: Group(L1(1.0), np.array([-1, -1])), ValueError, "labels name no group"),
        (lambda: Group(L1(1.0), np.array([1, 2])), ValueError, "no coordinate has label 0; number the groups"),
        (lambda: Group(L1(1.0), LABELS, np.ones(3)), ValueError, r"weights must have shape \(2,\).*, got \(3,\)"),
        (lambda: Group(L1(1.0), LABELS, 2.0), ValueError, r"weights must have shape \(2,\).*, got \(\)"),
        (lambda: Group(L1(1.0), LABELS, -FACTORS), ValueError, "Group: weights must be a finite number >= 0"),
        (
            lambda: group("L1").prox(np.ones(5), 1.0),
            ValueError,
            r"x has shape \(5,\), but the labels have \(4,\); give one",
        ),
        (lambda: group("L1").prox(np.ones((2, 2)), 1.0), ValueError, r"x has shape \(2, 2\), but the labels"),
        (lambda: group("L1").value(np.ones(3)), ValueError, r"x has shape \(3,\)"),
        (lambda: group("L1").subdiff_distance(V, np.ones(3)), ValueError, r"x has shape \(3,\)"),
        (lambda: group("L1").prox(V, 0.0), ValueError, "Group.prox: step_size must be > 0"),
        (lambda: group("L1").prox_set(V, -1.0), ValueError, "Group.prox_set: step_size must be > 0"),
        (lambda: group("L1").prox(V, np.array([1.0, 2.0, 3.0, 4.0])), ValueError, "step_size varies in group 1"),
        (lambda: Spectral(Spectral.rank(1.0, SHAPE), SHAPE), TypeError, "Spectral: penalty=.* must be an even penalty"),
        (lambda: Spectral(L1(np.ones(2)), SHAPE), TypeError, "Spectral: the weight of L1 must be one number"),
        (lambda: Spectral(L1(1.0), (4,)), ValueError, r"shape must be two positive integers \(m, n\), got \(4,\)"),
        (lambda: Spectral(L1(1.0), (0, 3)), ValueError, r"shape must be two positive integers"),
        (lambda: Spectral(L1(1.0), 12), ValueError, r"shape must be two positive integers \(m, n\), got 12"),
        (lambda: Spectral(L1(1.0), None), ValueError, r"shape must be two positive integers \(m, n\), got None"),
        (lambda: Spectral(L1(1.0), (2.0, 3)), ValueError, r"shape must be two positive integers"),
        (lambda: spectral("L1").prox(np.ones(5), 1.0), ValueError, r"x has shape \(5,\), but must be a matrix of sh"),
        (lambda: spectral("L1").value(np.ones((4, 1))), ValueError, r"x has shape \(4, 1\)"),
        (lambda: spectral("L1").prox(V, np.ones(4)), ValueError, r"step_size must be one number, got shape \(4,\)"),
        (lambda: spectral("L1").prox(V, 0.0), ValueError, "Spectral.prox: step_size must be > 0"),
        (lambda: ZeroNormBall(-1), ValueError, "ZeroNormBall: k must be >= 0, got -1"),
        (lambda: ZeroNormBall(2.0), TypeError, "ZeroNormBall: k must be an integer, got 2.0"),
        (lambda: ZeroNormBall(True), TypeError, "ZeroNormBall: k must be an integer, got True"),
        (lambda: ZeroNormBall(2).prox(V, 0.0), ValueError, "ZeroNormBall.prox: step_size must be > 0"),
    ],
)
def test_misuse_is_refused(call: Any, error: type[Exception], match: str):
    with pytest.raises(error, match=match):
        call()


def test_there_are_no_terms():
    """None of them is a sum over coordinates."""
    for make in CASES.values():
        assert not hasattr(make(), "terms")
        assert not hasattr(make(), "slopes")


def test_docstrings_name_the_statement():
    for cls in (Group, Spectral, ZeroNormBall):
        assert "docs/theory.md, Proposition 4.1" in str(inspect.getdoc(cls))
