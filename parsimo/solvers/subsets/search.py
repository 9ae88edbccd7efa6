"""The search: sweeps over the sizes, up and down, and pairs of swaps, until nothing new is found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from parsimo.solvers.subsets.columns import Gram
from parsimo.solvers.subsets.pairs import best_pair_of_swaps
from parsimo.solvers.subsets.support import Support

__all__ = ["ROUNDING", "Search", "least_decrease"]

ROUNDING = 1e-13  # of |b|^2: a decrease within it may be rounding
_RELATIVE = 1e-10  # of |A x - b|^2: a decrease within it is not worth a move


def least_decrease(s: Support) -> float:
    """What 2 q must fall by for a move to be made; 1 + 2 q(x) is |A x - b|^2 + ridge |x|^2, where |b| = 1."""
    return _RELATIVE * (1 + s.value) + ROUNDING


class Search:
    """The best supports found of each size, and how more are found.

    Parameters
    ----------
    gram : Gram
    max_size : int
    deadline : float
        By `time.perf_counter`; nothing is begun after it.
    kept : int
        How many supports of each size the next sizes are tried from.
    """

    def __init__(self, gram: Gram, max_size: int, deadline: float, kept: int = 2) -> None:
        self.max_size, self.deadline, self._most = max_size, deadline, kept
        self._kept: list[list[Support]] = [[] for _ in range(max_size + 1)]
        self._tried: set[frozenset[int]] = set()
        self._new: dict[str, list[list[Support]]] = {
            way: [[] for _ in range(max_size + 1)] for way in ("up", "down", "pair")
        }
        self.keep(Support.empty(gram))

    @property
    def best(self) -> list[Support]:
        """The best support of each size, up to the largest size that was reached."""
        return [kept[0] for kept in self._kept if kept]

    @property
    def is_late(self) -> bool:
        """Whether the time is up."""
        return time.perf_counter() > self.deadline

    def settled(self, s: Support) -> Support:
        """s after its best swaps, until none is left that lowers q by more than rounding."""
        while not self.is_late and (swap := s.best_swap) is not None and swap.decrease > least_decrease(s):
            s = s.swapped(swap)
        return s

    def offer(self, supports: Iterable[Support]) -> None:
        """Settle these, and keep those that are among the best of their size."""
        for s in supports:
            self._try(s.members, lambda s=s: s)  # type: ignore[misc]
            if self.is_late:
                return

    def keep(self, s: Support) -> None:
        """Settle a support and keep it if it is among the best of its size, even after the deadline."""
        self._tried.add(frozenset(s.members.tolist()))
        s = self.settled(s)
        kept = self._kept[len(s.members)]
        if any(abs(s.value - other.value) <= ROUNDING for other in kept):
            return
        kept.append(s)
        kept.sort(key=lambda other: other.value)
        del kept[self._most :]
        for waiting in self._new.values():
            waiting[len(s.members)].append(s)

    def rise(self) -> None:
        """One column more, from the smallest size that has something new, and so on."""
        for size in range(self.max_size):
            for s in self._taken("up", size):
                p = int(s.gains.argmax())
                if s.gains[p] > ROUNDING and self._among_best(size + 1, s.value - float(s.gains[p])):
                    self._try(np.append(s.members, p), partial(s.with_column, p))

    def sink(self) -> None:
        """One column less, from the largest size that has something new, and so on."""
        for size in range(self.max_size, 1, -1):
            for s in self._taken("down", size):
                i = int(s.losses.argmin())
                if self._among_best(size - 1, s.value + float(s.losses[i])):
                    self._try(np.delete(s.members, i), partial(s.without, i))

    def sweep(self, pairs: bool = True) -> None:
        """Up, down, and where that brings nothing new, pairs of swaps at the best of each size."""
        while not self.is_late:
            if any(map(len, self._new["up"][:-1])) or any(map(len, self._new["down"][2:])):
                self.rise()
                self.sink()
            elif pairs and any(map(len, self._new["pair"][2:])):
                for size in range(2, self.max_size + 1):
                    for s in self._taken("pair", size):
                        if s is self._kept[size][0] and (found := best_pair_of_swaps(s, least_decrease(s))) is not None:
                            self.offer([found])
            else:
                return

    def _try(self, members: np.ndarray, make: Callable[[], Support]) -> None:
        """Settle and keep a support, if it was not tried yet."""
        if self._is_new(members):
            self.keep(make())

    def _among_best(self, size: int, value: float) -> bool:
        """Whether a support of this value would be kept."""
        kept = self._kept[size]
        return len(kept) < self._most or value < kept[-1].value - ROUNDING

    def _is_new(self, members: np.ndarray) -> bool:
        """Whether these members were not tried yet and there is time for them; from now on they count as tried."""
        key = frozenset(members.tolist())
        if key in self._tried or self.is_late:
            return False
        self._tried.add(key)
        return True

    def _taken(self, way: str, size: int) -> list[Support]:
        """What is new at a size and still among the best."""
        new, self._new[way][size] = self._new[way][size], []
        return [s for s in new if any(s is other for other in self._kept[size])]
