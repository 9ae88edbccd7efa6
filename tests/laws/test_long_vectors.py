"""Long numpy vectors are worked off block by block: the same numbers, in a memory of few blocks."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import parsimo as ps
from parsimo import _array
from parsimo._array import blocks, to_numpy

N = 3 * 8192 + 17
MEMBERS: dict[str, Any] = {
    "L1": ps.L1,
    "MCP": lambda weight: ps.MCP(weight, 1.3),
    "SCAD": lambda weight: ps.SCAD(weight, 1.3),
    "capped l1": lambda weight: ps.CappedL1(weight, 1.3),
    "zero norm": ps.ZeroNorm,
    "half": lambda weight: ps.Lq(weight, 0.5),
    "box": lambda weight: ps.Box(-weight, 2 * weight),
    "zero norm in a box": lambda weight: ps.ZeroNormBox(weight, -1.0, weight + 1.0),
    "clusters": lambda weight: ps.Clustering(weight, np.array([-1.0, 0.2, 1.5])),
}


def drawn(dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A point with zeros and points beyond the flat one, a gradient, and weights, some of them 0."""
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(N) * (rng.random(N) < 0.7)).astype(dtype)
    return x, rng.standard_normal(N).astype(dtype), (rng.random(N) * (rng.random(N) < 0.9)).astype(dtype)


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("steps", [False, True])
def test_blocks_give_the_same_numbers(
    member: str, dtype: Any, weights: bool, steps: bool, monkeypatch: pytest.MonkeyPatch
):
    x, grad, weight = drawn(dtype)
    g = MEMBERS[member](weight if weights else 0.4)
    step_size = np.linspace(0.1, 2, N).astype(dtype) if steps else 0.3
    by_blocks = g.prox(x, step_size), g.value(x), g.subdiff_distance(x, grad), g.descent_rate(x, grad)
    monkeypatch.setattr(_array, "_BLOCK", N)
    assert len(list(blocks(x))) == 1
    at_once = g.prox(x, step_size), g.value(x), g.subdiff_distance(x, grad), g.descent_rate(x, grad)
    assert by_blocks[0].dtype == dtype
    np.testing.assert_allclose(by_blocks[0], at_once[0], rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(by_blocks[1:], at_once[1:], rtol=100 * np.finfo(dtype).eps)


def test_a_missing_number_is_missed_in_any_block():
    x, grad, _ = drawn()
    for place in (0, N // 2, N - 1):
        bad = grad.copy()
        bad[place] = np.nan
        assert np.isnan(ps.L1(1.0).subdiff_distance(x, bad))
        bad[place - 1 if place else 1] = np.inf  # even beside an infinite one
        assert np.isnan(ps.L1(1.0).subdiff_distance(x, bad))
        y = x.copy()
        y[place] = np.nan
        assert np.isnan(ps.L1(1.0).value(y))
        assert np.isnan(ps.L1(1.0).prox(y, 1.0)[place])


def test_wrong_shapes_are_named_as_for_short_vectors():
    x, _, weight = drawn()
    with pytest.raises(ValueError, match=rf"L1: weight has shape \({N - 1},\), but x has shape \({N},\)"):
        ps.L1(weight[1:]).prox(x, 1.0)
    with pytest.raises(ValueError, match=rf"L1.prox: step_size has shape \({N - 1},\), but v has shape \({N},\)"):
        ps.L1(0.1).prox(x, weight[1:] + 1)
    with pytest.raises(ValueError, match=r"L1\.prox: step_size must be > 0 and finite, got 0\.0"):
        ps.L1(0.1).prox(x, 0.0)
    with pytest.raises(ValueError, match=rf"L1: weight has shape \({N - 1},\), but x has shape \({N},\)"):
        ps.L1(weight[1:]).value(x)


def test_the_input_is_left_as_it_is():
    x, _, _ = drawn()
    before = x.copy()
    y = ps.MCP(0.4, 1.3).prox(x, 0.3)
    assert (x == before).all()
    assert not np.shares_memory(x, y)
    x.flags.writeable = False
    ps.MCP(0.4, 1.3).prox(x, 0.3)


@pytest.mark.parametrize("member", ["L1", "MCP", "SCAD"])
def test_a_prox_takes_the_memory_of_its_result(member: str):
    g, v = MEMBERS[member](0.4), np.linspace(-3, 3, 500_000)
    tracemalloc.start()
    try:
        x = g.prox(v, 0.3)
        g.value(v)
        g.subdiff_distance(v, v)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 1.4 * x.nbytes


def test_other_arrays_are_taken_at_once():
    assert list(blocks(np.zeros((200, 200)))) == [...]
    assert list(blocks(np.zeros(100))) == [...]
    torch = pytest.importorskip("torch")
    assert list(blocks(torch.zeros(N))) == [...]
    assert to_numpy(ps.L1(0.4).prox(torch.ones(N), 1.0))[0] == np.float32(0.6)
