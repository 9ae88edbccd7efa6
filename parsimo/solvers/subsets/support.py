"""A support with everything its neighbours need: what each addition, removal and swap does to the objective."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from parsimo.solvers.subsets.columns import DEPENDENT, Gram

__all__ = ["Support", "Swap", "swap_decreases"]

_DRIFT = 1e-11  # what is known beforehand may be found as wrong as this before all is computed afresh
_CHUNK = 256  # columns whose swaps are looked at together


@dataclass(frozen=True)
class Swap:
    """Column `leaves`, by its position in the support, goes out, and column `enters` comes in."""

    leaves: int
    enters: int
    decrease: float
    """How far 2 q falls, the rest being solved again."""


@dataclass(frozen=True, eq=False)
class Support:
    """The minimum of 2 q(x) = x'Hx - 2 c'x over x with the given support (docs/theory.md, section 11)."""

    gram: Gram
    members: np.ndarray
    """S, the k columns in the support."""
    M: np.ndarray
    """The inverse of H_SS, k x k."""
    x: np.ndarray
    """M c_S, the k coefficients."""
    r: np.ndarray
    """c - H_S'x, shape (n,): minus the gradient; 0 on S, but for rounding."""
    d: np.ndarray
    """H_jj - H_jS M H_Sj, shape (n,): the squared distance of column j from the span; 0 on S, but for rounding."""

    @classmethod
    def empty(cls, gram: Gram) -> Support:
        """No column."""
        return cls(gram, np.empty(0, dtype=np.intp), np.empty((0, 0)), np.empty(0), gram.c, gram.nonzero)

    @classmethod
    def of(cls, gram: Gram, members: np.ndarray) -> Support:
        """The support of columns whose rows of H were asked for before, from its definition."""
        rows = gram.block(members, None)
        M = np.linalg.inv(rows[:, members])
        M = (M + M.T) / 2
        x = M @ gram.c[members]
        return cls(gram, members, M, x, gram.c - x @ rows, gram.nonzero - np.einsum("ij,ij->j", M @ rows, rows))

    @cached_property
    def value(self) -> float:
        """2 q(x) = -c_S'x: with |b| = 1 it lies between -1 and 0."""
        return -float(self.gram.c[self.members] @ self.x)

    @cached_property
    def gains(self) -> np.ndarray:
        """r_j^2 / d_j, how far 2 q falls when column j comes in; 0 in the span (Proposition 11.10)."""
        return self.r * self.r / np.where(self.d > DEPENDENT, self.d, np.inf)

    @cached_property
    def losses(self) -> np.ndarray:
        """x_i^2 / M_ii, how far 2 q rises when the member at position i goes out (Proposition 11.10)."""
        return self.x * self.x / self.M.diagonal()

    def with_column(self, p: int) -> Support:
        """S and column p (Proposition 11.11)."""
        k, h = len(self.members), self.gram.row(p, lambda: self.gains)
        C = self.M @ h[self.members]
        w = h - self.gram.combination(self.members, C)
        members = np.concatenate((self.members, (p,)))
        distance = float(w[p])
        if abs(distance - self.d[p]) > _DRIFT:
            return self.of(self.gram, members)
        step = float(self.r[p]) / distance
        M, x = np.empty((k + 1, k + 1)), np.empty(k + 1)
        C_over = C / distance
        M[:k, :k] = self.M + C[:, None] * C_over
        M[k, :k] = M[:k, k] = -C_over
        M[k, k] = 1 / distance
        x[:k], x[k] = self.x - step * C, step
        return type(self)(self.gram, members, M, x, self.r - step * w, self.d - w * w / distance)

    def without(self, i: int) -> Support:
        """S less its member at position i (Proposition 11.11)."""
        row, pivot = self.M[i], float(self.M[i, i])
        u = self.gram.combination(self.members, row)
        positions = np.arange(len(row))
        rest = np.concatenate((positions[:i], positions[i + 1 :]))
        members = self.members[rest]
        if abs(float(u[self.members[i]]) - 1) > _DRIFT:
            return self.of(self.gram, members)
        step, others = float(self.x[i]) / pivot, row[rest]
        M = self.M.take(rest, 0).take(rest, 1) - others[:, None] * (others / pivot)
        return type(self)(
            self.gram, members, M, self.x[rest] - step * others, self.r + step * u, self.d + u * u / pivot
        )

    def swapped(self, swap: Swap) -> Support:
        """One column out and one in."""
        return self.without(swap.leaves).with_column(swap.enters)

    def towards(self, members: np.ndarray) -> Support:
        """The support `members`, by the moves that lead there from this one."""
        old, new, here = self.members.tolist(), members.tolist(), self
        for i in reversed(range(len(old))):
            if old[i] not in new:
                here = here.without(i)
        for j in new:
            if j not in old:
                here = here.with_column(j)
        return here

    @cached_property
    def best_swap(self) -> Swap | None:
        """The swap that lowers q most, the rest solved again; None where none lowers it (Theorem 11.12)."""
        if not len(self.members):
            return None
        t = np.sqrt(self.losses)
        least = t.min()
        enters = (2 * np.abs(self.r) > least * np.maximum(self.d, DEPENDENT)).nonzero()[0]
        d = self.d[enters]
        reach = np.abs(self.r[enters]) * (1 + np.sqrt(np.maximum(1 - d, 0.0))) / np.maximum(d, DEPENDENT)
        near = (d > DEPENDENT) & (reach > least)
        enters, reach = enters[near], reach[near]
        if not len(enters):
            return None
        if len(enters) > _CHUNK:
            enters = enters[np.argsort(-self.gains[enters])]
        leaves = (t < reach.max()).nonzero()[0]
        root = np.sqrt(self.M.diagonal()[leaves])
        M, s = self.M[leaves] / root[:, None], self.x[leaves] / root
        best, record = None, 0.0
        for start in range(0, len(enters), _CHUNK):
            js = enters[start : start + _CHUNK]
            if start and self.gains[js[0]] <= record:
                break  # no swap gains more than its addition alone, and these are sorted
            decrease = swap_decreases(s, self.r[js], self.d[js], M @ self.gram.block(self.members, js))
            i, j = divmod(int(decrease.argmax()), len(js))
            if decrease[i, j] > record:
                record = float(decrease[i, j])
                best = Swap(int(leaves[i]), int(js[j]), record)
        return best


def swap_decreases(s: np.ndarray, r: np.ndarray, d: np.ndarray, G: np.ndarray) -> np.ndarray:
    """How far 2 q falls when i goes out and j comes in, for all i and j; leading axes are trials.

    (r_j + s_i G_ij)^2 / (d_j + G_ij^2) - s_i^2 with s_i = x_i / sqrt(M_ii) and G_ij = (M H_S)_ij / sqrt(M_ii)
    (Theorem 11.12).
    """
    s = s[..., :, None]
    decrease, left = s * G, G * G
    decrease += r[..., None, :]
    decrease *= decrease
    left += d[..., None, :]
    decrease /= left
    decrease -= s * s
    return decrease
