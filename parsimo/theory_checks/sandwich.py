"""A surrogate that lies above an exact one is exact: by brute force on finite grids."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.exactness import rough
from parsimo.theory_checks.subjects import FAMILY, member_text

__all__ = ["CHECKS", "check_sandwich"]

_LINE = np.arange(-12, 13) / 4

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
        seed = int(rng.integers(2**31))
        f, a = plane(seed)
        u = np.abs(_LINE) / a
        h = np.asarray(phi.surrogate(phi.slope_at_one * u))
        for name, heights in lower(phi).items():
            h_1 = heights(u)
            slack = np.minimum(h - h_1, (u != 0) - h)
            k = int(slack.argmin())
            case = f"{member_text(phi)}.surrogate(np.array([{float(phi.slope_at_one * u[k])!r}]))"
            said = f"at most {int(u[k] != 0)}, and above {name}, which is {float(h_1[k])!r} there"
            outcome.add(tolerance + float(slack[k]), f"{case}  # {said}")
            if _disagreement(f, h_1, tolerance) == 0:
                case = f"sandwich_gaps({seed}, {member_text(phi)}, {name!r})"
                said = (
                    f"0 where minimum and minimizers are those of the zero norm: so for the surrogate above {name} too"
                )
                outcome.add(-_disagreement(f, h, tolerance), f"{case}  # {said}")
    return outcome.evidence()


def plane(seed: int) -> tuple[np.ndarray, float]:
    """f on a grid in two dimensions, and a flat point."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(_LINE, _LINE, indexing="ij")
    f = 10 ** rng.uniform(-1, 1) * (rough(x, rng) + rough(y, rng) + rough(x + y, rng))
    return f, 10 ** rng.uniform(-1, 0.5)


def sandwich_gaps(seed: int, phi: Any, lower: str, tolerance: float = 1e-9) -> tuple[float, float]:
    """By how much minima and minimizers under a lower surrogate, and under that of phi, are not those of the zero norm.

    f is `plane(seed)`, and `lower` a name in `lower_surrogates`.
    """
    f, a = plane(seed)
    u = np.abs(_LINE) / a
    h_1, h = lower_surrogates(phi)[lower](u), np.asarray(phi.surrogate(phi.slope_at_one * u))
    return _disagreement(f, h_1, tolerance), _disagreement(f, h, tolerance)


def _disagreement(f: np.ndarray, h: np.ndarray, tolerance: float) -> float:
    """0 if f has one minimum and the same minimizers with h and with the zero norm; else by how much they differ."""
    zero_norm = (_LINE != 0).astype(float)
    penalized, exact = (f + height[:, None] + height[None, :] for height in (h, zero_norm))
    minimum = exact.min()
    gap = max(
        float(minimum - penalized.min()), float((exact - minimum)[penalized <= penalized.min() + tolerance].max())
    )
    return gap if gap > 2 * tolerance else 0.0


CHECKS = tuple(Check(7, f"sandwich of {name}", partial(check_sandwich, member)) for name, member in FAMILY.items())
