"""Where the prox jumps from one number to the next, `prox_set` lists both ends of the jump."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from penalty_cases import MAKERS

FAR = np.geomspace(1e-3, 1e3, 200)
GRID = np.concatenate([-FAR[::-1], [0.0], FAR])


def largest_jump(g: Any, step: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Neighbouring floats v and v', and the prox of each."""
    x = g.prox(GRID, step)
    k = int((np.diff(x) - np.diff(GRID)).argmax())
    (low, high), (x_low, x_high) = GRID[k : k + 2].tolist(), x[k : k + 2].tolist()
    while np.nextafter(low, np.inf) < high:
        middle = (low + high) / 2
        between = float(g.prox(np.array([middle]), step)[0])
        if abs(between - x_low) <= abs(between - x_high):
            low, x_low = middle, between
        else:
            high, x_high = middle, between
    return (low, high), (x_low, x_high)


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "Box" and not name.endswith("L1")])
def test_both_ends_of_a_jump_are_listed_to_the_last_bit(name: str):
    g, jumps = MAKERS[name](0.7), 0
    for step in np.geomspace(1e-3, 1e3, 61) * 1.07:
        around, ends = largest_jump(g, float(step))
        if ends[1] - ends[0] <= 1e-6 * max(map(abs, ends)):
            continue  # continuous at this step
        jumps += 1
        for v in around:
            listed = np.array(g.prox_set(v, float(step)))
            for end in ends:
                assert np.abs(listed - end).min() <= 1e-6 * (ends[1] - ends[0]), (v, step, listed)
    assert jumps >= 15
