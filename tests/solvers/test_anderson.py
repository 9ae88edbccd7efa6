"""Anderson extrapolation finds the fixed point of an affine map, in every library and at every scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch

from parsimo.solvers.anderson import Anderson

_RNG = np.random.default_rng(0)
MAP = _RNG.standard_normal((6, 6))
MAP *= 0.9 / np.linalg.norm(MAP, 2)
SHIFT = _RNG.standard_normal(6)
FIXED = np.linalg.solve(np.eye(6) - MAP, SHIFT)


def remembered(memory: int, pairs: int, given: Callable[[np.ndarray], Any] = lambda x: x) -> Anderson:
    anderson, x = Anderson(memory), np.zeros(6)
    for _ in range(pairs):
        image = MAP @ x + SHIFT
        anderson, x = anderson.push(given(x), given(image)), image
    return anderson


@pytest.mark.parametrize(
    "given",
    [
        lambda x: x,
        torch.asarray,
        array_api_strict.asarray,
        lambda x: x * 1e150,
        lambda x: x * 1e-200,
        lambda x: x.astype(np.float32),
    ],
    ids=["numpy", "torch", "strict", "huge", "tiny", "float32"],
)
def test_dependent_residuals_of_an_affine_map_give_its_fixed_point(given: Callable[[np.ndarray], Any]):
    point, expected = remembered(8, 8, given).extrapolated(), given(FIXED)
    assert type(point) is type(expected)
    assert point.dtype == expected.dtype
    share = 1e-4 if "float32" in str(expected.dtype) else 1e-12
    assert np.abs(np.asarray(point - expected)).max() <= share * np.abs(np.asarray(expected)).max()


def test_the_weights_are_those_of_the_constrained_problem():
    """Fewer points than dimensions, against the optimality conditions of min |sum a_j r_j|, sum a_j = 1."""
    anderson = remembered(4, 7)
    residuals, images = np.array(anderson.residuals), np.array(anderson.images)
    assert residuals.shape == (4, 6)
    system = np.block([[residuals @ residuals.T, np.ones((4, 1))], [np.ones((1, 4)), np.zeros((1, 1))]])
    a = np.linalg.solve(system, np.array([0.0, 0.0, 0.0, 0.0, 1.0]))[:4]
    np.testing.assert_allclose(anderson.extrapolated(), a @ images, rtol=1e-9)


def test_pushing_leaves_the_memory_as_it_was():
    before = remembered(3, 3)
    oldest, point = before.images[0], FIXED.copy()
    after = before.push(point, point + 1)
    assert len(before.images) == len(after.images) == 3
    assert before.images[0] is oldest
    assert after.images[-2] is before.images[-1]
    assert (point == FIXED).all()
    assert after.cleared().images == after.cleared().residuals == ()
    assert repr(after) == repr(after.cleared()) == "Anderson(memory=3)"


def test_residuals_that_say_nothing_give_no_point():
    assert Anderson().extrapolated() is None
    assert remembered(5, 1).extrapolated() is None
    assert Anderson().push(FIXED, FIXED).push(FIXED, FIXED).extrapolated() is None
    assert Anderson().push(FIXED, FIXED * np.nan).push(FIXED, FIXED).extrapolated() is None


@pytest.mark.parametrize("memory", [1, 0, -3, 2.5, True, None])
def test_a_memory_that_holds_no_difference_is_refused(memory: Any):
    with pytest.raises(ValueError, match="memory must be an integer >= 2"):
        Anderson(memory)
