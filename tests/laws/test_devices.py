"""Formulas stay on the device of their input: shown with torch's fake CUDA tensors, which refuse to mix devices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from penalty_cases import MAKERS
from torch._subclasses.fake_tensor import FakeTensorMode

SIZE = 5
WEIGHTS: tuple[Any, ...] = (0.7, np.linspace(0.1, 2.0, SIZE))


@pytest.mark.parametrize("weight", WEIGHTS, ids=["number", "array"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", MAKERS)
def test_results_are_on_the_device_of_the_input(name: str, dtype: Any, weight: Any):
    """What depends on the entries cannot be tried on fakes: `value`, array steps, and the scan of `PhiPenalty.prox`."""
    g = MAKERS[name](weight)
    with FakeTensorMode():
        x = torch.empty(SIZE, device="cuda", dtype=dtype)
        results = [g.terms(x), *g.slopes(x)]
        if name != "PhiPenalty":
            results.append(g.prox(x, 0.3))
        if hasattr(g, "assignments"):
            assert g.assignments(x).device.type == "cuda"
    for result in results:
        assert (result.device.type, result.dtype, tuple(result.shape)) == ("cuda", dtype, (SIZE,))


def test_fakes_refuse_to_mix_devices():
    with FakeTensorMode(), pytest.raises(RuntimeError, match="same device"):
        torch.empty(SIZE, device="cuda") + torch.ones(SIZE)
