"""Oracles that work on numpy arrays refuse those of other libraries by name, with the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch

import parsimo as ps
from parsimo.penalties import ZeroNorm
from parsimo.theory_checks.oracles.branch_and_bound import (
    branch_and_bound,
    global_bound,
    global_minimizers,
    near_minimizers,
)
from parsimo.theory_checks.oracles.enumeration import clustering_minimum, zero_norm_minimizers, zero_norm_minimum_of

ONE, SQUARE = ((np.full(n, -3.0), np.full(n, 3.0)) for n in (1, 2))


def other_libraries() -> list[Any]:
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(8, 4)), rng.normal(size=8)
    return [
        ps.LeastSquares(torch.tensor(A), torch.tensor(b)),
        ps.LeastSquares(array_api_strict.asarray(A), array_api_strict.asarray(b)),
    ]


@pytest.mark.parametrize("f", other_libraries(), ids=["torch", "array-api-strict"])
def test_arrays_of_other_libraries_are_refused_by_name(f: Any):
    problem, library, box = ps.ZeroNormProblem(f, 1.0), type(f.targets).__module__, (-np.ones(4), np.ones(4))
    calls: dict[str, Callable[[], Any]] = {
        "global_bound": lambda: global_bound(problem),
        "global_minimizers": lambda: global_minimizers(problem.to_mpec(ps.phi.mcp()), radius=1.0),
        "branch_and_bound": lambda: branch_and_bound(f, ZeroNorm(1.0).terms, box),
        "near_minimizers": lambda: near_minimizers(f, ZeroNorm(1.0).terms, box),
        "zero_norm_minimum_of": lambda: zero_norm_minimum_of(f, 1.0),
        "zero_norm_minimizers": lambda: zero_norm_minimizers(f.design.A, f.targets, 1.0),
        "clustering_minimum": lambda: clustering_minimum(f.design.A, f.targets, 1.0, 2),
    }
    for owner, call in calls.items():
        with pytest.raises(TypeError, match=rf"^{owner}: [fA] is .* of {library}, .* takes numpy arrays; build it"):
            call()
