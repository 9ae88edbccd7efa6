"""Best supports of every size: searched for among few columns, and verified among all."""

from __future__ import annotations

import numpy as np

from parsimo.solvers.subsets.chains import forward, overshot, spliced
from parsimo.solvers.subsets.columns import Core, UnitColumns
from parsimo.solvers.subsets.search import Search
from parsimo.solvers.subsets.support import Support

__all__ = ["best_supports"]

_START, _MORE = 200, 200  # columns of the first core, and columns that may be added to it at a time
_PROMISING = 0.7  # of the correlation that would change a support
_ENTRIES = 10_000_000  # of correlations held at a time
_FLOOR = 1e-7  # of correlations: below it they are rounding


def best_supports(columns: UnitColumns, max_size: int, deadline: float) -> list[Support]:
    """The best support found of each size 0, 1, ..., with no swap left among all columns.

    The search runs in a core of columns, those of largest correlation with b and then those that the supports found in
    it leave most correlated with their residuals. Each support is then settled among all columns.
    """
    core, search = _narrowed(columns, max_size, deadline)
    search.offer(spliced(core, len(search.best) - 1))
    search.offer(overshot(search.best[-1]))
    search.sweep()
    chosen = [core.chosen[s.members] for s in search.best]
    columns.prepare(np.unique(np.concatenate(chosen)))
    everywhere = Search(columns, max_size, deadline, kept=1)
    here = everywhere.best[0]
    for members in chosen[1:]:
        here = here.towards(members)
        everywhere.keep(here)
    everywhere.rise()
    return everywhere.best


def _narrowed(columns: UnitColumns, max_size: int, deadline: float) -> tuple[Core, Search]:
    """A core, and a search in it that has risen once."""
    n = len(columns.c)
    chosen = np.arange(n) if n <= 2 * _START else np.argpartition(-np.abs(columns.c), _START)[:_START]
    core = Core(columns, chosen)
    if len(chosen) < n:
        path = list(forward(Support.empty(core), max_size))
        core = _widened(columns, core, _promise(columns, core, path))
    search = Search(core, max_size, deadline)
    search.rise()
    if len(chosen) < n and (promise := _promise(columns, core, search.best)).max() > 1:
        path, core = search.best, _widened(columns, core, promise)
        search = Search(core, max_size, deadline)
        search.offer(s.widened(core) for s in path[1:])
    return core, search


def _widened(columns: UnitColumns, core: Core, promise: np.ndarray) -> Core:
    """The core and the most promising columns outside it."""
    new = np.argpartition(-promise, _MORE)[:_MORE] if len(promise) > _MORE else np.arange(len(promise))
    return Core(columns, np.concatenate((core.chosen, new[promise[new] > _PROMISING])), within=core)


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
