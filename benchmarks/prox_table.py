"""Every prox of parsimo, skglm and PyProximal against its definition: the table of docs/benchmarks.md.

    python -m benchmarks.prox_table --out docs/results [--pairs 10000] [--seed 0]

needs `pip install "parsimo[peers]"`. It prints the table, and writes prox_table.json into the folder.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from parsimo.core.files import replace_when_written
from parsimo.theory_checks import PENALTIES, STRUCTURED
from parsimo.theory_checks.peers import Peer, pyproximal_penalties, skglm_penalties
from parsimo.theory_checks.prox_trials import draw_pairs

STEPS = (1e-3, 1e3)
WRONG = 1e-6  # excess over the least objective, relative to max(1, |least|): far above any rounding
LIBRARIES = ("parsimo", "skglm", "pyproximal")
DIRECTIONS = {  # orthogonal arrays of norm 1: each in a group of its own, or of a singular value of its own
    "groups": np.array([[0.6, 0.0, 0.8, 0.0]]),
    "columns": np.array([[0.6, 0.0, 0.8, 0.0], [0.0, 0.6, 0.0, 0.8]]),
    "rows": np.array([[0.6, 0.8, 0.0, 0.0], [0.0, 0.0, 0.6, 0.8]]),
    "singular values": np.array([[0.36, 0.48, 0.48, 0.64], [0.64, -0.48, -0.48, 0.36]]),
}


@dataclass(frozen=True)
class Row:
    """One penalty of one library."""

    library: str
    penalty: str
    pairs: int
    wrong: int
    first_wrong_step: float | None
    last_wrong_step: float | None
    not_finite: int  # of the wrong ones
    worst_excess: float  # of the others
    worst_pair: tuple[Any, float]  # (v, step)
    value_as_documented: bool
    seconds: float

    @property
    def verdict(self) -> str:
        """For a reader: correct, or wrong and at which steps."""
        if not self.wrong:
            return "correct"
        not_finite = f", NaN at {self.not_finite}" if self.not_finite else ""
        return f"wrong at steps from {self.first_wrong_step:.2g} to {self.last_wrong_step:.3g}{not_finite}"


def measure_all(pairs: int, seed: int) -> Iterator[Row]:
    """All rows of the table, in order."""
    for name, (g, breakpoints) in PENALTIES.items():
        yield measure("parsimo", name, g, breakpoints, 0.0, pairs, seed)
    for name, (g, shape) in STRUCTURED.items():
        yield measure_structured(name, g, shape, pairs, seed)
    for peer in (*skglm_penalties(), *pyproximal_penalties()):
        library, name = peer.name.split(" ", 1)
        yield measure(library, name, peer, peer.breakpoints, peer.lower, pairs, seed)


def measure(
    library: str, name: str, g: Any, breakpoints: tuple[float, ...], lower: float, pairs: int, seed: int
) -> Row:
    """How often, and from which step on, the prox is not a global minimizer."""
    begin = time.perf_counter()
    with np.errstate(all="ignore"):  # a peer may divide by zero; what counts is what it returns
        drawn = draw_pairs(g, np.random.default_rng(seed), pairs, breakpoints, STEPS, lower)
        excess = drawn.excess(drawn.prox_by_rows(g)) / np.maximum(1.0, np.abs(drawn.least))
    documented = _value_as_documented(g) if isinstance(g, Peer) else True
    return _row(library, name, drawn.v, drawn.step, excess, documented, begin)


def measure_structured(name: str, g: Any, shape: tuple[int, ...], pairs: int, seed: int) -> Row:
    """The same for a penalty that is no sum over coordinates, at arrays v whose least objective is known."""
    begin = time.perf_counter()
    draw = draw_along if hasattr(g, "penalty") else draw_sparse
    v, step, least = draw(name, g, np.random.default_rng(seed), pairs)
    x = np.array([g.prox(point.reshape(shape), float(t)).reshape(-1) for point, t in zip(v, step, strict=True)])
    values = np.array([g.value(point.reshape(shape)) for point in x])
    objective = values + ((x - v) ** 2).sum(axis=1) / (2 * step)
    return _row("parsimo", name, v, step, (objective - least) / np.maximum(1.0, np.abs(least)), True, begin)


def draw_along(name: str, g: Any, rng: np.random.Generator, pairs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """v = sum of v_j u_j, where each u_j is in a group of its own, or has a singular value of its own.

    With h the function of one norm, or singular value, the least objective is the sum of those of h, which the scan
    finds: no x is nearer to v than its norms, or singular values, are to those of v (Mirsky's theorem).
    """
    u = DIRECTIONS.get(name.split(",")[0], DIRECTIONS["singular values"])
    breakpoints = next(kinks for h, kinks in PENALTIES.values() if type(h) is type(g.penalty))
    drawn = draw_pairs(g.penalty, rng, len(u) * pairs, breakpoints, STEPS)
    return drawn.v.reshape(-1, len(u)) @ u, drawn.step[:: len(u)], drawn.least.reshape(-1, len(u)).sum(axis=1)


def draw_sparse(name: str, g: Any, rng: np.random.Generator, pairs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """v at random, every other one with ties: the least objective is that of the best entries to leave out."""
    v = rng.standard_normal((pairs, 4))
    v[::2] = v[::2].round()
    step = 10 ** rng.uniform(*np.log10(STEPS), size=pairs)
    left_out = [sum(v[:, i] ** 2 for i in out) for out in itertools.combinations(range(4), 4 - g.k)]
    return v, step, np.min(left_out, axis=0) / (2 * step)


def _row(
    library: str, name: str, v: np.ndarray, step: np.ndarray, excess: np.ndarray, documented: bool, begin: float
) -> Row:
    wrong, finite = step[excess > WRONG], np.where(np.isfinite(excess), excess, -np.inf)
    worst = int(finite.argmax())
    return Row(
        library,
        name,
        step.size,
        wrong.size,
        float(wrong.min()) if wrong.size else None,
        float(wrong.max()) if wrong.size else None,
        int(np.count_nonzero(~np.isfinite(excess))),
        float(finite[worst]),
        (v[worst].tolist(), float(step[worst])),
        documented,
        time.perf_counter() - begin,
    )


def _value_as_documented(peer: Peer) -> bool:
    """Whether the library's own value is the documented function, at points with one and with several entries."""
    points = ([0.0], [0.3], [-0.3], [1.0], [2.0], [-7.0], [0.3, 2.0])
    return all(
        type(peer.penalty.value(x) if hasattr(peer.penalty, "value") else peer.penalty(x)) is not bool
        and bool(np.isclose(peer.own_value(x), peer.value(x), rtol=1e-9, atol=1e-12))
        for x in map(np.array, points)
    )


def table(rows: list[Row]) -> str:
    """The rows in markdown; a star marks a penalty whose own value is not the documented function."""
    lines = ["| library | penalty | pairs | wrong | verdict | worst excess |", "|---|---|---|---|---|---|"]
    for r in rows:
        star = "" if r.value_as_documented else " *"
        lines.append(
            f"| {r.library} | `{r.penalty}`{star} | {r.pairs:,} | {r.wrong:,} | {r.verdict} | {r.worst_excess:.1e} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for row in measure_all(options.pairs, options.seed):
        rows.append(row)
        print(f"{row.library} {row.penalty}: {row.wrong} of {row.pairs} wrong", flush=True)
    print(table(rows))
    report = {
        "versions": {library: version(library) for library in LIBRARIES},
        "steps": STEPS,
        "wrong_beyond": WRONG,
        "seed": options.seed,
        "rows": [asdict(row) for row in rows],
    }
    with replace_when_written(options.out / "prox_table.json") as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
