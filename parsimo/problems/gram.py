"""Least squares by its Gram matrix, for a solver that evaluates it again and again."""

from __future__ import annotations

from typing import Any

from parsimo._array import Array, inner, norm

__all__ = ["ByGram"]

_PRICE = 25  # n / 25 gradients by A cost what A'A costs, measured for n from 100 to 2000
_SURE = 16  # gradients that a run takes nearly always: where they pay for A'A, it is formed at once
_LARGE = 8.0  # sums that exceed f(r) by more lose digits of it


class ByGram:
    """f(x) = scale |A x - b|^2 / 2 for tall A: by A until A'A has paid, then with H = scale A'A and c = scale A'b

        grad f(x) = H x - c,   f(x) = f(r) + <grad f(x) + grad f(r), x - r> / 2.

    A gradient then takes n^2 products instead of 2 m n, and the value, exact for a quadratic, no more. r is a point
    where f was evaluated by A, and the sum is small beside f(r): x'Hx/2 - c'x + |b|^2/2 would lose the digits that
    cancel. Where the sum would be large, f is evaluated by A and r moves there.

    Everything else is f's own. What is certified is asked of f itself.

    Parameters
    ----------
    f : LeastSquares
        Dense, with more rows than columns.
    """

    def __init__(self, f: Any) -> None:
        self.f = f
        self._first = 0 if f.design.has_gram else max(f.shape[0] // _PRICE - _SURE, 0)
        self._left = self._first
        self._reference: tuple[Array, float, Array] | None = None
        self._at: Array = None
        self._gradient: Array = None

    def value(self, x: Array) -> float:
        """f(x)."""
        if self._left > 0:
            return float(self.f.value(x))
        gradient = self.grad(x)
        if self._reference is not None:
            r, value, at_r = self._reference
            moved = x - r
            if (norm(gradient) + norm(at_r)) * norm(moved) <= _LARGE * value:
                return value + (inner(gradient, moved) + inner(at_r, moved)) / 2
        self._reference = (x, float(self.f.value(x)), gradient)
        return self._reference[1]

    def grad(self, x: Array) -> Array:
        """The gradient at x."""
        if self._left > 0:
            self._left -= 1
            return self.f.grad(x)
        if self._at is not x:
            self._at, self._gradient = x, self.f.gram_gradient(x)
        return self._gradient

    def value_and_grad(self, x: Array) -> tuple[float, Array]:
        """Both."""
        gradient = self.grad(x)
        return self.value(x), gradient

    @property
    def notes(self) -> tuple[str, ...]:
        """Whether A'A was formed."""
        n = self.f.shape[0]
        spent = f"gradients of f by A'A ({n} x {n}) after {self._first} by A; certificate and objective by A"
        return () if self._left > 0 else (spent,)

    def __getattr__(self, name: str) -> Any:
        if name == "f":  # absent only while an instance is being copied
            raise AttributeError(name)
        return getattr(self.f, name)

    def __repr__(self) -> str:
        return repr(self.f)
