"""Small instances, solvers and certificates, the last written out again from the definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

import parsimo as ps
from parsimo.solvers import (
    Anderson,
    Backtracking,
    ConjugateGradient,
    Constant,
    Exact,
    Inertial,
    Inexact,
    Linearized,
    ProximalADMM,
    ProximalGradient,
)

SMOOTH = ("tall least squares", "wide least squares", "logistic")
PENALTIES = ("l1", "box", "zero norm", "mcp", "scad", "capped l1", "absolute clusters", "squared clusters")
CONVEX = ("l1", "box")

SOLVERS: dict[str, Any] = {
    "proximal gradient": ProximalGradient(),
    "constant step": ProximalGradient(step_rule=Constant()),
    "backtracking": ProximalGradient(step_rule=Backtracking()),
    "Anderson": ProximalGradient(acceleration=Anderson()),
    "inertial": ProximalGradient(acceleration=Inertial()),
    "P-ADMM": ProximalADMM(acceleration=None),
    "P-ADMM, proximal": ProximalADMM(proximal_x=0.5, proximal_z=0.5, acceleration=None),
    "P-ADMM, linearized": ProximalADMM(x_step=Linearized(), acceleration=None),
    "P-ADMM, inexact": ProximalADMM(x_step=Inexact(), proximal_z=0.1, acceleration=None),
    "P-ADMM, late phase": ProximalADMM(),
    "P-ADMM, linearized, late phase": ProximalADMM(x_step=Linearized(), proximal_z=0.1),
    "P-ADMM, balanced": ProximalADMM(balancing=ps.Balancing(), acceleration=None),
    "consensus": ps.ConsensusADMM(ProximalADMM(acceleration=None)),
    "alternating": ps.AlternatingMinimization(),
    "PALM": ps.PALM(),
    "iPALM": ps.PALM(inertia=0.3, exact_every=3),
    "coordinate descent": ps.CoordinateDescent(),
}
X_STEPS = (Exact(), Linearized(), Inexact(), Inexact(accuracy=0.5), ConjugateGradient())


class Data:
    """A least-squares or logistic instance that knows its own gradient."""

    def __init__(self, kind: str, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        m, n = {"tall least squares": (30, 8), "wide least squares": (14, 18), "logistic": (60, 8)}[kind]
        left, _, right = np.linalg.svd(rng.standard_normal((m, n)), full_matrices=False)
        self.A = left * np.linspace(0.7, 1.3, min(m, n)) @ right  # well conditioned: the tests are about right answers
        truth = np.zeros(n)
        truth[rng.permutation(n)[:3]] = (2.0, -2.0, 3.0)
        if kind == "logistic":
            self.b = np.where(rng.random(m) < expit(2 * self.A @ truth), 1.0, -1.0)
            self.f: Any = ps.Logistic(self.A, self.b)
        else:
            self.b = self.A @ truth + 0.1 * rng.standard_normal(m)
            self.f = ps.LeastSquares(self.A, self.b)
        self.logistic = kind == "logistic"

    def value(self, x: np.ndarray) -> float:
        if self.logistic:
            return float(np.sum(np.log1p(np.exp(-self.b * (self.A @ x)))))
        return float(np.sum((self.A @ x - self.b) ** 2)) / 2

    def grad(self, x: np.ndarray) -> np.ndarray:
        if self.logistic:
            return -self.A.T @ (self.b * expit(-self.b * (self.A @ x)))
        return self.A.T @ (self.A @ x - self.b)


WEIGHT = 0.1
MEMBERS = {"mcp": ps.phi.mcp(), "scad": ps.phi.scad(), "capped l1": ps.phi.capped_l1()}


def problem(data: Data, penalty: str) -> Any:
    f = data.f
    if penalty == "l1":
        return ps.Composite(f, ps.L1(WEIGHT))
    if penalty == "box":
        return ps.Composite(f, ps.Box(-0.5, 1.0))
    if penalty == "zero norm":
        return ps.ZeroNormProblem(f, WEIGHT)
    if penalty in MEMBERS:
        return ps.ZeroNormProblem(f, WEIGHT).to_mpec(MEMBERS[penalty]).penalize(rho="exact").eliminate()
    distance: Any = "absolute" if penalty == "absolute clusters" else "squared"
    return ps.ClusteringProblem(f, weight=0.2, k=3, distance=distance)


def admits(data: Data, solver: Any) -> bool:
    """Whether the solver's x-step can handle the data term: the exact one needs a prox."""
    return not (data.logistic and isinstance(getattr(solver, "x_step", None), Exact))


def separates(penalty: str) -> bool:
    """Whether the penalty is a sum over coordinates in x alone; representatives that move tie coordinates together."""
    return "clusters" not in penalty


def own_certificate(data: Data, penalty: str, prob: Any, x: np.ndarray, u: Any) -> float:
    """dist(0, grad f(x) + subdifferential of the penalty at x), written out from the definitions."""
    grad, size = data.grad(x), np.abs(x)
    if penalty == "box":
        assert ((x >= -0.5) & (x <= 1.0)).all()
        at_lower, at_upper = x == -0.5, x == 1.0
        return float(
            np.linalg.norm(np.where(at_lower, np.minimum(grad, 0), np.where(at_upper, np.maximum(grad, 0), grad)))
        )
    if "clusters" in penalty:
        return cluster_certificate(grad, x, u[0], 0.2, penalty.startswith("absolute"))
    if penalty == "zero norm":
        return float(np.linalg.norm(grad[x != 0]))
    if penalty == "l1":
        at_zero, slopes = WEIGHT, (np.full_like(x, WEIGHT),)
    else:
        a = prob.g.flat_point
        left = np.minimum(size / a, 1.0)
        if penalty == "mcp":
            at_zero, slopes = 2 * WEIGHT / a, (2 * WEIGHT / a * (1 - left),)
        elif penalty == "scad":
            at_zero = 2 * WEIGHT * 3.7 / (4.7 * a)
            slopes = (at_zero * np.clip((1 - left) / (1 - 1 / 3.7), 0, 1),)
        else:
            at_zero = WEIGHT / a
            slopes = (at_zero * (size <= a), at_zero * (size < a))
    off = np.min([np.abs(grad + np.sign(x) * s) for s in slopes], axis=0)
    return float(np.linalg.norm(np.where(x != 0, off, np.maximum(np.abs(grad) - at_zero, 0))))


def cluster_certificate(grad: np.ndarray, x: np.ndarray, partition: Any, weight: float, absolute: bool) -> float:
    """The distance for fixed clusters with free representatives: the slopes of each cluster sum to 0."""
    squares = 0.0
    for code in np.unique(partition.codes):
        points, g = x[partition.codes == code], grad[partition.codes == code] / weight
        if not absolute:
            squares += float(np.sum((g + points - points.mean()) ** 2))
            continue
        signs = np.sign(points - np.sort(points)[(points.size - 1) // 2])
        low, high = np.where(signs == 0, -1.0, signs), np.where(signs == 0, 1.0, signs)
        a, b = -4.0 - np.abs(g).max(), 4.0 + np.abs(g).max()
        for _ in range(200):  # the shift at which the nearest slopes balance
            middle = (a + b) / 2
            a, b = (middle, b) if np.clip(-g - middle, low, high).sum() > 0 else (a, middle)
        squares += float(np.sum((g + np.clip(-g - (a + b) / 2, low, high)) ** 2))
    return weight * float(np.sqrt(squares))
