"""The checks of subsets fail for formulas that are a little wrong, and for paths that promise too much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from planting import fails, fault

from parsimo.problems import LeastSquares
from parsimo.solvers import SubsetPath, subset_path
from parsimo.solvers.subsets.support import Support, Swap
from parsimo.theory_checks import check_subset_path, check_support_moves


def second_best(self: Any) -> Swap | None:
    """Looks at the column of largest gain alone."""
    swap = Support.best_swap.func(self)  # type: ignore[attr-defined]
    return swap if swap is not None and swap.enters == int(self.gains.argmax()) else None


def loud(self: Any) -> Swap | None:
    """Promises a thousandth more than the swap brings."""
    swap = Support.best_swap.func(self)  # type: ignore[attr-defined]
    return None if swap is None else replace(swap, decrease=1.001 * swap.decrease)


def wrong_member(self: Any) -> Swap | None:
    """Names the member of least loss, whichever it was."""
    swap = Support.best_swap.func(self)  # type: ignore[attr-defined]
    return None if swap is None else replace(swap, leaves=int(self.losses.argmin()))


def half_a_step(self: Any, p: int) -> Support:
    """Takes half of what the new column explains from the residual."""
    return replace(Support.with_column(self, p), r=(self.r + Support.with_column(self, p).r) / 2)


def stale_residual(self: Any, i: int) -> Support:
    """Forgets that the residual grows when a column goes."""
    return replace(Support.without(self, i), r=self.r)


FORMULAS = {
    "gain without the distance": fault(Support, gains=property(lambda self: self.r * self.r * (self.d > 1e-8))),
    "gain of columns in the span": fault(Support, gains=property(lambda self: self.r**2 / np.maximum(self.d, 1e-30))),
    "loss without the inverse": fault(Support, losses=property(lambda self: self.x * self.x)),
    "residual half updated": fault(Support, with_column=half_a_step),
    "residual not updated": fault(Support, without=stale_residual),
    "one column looked at": fault(Support, best_swap=property(second_best)),
    "no swaps": fault(Support, best_swap=property(lambda self: None)),
    "a decrease too good": fault(Support, best_swap=property(loud)),
    "the wrong member": fault(Support, best_swap=property(wrong_member)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_faulty_formula_is_seen(name: str):
    assert fails(check_support_moves(support=FORMULAS[name]))


def forward(f: LeastSquares, size: int, ridge: float) -> SubsetPath:
    """Forward selection: no swap, and no column out again."""
    found = subset_path(f, size, ridge=ridge)
    A, b = to_rows(f, ridge)
    supports, here = [found.supports[0]], list[int]()
    for _ in range(len(found) - 1):
        free = [j for j in range(A.shape[1]) if j not in here]
        here = [*here, min(free, key=lambda j: least(A, b, [*here, j])[1])]
        supports.append(np.sort(np.array(here)))
    solved = [least(A, b, s.tolist()) for s in supports]
    return replace(
        found,
        supports=tuple(supports),
        coefficients=tuple(x for x, _ in solved),
        objectives=np.array([value for _, value in solved]),
    )


def to_rows(f: LeastSquares, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    n = f.shape[0]
    return np.vstack([f.design.A, np.sqrt(ridge) * np.eye(n)]), np.append(f.targets, np.zeros(n))


def least(A: np.ndarray, b: np.ndarray, support: list[int]) -> tuple[np.ndarray, float]:
    x = np.linalg.lstsq(A[:, support], b, rcond=None)[0]
    return x, float(np.sum((b - A[:, support] @ x) ** 2)) / 2


def changed(**change: Callable[[SubsetPath], Any]) -> Callable[..., SubsetPath]:
    def path(f: LeastSquares, size: int, ridge: float) -> SubsetPath:
        found = subset_path(f, size, ridge=ridge)
        return replace(found, **{name: new(found) for name, new in change.items()})

    return path


def without_ridge(f: LeastSquares, size: int, ridge: float) -> SubsetPath:
    return subset_path(f, size)


def cut_short(f: LeastSquares, size: int, ridge: float) -> SubsetPath:
    """Ends one size early."""
    return subset_path(f, max(size - 1, 0), ridge=ridge)


PATHS = {
    "forward selection": forward,
    "objectives too low": changed(objectives=lambda p: 0.999 * p.objectives),
    "coefficients not solved for": changed(coefficients=lambda p: tuple(1.01 * x for x in p.coefficients)),
    "gaps beyond rounding": changed(swap_gaps=lambda p: p.swap_gaps + 1e-6 * p.objectives[0]),
    "weights too large": changed(breakpoints=lambda p: 1.5 * p.breakpoints),
    "a support too large": changed(
        supports=lambda p: (*p.supports[:-1], np.append(p.supports[-1], p.supports[-1][:1])),
        coefficients=lambda p: (*p.coefficients[:-1], np.append(p.coefficients[-1], p.coefficients[-1][:1])),
    ),
    "the ridge forgotten": without_ridge,
    "a size missing": cut_short,
}


@pytest.mark.parametrize("name", PATHS)
def test_a_faulty_path_is_seen(name: str):
    assert fails(check_subset_path(path=PATHS[name]))
