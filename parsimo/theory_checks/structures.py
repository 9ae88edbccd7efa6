"""Exactness for groups of coordinates and for the rank, above and below the threshold.

As for coordinates, the theorems are tried on finite sets of points that are closed under setting groups, or singular
values, to zero; there the minima are exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from parsimo.penalties import Group, Spectral
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.exactness import ABOVE, lipschitz_threshold
from parsimo.theory_checks.subjects import FAMILY

__all__ = [
    "CHECKS",
    "check_group_tightness",
    "check_group_theorem",
    "check_rank_tightness",
    "check_rank_theorem",
]

Threshold = Callable[[float, float, Any], Any]
_LABELS = np.array([0, 1, 1, -1, 0])  # two groups, and a free coordinate
_GROUPS = np.arange(2)[:, None] == _LABELS  # as masks
_SHAPE = (2, 3)


def check_group_theorem(
    phi: Any, rng: Seed = 0, trials: int = 9, threshold: Threshold = lipschitz_threshold, penalty: Any = Group
) -> Evidence:
    """With rho above phi'(1-) max l_J / weight_J, f + sum weight_J h(|x_J|) and f + sum weight_J 1[x_J != 0] have the
    same minimum, and every minimizer of the first has x_J = 0 or |x_J| > a.

    l_J bounds the Euclidean norm of the gradient of f in the group J alone.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: rho above the threshold makes the penalty of groups exact",
        "docs/theory.md, Theorem 3.8",
        "f with gradient of norm l_J at most in each group, on finite sets closed under setting groups to zero",
    )
    for trial in range(trials):
        weights = 10 ** rng.uniform(-0.5, 0.5, size=2)
        directions = rng.normal(size=(1 if trial % 3 == 0 else 4, 5))
        if trial % 3 == 0:  # the worst case falls along the groups alone
            directions[:, _LABELS < 0] = 0.0
        l = np.array([np.linalg.norm(directions[:, group], axis=1).sum() for group in _GROUPS])
        rho = threshold(float((l / weights).max()), 1.0, phi) * ABOVE
        a = phi.slope_at_one / rho
        lines = [_unit(directions[0] * group) for group in _GROUPS]
        parts = [
            np.vstack([np.zeros(5), line * weights[j] / l[j], _scaled(rng.normal(size=(5, 5)) * _GROUPS[j], a, rng)])
            for j, line in enumerate(lines)
        ]
        free = rng.normal(size=5) * (_LABELS < 0)
        points = np.array([x + y + free for x, y in itertools.product(*parts)])
        f = _sum_of_kinks(points @ directions.T, weights[(l / weights).argmax()] if trial % 3 == 0 else None, rng)
        g = penalty(phi.penalty(1.0, a), _LABELS, weights)
        norms = np.array([np.linalg.norm(points[:, group], axis=1) for group in _GROUPS]).T
        case = f"g = {g!r}; points = np.array({points.tolist()})"
        _compare(outcome, _Values(f, np.array([g.value(x) for x in points]), norms, weights), a, case)
    return outcome.evidence()


def check_rank_theorem(
    phi: Any, rng: Seed = 0, trials: int = 9, threshold: Threshold = lipschitz_threshold, penalty: Any = Spectral
) -> Evidence:
    """With rho above phi'(1-) l / weight, f + weight sum h(s_i(X)) and f + weight rank X have the same minimum, and
    every minimizer of the first has s_i = 0 or s_i > a.

    l bounds the spectral norm of the gradient of f; its Frobenius norm may be larger.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: rho above the threshold makes the spectral penalty exact",
        "docs/theory.md, Theorem 3.9",
        "f with gradient of spectral norm at most l, on finite sets closed under setting singular values to zero",
    )
    for trial in range(trials):
        weight = 10 ** rng.uniform(-0.5, 0.5)
        frames = [_orthonormal(rng) for _ in range(2)]
        directions = (
            [u.T[:, :1] @ v[:1] for u, v in frames[:1]] if trial % 3 == 0 else list(rng.normal(size=(4, *_SHAPE)))
        )
        l = float(sum(np.linalg.norm(C, 2) for C in directions))
        rho = threshold(l, weight, phi) * ABOVE
        a = phi.slope_at_one / rho
        singular = np.concatenate([[0.0, weight / l], a * rng.choice([rng.random(3), 1 + rng.random(3)])])
        points = np.array(
            [u.T @ np.diag(pair) @ v for u, v in frames for pair in itertools.product(singular, repeat=2)]
        )
        values = np.array([[float(np.sum(C * X)) for C in directions] for X in points])
        f = _sum_of_kinks(values, weight if trial % 3 == 0 else None, rng)
        g = penalty(phi.penalty(weight, a), _SHAPE)
        spectra = np.array([pair for _ in frames for pair in itertools.product(singular, repeat=2)])
        case = f"g = {g!r}; points = np.array({points.tolist()})"
        prices = np.full(2, weight)
        _compare(outcome, _Values(f, np.array([g.value(X) for X in points]), spectra, prices), a, case)
    return outcome.evidence()


def check_group_tightness(phi: Any, rng: Seed = 0, trials: int = 10, excess: float = 1.02) -> Evidence:
    """With a flat point `excess` times the largest proven one, f(x) = l max(weight/l - <e, x_J>, 0), e a unit vector of
    the group, has a lower minimum under the surrogate than under the count of groups, which is the weight."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: below the threshold the penalty of groups is not exact",
        "docs/theory.md, Theorem 3.8 (sharpness)",
        f"f(x) = l max(weight/l - <e, x_J>, 0), flat point {excess} weight/l",
    )
    for _ in range(trials):
        weight, l = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
        x = weight / l * _unit(rng.normal(size=5) * rng.choice(_GROUPS))
        g = Group(phi.penalty(weight, excess * weight / l), _LABELS)
        outcome.add(1 - 1e-9 - g.value(x) / weight, f"({g!r}).value(np.array({x.tolist()}))")
    return outcome.evidence()


def check_rank_tightness(phi: Any, rng: Seed = 0, trials: int = 10, excess: float = 1.02) -> Evidence:
    """With a flat point `excess` times the largest proven one, f(X) = l max(weight/l - u'Xv, 0) for unit u and v, whose
    gradient has spectral norm l, has a lower minimum under the surrogate than under the rank: the weight."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: below the threshold the spectral penalty is not exact",
        "docs/theory.md, Theorem 3.9 (sharpness)",
        f"f(X) = l max(weight/l - u'Xv, 0), flat point {excess} weight/l",
    )
    for _ in range(trials):
        weight, l = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
        X = weight / l * np.outer(_unit(rng.normal(size=2)), _unit(rng.normal(size=3)))
        g = Spectral(phi.penalty(weight, excess * weight / l), _SHAPE)
        outcome.add(1 - 1e-9 - g.value(X) / weight, f"({g!r}).value(np.array({X.tolist()}))")
    return outcome.evidence()


@dataclass
class _Values:
    """What is known at each point."""

    f: np.ndarray
    g: np.ndarray  # the surrogate penalty
    sizes: np.ndarray  # norms of groups, or singular values: one column for each
    prices: np.ndarray  # the weight of each column


def _compare(outcome: Trials, at: _Values, a: float, case: str) -> None:
    """The minima agree, and no minimizer of the surrogate has a size in (0, a]."""
    exact, penalized = at.f + (at.sizes > 0) @ at.prices, at.f + at.g
    rounding = 1e-12 * float(np.abs(at.f).max() + at.prices.sum())
    outcome.add(rounding - float(exact.min() - penalized.min()), case)
    sizes = at.sizes[penalized <= penalized.min() + rounding]
    outcome.add(0.0 if bool(((sizes <= 1e-12) | (sizes > a)).all()) else -1.0, case)


def _sum_of_kinks(values: np.ndarray, height: float | None, rng: np.random.Generator) -> np.ndarray:
    """max(height - values, 0), the worst case, or sum_k +-|values_k - s_k| with kinks at random."""
    if height is not None:
        return np.maximum(height - values[:, 0], 0.0)
    signs, kinks = rng.choice([-1, 1], size=values.shape[1]), rng.normal(size=values.shape[1]) * values.std()
    return (signs * np.abs(values - kinks)).sum(axis=1)


def _scaled(vectors: np.ndarray, a: float, rng: np.random.Generator) -> np.ndarray:
    """The directions of the vectors, with sizes about a."""
    return vectors / np.linalg.norm(vectors, axis=1)[:, None] * a * rng.uniform(0, 2, size=(len(vectors), 1))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _orthonormal(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows u_i of length 2 and v_i of length 3."""
    return np.linalg.qr(rng.normal(size=(2, 2)))[0], np.linalg.qr(rng.normal(size=(3, 2)))[0].T


CHECKS = tuple(
    Check(30, f"{about} of {name}", partial(check, member))
    for about, check in (
        ("group exactness", check_group_theorem),
        ("group tightness", check_group_tightness),
        ("rank exactness", check_rank_theorem),
        ("rank tightness", check_rank_tightness),
    )
    for name, member in FAMILY.items()
)
