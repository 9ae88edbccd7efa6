"""The zero-norm problem and its reformulation with complementarity constraints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from parsimo._array import Array, array_namespace, asarray_like, inner, to_float
from parsimo.core.problem import PlainPenalty, count_nonzero, natural_residual
from parsimo.core.result import Result
from parsimo.penalties import ZeroNorm
from parsimo.problems.exact_penalty import Exactness, PenalizedMPEC, exactness_of
from parsimo.problems.phi import Phi
from parsimo.problems.surrogate import SurrogateProblem, surrogate_gap

__all__ = ["MPEC", "Recovery", "ZeroNormProblem"]


@dataclass(frozen=True, eq=False)
class ZeroNormProblem(PlainPenalty):
    """Minimize f(x) + weight * |x|_0.

    Parameters
    ----------
    f : Smooth
        A data term, or anything with `value`, `grad`, `value_and_grad` and `lipschitz`.
    weight : float or array of the shape of x
        Nonnegative; coordinates of weight 0 are free.

    Examples
    --------
    >>> surrogate = problem.to_mpec(phi.mcp()).penalize(rho="exact").eliminate()       # doctest: +SKIP
    >>> print(problem.recover(solve(surrogate, ProximalADMM())))                       # doctest: +SKIP
    """

    f: Any
    weight: float | Array

    @cached_property
    def g(self) -> ZeroNorm:
        """The zero norm with this weight."""
        return ZeroNorm(self.weight)

    def to_mpec(self, phi: Phi) -> MPEC:
        """The equivalent problem in (x, w) with the complementarity constraint <1 - w, |x|> = 0 (2.1)."""
        if not isinstance(phi, Phi):
            raise TypeError(f"to_mpec: needs a member of the family such as phi.mcp(), got {phi!r}")
        return MPEC(self, phi)

    def __post_init__(self) -> None:
        super().__post_init__()
        shape, wanted = tuple(getattr(self.weight, "shape", ())), getattr(self.f, "shape", None)
        if shape and wanted is not None and shape != tuple(wanted):
            raise ValueError(
                f"ZeroNormProblem: weight has shape {shape}, but x has shape {tuple(wanted)}; give one number, or "
                "one for each coordinate"
            )

    def recover(self, result: Result) -> Recovery:
        """Lead a result of a problem further down the chain back to this one.

        The zeroing test (docs/theory.md, Proposition 3.5) is applied first: a coordinate below the flat point is
        set to zero wherever that lowers the surrogate objective. Objective, certificate and natural residual are
        then computed from this problem alone.

        Parameters
        ----------
        result : Result
            Of `solve` on this problem, or on the penalized problem or surrogate derived from it.

        Raises
        ------
        ValueError
            If the result belongs to another problem.
        """
        if not isinstance(result, Result):
            raise TypeError(f"ZeroNormProblem.recover: needs the Result of solve, got {type(result).__name__}")
        link = result.problem
        penalized = link.penalized if isinstance(link, SurrogateProblem) else link
        if isinstance(penalized, PenalizedMPEC) and penalized.mpec.problem is self:
            surrogate = penalized.eliminate()
            x, zeroed = zero_where_better(surrogate, result.x)
            gap = surrogate_gap(self.weight, surrogate.g, x)
            exactness: Exactness | None = penalized.exactness
        elif link is self:
            x, zeroed, gap, exactness = result.x, 0, 0.0, None
        else:
            raise ValueError(
                f"ZeroNormProblem.recover: the result is of a {type(link).__name__} that was not derived from this "
                "problem; pass the result of its own chain"
            )
        grad = self.f.grad(x)
        lipschitz = self.f.lipschitz
        return Recovery(
            x=x,
            objective=self.value(x),
            certificate=self.g.subdiff_distance(x, grad),
            natural_residual=None if not lipschitz else natural_residual(self, x, 1.0 / lipschitz),
            surrogate_gap=gap,
            nonzeros=count_nonzero(x),
            zeroed=zeroed,
            exactness=exactness,
        )


def zero_where_better(surrogate: SurrogateProblem, x: Array) -> tuple[Array, int]:
    """The zeroing test: set x_i = 0 for each 0 < |x_i| < flat point where the surrogate objective falls by it.

    Returns
    -------
    (array, int)
        The improved point, of an objective no higher than that of x, and how many coordinates were zeroed.
    """
    xp = array_namespace(x)
    x = xp.asarray(x, copy=True)
    flat_point = surrogate.penalized.exactness.flat_point
    objective, zeroed, improved = surrogate.value(x), 0, True
    while improved:
        improved = False
        suspects = (x != 0) & (xp.abs(x) < flat_point)
        for i in (int(j) for j in xp.nonzero(suspects)[0]):
            trial = xp.asarray(x, copy=True)
            trial[i] = 0.0
            lower = surrogate.value(trial)
            if lower < objective:
                x, objective, zeroed, improved = trial, lower, zeroed + 1, True
    return x, zeroed


@dataclass(frozen=True, eq=False)
class MPEC:
    """Minimize f(x) + weight * sum phi(w_i) subject to 0 <= w <= 1, <1 - w, |x|> = 0.

    Equivalent to the zero-norm problem for every member phi of the family (docs/theory.md, Proposition 2.2).

    Parameters
    ----------
    problem : ZeroNormProblem
    phi : Phi
    """

    problem: ZeroNormProblem
    phi: Phi

    def value(self, x: Array, w: Array) -> float:
        """f(x) + weight * sum phi(w_i), whether or not (x, w) is feasible."""
        xp = array_namespace(x)
        return self.problem.f.value(x) + to_float(xp.sum(asarray_like(self.problem.weight, x) * self.phi.value(w)))

    def complementarity(self, x: Array, w: Array) -> float:
        """<1 - w, |x|>, which is 0 at a feasible point."""
        return inner(1 - w, array_namespace(x).abs(x))

    def lift(self, x: Array) -> Array:
        """The best feasible w for x: 1 where x_i is nonzero, t* elsewhere."""
        xp = array_namespace(x)
        return xp.where(x != 0, xp.ones_like(x), xp.full_like(x, self.phi.minimizer))

    def penalize(self, rho: float | Literal["exact"] = "exact") -> PenalizedMPEC:
        """Move weight * rho * <1 - w, |x|> to the objective.

        Parameters
        ----------
        rho : float or "exact"
            "exact" takes the smallest rho that f's constants prove exact, a thousandth above its threshold;
            a number is taken as it is, and the result says whether it is proven exact.

        Raises
        ------
        ValueError
            If rho is not positive, or "exact" although f gives no constant to prove it with.
        TypeError
            If rho is neither a number nor "exact".
        """
        f, weight = self.problem.f, self.problem.weight
        return PenalizedMPEC(f, weight, self.phi, exactness_of(f, weight, self.phi, rho), self)


@dataclass(frozen=True, eq=False)
class Recovery:
    """A point of the zero-norm problem, led back along the chain, with what is proven about it."""

    x: Array
    """The point, after the zeroing test."""
    objective: float
    """f(x) + weight |x|_0."""
    certificate: float
    """dist(0, subdifferential of f + weight |.|_0 at x): the gradient on the support."""
    natural_residual: float | None
    """|x - prox(x - grad/L)| L, 0 at L-stationary points; None when no L is known."""
    surrogate_gap: float
    """Zero-norm objective minus surrogate objective at x; 0 where the two agree."""
    nonzeros: int
    """|x|_0."""
    zeroed: int
    """How many coordinates the zeroing test set to zero."""
    exactness: Exactness | None
    """What is proven about rho; None when the zero-norm problem was solved as it is."""

    def __str__(self) -> str:
        lines = [
            f"zero-norm problem: objective {self.objective:.10g}, |x|_0 = {self.nonzeros}",
            f"certificate {self.certificate:.3e} (distance of 0 from the subdifferential at x)",
        ]
        if self.natural_residual is not None:
            lines.append(f"natural residual {self.natural_residual:.3e} at step 1/L (0 at L-stationary points)")
        lines.append(f"surrogate gap {self.surrogate_gap:.3e}, {self.zeroed} coordinates zeroed by the zeroing test")
        if self.exactness is not None:
            lines.append(str(self.exactness))
        return "\n".join(lines)
