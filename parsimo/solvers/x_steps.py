"""The x-steps of P-ADMM: how the smooth block of the augmented Lagrangian is minimized.

All of them approach  argmin_x f(x) + <y, x - z> + sigma/2 |x - z|^2 + tau/2 |x - x_k|^2           (6.2)
and return x+ with the gradient of f there. Each knows the constants of its merit function (docs/theory.md,
Theorem 6.2): with p and q below, the merit L_sigma + (memory / sigma) |dx|^2 falls by at least
((sigma + p)/2 - q/sigma) |dx|^2 a step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from parsimo._array import Array, array_namespace, norm
from parsimo.core.validation import check_number

__all__ = ["Exact", "Inexact", "Linearized", "MeritConstants", "XStep"]


@dataclass(frozen=True)
class MeritConstants:
    """p, q and memory of Theorem 6.2 for one kind of x-step."""

    p: float
    q: float
    memory: float

    def decrease(self, sigma: float) -> float:
        """(sigma + p)/2 - q/sigma, the guaranteed decrease of the merit for each unit of |dx|^2."""
        return (sigma + self.p) / 2 - self.q / sigma

    @property
    def smallest_sigma(self) -> float:
        """The sigma at which the guaranteed decrease is 0; every larger one is admissible."""
        return (-self.p + math.sqrt(self.p**2 + 8 * self.q)) / 2


class XStep(Protocol):
    """One kind of x-step."""

    def check(self, f: Any) -> None:
        """Refuse an f that this step cannot handle."""

    def constants(self, L: float, m: float, tau: float) -> MeritConstants:
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
                f"ProximalADMM(x_step=Exact()): {f!r} has no prox; use Linearized() or Inexact(), which need "
                "gradients only"
            )

    def constants(self, L: float, m: float, tau: float) -> MeritConstants:
        """First two rows of the table in Theorem 6.2."""
        if tau == 0:
            return MeritConstants(p=-m, q=L**2, memory=0.0)
        return MeritConstants(p=2 * tau - m, q=2 * (L + tau) ** 2 + 2 * tau**2, memory=2 * tau**2)

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

    def constants(self, L: float, m: float, tau: float) -> MeritConstants:
        """Third and fourth row of the table in Theorem 6.2."""
        if tau == 0:
            return MeritConstants(p=-L, q=L**2, memory=L**2)
        memory = 2 * (L + tau) ** 2
        return MeritConstants(p=2 * tau - L, q=memory + 2 * tau**2, memory=memory)

    def __call__(
        self, f: Any, x: Array, grad: Array, z: Array, y: Array, sigma: float, tau: float, L: float
    ) -> tuple[Array, Array]:
        """One gradient of f, at the new point."""
        x_new = (sigma * z - y + tau * x - grad) / (sigma + tau)
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

    def constants(self, L: float, m: float, tau: float) -> MeritConstants:
        """Last row of the table in Theorem 6.2."""
        eta = self.accuracy * L
        memory = 2 * (tau + eta) ** 2
        return MeritConstants(p=2 * tau - m - 2 * eta, q=2 * (L + tau + eta) ** 2 + memory, memory=memory)

    def __call__(
        self, f: Any, x: Array, grad: Array, z: Array, y: Array, sigma: float, tau: float, L: float
    ) -> tuple[Array, Array]:
        """Gradient descent with step 1 / (L + sigma + tau) on a strongly convex function, tested at every point."""

        def residual(point: Array, gradient: Array) -> Array:
            return gradient + y + sigma * (point - z) + tau * (point - x)

        point, gradient = x, grad
        # at a fixed point both sides of the test are rounding
        floor = 8 * float(array_namespace(x).finfo(x.dtype).eps) * (norm(y) + sigma * norm(x))
        for _ in range(self.max_gradients):
            point = point - residual(point, gradient) / (L + sigma + tau)
            gradient = f.grad(point)
            if not norm(residual(point, gradient)) > self.accuracy * L * norm(point - x) + floor:
                return point, gradient
        raise RuntimeError(
            f"Inexact: {self.max_gradients} gradient steps did not meet the test with accuracy {self.accuracy} and "
            f"L = {L:.3g}; L is too small for {f!r}, or accuracy too tight"
        )
