"""Proxes against their penalties written down anew, piece by piece, and minimized by cvxpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from parsimo.penalties import (
    L1,
    MCP,
    SCAD,
    Box,
    CappedL1,
    Clustering,
    WithRidge,
    ZeroNorm,
    ZeroNormBox,
    ZeroNormCodebook,
)
from parsimo.theory_checks.contract import name_of
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.oracles.convex import PIECES, prox_by_pieces, value_by_pieces

__all__ = ["CHECKS", "check_prox_by_pieces"]

_BOOK = np.array([-1.0, 0.0, 0.3, 2.0])

SUBJECTS: dict[str, tuple[Any, str, tuple[Any, ...]]] = {
    "L1": (L1(0.7), "L1", (0.7,)),
    "Box": (Box(-0.5, 1.5), "Box", (-0.5, 1.5)),
    "L1 with ridge": (WithRidge(L1(0.7), 0.4), "elastic net", (0.7, 0.4)),
    "CappedL1": (CappedL1(0.7, 0.8), "CappedL1", (0.7, 0.8)),
    "MCP": (MCP(0.7, 0.8), "MCP", (0.7, 0.8)),
    "SCAD": (SCAD(0.7, 0.8), "SCAD", (0.7, 0.8)),
    "SCAD(1.5)": (SCAD(0.7, 0.8, 1.5), "SCAD", (0.7, 0.8, 1.5)),
    "ZeroNorm": (ZeroNorm(0.7), "ZeroNorm", (0.7,)),
    "ZeroNormBox": (ZeroNormBox(0.7, -0.5, 1.5), "ZeroNormBox", (0.7, -0.5, 1.5)),
    "ZeroNorm with ridge": (WithRidge(ZeroNorm(0.7), 0.4), "zero norm and ridge", (0.7, 0.4)),
    "Clustering": (Clustering(0.7, _BOOK), "Clustering", (0.7, _BOOK)),
    "Clustering squared": (Clustering(0.7, _BOOK, "squared"), "Clustering", (0.7, _BOOK, "squared")),
    "ZeroNormCodebook": (ZeroNormCodebook(0.7, 0.5, _BOOK), "ZeroNormCodebook", (0.7, 0.5, _BOOK)),
}
"""A penalty, its row of PIECES, and its parameters in the order of that row."""


def check_prox_by_pieces(
    g: Any,
    name: str,
    parameters: Sequence[Any],
    rng: Seed = 0,
    trials: int = 15,
    tolerance: float = 1e-8,
) -> Evidence:
    """`value` is the penalty of the definition, and `prox` and `prox_set` attain the minimum of its prox objective.

    Parameters
    ----------
    g : Proximable
        Separable, with scalar parameters.
    name : str
        Its row of `PIECES`.
    parameters : sequence
        The arguments of that row.
    tolerance : float
        On values, relative to 1 + their size.

    Raises
    ------
    ImportError
        If cvxpy is absent: `pip install "parsimo[checks]"`.
    """
    rng, subject = np.random.default_rng(rng), name_of(g)
    pieces = PIECES[name](*parameters)
    outcome = Trials(
        f"{g!r}: value, prox and prox_set are those of the definition",
        "definition of the penalty as a minimum of convex pieces, solved by cvxpy",
        "steps t from 0.01 to 100, v at random and at ends of pieces",
    )
    ends = sorted({end for piece in pieces for end in (piece.low, piece.high) if math.isfinite(end)} | {0.0})
    reach = 3.0 * max(1.0, *map(abs, ends))
    for trial in range(trials):
        step_size = float(10 ** rng.uniform(-2, 2))
        v = float(rng.choice(ends)) if trial % 5 == 0 else float(rng.uniform(-reach, reach))
        least, _ = prox_by_pieces(pieces, v, step_size)
        returned = float(g.prox(np.array([v]), step_size)[0])
        calls = f"{subject}.prox(np.array([{v!r}]), {step_size!r}), {subject}.prox_set({v!r}, {step_size!r})"
        for x in {returned, *g.prox_set(v, step_size)}:
            value = value_by_pieces(pieces, x)
            error = abs(float(g.value(np.array([x]))) - value) if value < math.inf else math.inf
            excess = value + (x - v) ** 2 / (2 * step_size) - least
            said = f"the last is {value!r}, and the objective at {x!r} is {least!r}, both by pieces"
            outcome.add(
                tolerance - max(error, abs(excess)) / (1 + abs(least)),
                f"{calls}, {subject}.value(np.array([{x!r}]))  # {said}",
            )
    return outcome.evidence()


CHECKS = tuple(
    Check(14, f"prox of {about} by pieces", partial(check_prox_by_pieces, g, name, parameters))
    for about, (g, name, parameters) in SUBJECTS.items()
)
