"""Anderson extrapolation of a fixed-point iteration."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from parsimo._array import Array, all_finite, array_namespace, to_float

__all__ = ["Anderson"]


@dataclass(frozen=True)
class Anderson:
    """The last points of an iteration s <- T(s) and their images, and what they say of its fixed point.

    With residuals r_j = T(s_j) - s_j of the points kept, `extrapolated` is

        sum_j a_j T(s_j),   a = argmin |sum_j a_j r_j|  subject to  sum_j a_j = 1,

    the fixed point if T is affine and its residuals are dependent. Nothing is promised elsewhere: a method that
    accepts the point only where its own merit falls keeps its own theory (docs/theory.md, Proposition 7.5).

    Parameters
    ----------
    memory : int
        The most points kept, at least 2.

    Notes
    -----
    Written in differences of successive residuals, where the constraint disappears, and solved by the eigenvalues of
    their inner products: what lies below rounding there is damped. Anderson, J. ACM 12 (1965) 547-560; Walker and Ni,
    SIAM J. Numer. Anal. 49 (2011) 1715-1735, for the differences.
    """

    memory: int = 5
    images: tuple[Array, ...] = field(default=(), repr=False, compare=False)
    """T(s_j), each (n,), the oldest first."""
    residuals: tuple[Array, ...] = field(default=(), repr=False, compare=False)
    """T(s_j) - s_j, each (n,)."""

    def __post_init__(self) -> None:
        if isinstance(self.memory, bool) or not isinstance(self.memory, int) or self.memory < 2:
            raise ValueError(f"Anderson: memory must be an integer >= 2, got {self.memory!r}")

    def push(self, point: Array, image: Array) -> Anderson:
        """With one more point s and its image T(s), both kept without a copy; the oldest leaves a full memory."""
        return replace(
            self,
            images=(*self.images, image)[-self.memory :],
            residuals=(*self.residuals, image - point)[-self.memory :],
        )

    def cleared(self) -> Anderson:
        """Without points: what they say of a T that has changed since is not to be used."""
        return Anderson(self.memory)

    def extrapolated(self) -> Array | None:
        """sum_j a_j T(s_j), or None before the second point and where the residuals say nothing."""
        if len(self.residuals) < 2:
            return None
        xp = array_namespace(self.residuals[-1])
        residuals, images = xp.stack(self.residuals), xp.stack(self.images)
        differences = residuals[1:, ...] - residuals[:-1, ...]
        sizes = xp.max(xp.abs(differences), axis=1)
        if not (0 < to_float(xp.max(sizes)) < math.inf):
            return None
        sizes = xp.where(sizes > 0, sizes, xp.ones_like(sizes))
        differences = differences / sizes[:, None]  # entries of order 1 neither overflow nor vanish when squared
        eigenvalues, basis = xp.linalg.eigh(differences @ differences.T)
        floor = float(xp.finfo(eigenvalues.dtype).eps) * len(self.residuals) * eigenvalues[-1]
        inverse = 1 / (xp.clip(eigenvalues, 0.0, None) + floor)
        # c = argmin |r_k - c' differences|
        c = basis @ (inverse * (basis.T @ (differences @ residuals[-1, ...]))) / sizes
        point = images[-1, ...] - c @ (images[1:, ...] - images[:-1, ...])
        return point if all_finite(point) else None
