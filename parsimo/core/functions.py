"""The two kinds of function an objective is made of: smooth ones and proximable ones."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from parsimo._array import Array, all_finite, norm

__all__ = ["Certifiable", "Counting", "Proximable", "Remembering", "Smooth", "Traits", "Zero"]


@runtime_checkable
class Smooth(Protocol):
    """A differentiable function f.

    A smooth function may offer more, and solvers use what they find:

    * `prox(v, step_size)`, the exact x-step of ADMM;
    * `convex`, True when f is known to be convex, and `weak_convexity`, the smallest known m with
      f + m|x|^2/2 convex;
    * `coordinate_lipschitz` and `coordinate_curvature`, the constants of the exactness theorems;
    * `coordinate_curvature_is_exact`, True when f is quadratic along each coordinate with that curvature;
    * `hessian(x, rows, columns)`, the second derivatives d_i d_j f(x), i in rows and j in columns, as an array like x
      of shape (len(rows), len(columns)); rows and columns are sequences of int, and rows None means all n of them;
    * `columns`, where f(x) is a sum of losses of A x with the entries of A at hand: an object with the attributes of
      `parsimo.problems.columns.Columns`, or None;
    * `strong_convexity`, a proven m with f - m|x|^2/2 convex, and `lower_bound`, a proven bound f(x) >= it;
    * `start()`, a starting point where the shape of x is known;
    * `restricted(index)`, f as a function of the coordinates of these indices, the others 0, where that is far quicker
      to evaluate for few of them; None elsewhere;
    * `repeated()`, an equal function that is quicker to ask again and again, for solvers between two looks at f.
    """

    @property
    def lipschitz(self) -> float | None:
        """A Lipschitz constant of the gradient, or None when none is known."""

    def value(self, x: Array) -> float:
        """f(x)."""

    def grad(self, x: Array) -> Array:
        """The gradient at x, of the shape of x."""

    def value_and_grad(self, x: Array) -> tuple[float, Array]:
        """f(x) and the gradient at x, for the price of one pass."""


@dataclass(frozen=True)
class Traits:
    """What is known of a proximable function; solvers ask before they rely on it."""

    convex: bool
    """Whether g is convex."""
    separable: bool = True
    """Whether g is a sum over coordinates."""
    weak_convexity: float = 0.0
    """The smallest known m with g + m|x|^2/2 convex; infinity if there is none."""
    lipschitz: float = math.inf
    """A Lipschitz constant of g along one coordinate; infinity if there is none."""


@runtime_checkable
class Proximable(Protocol):
    """A function g with a computable proximal map.

    It may offer more, and certificates use what they find:

    * `prox_set(v, step_size)`, all minimizers: of one number v for a separable function, of an array otherwise;
    * `terms(x)` and `slopes(x)`, for a separable function: the value of each coordinate, and its one-sided slopes;
    * `restricted(index, x)`, g on the coordinates of x of these indices, or None, for a separable function;
    * `descent_rate(x, grad)`, the steepest rate at which <grad, .> + g falls along a ray from x;
    * `sublevel_radius(level)`, the largest |x| with g(x) <= level.
    """

    @property
    def traits(self) -> Traits:
        """What is known of g."""

    def value(self, x: Array) -> float:
        """g(x), infinity outside the domain."""

    def prox(self, v: Array, step_size: float | Array) -> Array:
        """A global minimizer of g(x) + |x - v|^2 / (2 step_size)."""


class Certifiable(Proximable, Protocol):
    """A proximable function that certificates can be made of."""

    def subdiff_distance(self, x: Array, grad: Array) -> float:
        """The distance of -grad from the limiting subdifferential of g at x."""


class Zero:
    """g = 0, so that f + Zero() is a smooth problem."""

    traits = Traits(convex=True, lipschitz=0.0)

    def value(self, x: Array) -> float:
        """0 at every x."""
        return 0.0

    def prox(self, v: Array, step_size: float | Array) -> Array:
        """v itself."""
        return v

    def prox_set(self, v: float, step_size: float) -> tuple[float, ...]:
        """The one minimizer v."""
        return (float(v),)

    def terms(self, x: Array) -> Array:
        """0 for each entry."""
        return 0 * x

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """0 and 0 for each entry."""
        return 0 * x, 0 * x

    def subdiff_distance(self, x: Array, grad: Array) -> float:
        """|grad|, since the subdifferential is {0}."""
        return norm(grad)

    def descent_rate(self, x: Array, grad: Array) -> float:
        """|grad|."""
        return norm(grad)

    def __repr__(self) -> str:
        return "Zero()"


class Remembering:
    """A smooth function that remembers its last value and gradient.

    What is asked for again at the same array object is not computed again: who needs a gradient may ask for it without
    carrying it about. Everything that is not an oracle is passed through.

    Parameters
    ----------
    f : Smooth
    """

    def __init__(self, f: Any) -> None:
        self.f = f
        self._at: Array = None
        self._value: float | None = None
        self._gradient: Array = None

    @property
    def lipschitz(self) -> float | None:
        """That of f."""
        return self.f.lipschitz

    def forget(self) -> None:
        """Let go of the arrays."""
        self._at = self._value = self._gradient = None

    def value(self, x: Array) -> float:
        """f(x)."""
        if self._at is not x:
            self._move_to(x)
        if self._value is None:
            self._value = self._new_value(x)
        return self._value

    def grad(self, x: Array) -> Array:
        """The gradient at x."""
        if self._at is not x:
            self._move_to(x)
        if self._gradient is None:
            self._gradient = self._new_gradient(x)
        return self._gradient

    def value_and_grad(self, x: Array) -> tuple[float, Array]:
        """f(x) and the gradient at x."""
        if self._at is not x:
            self._move_to(x)
        if self._value is None and self._gradient is None:
            self._value, self._gradient = self._new_both(x)
            return self._value, self._gradient
        return self.value(x), self.grad(x)

    def _move_to(self, x: Array) -> None:
        self._at, self._value, self._gradient = x, None, None

    def _new_value(self, x: Array) -> float:
        return self.f.value(x)

    def _new_gradient(self, x: Array) -> Array:
        return self.f.grad(x)

    def _new_both(self, x: Array) -> tuple[float, Array]:
        return self.f.value_and_grad(x)

    def __getattr__(self, name: str) -> Any:
        if name == "f":  # absent only while an instance is being copied
            raise AttributeError(name)
        return getattr(self.f, name)

    def __repr__(self) -> str:
        return repr(self.f)


class Counting(Remembering):
    """A smooth function that remembers its last value and gradient, and counts its oracle calls.

    What is remembered is not counted again.

    Parameters
    ----------
    f : Smooth
        The function to count.

    Raises
    ------
    FloatingPointError
        From `grad` and `value_and_grad`, where the gradient has NaN or infinite entries: no step can be made of it.
    """

    def __init__(self, f: Any) -> None:
        super().__init__(f)
        self.calls = {"values": 0, "gradients": 0, "proxes": 0}
        """Oracle calls so far; a value that comes with its gradient counts in both."""
        self.borrowed = 0.0
        """Seconds that calls would have taken beyond those they took, had no one else asked at their point before."""
        self._lent: tuple[Array, float] | None = None

    def lend(self, x: Array, seconds: float) -> None:
        """Say that someone else has evaluated f at x, in so many seconds: f may remember it when it is asked again."""
        self._lent = x, seconds

    def _new_value(self, x: Array) -> float:
        self.calls["values"] += 1
        value: float = self._asked(self.f.value, x)
        return value

    def _new_gradient(self, x: Array) -> Array:
        self.calls["gradients"] += 1
        return self._checked(self._asked(self.f.grad, x))

    def _new_both(self, x: Array) -> tuple[float, Array]:
        self.calls["values"] += 1
        self.calls["gradients"] += 1
        value, gradient = self._asked(self.f.value_and_grad, x)
        return value, self._checked(gradient)

    def _asked(self, oracle: Callable[[Array], Any], x: Array) -> Any:
        if self._lent is None or self._lent[0] is not x:
            return oracle(x)
        (_, seconds), self._lent = self._lent, None
        start = time.perf_counter()
        answer = oracle(x)
        self.borrowed += max(seconds - (time.perf_counter() - start), 0.0)
        return answer

    def _checked(self, gradient: Array) -> Array:
        if not all_finite(gradient):
            raise FloatingPointError(f"the gradient of {self.f!r} has NaN or infinite entries at this point")
        return gradient

    @property
    def prox(self) -> Callable[[Array, float], Array] | None:
        """The counted prox of f; None where f has none."""
        return None if getattr(self.f, "prox", None) is None else self._prox

    def _prox(self, v: Array, step_size: float) -> Array:
        self.calls["proxes"] += 1
        return self.f.prox(v, step_size)
