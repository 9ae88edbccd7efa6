"""A surrogate that lies above an exact one is exact: by brute force on finite grids."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.exactness import rough
from parsimo.theory_checks.subjects import FAMILY

__all__ = ["CHECKS", "check_sandwich"]

Heights = Callable[[np.ndarray], np.ndarray]
"""A surrogate as a function of u = |x| / a."""


def lower_surrogates(phi: Any) -> dict[str, Heights]:
    """Functions that lie below the surrogate of phi: capped l1, MCP by (3.1), and the member itself, stretched."""
    m = math.sqrt(2 / phi.curvature_margin)
    return {
        "capped l1": lambda u: np.minimum(u, 1.0),
        f"MCP flat from {m:.6g} a": lambda u: np.minimum(u / m, 1.0) * (2 - np.minimum(u / m, 1.0)),
        "itself, flat from 1.5 a": lambda u: phi.surrogate(phi.slope_at_one * u / 1.5),
    }


def check_sandwich(
    phi: Any,
    rng: Seed = 0,
    trials: int = 60,
    lower: Callable[[Any], dict[str, Heights]] = lower_surrogates,
    tolerance: float = 1e-9,
) -> Evidence:
    """Let h_1 <= h_2 <= 1[x != 0], h_2 the surrogate of phi. Where h_1 is exact for f, so is h_2: same minimum, same
    minimizers.

    f is arbitrary on a finite grid in two dimensions. Whether h_1 is exact for it is found by trying all points.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: a surrogate above an exact one is exact",
        "docs/theory.md, Theorem 3.2",
        "arbitrary f on finite grids in two dimensions for which the lower one is exact; weight 1",
    )
    for _ in range(trials):
        side = np.arange(1, 13) / 4
        line = np.concatenate([-side[::-1], [0.0], side])
        x, y = np.meshgrid(line, line, indexing="ij")
        f = 10 ** rng.uniform(-1, 1) * (rough(x, rng) + rough(y, rng) + rough(x + y, rng))
        a = 10 ** rng.uniform(-1, 0.5)
        h = np.asarray(phi.surrogate(phi.slope_at_one * np.abs(line) / a))
        zero_norm, above = f + (x != 0) + (y != 0), f + h[:, None] + h[None, :]
        for name, heights in lower(phi).items():
            h_1 = heights(np.abs(line) / a)
            case = f"phi.surrogate(phi.slope_at_one * np.array({(np.abs(line) / a).tolist()}))  # above {name}"
            outcome.add(tolerance + float(np.minimum(h - h_1, (line != 0) - h).min()), case)
            below = f + h_1[:, None] + h_1[None, :]
            if _disagreement(below, zero_norm, tolerance) == 0:
                outcome.add(-_disagreement(above, zero_norm, tolerance), case)
    return outcome.evidence()


def _disagreement(penalized: np.ndarray, exact: np.ndarray, tolerance: float) -> float:
    """0 if both have one minimum and the same minimizers, up to the tolerance; else by how much they differ."""
    minimum = exact.min()
    gap = max(
        float(minimum - penalized.min()), float((exact - minimum)[penalized <= penalized.min() + tolerance].max())
    )
    return gap if gap > 2 * tolerance else 0.0


CHECKS = tuple(Check(7, f"sandwich of {name}", partial(check_sandwich, member)) for name, member in FAMILY.items())
