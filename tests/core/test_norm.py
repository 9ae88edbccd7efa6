"""The Euclidean norm, where squares leave the range of floats as well."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from parsimo._array import norm


@pytest.mark.parametrize("of", [np.asarray, lambda x: torch.tensor(x, dtype=torch.float64)], ids=["numpy", "torch"])
def test_squares_may_overflow_and_vanish(of: Any):
    with np.errstate(over="ignore"):
        for unit in (1e-300, 1e-160, 1.0, 1e160, 1e300):
            assert norm(of([3 * unit, -4 * unit])) == pytest.approx(5 * unit, rel=1e-12)
    assert norm(of([math.inf, 1.0])) == math.inf
    assert math.isnan(norm(of([math.nan, math.inf])))
    assert norm(of([0.0, 0.0])) == norm(of([])) == 0.0
