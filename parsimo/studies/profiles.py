"""Performance profiles: the share of instances a solver solves within a factor of the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Profile", "performance_profiles"]


@dataclass(frozen=True, eq=False)
class Profile:
    """rho_s(tau) = |{p : t_ps <= tau min_s t_ps}| / |P|, a step function of tau >= 1."""

    ratios: np.ndarray
    """Where it steps, from 1 on, rising."""
    shares: np.ndarray
    """Its value from each of them on."""

    def at(self, ratio: float) -> float:
        """The share of instances solved within `ratio` times what the best solver takes."""
        return float(self.shares[np.searchsorted(self.ratios, ratio, side="right") - 1]) if ratio >= 1 else 0.0


def performance_profiles(taken: Mapping[str, np.ndarray]) -> dict[str, Profile]:
    """The profile of each solver.

    Parameters
    ----------
    taken : mapping of str to ndarray
        For each solver, what it took on each instance, positive, the instances in one order; NaN where it failed. An
        instance that no solver solved counts for none of them.

    Raises
    ------
    ValueError
        If there is no solver or no instance, the numbers of instances differ, or an entry is not positive.

    Notes
    -----
    Dolan and More, Math. Program. 91 (2002) 201-213 [M].
    """
    t = np.array([np.asarray(each, dtype=float) for each in taken.values()])
    if t.ndim != 2 or 0 in t.shape:
        raise ValueError(f"performance_profiles: needs solvers x instances, neither of them none, got shape {t.shape}")
    if (t <= 0).any():
        raise ValueError(f"performance_profiles: what a solver takes must be > 0, got {np.nanmin(t)}")
    cost = np.where(np.isnan(t), np.inf, t)
    best = cost.min(axis=0)
    ratios = np.divide(cost, best, out=np.full_like(cost, np.inf), where=np.isfinite(best))
    return {name: _profile(row) for name, row in zip(taken, ratios, strict=True)}


def _profile(ratios: np.ndarray) -> Profile:
    steps, counts = np.unique(ratios[np.isfinite(ratios)], return_counts=True)
    shares = np.cumsum(counts) / ratios.size
    if steps.size == 0 or steps[0] > 1:
        steps, shares = np.concatenate([[1.0], steps]), np.concatenate([[0.0], shares])
    return Profile(steps, shares)
