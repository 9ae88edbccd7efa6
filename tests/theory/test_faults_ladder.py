"""The check of the stationarity ladder fails where a reading, a move or the rung is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import parsimo as ps
from parsimo.solvers import Ladder, Reading, Rung, certify
from parsimo.theory_checks import check_ladder


def with_reading(rung: Rung, change: Callable[[Reading], Reading]) -> Callable[..., Ladder]:
    """`certify` with one reading changed, and the rung that follows."""

    def broken(problem: Any, x: np.ndarray) -> Ladder:
        ladder = certify(problem, x)
        readings = tuple(change(r) if r.rung is rung else r for r in ladder.readings)
        highest = Rung.NONE
        for reading in readings:
            if reading.holds is False:
                break
            highest = reading.rung if reading.holds else highest
        return replace(ladder, readings=readings, rung=highest)

    return broken


def scaled(factor: float) -> Callable[[Reading], Reading]:
    return lambda reading: replace(reading, number=factor * reading.number)


def said_to_be_exact(reading: Reading) -> Reading:
    return replace(reading, side="equal")


def without_moves(problem: Any, x: np.ndarray) -> Ladder:
    return replace(certify(problem, x), move=None, swap=None)


def with_a_better_move(problem: Any, x: np.ndarray) -> Ladder:
    ladder = certify(problem, x)
    return ladder if ladder.move is None else replace(ladder, move=replace(ladder.move, values=(9.0,)))


def one_rung_higher(problem: Any, x: np.ndarray) -> Ladder:
    ladder = certify(problem, x)
    return replace(ladder, rung=Rung(min(ladder.rung + 1, Rung.GLOBAL)))


def one_rung_lower(problem: Any, x: np.ndarray) -> Ladder:
    return replace(certify(problem, x), rung=Rung.NONE)


class TwiceAsStrong(ps.LeastSquares):
    """Claims a modulus of strong convexity that it does not have."""

    @property
    def strong_convexity(self) -> float:  # type: ignore[override]
        return 1e3 * super().strong_convexity


class HalfAsCurved(ps.LeastSquares):
    """Claims half of its curvature along coordinates to be all of it."""

    @property
    def coordinate_curvature(self) -> np.ndarray:  # type: ignore[override]
        return super().coordinate_curvature / 2


class WrongHessian(ps.LeastSquares):
    """The Hessian without its off-diagonal entries: a swap forgets what x_i leaves behind."""

    @property
    def hessian(self) -> Any:
        return lambda x, rows, columns: np.diag(self.coordinate_curvature)[:, list(columns)]


def for_data_term(base: type) -> Callable[..., Ladder]:
    """`certify` of the same problem with another class of least squares."""

    def broken(problem: Any, x: np.ndarray) -> Ladder:
        if isinstance(problem.f, ps.LeastSquares):
            problem = ps.Composite(base(problem.f.design.A, problem.f.targets), problem.g)
        return certify(problem, x)

    return broken


FAULTS: dict[str, Callable[..., Ladder]] = {
    "distance halved": with_reading(Rung.CRITICAL, scaled(0.5)),
    "rate of descent halved": with_reading(Rung.D_STATIONARY, scaled(0.5)),
    "rate of descent 0": with_reading(Rung.D_STATIONARY, scaled(0.0)),
    "natural residual 0": with_reading(Rung.PROX_STATIONARY, scaled(0.0)),
    "decrease 1 % too small": with_reading(Rung.COORDINATEWISE, scaled(0.99)),
    "swaps 1 % too small": with_reading(Rung.SWAP, scaled(0.99)),
    "swaps forgotten": with_reading(Rung.SWAP, scaled(0.0)),
    "gap 1 % of itself": with_reading(Rung.GLOBAL, scaled(0.01)),
    "logistic moves said to be exact": with_reading(Rung.COORDINATEWISE, said_to_be_exact),
    "logistic swaps said to be exact": with_reading(Rung.SWAP, said_to_be_exact),
    "a modulus too large": for_data_term(TwiceAsStrong),
    "a curvature too small": for_data_term(HalfAsCurved),
    "a Hessian without its coupling": for_data_term(WrongHessian),
    "moves not named": without_moves,
    "a move to elsewhere": with_a_better_move,
    "a rung too high": one_rung_higher,
    "a rung too low": one_rung_lower,
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_ladder_is_seen(name: str):
    evidence = check_ladder(0, trials=16, certify=FAULTS[name])
    assert evidence.verdict == "fails", evidence


def test_the_faults_are_applied_to_a_ladder_that_holds():
    assert check_ladder(0, certify=with_reading(Rung.CRITICAL, scaled(1.0))).holds
    assert check_ladder(0, certify=for_data_term(ps.LeastSquares)).holds


def test_the_worst_case_can_be_pasted():
    names = {name: getattr(ps, name) for name in ("certify", "Composite", "LeastSquares", "Logistic")}
    penalties = {name: getattr(ps, name) for name in ("ZeroNorm", "MCP", "SCAD", "CappedL1", "L1", "Box")}
    ladder = eval(check_ladder(0, trials=4).worst_case, {"np": np, **names, **penalties})
    assert isinstance(ladder, ps.Ladder)
