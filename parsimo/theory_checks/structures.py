"""Exactness for groups of coordinates and for the rank, above and below the threshold.

As for coordinates, the theorems are tried on finite sets of points that are closed under setting groups, or singular
values, to zero; there the minima are exact.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from parsimo.penalties import Group, Spectral
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.exactness import ABOVE, lipschitz_threshold
from parsimo.theory_checks.subjects import FAMILY, member_text

__all__ = [
    "CHECKS",
    "check_group_tightness",
    "check_group_theorem",
    "check_rank_tightness",
    "check_rank_theorem",
]

Threshold = Callable[[float, float, Any], Any]
_LABELS = np.array([0, 1, 1, -1, 0])  # two groups, and a free coordinate
_LABELS_TEXT = f"np.array({_LABELS.tolist()})"
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
        seed = int(rng.integers(2**31))
        f = GroupKinks.random(trial, seed)
        rho = threshold(float((f.lipschitz / f.weights).max()), 1.0, phi) * ABOVE
        a = phi.slope_at_one / rho
        found = f.minima(penalty(phi.penalty(1.0, a), _LABELS, f.weights), a)
        g = f"Group({member_text(phi)}.penalty(1.0, {a!r}), {_LABELS_TEXT}, np.array({f.weights.tolist()}))"
        _add(outcome, found, a, f"GroupKinks.random({trial}, {seed}).minima({g}, {a!r})")
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
        seed = int(rng.integers(2**31))
        f = SpectralKinks.random(trial, seed)
        rho = threshold(f.lipschitz, f.weight, phi) * ABOVE
        a = phi.slope_at_one / rho
        found = f.minima(penalty(phi.penalty(f.weight, a), _SHAPE), a)
        g = f"Spectral({member_text(phi)}.penalty({f.weight!r}, {a!r}), {_SHAPE})"
        _add(outcome, found, a, f"SpectralKinks.random({trial}, {seed}).minima({g}, {a!r})")
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
        case = f"Group({member_text(phi)}.penalty({weight!r}, {excess * weight / l!r}), {_LABELS_TEXT})"
        case += f".value(np.array({x.tolist()}))  # below {weight!r}, the minimum with groups counted; f is 0 here"
        outcome.add(1 - 1e-9 - g.value(x) / weight, case)
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
        case = f"Spectral({member_text(phi)}.penalty({weight!r}, {excess * weight / l!r}), {_SHAPE})"
        case += f".value(np.array({X.tolist()}))  # below {weight!r}, the minimum under the rank; f is 0 here"
        outcome.add(1 - 1e-9 - g.value(X) / weight, case)
    return outcome.evidence()


class StructuredMinima(NamedTuple):
    """What the count of groups, or the rank, and the surrogate lead to."""

    counted: float
    """The least of f + the prices of the nonzero sizes."""
    surrogate: float
    """The least of f + the penalty."""
    sizes: np.ndarray
    """Norms of groups, or singular values, where that is attained."""
    rounding: float
    """Of the minima."""


@dataclass(frozen=True, eq=False)
class GroupKinks:
    """f whose gradient has a norm of at most l_J in the group J alone, by kinks along some directions."""

    trial: int
    weights: np.ndarray
    directions: np.ndarray
    rng: np.random.Generator
    """Of the points and of the kinks."""

    @classmethod
    def random(cls, trial: int, seed: int) -> GroupKinks:
        """The worst case if 3 divides `trial`."""
        rng = np.random.default_rng(seed)
        weights = 10 ** rng.uniform(-0.5, 0.5, size=2)
        directions = rng.normal(size=(1 if trial % 3 == 0 else 4, 5))
        if trial % 3 == 0:  # it falls along the groups alone
            directions[:, _LABELS < 0] = 0.0
        return cls(trial, weights, directions, rng)

    @property
    def lipschitz(self) -> np.ndarray:
        """One bound for each group."""
        return np.array([np.linalg.norm(self.directions[:, group], axis=1).sum() for group in _GROUPS])

    def minima(self, g: Any, a: float) -> StructuredMinima:
        """Over points about the flat point a, which are closed under setting groups to zero."""
        weights, rng, l = self.weights, copy.deepcopy(self.rng), self.lipschitz
        lines = [_unit(self.directions[0] * group) for group in _GROUPS]
        parts = [
            np.vstack([np.zeros(5), line * weights[j] / l[j], _scaled(rng.normal(size=(5, 5)) * _GROUPS[j], a, rng)])
            for j, line in enumerate(lines)
        ]
        free = rng.normal(size=5) * (_LABELS < 0)
        points = np.array([x + y + free for x, y in itertools.product(*parts)])
        height = weights[(l / weights).argmax()] if self.trial % 3 == 0 else None
        f = _sum_of_kinks(points @ self.directions.T, height, rng)
        norms = np.array([np.linalg.norm(points[:, group], axis=1) for group in _GROUPS]).T
        return _minima(f, np.array([g.value(x) for x in points]), norms, weights)


@dataclass(frozen=True, eq=False)
class SpectralKinks:
    """f of matrices whose gradient has a spectral norm of at most l, by kinks along some matrices."""

    trial: int
    weight: float
    frames: list[tuple[np.ndarray, np.ndarray]]
    directions: list[np.ndarray]
    rng: np.random.Generator
    """Of the points and of the kinks."""

    @classmethod
    def random(cls, trial: int, seed: int) -> SpectralKinks:
        """The worst case if 3 divides `trial`."""
        rng = np.random.default_rng(seed)
        weight, frames = 10 ** rng.uniform(-0.5, 0.5), [_orthonormal(rng) for _ in range(2)]
        worst = [u.T[:, :1] @ v[:1] for u, v in frames[:1]]
        return cls(trial, weight, frames, worst if trial % 3 == 0 else list(rng.normal(size=(4, *_SHAPE))), rng)

    @property
    def lipschitz(self) -> float:
        """The bound."""
        return float(sum(np.linalg.norm(C, 2) for C in self.directions))

    def minima(self, g: Any, a: float) -> StructuredMinima:
        """Over matrices with singular values about the flat point a, closed under setting these to zero."""
        weight, rng = self.weight, copy.deepcopy(self.rng)
        singular = np.concatenate([[0.0, weight / self.lipschitz], a * rng.choice([rng.random(3), 1 + rng.random(3)])])
        points = [u.T @ np.diag(pair) @ v for u, v in self.frames for pair in itertools.product(singular, repeat=2)]
        values = np.array([[float(np.sum(C * X)) for C in self.directions] for X in points])
        f = _sum_of_kinks(values, weight if self.trial % 3 == 0 else None, rng)
        spectra = np.array([pair for _ in self.frames for pair in itertools.product(singular, repeat=2)])
        return _minima(f, np.array([g.value(X) for X in points]), spectra, np.full(2, weight))


def _minima(f: np.ndarray, g: np.ndarray, sizes: np.ndarray, prices: np.ndarray) -> StructuredMinima:
    """f, penalty and sizes at each point, and the price of each size."""
    counted, penalized = f + (sizes > 0) @ prices, f + g
    rounding = 1e-12 * float(np.abs(f).max() + prices.sum())
    attained = sizes[penalized <= penalized.min() + rounding]
    return StructuredMinima(float(counted.min()), float(penalized.min()), attained, rounding)


def _add(outcome: Trials, found: StructuredMinima, a: float, case: str) -> None:
    """The minima agree, and no minimizer of the surrogate has a size in (0, a]."""
    outcome.add(found.rounding - (found.counted - found.surrogate), f"{case}  # both minima are the same")
    whole = bool(((found.sizes <= 1e-12) | (found.sizes > a)).all())
    outcome.add(0.0 if whole else -1.0, f"{case}  # sizes are 0 or above {a!r}")


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
