"""Consensus: P-ADMM with a copy of x for each block of the smooth part, and one z."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from parsimo._array import Array, array_namespace
from parsimo.core.problem import Problem
from parsimo.solvers.proximal_admm import ProximalADMM
from parsimo.solvers.proximal_admm import State as CopiesState

__all__ = ["ConsensusADMM"]


@dataclass(frozen=True)
class State:
    """Where consensus stands."""

    copies: CopiesState
    """The state of P-ADMM on the copies; its x, z, y are the blocks in a row, (N n,), and those of z are equal."""
    blocks: int
    """N."""

    @property
    def point(self) -> Array:
        """z, (n,)."""
        return self.copies.z[: self.copies.z.shape[0] // self.blocks]

    @property
    def u(self) -> Any:
        """Auxiliary variables that go with z."""
        return self.copies.u


@dataclass(frozen=True)
class ConsensusADMM:
    """Minimize f_1(x_1) + ... + f_N(x_N) + R(z) subject to x_i = z by P-ADMM on the product space:

        z+ = prox of R with step 1/(N (sigma + tau_z)) at the mean of (sigma x_i + y_i + tau_z z) / (sigma + tau_z)
        x_i+, y_i+ as in (6.2) and (6.3), block by block

    Assumptions: those of `ProximalADMM` for each f_i. The theory is that of P-ADMM with L the largest of the L_i and m
    the largest of the m_i (docs/theory.md, Proposition 6.14): a block sees its own rows alone. What is returned is z.

    Parameters
    ----------
    solver : ProximalADMM
        The x-steps, sigma, relaxation, balancing and extrapolation; Newton's method has no support to work on here.

    Notes
    -----
    docs/algorithms.md, 2. The blocks are those of f.parts, as of `Blocks`; an f without parts is one block, on which
    the iterates are those of `solver` itself. Boyd, Parikh, Chu, Peleato and Eckstein, Found. Trends Mach. Learn. 3
    (2011), section 7, for the form.
    """

    solver: ProximalADMM = field(default_factory=ProximalADMM)

    def __post_init__(self) -> None:
        if not isinstance(self.solver, ProximalADMM):
            raise TypeError(f"ConsensusADMM: solver must be a ProximalADMM object, got {self.solver!r}")

    def init(self, problem: Problem, x0: Array) -> State:
        """x_i = z = x0 and y_i = -grad f_i(x0)."""
        product = _product(problem)
        return State(self.solver.init(product, product.spread(x0)), product.count)

    def step(self, problem: Problem, state: State) -> State:
        """A step of P-ADMM on the product space."""
        return replace(state, copies=self.solver.step(_product(problem), state.copies))

    def merit(self, problem: Problem, state: State) -> float:
        """That of P-ADMM: the sum of the augmented Lagrangians of the blocks."""
        return self.solver.merit(_product(problem), state.copies)

    def guaranteed_decrease(self, state: State) -> float:
        """The least fall of the merit in the step that led here; negative if sigma is too small."""
        return self.solver.guaranteed_decrease(state.copies)

    def measures(self, state: State) -> dict[str, float]:
        """Those of P-ADMM over all blocks; the residual in units of the gradient of f, which is a sum over them."""
        measures = self.solver.measures(state.copies)
        return measures | {"residual": math.sqrt(state.blocks) * measures["residual"]}

    def notes(self, state: State) -> tuple[str, ...]:
        """How many blocks there are, and the notes of P-ADMM."""
        return (f"consensus of {state.blocks} blocks; L and m are the largest of any", *self.solver.notes(state.copies))


def _product(problem: Problem) -> Any:
    return _Product(problem)


class _Product:
    """On the product space: f_1(x_1) + ... + f_N(x_N) + R(z), and infinity where the z_i are not equal."""

    def __init__(self, problem: Any) -> None:
        self.problem = problem
        self.f = _Stacked(problem.f)
        self.count = len(self.f.parts)

    def spread(self, x: Array) -> Array:
        """N copies of x in a row."""
        return array_namespace(x).concat([x] * self.count) if self.count > 1 else x

    def point(self, z: Array) -> Array:
        """The first copy."""
        return z[: z.shape[0] // self.count]

    def value(self, x: Array, u: Any = None) -> float:
        """f_1 + ... + f_N + R at equal copies."""
        return self.problem.value(self.point(x), u)

    def prox(self, v: Array, step_size: float, u: Any = None) -> tuple[Array, Any]:
        """The prox of R with step t/N at the mean of the blocks, N times."""
        xp = array_namespace(v)
        mean = xp.mean(xp.reshape(v, (self.count, -1)), axis=0) if self.count > 1 else v
        z, u = self.problem.prox(mean, step_size / self.count, u)
        return self.spread(z), u

    def auxiliary(self, x: Array, u: Any = None) -> Any:
        """Those of the first copy."""
        return self.problem.auxiliary(self.point(x), u)

    def given(self, u: Any) -> Any:
        """G(., u) of one copy, for its traits."""
        return self.problem.given(u)


class _Stacked:
    """f_1(x_1) + ... + f_N(x_N) of the blocks in a row; a pass over all blocks counts as one call of f."""

    def __init__(self, f: Any) -> None:
        self.parts = tuple(getattr(f, "parts", (f,)))
        self._calls = getattr(f, "calls", None) if hasattr(f, "parts") else None  # those of `Counting`
        self.convex = all(getattr(part, "convex", False) for part in self.parts)
        self.weak_convexity = _largest([getattr(part, "weak_convexity", None) for part in self.parts])

    @property
    def lipschitz(self) -> float | None:
        """The largest of the L_i."""
        return _largest([part.lipschitz for part in self.parts])

    @property
    def lipschitz_is_exact(self) -> bool:
        """False where a part's L comes from below."""
        return all(getattr(part, "lipschitz_is_exact", True) for part in self.parts)

    def value(self, x: Array) -> float:
        """The sum over the blocks."""
        self._count("values")
        return sum(part.value(block) for part, block in zip(self.parts, self._blocks(x), strict=True))

    def grad(self, x: Array) -> Array:
        """The gradients of the blocks in a row."""
        self._count("gradients")
        return self._each(x, lambda part, block: part.grad(block))

    def value_and_grad(self, x: Array) -> tuple[float, Array]:
        """Both."""
        return self.value(x), self.grad(x)

    @property
    def prox(self) -> Callable[[Array, float], Array] | None:
        """Block by block, where each has one."""
        return None if any(getattr(part, "prox", None) is None for part in self.parts) else self._prox

    def _prox(self, v: Array, step_size: float) -> Array:
        self._count("proxes")
        return self._each(v, lambda part, block: part.prox(block, step_size))

    def _blocks(self, x: Array) -> list[Array]:
        n = x.shape[0] // len(self.parts)
        return [x[k * n : (k + 1) * n] for k in range(len(self.parts))] if len(self.parts) > 1 else [x]

    def _each(self, x: Array, work: Callable[[Any, Array], Array]) -> Array:
        done = [work(part, block) for part, block in zip(self.parts, self._blocks(x), strict=True)]
        return array_namespace(x).concat(done) if len(done) > 1 else done[0]

    def _count(self, kind: str) -> None:
        if self._calls is not None:
            self._calls[kind] += 1

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.parts))


def _largest(constants: list[float | None]) -> float | None:
    """The largest of constants that are all known; None where one is not."""
    known = [constant for constant in constants if constant is not None]
    return max(known) if len(known) == len(constants) else None
