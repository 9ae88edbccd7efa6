"""What an answer is worth, by parsimo's certificate and from the problem alone; and whether a translation is one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import parsimo as ps
from benchmarks.speed.cases import Case

__all__ = ["GOOD_ENOUGH", "Verdict", "WrongTranslation", "check_translation", "judge"]

GOOD_ENOUGH = 1e-6  # of |grad f(0)|: the certificate that a run must reach for its time to count
_SAME = 1e-9  # relative: two ways to write one objective differ by rounding alone


class WrongTranslation(ValueError):
    """The objective of a library is not the one of the case."""


@dataclass(frozen=True)
class Verdict:
    """An answer, that is one point for each problem of a case."""

    certificate: float
    """The largest of dist(0, grad f(x) + subdifferential of g at x) / |grad f(0)|."""
    objectives: list[float]
    """f(x) + g(x) of each problem."""
    nonzeros: list[int]
    """|x|_0 of each."""
    f1: list[float]
    """Harmonic mean of precision and recall of each support."""

    @property
    def good(self) -> bool:
        """Whether the certificate is good enough for its time to count."""
        return self.certificate <= GOOD_ENOUGH


def judge(case: Case, answer: np.ndarray) -> Verdict:
    """The verdict on an answer of shape (K, n).

    Raises
    ------
    ValueError
        If the answer has another shape; a library that returns something else has not solved the case.
    """
    answer = np.asarray(answer, dtype=np.float64)
    expected = (len(case.parameters), case.shape[1])
    if answer.shape != expected:
        raise ValueError(f"judge: the answer to {case.name} must have shape {expected}, got {answer.shape}")
    points = list(zip(case.problems, answer, strict=True))
    certificates = [ps.certificate(problem, x) for problem, x in points]
    worst = math.nan if any(map(math.isnan, certificates)) else max(certificates)
    return Verdict(
        certificate=float(worst / np.linalg.norm(case.slopes_at_zero)),
        objectives=[float(problem.value(x)) for problem, x in points],
        nonzeros=[int(np.count_nonzero(x)) for _, x in points],
        f1=[_f1(x != 0, case.truth != 0) for _, x in points],
    )


def check_translation(case: Case, objective: Callable[[np.ndarray, int], float], trials: int = 5) -> None:
    """Refuse a library's objective that differs from parsimo's at random points, dense and sparse, small and large.

    Raises
    ------
    WrongTranslation
        Naming the point and both values.
    """
    rng = np.random.default_rng(0)
    n = case.shape[1]
    for k in sorted({0, len(case.parameters) // 2, len(case.parameters) - 1}):
        for trial in range(trials):
            x = rng.standard_normal(n) * 10.0 ** rng.uniform(-2, 1)
            kept = case.parameters[k] if case.penalty == "subset" else rng.integers(1, n + 1)
            x[rng.permutation(n)[kept:]] = 0.0
            theirs, ours = float(objective(x, k)), float(case.problems[k].value(x))
            if not math.isclose(theirs, ours, rel_tol=_SAME):
                raise WrongTranslation(
                    f"objective {k} of {case.name} at random point {trial}: {theirs!r} by the library, {ours!r} by "
                    "parsimo"
                )


def _f1(found: np.ndarray, true: np.ndarray) -> float:
    return float(2 * np.sum(found & true) / max(1, np.sum(found) + np.sum(true)))
