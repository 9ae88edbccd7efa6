"""The stationarity ladder: its rungs, the number behind each, and how they read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from parsimo.solvers.moves import Move

__all__ = ["Ladder", "Reading", "Rung"]


class Rung(IntEnum):
    """What a point can be proved to be; at a step of at most 1 / max L_i each rung implies those below it.

    docs/theory.md, Proposition 10.1.
    """

    NONE = 0
    """Not even critical."""
    CRITICAL = 1
    """0 is in grad f(x) + the limiting subdifferential of the penalty."""
    D_STATIONARY = 2
    """No direction of descent: <grad f(x), d> + R'(x; d) >= 0 for all d."""
    PROX_STATIONARY = 3
    """x = prox(x - t grad f(x)) at the stated step t."""
    COORDINATEWISE = 4
    """No new value of one coordinate lowers the objective."""
    SWAP = 5
    """Nor does setting x_i != 0 to zero and x_j = 0 to its best value then."""
    GLOBAL = 6
    """No point has a lower objective."""

    @property
    def words(self) -> str:
        """The rung as it is printed."""
        return {0: "none", 1: "critical", 2: "d-stationary", 3: "prox-stationary", 4: "coordinatewise optimal"}.get(
            self, "swap optimal" if self is Rung.SWAP else "global"
        )


@dataclass(frozen=True)
class Reading:
    """The number behind one rung, which is 0 where the rung holds exactly."""

    rung: Rung
    quantity: str
    """What is measured, in words."""
    number: float
    """Its value, or a bound of it; NaN where it could not be evaluated."""
    limit: float
    """The rung holds, to the tolerance, where the quantity is at most this."""
    side: Literal["equal", "above", "below"] = "equal"
    """Whether the number is the quantity, bounds it from above, or bounds it from below."""
    note: str = ""
    """Where the number comes from, or why there is none."""

    @property
    def holds(self) -> bool | None:
        """True where the number proves the rung, False where it refutes it, None where it does neither."""
        if self.number <= self.limit and self.side != "below":
            return True
        return False if self.number > self.limit and self.side != "above" else None

    def __str__(self) -> str:
        verdict = {True: "yes", False: "no", None: "open"}[self.holds]
        start = f"{self.rung.words:<23}{verdict:<5}"
        if math.isnan(self.number):
            return f"{start}not evaluated: {self.note}"
        relation = {"equal": "=", "above": "<=", "below": ">="}[self.side]
        note = f"; {self.note}" if self.note else ""
        return f"{start}{self.quantity} {relation} {self.number:.2e} (limit {self.limit:.1e}){note}"


@dataclass(frozen=True, eq=False)
class Ladder:
    """What is proved about a point.

    Attributes
    ----------
    rung : Rung
        The highest rung that holds while no rung below it is refuted.
    readings : tuple of Reading
        One for each rung, the lowest first; `ladder[Rung.SWAP]` picks one.
    objective : float
        At the point.
    move, swap : Move or None
        The change of one coordinate, and the exchange of two, that lower the objective most; None where none does.
    """

    rung: Rung
    readings: tuple[Reading, ...]
    objective: float
    move: Move | None
    swap: Move | None

    def __getitem__(self, rung: Rung) -> Reading:
        return next(reading for reading in self.readings if reading.rung == rung)

    @property
    def sentence(self) -> str:
        """The highest rung, and what keeps the point from the next one."""
        if self.rung is Rung.GLOBAL:
            return f"{self.rung.words}: no point is better by more than {self[Rung.GLOBAL].number:.2e}"
        above = next(r for r in self.readings if r.rung > self.rung and r.holds is not True)
        fate = "is refuted" if above.holds is False else "is not decided"
        measured = above.holds is False or (above.side == "above" and not math.isnan(above.number))
        why = f"{above.quantity} {above.number:.2e}" if measured else above.note
        return f"{self.rung.words}; {above.rung.words} {fate}: {why}"

    def __str__(self) -> str:
        return "\n".join([self.sentence, *(f"  {reading}" for reading in self.readings)])
