"""Which coordinate is in which group: sums and norms over groups, and numbers of groups spread to coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parsimo._array import (
    Array,
    array_namespace,
    asarray_like,
    detached,
    device_of,
    segment_max,
    segment_sum,
    to_numpy,
)

__all__ = ["Segments", "positive_or_one"]


@dataclass(frozen=True, eq=False)
class Segments:
    """Disjoint groups 0, ..., count - 1 of the coordinates of x, which may come flat, in C order.

    Parameters
    ----------
    shape : tuple of int
        The shape of x.
    ids : int64 array
        The group of each coordinate, flat; `count`, a last segment that is dropped, for a free one.
    count : int
    """

    shape: tuple[int, ...]
    ids: np.ndarray
    count: int

    @classmethod
    def of(cls, labels: np.ndarray) -> Segments:
        """The groups that the labels name, -1 for a free coordinate.

        Raises
        ------
        TypeError
            If the labels are not integers.
        ValueError
            If a label is below -1, a group is empty, or there is none at all.
        """
        if not np.issubdtype(labels.dtype, np.integer):
            raise TypeError(f"Group: labels must be integers, got dtype {labels.dtype}")
        if labels.min(initial=-1) < -1:
            raise ValueError(f"Group: labels must be >= -1, where -1 is a free coordinate, got {labels.min()}")
        count = int(labels.max(initial=-1)) + 1
        if count == 0:
            raise ValueError("Group: labels name no group; for free coordinates alone take Zero()")
        if missing := set(range(count)).difference(labels.reshape(-1).tolist()):
            raise ValueError(f"Group: no coordinate has label {min(missing)}; number the groups 0, 1, ... without gaps")
        return cls(labels.shape, np.where(labels < 0, count, labels).reshape(-1).astype(np.int64), count)

    @property
    def free(self) -> bool:
        """Whether some coordinate is in no group."""
        return bool((self.ids == self.count).any())

    def flat(self, x: Array) -> Array:
        """x as a vector.

        Raises
        ------
        ValueError
            If x has another shape than the labels, and is not flat.
        """
        if tuple(x.shape) not in (self.shape, self.ids.shape):
            raise ValueError(
                f"Group: x has shape {tuple(x.shape)}, but the labels have {self.shape}; give one label for each "
                "coordinate"
            )
        return array_namespace(x).reshape(x, (-1,))

    def sums(self, values: Array) -> Array:
        """The sum over each group, of flat values."""
        return segment_sum(values, self._ids(values), self.count + 1)[: self.count]

    def norms(self, x: Array) -> Array:
        """|x_{G_j}| for each group, of flat x; torch differentiates through it, with gradient 0 at a zero group.

        Squares are taken of x / s_j, with s_j a power of 2 of the size of the group's largest entry: they neither
        over- nor underflow, and are rounded as those of x are.
        """
        xp, ids = array_namespace(x), self._ids(x)
        largest = segment_max(xp.abs(detached(x)), ids, self.count + 1)
        finite = (largest > 0) & xp.isfinite(largest)
        # 0.99: beside the largest float, 2 to its exponent rounds to infinity
        exponent = xp.trunc(0.99 * xp.log2(xp.where(finite, largest, xp.ones_like(largest))))
        scale = 2.0**exponent
        scaled = x / xp.take(scale, ids, axis=0)
        squares = segment_sum(scaled * scaled, ids, self.count + 1)
        positive, safe = positive_or_one(squares)
        return xp.where(positive, scale * xp.sqrt(safe), squares)[: self.count]

    def spread(self, values: Array, free: float) -> Array:
        """The number of each coordinate's group; `free` for a free coordinate."""
        xp = array_namespace(values)
        return xp.take(xp.concat([values, asarray_like([free], values)]), self._ids(values), axis=0)

    def common(self, steps: Array) -> np.ndarray:
        """The one step of each group, of an array of steps.

        Raises
        ------
        ValueError
            If steps vary in a group.
        """
        numbers, grouped = to_numpy(self.flat(steps)), self.ids < self.count
        ids, numbers = self.ids[grouped], numbers[grouped]
        common = np.ones(self.count, dtype=numbers.dtype)
        common[ids] = numbers
        varies = common[ids] != numbers
        if varies.any():
            raise ValueError(
                f"Group.prox: step_size varies in group {ids[varies][0]}; the prox has a closed form only where the "
                "step is constant on each group"
            )
        return common

    def _ids(self, like: Array) -> Array:
        return array_namespace(like).asarray(self.ids, device=device_of(like))


def positive_or_one(values: Array) -> tuple[Array, Array]:
    """Where values > 0, and the values with 1 elsewhere: safe to divide by, and to differentiate a root at."""
    xp = array_namespace(values)
    positive = values > 0
    return positive, xp.where(positive, values, xp.ones_like(values))
