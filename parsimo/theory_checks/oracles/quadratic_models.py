"""Quadratic models of a smooth f, and their minimizers over boxes with a penalty of two slopes; they prove nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from parsimo.theory_checks.oracles.boxes import Boxes

__all__ = ["QuadraticModels"]

_ROUNDS, _SWEEPS = 2, 8  # more of them gave no fewer boxes


class QuadraticModels:
    """Models y'Hy/2 - c'y of f, from differences of its gradient: one for all points if f is quadratic."""

    def __init__(self, f: Any, n: int) -> None:
        self._f = f
        at_zero, at_one = f.grad(np.zeros(n)), f.grad(np.ones(n))
        self._hessian, self._linear = self._differences(np.zeros(n), at_zero, 1.0), -at_zero
        self._is_quadratic = np.allclose(self._hessian @ np.ones(n), at_one - at_zero, rtol=1e-7, atol=1e-9)

    def minimize(self, boxes: Boxes) -> np.ndarray:
        """About argmin of f + r over each box, from its y."""
        y = np.clip(boxes.y, boxes.low, boxes.high)
        for _ in range(1 if self._is_quadratic else 2):
            hessian, linear = self._at(y)
            y = _minimize_model(hessian, linear, boxes, y)
        return y

    def _at(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """H and c near each point, of shapes (points, n, n) and (points, n)."""
        k, n = points.shape
        if self._is_quadratic:
            return np.broadcast_to(self._hessian, (k, n, n)), np.broadcast_to(self._linear, (k, n))
        gradients = np.array([self._f.grad(y) for y in points])
        hessians = np.array([self._differences(y, d, 1e-5) for y, d in zip(points, gradients, strict=True)])
        return hessians, np.einsum("kij,kj->ki", hessians, points) - gradients

    def _differences(self, y: np.ndarray, gradient: np.ndarray, step: float) -> np.ndarray:
        """The Hessian at y, with a trace of the identity that keeps it definite."""
        columns = np.array([(self._f.grad(y + step * e) - gradient) / step for e in np.eye(y.size)])
        return (columns + columns.T) / 2 + (1e-10 * float(np.trace(columns)) / y.size + 1e-12) * np.eye(y.size)


def _minimize_model(hessian: np.ndarray, linear: np.ndarray, boxes: Boxes, x: np.ndarray) -> np.ndarray:
    """About argmin over each box of x'Hx/2 - c'x + r(x): coordinate descent, then the free coordinates at once."""
    right, left = boxes.slopes()
    inside, low, high, n = boxes.zero_inside, boxes.low, boxes.high, x.shape[1]
    bend = np.maximum(np.diagonal(hessian, axis1=1, axis2=2), 1e-12)

    def model(p: np.ndarray) -> np.ndarray:
        kinked = right * np.maximum(p, 0.0) + left * np.maximum(-p, 0.0)
        return np.einsum("kj,kij,ki->k", p, hessian, p) / 2 + (kinked - linear * p).sum(axis=1)

    for _ in range(_ROUNDS):
        x, slope = x.copy(), np.einsum("kij,kj->ki", hessian, x) - linear
        for _ in range(_SWEEPS):
            for j in range(n):
                z = bend[:, j] * x[:, j] - slope[:, j]
                moved = np.maximum(z - right[:, j], 0.0) - np.maximum(-z - left[:, j], 0.0)
                moved = np.clip(moved / bend[:, j], low[:, j], high[:, j])
                slope += (moved - x[:, j])[:, None] * hessian[:, j, :]
                x[:, j] = moved
        free = (x > low) & (x < high) & ~(inside & (x == 0))
        pull = linear - np.where(x >= 0, right, -left) - np.einsum("kij,kj->ki", hessian, np.where(free, 0.0, x))
        matrix = np.where(free[:, :, None] & free[:, None, :], hessian, np.eye(n))
        at_once = np.linalg.solve(matrix, np.where(free, pull, x)[:, :, None])[:, :, 0]
        at_once = np.clip(at_once, np.where(inside & (x >= 0), 0.0, low), np.where(inside & (x < 0), 0.0, high))
        x = np.where((model(at_once) <= model(x))[:, None], at_once, x)
    return x
