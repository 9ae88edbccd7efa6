"""Best supports of every size: searched for among few columns, and settled among all."""

from __future__ import annotations

import numpy as np

from parsimo.solvers.subsets.chains import forward, overshot
from parsimo.solvers.subsets.columns import Core, UnitColumns
from parsimo.solvers.subsets.search import Search
from parsimo.solvers.subsets.support import Support

__all__ = ["best_supports"]

_START, _MORE = 150, 200  # columns of the first core, and columns that are added to it at a time
_ROUNDS = 2  # additions to the core at most
_PROMISING = 0.7  # of the correlation that would bring a column into a support
_FLOOR = 1e-7  # of correlations: below it they are rounding
_ENTRIES = 10_000_000  # correlations held at a time


def best_supports(columns: UnitColumns, max_size: int, deadline: float) -> list[Support]:
    """The best support found of each size 0, 1, ..., with no swap left among all columns.

    The search runs in a core of few columns, whose Gram matrix is at hand. It ends where sweeps and pairs of swaps
    bring nothing new; then every support is settled among all columns, and sweeps follow there.
    """
    core, path = _core(columns, max_size)
    search = Search(core, max_size, deadline)
    for s in path:
        search.keep(s)
    search.offer(overshot(search.best[-1]))
    search.sweep()
    chosen = [core.chosen[s.members] for s in search.best]
    columns.prepare(np.unique(np.concatenate(chosen)))
    everywhere = Search(columns, max_size, deadline, kept=1)
    here = everywhere.best[0]
    for members in chosen[1:]:
        here = here.towards(members)
        everywhere.keep(here)
    everywhere.sweep(pairs=False)
    return everywhere.best


def _core(columns: UnitColumns, max_size: int) -> tuple[Core, list[Support]]:
    """The columns to search in, and the path of forward selection among them.

    They are those most correlated with b, and then those that the path leaves most correlated with its residuals.
    """
    n = len(columns.c)
    chosen = np.arange(n) if n <= 2 * _START else np.argpartition(-np.abs(columns.c), _START)[:_START]
    core = Core(columns, chosen)
    path = list(forward(Support.empty(core), max_size))
    for _ in range(_ROUNDS if len(chosen) < n else 0):
        promise = _promise(columns, core, path[1::2])
        if promise.max(initial=0.0) < 1:
            break
        new = np.argpartition(-promise, _MORE)[:_MORE]
        core = Core(columns, np.concatenate((core.chosen, new[promise[new] > _PROMISING])), within=core)
        path = list(forward(Support.empty(core), max_size))
    return core, path


def _promise(columns: UnitColumns, core: Core, path: list[Support]) -> np.ndarray:
    """For each column outside the core, the largest ratio of |r_j| to what would bring it into a support of a path."""
    x = np.zeros((len(path), len(core.chosen)))
    bars = np.empty(len(path))
    for k, s in enumerate(path):
        x[k, s.members] = s.x
        bars[k] = np.sqrt(min(s.losses.min(initial=np.inf), s.gains.max()))
    residuals = columns.b - x @ core.A.T
    at_once = max(1, _ENTRIES // len(columns.c))
    promise = np.zeros(len(columns.c))
    for start in range(0, len(path), at_once):
        some = slice(start, start + at_once)
        ratios = np.abs(columns.correlations(residuals[some])) / np.maximum(bars[some], _FLOOR)[:, None]
        promise = np.maximum(promise, ratios.max(axis=0))
    promise[core.chosen] = 0.0
    return promise
