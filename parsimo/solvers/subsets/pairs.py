"""Two swaps at a time: the second is looked for behind the most promising first ones."""

from __future__ import annotations

import numpy as np

from parsimo.solvers.subsets.columns import DEPENDENT
from parsimo.solvers.subsets.support import Support, swap_decreases

__all__ = ["best_pair_of_swaps"]

_LEAVING = 8  # members that may take part
_ENTERING = (8, 20)  # columns that may take part: so many, and of so many one more
_TRIED = (4, 60)  # first swaps that are tried, likewise
_FAR = 1e100  # a distance from which a column gains nothing


def best_pair_of_swaps(s: Support, least: float) -> Support | None:
    """The support after the best pair found, where 2 q falls by more than `least`; None where none does.

    First come the swaps of largest decrease, most of which raise q; behind each of them the best second swap, by the
    formulas of Proposition 11.11, among the members and columns that take part in the best single swaps. Every row
    of H must be at hand.
    """
    outside = s.d > DEPENDENT
    n = int(outside.sum())
    if len(s.members) < 2 or n < 2:
        return None
    entries, trials = (min(n, few + n // per) for few, per in (_ENTERING, _TRIED))
    root = np.sqrt(s.M.diagonal())
    H = s.gram.block(s.members, None)
    G = (s.M / root[:, None]) @ H
    decrease = swap_decreases(s.x / root, s.r, np.where(outside, s.d, _FAR), G)
    js = np.argpartition(-np.where(outside, decrease.max(axis=0), -np.inf), entries - 1)[:entries]
    decrease = decrease.take(js, 1)
    leaving = decrease.max(axis=1).argsort()[-_LEAVING:]
    decrease, H, C = decrease[leaving], H.take(js, 1), G.take(js, 1) * root[:, None]
    D = s.gram.block(js, js) - C.T @ H  # the Gram matrix of what the columns add to the span
    C, M = C[leaving], s.M[leaving[:, None], leaving]
    pivot, x, r, d = M.diagonal(), s.x[leaving], s.r[js], s.d[js]
    trials = min(trials, decrease.size)
    i, j = np.divmod(np.argpartition(-decrease, trials - 1, axis=None)[:trials], len(js))
    trial = np.arange(trials)
    # i goes out
    u, m, column = C[i], pivot[i][:, None], M[i]
    step, reached = x[i][:, None] / m, u[trial, j][:, None] / m
    x2, pivot2 = x - step * column, pivot - column * column / m
    r2, d2 = r + step * u, d + u * u / m
    # j comes in
    w, v = D[j] + reached * u, C[:, j].T - reached * column
    distance = d2[trial, j][:, None]
    step = r2[trial, j][:, None] / distance
    x2, pivot2 = x2 - step * v, pivot2 + v * v / distance
    r2, d2 = r2 - step * w, d2 - w * w / distance
    C2 = C - (column / m)[:, :, None] * u[:, None, :] - (v / distance)[:, :, None] * w[:, None, :]
    pivot2[trial, i] = 1.0  # i is out already: its second swaps are barred below
    root, d2 = np.sqrt(pivot2), np.where(d2 > DEPENDENT, d2, _FAR)
    total = swap_decreases(x2 / root, r2, d2, C2 / root[:, :, None]) + decrease[i, j][:, None, None]
    total[trial, i] = -np.inf
    p, i2, j2 = np.unravel_index(int(total.argmax()), total.shape)
    if not total[p, i2, j2] > least:
        return None
    stay = np.delete(s.members, leaving[[i[p], i2]])
    return s.towards(np.append(stay, js[[j[p], j2]]))
