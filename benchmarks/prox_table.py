"""Every prox of parsimo, skglm and PyProximal against its definition: the table of docs/benchmarks.md.

    python -m benchmarks.prox_table --out docs/results [--pairs 10000] [--seed 0]

needs `pip install "parsimo[peers]"`. It prints the table, and writes prox_table.json into the folder.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from parsimo.core.files import replace_when_written
from parsimo.theory_checks import PENALTIES
from parsimo.theory_checks.peers import Peer, pyproximal_penalties, skglm_penalties
from parsimo.theory_checks.prox_trials import draw_pairs

STEPS = (1e-3, 1e3)
WRONG = 1e-6  # excess over the least objective, relative to max(1, |least|): far above any rounding
LIBRARIES = ("parsimo", "skglm", "pyproximal")


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
    worst_pair: tuple[float, float]  # (v, step)
    value_as_documented: bool
    seconds: float

    @property
    def verdict(self) -> str:
        """For a reader: correct, or wrong and at which steps."""
        if not self.wrong:
            return "correct"
        not_finite = f", NaN at {self.not_finite}" if self.not_finite else ""
        return f"wrong at steps from {self.first_wrong_step:.2g} to {self.last_wrong_step:.3g}{not_finite}"


def subjects() -> Iterator[tuple[str, str, Any, tuple[float, ...], float]]:
    """Library, name, penalty, breakpoints and lower bound."""
    for name, (g, breakpoints) in PENALTIES.items():
        yield "parsimo", name, g, breakpoints, 0.0
    for peer in (*skglm_penalties(), *pyproximal_penalties()):
        library, name = peer.name.split(" ", 1)
        yield library, name, peer, peer.breakpoints, peer.lower


def measure(
    library: str, name: str, g: Any, breakpoints: tuple[float, ...], lower: float, pairs: int, seed: int
) -> Row:
    """How often, and from which step on, the prox is not a global minimizer."""
    begin = time.perf_counter()
    with np.errstate(all="ignore"):  # a peer may divide by zero; what counts is what it returns
        drawn = draw_pairs(g, np.random.default_rng(seed), pairs, breakpoints, STEPS, lower)
        excess = drawn.excess(drawn.prox_by_rows(g)) / np.maximum(1.0, np.abs(drawn.least))
    wrong, finite = drawn.step[excess > WRONG], np.where(np.isfinite(excess), excess, -np.inf)
    worst = int(finite.argmax())
    return Row(
        library,
        name,
        drawn.v.size,
        wrong.size,
        float(wrong.min()) if wrong.size else None,
        float(wrong.max()) if wrong.size else None,
        int(np.count_nonzero(~np.isfinite(excess))),
        float(finite[worst]),
        (float(drawn.v[worst]), float(drawn.step[worst])),
        _value_as_documented(g) if isinstance(g, Peer) else True,
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
    for subject in subjects():
        rows.append(measure(*subject, options.pairs, options.seed))
        print(f"{rows[-1].library} {rows[-1].penalty}: {rows[-1].wrong} of {rows[-1].pairs} wrong", flush=True)
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
