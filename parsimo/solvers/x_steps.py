"""The x-steps of P-ADMM: how the smooth block of the augmented Lagrangian is minimized.

All of them approach  argmin_x f(x) + <y, x - z> + sigma/2 |x - z|^2 + tau/2 |x - x_k|^2           (6.2)
and return x+ with the gradient of f there. Each knows the constants of its merit function (docs/theory.md,
Theorem 6.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from parsimo._array import Array, array_namespace, inner, norm
from parsimo.core.validation import check_number
from parsimo.solvers.merits import MeritConstants, MeritLaw, SharpConstants

__all__ = ["ConjugateGradient", "Exact", "Inexact", "Linearized", "MeritConstants", "XStep"]


class XStep(Protocol):
    """One kind of x-step."""

    def check(self, f: Any) -> None:
        """Refuse an f that this step cannot handle."""

    def constants(self, L: float, m: float, tau: float) -> MeritLaw:
        """The merit constants for an L-Lipschitz gradient, m-weakly convex f and proximal weight tau."""

    def __call__(
        self, f: Any, x: Array, grad: Array, z: Array, y: Array, sigma: float, tau: float, L: float
    ) -> tuple[Array, Array]:
        """x+ and grad f(x+), from x and grad f(x)."""


@dataclass(frozen=True)
class Exact:
    """The minimizer itself, where f has a prox: x+ = prox_{f/(sigma+tau)}((sigma z - y + tau x) / (sigma + tau))."""

    def check(self, f: Any) -> None:
        """Raises TypeError where f has no prox."""
        if getattr(f, "prox", None) is None:
            raise TypeError(
                f"ProximalADMM(x_step=Exact()): {f!r} has no prox; use ConjugateGradient(), Linearized() or "
                "Inexact(), which need gradients only"
            )

    def constants(self, L: float, m: float, tau: float) -> MeritLaw:
        """Proposition 6.8 without a proximal term, the first row of the table in Theorem 6.2 with one."""
        return SharpConstants(L, m) if tau == 0 else MeritConstants(2 * tau - m, new=L + tau, old=tau)

    def __call__(
        self, f: Any, x: Array, grad: Array, z: Array, y: Array, sigma: float, tau: float, L: float
    ) -> tuple[Array, Array]:
        """One prox of f; its gradient follows from the optimality condition (6.4)."""
        s = sigma + tau
        x_new = f.prox((sigma * z - y + tau * x) / s, 1 / s)
        return x_new, -y - sigma * (x_new - z) - tau * (x_new - x)


@dataclass(frozen=True)
class Linearized:
    """f replaced by its linearization at x: x+ = (sigma z - y + tau x - grad f(x)) / (sigma + tau)."""

    def check(self, f: Any) -> None:
        """Every smooth f will do."""

    def constants(self, L: float, m: float, tau: float) -> MeritLaw:
        """Second row of the table in Theorem 6.2."""
        return MeritConstants(2 * tau - L, new=tau, old=L + tau)

    def __call__(
        self, f: Any, x: Array, grad: Array, z: Array, y: Array, sigma: float, tau: float, L: float
    ) -> tuple[Array, Array]:
        """One gradient of f, at the new point."""
        x_new = sigma * z
        x_new -= y
        if tau > 0:
            x_new += tau * x
        x_new -= grad
        x_new /= sigma + tau
        return x_new, f.grad(x_new)


@dataclass(frozen=True)
class Inexact:
    """Gradient steps on (6.2) until its gradient is at most eta |x+ - x|, eta = accuracy * L.

    Parameters
    ----------
    accuracy : float
        eta / L, positive.
    max_gradients : int
        Refuse to go on beyond it: the test is reached in O((1 + L/sigma) log(1/accuracy)) steps.

    Raises
    ------
    RuntimeError
        If the test is not met within `max_gradients`, which says that L is too small for f.
    """

    accuracy: float = 0.1
    max_gradients: int = 1000

    def __post_init__(self) -> None:
        object.__setattr__(self, "accuracy", check_number(self.accuracy, "Inexact: accuracy", positive=True))
        if self.max_gradients < 1:
            raise ValueError(f"Inexact: max_gradients must be at least 1, got {self.max_gradients}")

    def check(self, f: Any) -> None:
        """Every smooth f will do."""

    def constants(self, L: float, m: float, tau: float) -> MeritLaw:
        """Last row of the table in Theorem 6.2."""
        eta = self.accuracy * L
        return MeritConstants(2 * tau - m - 2 * eta, new=L + tau + eta, old=tau + eta)

    def __call__(
        self, f: Any, x: Array, grad: Array, z: Array, y: Array, sigma: float, tau: float, L: float
    ) -> tuple[Array, Array]:
        """Gradient descent with step 1 / (L + sigma + tau) on a strongly convex function, tested at every point."""
        residual = _residual(x, z, y, sigma, tau)
        accurate = self._test(x, y, sigma, L)
        point, gradient = x, grad
        for _ in range(self.max_gradients):
            point = point - residual(point, gradient) / (L + sigma + tau)
            gradient = f.grad(point)
            if accurate(point, residual(point, gradient)):
                return point, gradient
        raise RuntimeError(self._out_of_reach(f, L))

    def _test(self, x: Array, y: Array, sigma: float, L: float) -> Callable[[Array, Array], bool]:
        """Whether a residual at a point is at most eta |point - x|."""
        # at a fixed point both sides are rounding
        floor = 8 * float(array_namespace(x).finfo(x.dtype).eps) * (norm(y) + sigma * norm(x))
        return lambda point, residual: not norm(residual) > self.accuracy * L * norm(point - x) + floor

    def _out_of_reach(self, f: Any, L: float) -> str:
        return (
            f"{type(self).__name__}: {self.max_gradients} gradient steps did not meet the test with accuracy "
            f"{self.accuracy} and L = {L:.3g}; L is too small for {f!r}, or accuracy too tight"
        )


@dataclass(frozen=True)
class ConjugateGradient(Inexact):
    """The same test by conjugate gradients: O(sqrt(1 + L/sigma) log(1/accuracy)) gradients for a quadratic f.

    A product with the Hessian is a difference of two gradients, which for a quadratic f is exact; so a linear operator
    will do. The test is made with the gradient at the very point that is returned. Where f is not quadratic, the
    iteration starts again from there.

    Parameters
    ----------
    accuracy : float
        eta / L, positive.
    max_gradients : int
        Refuse to go on beyond it.

    Raises
    ------
    RuntimeError
        If the test is not met within `max_gradients`.
    """

    accuracy: float = 0.01

    def __call__(
        self, f: Any, x: Array, grad: Array, z: Array, y: Array, sigma: float, tau: float, L: float
    ) -> tuple[Array, Array]:
        """Started at x, where the gradient is known."""
        residual = _residual(x, z, y, sigma, tau)
        accurate = self._test(x, y, sigma, L)
        unit = L + sigma + tau  # r / unit and d are of the size of x, and their squares do not overflow
        start, at_start, left = x, grad, self.max_gradients
        while left > 0:
            point, gradient = start, at_start  # the gradient of f at `point` if f is quadratic
            r = residual(point, gradient) / unit
            d, square = -r, inner(r, r)
            first = square
            while left > 1 and square > 0:
                product = f.grad(start + d) - at_start  # H d
                left -= 1
                alpha = square / (inner(d, product) / unit + (sigma + tau) / unit * inner(d, d))
                point, gradient = point + alpha * d, gradient + alpha * product
                r = residual(point, gradient) / unit
                square, last = inner(r, r), square
                if accurate(point, unit * r) or not alpha > 0:
                    break
                d = square / last * d - r
            gradient = f.grad(point)
            left -= 1
            if accurate(point, residual(point, gradient)):
                return point, gradient
            if not norm(residual(point, gradient)) < unit * math.sqrt(first) / 2:  # f is no quadratic: go downhill
                point = start - residual(start, at_start) / unit
                gradient = f.grad(point)
                left -= 1
                if accurate(point, residual(point, gradient)):
                    return point, gradient
            start, at_start = point, gradient
        raise RuntimeError(self._out_of_reach(f, L))


def _residual(x: Array, z: Array, y: Array, sigma: float, tau: float) -> Callable[[Array, Array], Array]:
    """The gradient of the objective of (6.2), from a point and the gradient of f there."""
    return lambda point, gradient: gradient + y + sigma * (point - z) + tau * (point - x)
