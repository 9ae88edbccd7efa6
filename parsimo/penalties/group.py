"""Group penalties: an even penalty of the norm of each group of coordinates."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, to_numpy
from parsimo.core.validation import check_nonnegative, check_step
from parsimo.penalties.even import EvenPenalty
from parsimo.penalties.lifted import Lifted, check_liftable
from parsimo.penalties.segments import Segments, positive_or_one
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
    _groups: Segments = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_liftable(self.penalty, "Group")
        labels = to_numpy(self.labels)
        groups = Segments.of(labels)
        if self.weights is not None:
            weights, count = to_numpy(check_nonnegative(self.weights, "Group: weights")), groups.count
            if weights.shape != (count,):
                raise ValueError(f"Group: weights must have shape ({count},), one for each group, got {weights.shape}")
            object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "_groups", groups)

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
        return math.inf if self._groups.free else super().sublevel_radius(level)

    def norms(self, x: Array) -> Array:
        """|x_{G_j}| for each group, 1-D; torch differentiates through it, with gradient 0 at a zero group."""
        return self._groups.norms(self._groups.flat(x))

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
        positive, norms = positive_or_one(self.norms(v))
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
        _, divisors = positive_or_one(norms)
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
        xp, groups = array_namespace(x), self._groups
        norms, grad = self.norms(x), groups.flat(grad)
        positive, safe = positive_or_one(norms)
        directions = groups.flat(x) / groups.spread(safe, 1.0)
        slopes = xp.where(positive, groups.sums(directions * grad), groups.norms(grad))
        across = grad - groups.spread(slopes, 0.0) * directions
        kept = groups.spread(xp.astype(positive, x.dtype), 1.0)
        return norms, slopes, kept * across

    def _steps(self, step_size: float | Array) -> float | Array:
        """One step for all groups, or one for each."""
        return step_size if getattr(step_size, "ndim", 0) == 0 else self._groups.common(step_size)

    def _scale(self, v: Array, factors: Array) -> Array:
        flat = self._groups.flat(v) * self._groups.spread(factors, 1.0) + 0.0  # + 0.0 turns -0.0 into 0.0
        return array_namespace(v).reshape(flat, tuple(v.shape))
