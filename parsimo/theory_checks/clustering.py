"""Clustering: when a distance quantizes exactly, what rounding costs, and which representative wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo.penalties import Clustering, ZeroNormCodebook
from parsimo.penalties.clustering import Distance
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.oracles.scan import scan

__all__ = [
    "CHECKS",
    "check_cluster_prox",
    "check_quantization",
    "check_quantization_tightness",
    "check_rounding",
    "check_zero_norm_codebook",
]


def check_quantization(
    rng: Seed = 0, trials: int = 60, penalty: Callable[..., Any] = Clustering, excess: float = 1 + 1e-6
) -> Evidence:
    """With weight > l, every global minimizer of f + weight sum_i min_j |x_i - c_j| lies in the codebook, for f
    l-Lipschitz along each coordinate.

    Tested on finite grids that contain the codebook, the worst case f(x) = l |x - midpoint| among the f.

    Parameters
    ----------
    penalty : callable
        (weight, codebook) -> the penalty under test.
    excess : float
        weight / l, more than 1.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "a weight above the Lipschitz constant quantizes exactly",
        "docs/theory.md, Theorem 5.1",
        "f l-Lipschitz in each of two coordinates, absolute distance",
    )
    for trial in range(trials):
        seed = int(rng.integers(2**31))
        f = Drawn.random(trial, seed)
        minimizers = f.minimizers(penalty(excess * f.l, f.codebook))
        distance = float(np.abs(minimizers[..., None] - f.codebook).min(axis=-1).max())
        book = f"np.array({f.codebook.tolist()!r})"
        case = f"Drawn.random({trial}, {seed}).minimizers(Clustering({excess * f.l!r}, {book}))"
        outcome.add(-distance, f"{case}  # all in the codebook, to 0: the farthest entry is {distance!r} off")
    return outcome.evidence()


@dataclass(frozen=True, eq=False)
class Drawn:
    """f on a grid in the plane, l-Lipschitz along each coordinate, and a codebook that the grid contains."""

    l: float
    codebook: np.ndarray
    grid: np.ndarray
    values: np.ndarray

    @classmethod
    def random(cls, trial: int, seed: int) -> Drawn:
        """By trial % 4: the worst case for even ones, drawn to random points for odd; with a term in x - y from 2."""
        rng = np.random.default_rng(seed)
        l, k = 10 ** rng.uniform(-1, 1), int(rng.integers(1, 5))
        codebook = np.sort(rng.uniform(-2, 2, size=k))
        grid = np.unique(np.concatenate([codebook, (codebook[1:] + codebook[:-1]) / 2, np.linspace(-3, 3, 41)]))
        if trial % 2:
            f = sum(l * np.abs(grid - rng.uniform(-3, 3)) * share for share in rng.dirichlet(np.ones(3)))
        else:
            f = l * np.abs(grid - (codebook[:2].mean() if k > 1 else 1.0))
        values = f[:, None] + f[None, :]
        if trial % 4 >= 2:  # still l-Lipschitz
            values = values / 2 + l / 2 * np.abs(grid[:, None] - grid[None, :])
        return cls(l, codebook, grid, values)

    def minimizers(self, g: Any) -> np.ndarray:
        """Those of f + g over the grid, as rows."""
        at = np.array([g.value(np.array([x])) for x in self.grid])
        total = self.values + at[:, None] + at[None, :]
        return self.grid[np.argwhere(total <= total.min())]


def check_quantization_tightness(rng: Seed = 0, trials: int = 20, deficit: float = 0.99) -> Evidence:
    """With weight = 0.99 l, f(x) = l |x - m| with m a midpoint has its one minimizer at m, off the codebook."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "a weight below the Lipschitz constant need not quantize",
        "docs/theory.md, Theorem 5.1 (tightness)",
        f"f(x) = l |x - midpoint|, weight {deficit} l",
    )
    for _ in range(trials):
        l, gap = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
        g = Clustering(deficit * l, np.array([0.0, gap]))
        grid = np.append(np.linspace(-gap, 2 * gap, 301), gap / 2)
        total = np.array([l * abs(x - gap / 2) + g.value(np.array([x])) for x in grid])
        on_codebook = l * gap / 2  # the objective at either representative
        case = f"Clustering({deficit * l!r}, np.array([0.0, {gap!r}])).value(np.array([{gap / 2!r}]))"
        case += f"  # below {on_codebook!r}, what f(x) = {l!r} |x - {gap / 2!r}| is on the codebook; and f is 0 here"
        outcome.add((on_codebook - float(total.min())) / (l * gap) - 1e-9, case)
        outcome.add(1e-12 - abs(float(grid[total.argmin()]) / gap - 0.5), f"{case}, where the one minimizer is")
    return outcome.evidence()


def squared(weight: float, codebook: np.ndarray) -> Clustering:
    """weight sum_i min_j (x_i - c_j)^2 / 2."""
    return Clustering(weight, codebook, "squared")


def rounding_cost(gradient_norm: float, weight: float, lipschitz: float) -> float:
    """|grad f|^2 / weight + L |grad f|^2 / (2 weight^2)."""
    return gradient_norm**2 / weight + lipschitz * gradient_norm**2 / (2 * weight**2)


def check_rounding(
    rng: Seed = 0,
    trials: int = 30,
    penalty: Callable[..., Any] = squared,
    allowed: Callable[[float, float, float], float] = rounding_cost,
) -> Evidence:
    """Where f + (weight/2) sum_i min_j (x_i - c_j)^2 is stationary, off midpoints, d_i = |grad_i f| / weight, and
    rounding x raises f by at most |grad f|^2 / weight + L |grad f|^2 / (2 weight^2).

    Stationary points are limits of proximal gradient. Every other f has Hessian L I, where the bound is attained.

    Parameters
    ----------
    penalty : callable
        (weight, codebook) -> the penalty under test.
    allowed : callable
        (|grad f|, weight, L) -> the bound under test.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "the squared distance leaves d_i = |grad_i f| / weight, and rounding costs no more than that allows",
        "docs/theory.md, Proposition 5.4",
        "quadratic f of three variables, convex or not, weight at least L",
    )
    for trial in range(trials):
        L, k = 10 ** rng.uniform(-1, 1), int(rng.integers(1, 5))
        weight, codebook, b = L * 10 ** rng.uniform(0, 1.5), np.sort(rng.uniform(-2, 2, size=k)), L * rng.normal(size=3)
        Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        H = L * np.eye(3) if trial % 2 else Q @ np.diag(L * np.array([1.0, rng.random(), -rng.random() / 2])) @ Q.T
        g, x = penalty(weight, codebook), rng.normal(size=3)
        for _ in range(300):  # each step contracts by 5/6 or more: f + g has curvature weight - L/2 > 0 in each cell
            x = g.prox(x - (H @ x - b) / (2 * L), 1 / (2 * L))
        gradient = H @ x - b
        gaps = x[:, None] - codebook
        rounded = codebook[np.abs(gaps).argmin(axis=1)]
        rise = (rounded @ H @ rounded - x @ H @ x) / 2 - b @ (rounded - x)
        norm, scale = float(np.linalg.norm(gradient)), 1e-9 * (weight + L)
        case = f"np.array({H.tolist()!r}) @ np.array({x.tolist()!r}) - np.array({b.tolist()!r})  # "
        lengths = weight * np.abs(x - rounded)
        said = f"{case}up to signs weight times the distances of x from the codebook, {lengths.tolist()}"
        outcome.add(scale - float(np.abs(lengths - np.abs(gradient)).max()), said)
        limit = float(allowed(norm, weight, L))
        said = f"{case}by its norm rounding x raises f by {limit!r} at most; it does by {float(rise)!r}"
        outcome.add(scale + limit - float(rise), said)
    return outcome.evidence()


def check_cluster_prox(rng: Seed = 0, trials: int = 40, penalty: Callable[..., Any] = Clustering) -> Evidence:
    """The representative nearest to the prox input wins; both do at midpoints and there alone, and the prox jumps
    there by tau gap / (1 + tau), or by min(gap, 2 tau) for the absolute distance.

    Against the prox of each representative alone, by a scan of its objective.

    Parameters
    ----------
    penalty : callable
        (weight, codebook, distance) -> the penalty under test.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "the representative nearest to the prox input wins; at midpoints two do",
        "docs/theory.md, Proposition 5.5",
        "codebooks of up to 5 multiples of 1/8, whose midpoints are exact; v at them, near them, and anywhere",
    )
    for trial in range(trials):
        distance: Distance = "squared" if trial % 2 else "absolute"
        codebook = np.sort(rng.choice(np.arange(-16, 17), size=int(rng.integers(2, 6)), replace=False)) / 8
        weight, step_size, lower = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1), rng.integers(codebook.size - 1)
        gap, midpoint = float(codebook[lower + 1] - codebook[lower]), float(codebook[lower : lower + 2].mean())
        v = (midpoint, midpoint + gap * 1e-4 * rng.choice([-1.0, 1.0]), 3 * rng.normal())[trial % 3]
        g = penalty(weight, codebook, distance)
        alone = [_alone(v, step_size, weight, c, distance) for c in codebook.tolist()]
        least = min(value for value, _ in alone)
        nearest = np.abs(v - codebook)
        winners = sorted(alone[j][1] for j in np.flatnonzero(nearest == nearest.min()))
        book = f"np.array({codebook.tolist()!r})"
        case = f"Clustering({weight!r}, {book}, {distance!r}).prox_set({v!r}, {step_size!r})"
        case += f"  # all of {winners}, up to 1e-5, the proxes of the representatives nearest to the input"
        outcome.add(1e-9 * (1 + least) - (alone[int(nearest.argmin())][0] - least), case)
        listed, returned = g.prox_set(v, step_size), float(g.prox(np.array([v]), step_size)[0])
        outcome.add(0.0 if len(listed) == len(winners) else -1.0, case)
        outcome.add(1e-5 - max(min(abs(x - p) for p in listed) for x in (*winners, returned)), case)
        if v == midpoint:
            tau = step_size * weight
            jump = tau * gap / (1 + tau) if distance == "squared" else min(gap, 2 * tau)
            outcome.add(1e-9 - abs(listed[-1] - listed[0] - jump), f"{case}; they are {jump!r} apart")
    return outcome.evidence()


def check_zero_norm_codebook(
    rng: Seed = 0, trials: int = 60, penalty: Callable[..., Any] = ZeroNormCodebook
) -> Evidence:
    """The prox of weight |x|_0 + cluster_weight sum_i r(d_i) is 0 or the prox of some representative, whichever is
    best: no other number is better.

    Parameters
    ----------
    penalty : callable
        (weight, cluster_weight, codebook, distance) -> the penalty under test.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "the prox of zero norm and codebook is the best of 0 and the proxes of the representatives",
        "docs/theory.md, Proposition 5.5",
        "codebooks of 0 and up to 4 more multiples of 1/8; v anywhere, and at midpoints; weights about the tie with 0",
    )
    for trial in range(trials):
        distance: Distance = "squared" if trial % 2 else "absolute"
        codebook = np.unique(np.append(rng.integers(-16, 17, size=int(rng.integers(0, 5))) / 8, 0.0))
        weight, cluster_weight, step_size = (10 ** rng.uniform(-1, 1, size=3)).tolist()
        v = float(3 * rng.normal() if trial % 3 else rng.choice(codebook) / 2 + rng.choice(codebook) / 2)
        alone = [_alone(v, step_size, cluster_weight, c, distance) for c in codebook.tolist()]
        at_zero = v * v / (2 * step_size)
        if trial % 4 < 2:
            weight = max(at_zero - min(alone)[0], 0.0) * float(rng.choice([0.999, 1.001]))
        g = penalty(weight, cluster_weight, codebook, distance)
        costs = [(at_zero, 0.0), *((weight + value, x) for value, x in alone)]
        least = min(cost for cost, _ in costs)
        case = f"ZeroNormCodebook({weight!r}, {cluster_weight!r}, np.array({codebook.tolist()!r}), {distance!r})"
        case += f".prox_set({v!r}, {step_size!r})"
        listed, returned = g.prox_set(v, step_size), float(g.prox(np.array([v]), step_size)[0])
        best = [x for cost, x in costs if cost <= least + 1e-12 * (1 + least)]
        case += f"  # all of {best}, up to 1e-5, where the objective is {least!r}"
        for x in (returned, *listed):
            d = float(np.abs(x - codebook).min())
            spread = cluster_weight * (d if distance == "absolute" else d * d / 2)
            outcome.add(
                1e-9 * (1 + least) - (weight * (x != 0) + spread + (x - v) ** 2 / (2 * step_size) - least), case
            )
        outcome.add(1e-5 - max(min(abs(x - p) for p in listed) for x in best), case)
    return outcome.evidence()


def _alone(v: float, step_size: float, weight: float, c: float, distance: Distance) -> tuple[float, float]:
    """The minimum of weight r(|x - c|) + (x - v)^2 / (2 step_size) and its one minimizer, between c and v."""

    def objective(x: float) -> float:
        d = abs(x - c)
        return weight * (d if distance == "absolute" else d * d / 2) + (x - v) ** 2 / (2 * step_size)

    least, minimizers = scan(objective, (c, (c + v) / 2, v))
    return least, minimizers[0]


CHECKS = (
    Check(23, "exact quantization", check_quantization),
    Check(23, "tightness of exact quantization", check_quantization_tightness),
    Check(23, "rounding after the squared distance", check_rounding),
    Check(24, "prox of clusters, nearest to the input", check_cluster_prox),
    Check(24, "prox of zero norm and codebook, by cases", check_zero_norm_codebook),
)
