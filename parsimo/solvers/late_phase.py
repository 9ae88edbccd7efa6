"""Leaps of P-ADMM: points that are tried in place of a step, and taken where the merit falls as it must."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from parsimo._array import Array, array_namespace, inner, norm
from parsimo.core.problem import Composite, Problem
from parsimo.solvers.anderson import Anderson
from parsimo.solvers.stationarity import plain_penalty
from parsimo.solvers.support_newton import newton_trial

__all__ = ["Candidate", "LatePhase", "Memory"]

_SHARE = 0.01  # c of (6.6), of the order of C in Proposition 6.10
_CONTRACTION = 0.5  # of the residual, where rounding hides what the merit does


class Candidate(NamedTuple):
    """A state of P-ADMM at any x: y = -grad f(x), and z from the z-step at x."""

    x: Array
    """(n,)."""
    grad: Array
    """The gradient of f at x."""
    value: float
    """f(x)."""
    z: Array
    """The minimizer of the z-step from x."""
    u: Any
    """Auxiliary variables that go with z."""
    merit: float
    """L_sigma(x, z, y), the forward-backward envelope at x."""

    @property
    def gap(self) -> float:
        """|x - z|."""
        return norm(self.x - self.z)


@dataclass(frozen=True)
class Memory:
    """What is remembered from step to step."""

    anderson: Anderson | None
    """Points of the iteration and their images."""
    value: float = math.nan
    """f at the x of the state."""
    still: int = 0
    """For how many steps z has kept its signs."""
    patience: int = 0
    """How many such steps are waited for before Newton's method is tried."""
    extrapolations: int = 0
    """Points of Anderson's that were taken."""
    newton_steps: int = 0
    """Points of Newton's that were taken."""
    refused: int = 0
    """Points of either that were not."""
    columns: int = 0
    """Columns of the Hessian that Newton's method asked for."""

    def cleared(self) -> Memory:
        """Without points of the iteration, after it has changed."""
        return self if self.anderson is None else replace(self, anderson=self.anderson.cleared())

    @property
    def figures(self) -> dict[str, float]:
        """For the history."""
        return {"leaps": self.extrapolations + self.newton_steps, "hessian_columns": self.columns}

    def __str__(self) -> str:
        return (
            f"{self.newton_steps} steps of Newton's method ({self.columns} columns of the Hessian) and "
            f"{self.extrapolations} extrapolations were taken, {self.refused} refused, by the test (6.6)"
        )


@dataclass(frozen=True)
class LatePhase:
    """Try a point of Newton's or of Anderson's before each x-step, and take it if the envelope test allows.

    At any x there is a state of P-ADMM, with y = -grad f(x) and z from the z-step. It replaces what the step would have
    led to if, z+ being the z-step from the state at hand,

        L_sigma(x, z, y) <= L_sigma(x_k, z+, y_k) + (memory / sigma) |dx|^2 - c sigma |x_k - z+|^2.          (6.6)

    So the merit falls at every step, whatever the points are (docs/theory.md, Proposition 6.12). They are

    * Newton's, on the coordinates where the penalty is smooth, once z has kept its signs for a while;
    * Anderson's extrapolation of s = x - y / sigma, of which exact steps without proximal terms are a fixed-point
      iteration; else of x, with z+ for its image.

    Parameters
    ----------
    extrapolation : Anderson, optional
        Anderson's method with its memory; None leaves it out.
    newton : bool
        Whether Newton's method is tried, where the penalty is separable with `terms` and `slopes`.
    patience : int
        Steps that z must have kept its signs for; doubled whenever a point of Newton's is refused.

    Notes
    -----
    Themelis, Stella and Patrinos, Comput. Optim. Appl. 82 (2022), for the envelope test; Ouyang, Peng, Yao, Zhang and
    Deng, arXiv 2006.14539, for extrapolating s. Where rounding hides the fall of the merit, |x - z| must halve instead.
    """

    extrapolation: Anderson | None = field(default_factory=lambda: Anderson(memory=10))
    newton: bool = True
    patience: int = 3

    def __post_init__(self) -> None:
        if self.extrapolation is not None and not isinstance(self.extrapolation, Anderson):
            raise TypeError(f"LatePhase: extrapolation must be Anderson() or None, got {self.extrapolation!r}")
        if self.extrapolation is None and not self.newton:
            raise ValueError("LatePhase: neither extrapolation nor newton is left; pass acceleration=None instead")
        if self.patience < 1:
            raise ValueError(f"LatePhase: patience must be an integer >= 1, got {self.patience!r}")

    def start(self, value: float) -> Memory:
        """Nothing but f at the start."""
        return Memory(self.extrapolation, value=value, patience=self.patience)

    def leap(
        self, problem: Problem, state: Any, z: Array, u: Any, relaxation: float, on_s: bool, bonus: float
    ) -> tuple[Candidate | None, Memory, float]:
        """The point that replaces the x-step or None, what is remembered, and by how much the merit had to fall.

        `on_s` says that the step is a fixed-point iteration on s; `bonus` is (memory / sigma) |dx|^2.
        """
        gap = state.x - z
        value = problem.f.value(state.x) if math.isnan(state.late.value) else state.late.value
        before = _lagrangian(problem, state.x, -state.y, value, z, u, state.sigma) + bonus
        required = _SHARE * state.sigma * inner(gap, gap)
        late = self._remembered(state, z, relaxation, on_s)

        def passes(candidate: Candidate) -> bool:
            rounding = 8 * float(array_namespace(z).finfo(z.dtype).eps) * max(abs(before), abs(value))
            return self.accepts(before - candidate.merit, required, rounding, candidate.gap, norm(gap))

        if self._newton_is_due(problem, late):
            candidate, columns = self._newton(problem, state, z, u)
            late = replace(late, columns=late.columns + columns)
            if candidate is not None and passes(candidate):
                held = _same_signs(candidate.z, z)
                still, patience = (late.still, self.patience) if held else (0, 2 * late.patience)
                late = replace(late, newton_steps=late.newton_steps + 1, still=still, patience=patience)
                return candidate, replace(late, value=candidate.value), required
            late = replace(late, refused=late.refused + 1, still=0, patience=2 * late.patience)
        point = late.anderson.extrapolated() if late.anderson is not None else None
        if point is not None:
            candidate = self._extrapolated(problem, state, point, on_s, u)
            if candidate is not None and passes(candidate):
                return candidate, replace(late, extrapolations=late.extrapolations + 1, value=candidate.value), required
            late = replace(late, refused=late.refused + 1)
        return None, replace(late, value=math.nan), required

    def accepts(self, fall: float, required: float, rounding: float, gap: float, gap_before: float) -> bool:
        """The test (6.6); where the fall that is required is below rounding, |x - z| must halve instead."""
        hidden = required <= rounding and fall >= -rounding
        return fall >= required + rounding or (hidden and gap <= _CONTRACTION * gap_before)

    def _remembered(self, state: Any, z: Array, relaxation: float, on_s: bool) -> Memory:
        """With the pair of this step, and whether z kept its signs."""
        late = replace(state.late, still=state.late.still + 1 if _same_signs(z, state.z) else 0)
        if late.anderson is None:
            return late
        point = state.x - state.y / state.sigma if on_s else state.x
        image = point + relaxation * (z - state.x) if on_s else z
        return replace(late, anderson=late.anderson.push(point, image))

    def _newton_is_due(self, problem: Problem, late: Memory) -> bool:
        return self.newton and late.still >= late.patience and hasattr(plain_penalty(problem), "slopes")

    def _newton(self, problem: Problem, state: Any, z: Array, u: Any) -> tuple[Candidate | None, int]:
        """The state at the point of a Newton step from z."""
        plain = Composite(problem.f, plain_penalty(problem))
        rounding = 8 * float(array_namespace(z).finfo(z.dtype).eps) * abs(plain.value(z))
        trial = newton_trial(plain, z, problem.f.grad(z), slack=rounding)
        return (None if trial.x is None else self._at(problem, state, trial.x, u)), trial.columns

    def _extrapolated(self, problem: Problem, state: Any, point: Array, on_s: bool, u: Any) -> Candidate | None:
        """The state at a point of Anderson's; None where f overflows there, which is no fault of the iteration."""
        try:
            return self._from_s(problem, state, point, u) if on_s else self._at(problem, state, point, u)
        except FloatingPointError:
            return None

    def _from_s(self, problem: Any, state: Any, s: Array, u: Any) -> Candidate:
        """x = prox_{f/sigma}(s), where sigma (s - x) is the gradient."""
        x = problem.f.prox(s, 1 / state.sigma)
        return _candidate(problem, x, state.sigma * (s - x), problem.f.value(x), state.sigma, u)

    def _at(self, problem: Problem, state: Any, x: Array, u: Any) -> Candidate:
        value, grad = problem.f.value_and_grad(x)
        return _candidate(problem, x, grad, value, state.sigma, u)


def _candidate(problem: Problem, x: Array, grad: Array, value: float, sigma: float, u: Any) -> Candidate:
    z, u = problem.prox(x - grad / sigma, 1 / sigma, u)
    return Candidate(x, grad, value, z, u, _lagrangian(problem, x, grad, value, z, u, sigma))


def _lagrangian(problem: Any, x: Array, grad: Array, value: float, z: Array, u: Any, sigma: float) -> float:
    """L_sigma(x, z, -grad)."""
    gap = x - z
    penalty = problem.g.value(z) if hasattr(problem, "g") else problem.value(z, u) - problem.f.value(z)
    return value + penalty - inner(grad, gap) + sigma / 2 * inner(gap, gap)


def _same_signs(z: Array, other: Array) -> bool:
    xp = array_namespace(z)
    return bool(xp.all(xp.sign(z) == xp.sign(other)))
