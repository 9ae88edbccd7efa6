"""The largest weight that matters, and families of penalties, by values of the objective alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from parsimo.penalties import L1, MCP, SCAD, CappedL1, Exponential, LogSum, Lq, SeparableSum, WithRidge, ZeroNorm
from parsimo.problems import LeastSquares, Logistic
from parsimo.selection import Family, gentler, weight_max
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials

__all__ = ["CHECKS", "WEIGHTED", "Unweighted", "check_families", "check_weight_max"]

_SIZES = np.geomspace(1e-7, 1e2, 1500)
_GRID = np.concatenate([-_SIZES, _SIZES])
_BELOW, _ABOVE = 0.98, (1 + 1e-9, 1.3, 20.0)
_ROUNDING = 1e-12

WEIGHTED = {
    "L1": Family(L1(1.0)),
    "ZeroNorm": Family(ZeroNorm(1.0)),
    "MCP": Family(MCP(1.0, 0.5)),
    "MCP, gamma 3": Family(MCP.from_alpha_gamma(1.0, 3.0), "scaled"),
    "MCP, gamma 0.2": Family(MCP.from_alpha_gamma(1.0, 0.2), "scaled"),
    "SCAD": Family(SCAD(1.0, 0.7)),
    "SCAD, gamma 3.7": Family(SCAD.from_alpha_gamma(1.0, 3.7), "scaled"),
    "CappedL1": Family(CappedL1(1.0, 0.8), "scaled"),
    "Lq": Family(Lq(1.0, 0.5)),
    "LogSum": Family(LogSum(1.0, 0.3)),
    "Exponential": Family(Exponential(1.0, 0.3)),
    "ridge": Family(WithRidge(MCP(1.0, 0.5), 0.1)),
}
"""Families of penalties of one formula."""


def check_weight_max(rng: Seed = 0, trials: int = 48, weight_max: Callable[[Any, Any], float] = weight_max) -> Evidence:
    """From `weight_max` on no coordinate by itself lowers the objective of the null model; below it one does.

    Least squares in three variables, some of them free: values on a grid of moves of one coordinate, at 0 or at the
    minimizer over the free one by its formula. The same for logistic losses with the l1 norm.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "weight_max: the least weight from which on no coordinate lowers the objective of the null model",
        "docs/theory.md, Proposition 12.1",
        "least squares with convex and nonconvex penalties, logistic losses with the l1 norm; three variables",
    )
    names = tuple(WEIGHTED)
    for trial in range(trials):
        name = names[trial % len(names)]
        logistic, free = name == "L1" and trial % 24 == 0, trial % 3 == 1
        instance = Unweighted.random(rng, name, logistic, free)
        largest = weight_max(instance.f, instance.family)
        for factor in _ABOVE:
            outcome.add(_ROUNDING - instance.fall(factor * largest), partial(instance.case, factor, "<= rounding"))
        outcome.add(instance.fall(_BELOW * largest) - _ROUNDING, partial(instance.case, _BELOW, "> 0"))
    return outcome.evidence()


def check_families(
    rng: Seed = 0, trials: int = 200, family: Callable[..., Any] = Family, gentler: Callable[..., Any] = gentler
) -> Evidence:
    """Penalties of a family rise with the weight; a gentler one lies above, with the same slope at 0, less curved."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "families: g_w rises with w; a gentler penalty lies above g_w, rises as fast at 0, and bends less",
        "docs/theory.md, Propositions 12.2 and 12.3",
        "penalties with a flat point, fixed and scaled",
    )
    templates = (MCP, SCAD, CappedL1)
    for trial in range(trials):
        kind, mode = templates[trial % 3], ("fixed", "scaled")[trial % 2]
        weight, a = (round(float(v), 3) for v in rng.uniform(0.1, 3.0, size=2))
        lower, factor = (round(float(v), 3) for v in rng.uniform((0.01, 1.1), (2.0, 9.0)))
        upper = round(lower * rng.uniform(1.01, 3.0), 3)
        x = rng.choice([-1.0, 1.0], size=200) * np.geomspace(1e-6, 20.0, 200)
        members = family(kind(weight, a), mode)
        low, high = members(lower), members(upper)
        gentle = gentler(low, factor)
        said = f"Family({kind.__name__}({weight}, {a}), {mode!r})({lower})"
        case = f"[g.terms(np.geomspace(1e-6, 20, 200)) for g in ({said}, {said.replace(f'({lower})', f'({upper})')})]"
        outcome.add(float((high.terms(x) - low.terms(x)).min()) + _ROUNDING, f"{case}  # rising")
        case = f"[g.terms(np.geomspace(1e-6, 20, 200)) for g in ({said}, gentler({said}, {factor}))]"
        outcome.add(float((gentle.terms(x) - low.terms(x)).min()) + _ROUNDING, f"{case}  # rising")
        at_zero = [g.terms(np.array([1e-9]))[0] / 1e-9 for g in (low, gentle)]
        outcome.add(1e-6 - abs(at_zero[1] / at_zero[0] - 1), f"{case}  # as fast at 0")
        ratio = low.traits.weak_convexity / factor - gentle.traits.weak_convexity
        outcome.add(0.0 if kind is CappedL1 else 1e-9 * low.traits.weak_convexity - abs(ratio), f"{case}  # less bent")
    return outcome.evidence()


@dataclass(frozen=True, eq=False)
class Unweighted:
    """A data term in three variables and a family that has no weight yet."""

    A: np.ndarray
    b: np.ndarray
    name: str
    """Of the family, in WEIGHTED."""
    logistic: bool
    free: bool
    """Whether no penalty sees the first coordinate."""

    @classmethod
    def random(cls, rng: np.random.Generator, name: str, logistic: bool, free: bool) -> Unweighted:
        """Columns of different lengths."""
        rows = int(rng.integers(3, 7))
        A = rng.normal(size=(rows, 3)) * rng.uniform(0.3, 3.0, size=3)
        b = np.where(rng.random(rows) < 0.5, -1.0, 1.0) if logistic else 2 * rng.normal(size=rows)
        return cls(A, b, name, logistic, free)

    @property
    def f(self) -> Any:
        """The data term."""
        return (Logistic if self.logistic else LeastSquares)(self.A, self.b)

    def family(self, weight: float) -> Any:
        """The penalty."""
        g = WEIGHTED[self.name](weight)
        return SeparableSum([slice(1, 3)], [g]) if self.free else g

    def fall(self, weight: float) -> float:
        """How far the objective falls at most, as a share of it, when one coordinate of the null model moves."""
        price, first = WEIGHTED[self.name](weight).terms(_GRID), self.A[:, 0]
        fitted = first * (first @ self.b) / (first @ first) if self.free else np.zeros_like(self.b)
        before = self._loss(fitted)
        after = [self._loss(fitted + np.outer(_GRID, column)) for column in self.A.T]
        prices = [np.zeros_like(price) if self.free and j == 0 else price for j in range(3)]
        return float((before - np.min(np.array(after) + prices)) / before)

    def _loss(self, fitted: np.ndarray) -> np.ndarray:
        loss = np.logaddexp(0.0, -self.b * fitted) if self.logistic else (fitted - self.b) ** 2 / 2
        return np.asarray(loss.sum(axis=-1))

    def case(self, factor: float, said: str) -> str:
        """The fall at a multiple of the weight, to paste."""
        data = f"np.array({self.A.tolist()}), np.array({self.b.tolist()})"
        made = f"Unweighted({data}, {self.name!r}, {self.logistic}, {self.free})"
        return f"(lambda i: i.fall({factor!r} * weight_max(i.f, i.family)))({made})  # {said}"


CHECKS = (
    Check(34, "largest weight", check_weight_max),
    Check(35, "families of penalties", check_families),
)
