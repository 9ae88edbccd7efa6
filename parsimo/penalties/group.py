"""Group penalties: an even penalty of the norm of each group of coordinates."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, device_of, segment_sum, to_numpy
from parsimo.core.validation import check_nonnegative, check_step
from parsimo.penalties.even import EvenPenalty
from parsimo.penalties.lifted import Lifted, check_liftable
from parsimo.penalties.ties import check_listable

__all__ = ["Group"]


@dataclass(frozen=True, eq=False)
class Group(Lifted):
    """g(x) = sum_j weights_j p(|x_{G_j}|), with p an even penalty of one number and |.| the Euclidean norm.

    The groups are disjoint: each coordinate has one label. With L1 this is the group lasso, with ZeroNorm the number
    of nonzero groups, l_{2,0}. The prox shrinks each group along itself,

        x_{G_j} = (q_j / |v_{G_j}|) v_{G_j},   q_j = prox_{t weights_j p}(|v_{G_j}|),

    in every regime of the step t (docs/theory.md, Proposition 4.10). A zero group stays zero.

    Parameters
    ----------
    penalty : EvenPenalty
        p, with one number as weight: ZeroNorm, L1, CappedL1, MCP, SCAD and their like.
    labels : integer array of the shape of x
        The group 0, 1, ... of each coordinate; -1 for a free one. x may also come flat, in C order.
    weights : 1-D array, optional
        One factor >= 0 for each group, 1 by default; a group of factor 0 is free.

    Raises
    ------
    TypeError
        If the penalty is not even or has an array of weights, or the labels are not integers.
    ValueError
        If a label is below -1, a group is empty, there is none at all, or there is not one weight for each group.

    Examples
    --------
    >>> import numpy as np
    >>> from parsimo.penalties import ZeroNorm
    >>> g = Group(ZeroNorm(2.0), np.array([0, 0, 1, 1]))
    >>> g.prox(np.array([3.0, 4.0, 1.0, 1.0]), 1.0)
    array([3., 4., 0., 0.])
    """

    penalty: EvenPenalty
    labels: Array
    weights: Array | None = None
    _segments: np.ndarray = field(init=False, repr=False)
    _count: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_liftable(self.penalty, "Group")
        labels = to_numpy(self.labels)
        if not np.issubdtype(labels.dtype, np.integer):
            raise TypeError(f"Group: labels must be integers, got dtype {labels.dtype}")
        if labels.min(initial=-1) < -1:
            raise ValueError(f"Group: labels must be >= -1, where -1 is a free coordinate, got {labels.min()}")
        count = int(labels.max(initial=-1)) + 1
        if count == 0:
            raise ValueError("Group: labels name no group; for free coordinates alone take Zero()")
        if missing := set(range(count)).difference(labels.reshape(-1).tolist()):
            raise ValueError(f"Group: no coordinate has label {min(missing)}; number the groups 0, 1, ... without gaps")
        if self.weights is not None:
            weights = to_numpy(check_nonnegative(self.weights, "Group: weights"))
            if weights.shape != (count,):
                raise ValueError(f"Group: weights must have shape ({count},), one for each group, got {weights.shape}")
            object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "_count", count)
        # free coordinates make a last segment, which is dropped
        object.__setattr__(self, "_segments", np.where(labels < 0, count, labels).reshape(-1).astype(np.int64))

    @classmethod
    def columns(cls, penalty: EvenPenalty, shape: tuple[int, int], weights: Array | None = None) -> Group:
        """A group for each column of an m x n matrix, which may come flat, in C order."""
        return cls(penalty, np.broadcast_to(np.arange(shape[1]), shape), weights)

    @classmethod
    def rows(cls, penalty: EvenPenalty, shape: tuple[int, int], weights: Array | None = None) -> Group:
        """A group for each row of an m x n matrix, which may come flat, in C order."""
        return cls(penalty, np.broadcast_to(np.arange(shape[0])[:, None], shape), weights)

    def sublevel_radius(self, level: float) -> float:
        """The largest |x| with g(x) <= level, which is that of the norms; infinity if there are free coordinates."""
        return math.inf if (self._segments == self._count).any() else super().sublevel_radius(level)

    def norms(self, x: Array) -> Array:
        """|x_{G_j}| for each group, 1-D; torch differentiates through it, with gradient 0 at a zero group."""
        x = self._flat(x)
        squares = self._sums(x * x)
        positive, safe = _positive(squares)
        return array_namespace(x).where(positive, safe**0.5, squares)

    def prox(self, v: Array, step_size: float | Array) -> Array:
        """argmin_x g(x) + |x - v|^2 / (2 step_size), the sparser group at a tie.

        Parameters
        ----------
        v : array
            Of the shape of the labels, or flat.
        step_size : float or array of the shape of v
            Positive. An array must be constant on each group: in any other metric there is no closed form.

        Returns
        -------
        array
            Of the shape and dtype of v.

        Raises
        ------
        ValueError
            If v has another shape, or steps vary in a group.
        """
        v = check_step(v, step_size, "Group.prox")
        xp = array_namespace(v)
        positive, norms = _positive(self.norms(v))
        shrunk = self._scalar.prox(norms, self._steps(step_size))
        factors = xp.where(positive, shrunk / norms, xp.zeros_like(norms))
        return self._scale(v, factors)

    def prox_set(self, v: Array, step_size: float | Array) -> tuple[Array, ...]:
        """All minimizers of g(x) + |x - v|^2 / (2 step_size), the product over the groups, by rising norms.

        Norms are computed, and ties decided, in double precision.

        Raises
        ------
        ValueError
            As `prox` does; and if there are more than 10,000.
        """
        v = check_step(v, step_size, "Group.prox_set")
        norms = self.norms(to_numpy(v).astype(np.float64))
        weights, steps = (
            np.broadcast_to(to_numpy(each), norms.shape) for each in (self._scalar.weight, self._steps(step_size))
        )
        choices = [
            replace(self.penalty, weight=float(weight)).prox_set(float(r), float(t))
            for weight, r, t in zip(weights, norms, steps, strict=True)
        ]
        check_listable(math.prod(map(len, choices)), "Group")
        _, divisors = _positive(norms)
        return tuple(self._scale(v, asarray_like(np.asarray(q) / divisors, v)) for q in itertools.product(*choices))

    @property
    def _scalar(self) -> EvenPenalty:
        if self.weights is None:
            return self.penalty
        return replace(self.penalty, weight=float(self.penalty.weight) * to_numpy(self.weights))

    def _radii(self, x: Array) -> Array:
        return self.norms(x)

    def _split(self, x: Array, grad: Array) -> tuple[Array, Array, Array]:
        """Along x_{G_j}/|x_{G_j}|, and across it; every direction leads out of a zero group, so that all is along."""
        xp = array_namespace(x)
        norms, flat, grad = self.norms(x), self._flat(x), self._flat(grad)
        positive, safe = _positive(norms)
        slopes = xp.where(positive, self._sums(flat * grad) / safe, self.norms(grad))
        across = grad - self._spread(slopes / safe, 0.0) * flat
        kept = self._spread(xp.astype(positive, x.dtype), 1.0)
        return norms, slopes, kept * across

    def _steps(self, step_size: float | Array) -> float | Array:
        """One step for each group."""
        if getattr(step_size, "ndim", 0) == 0:
            return step_size
        steps, grouped = to_numpy(self._flat(step_size)), self._segments < self._count
        segments, steps = self._segments[grouped], steps[grouped]
        of_group = np.ones(self._count, dtype=steps.dtype)
        of_group[segments] = steps
        varies = of_group[segments] != steps
        if varies.any():
            raise ValueError(
                f"Group.prox: step_size varies in group {segments[varies][0]}; the prox has a closed form only where "
                "the step is constant on each group"
            )
        return of_group

    def _flat(self, x: Array) -> Array:
        shape = tuple(self.labels.shape)
        if tuple(x.shape) not in (shape, (self._segments.size,)):
            raise ValueError(f"Group: x has shape {tuple(x.shape)}, but the labels have {shape}")
        return array_namespace(x).reshape(x, (-1,))

    def _ids(self, x: Array) -> Array:
        return array_namespace(x).asarray(self._segments, device=device_of(x))

    def _sums(self, values: Array) -> Array:
        return segment_sum(values, self._ids(values), self._count + 1)[: self._count]

    def _spread(self, values: Array, free: float) -> Array:
        """The value of each coordinate's group; `free` for a free coordinate."""
        xp = array_namespace(values)
        return xp.take(xp.concat([values, asarray_like([free], values)]), self._ids(values), axis=0)

    def _scale(self, v: Array, factors: Array) -> Array:
        flat = self._flat(v) * self._spread(factors, 1.0) + 0.0  # + 0.0 turns -0.0 into 0.0
        return array_namespace(v).reshape(flat, tuple(v.shape))


def _positive(values: Array) -> tuple[Array, Array]:
    """Where values > 0, and the values with 1 elsewhere: safe to divide by, and to differentiate a root at."""
    xp = array_namespace(values)
    positive = values > 0
    return positive, xp.where(positive, values, xp.ones_like(values))
