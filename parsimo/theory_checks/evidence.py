"""What a check of the theory hands back: how far its worst trial was from breaking the statement."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Evidence", "Trials"]


@dataclass(frozen=True)
class Evidence:
    """The outcome of one check; it asserts nothing.

    Raises
    ------
    ValueError
        If `holds` contradicts the margin or the number of trials.
    """

    claim: str
    """The statement, in a sentence."""
    reference: str
    """Where it is stated and proved, such as "docs/theory.md, Theorem 3.1"."""
    hypotheses: str
    """What the trials satisfy."""
    trials: int
    """How many there were."""
    margin: float
    """How far the worst trial is from violating the claim, in the claim's own unit; negative where it is violated."""
    worst_case: str
    """The worst trial, as an expression to paste."""
    holds: bool
    """Whether no trial violates the claim."""

    def __post_init__(self) -> None:
        if self.holds != (self.margin >= 0 and self.trials > 0):
            raise ValueError(
                f"Evidence: holds={self.holds} contradicts margin={self.margin} after {self.trials} trials"
            )

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "FAILS" if self.trials else "UNTRIED"
        return (
            f"{verdict}: {self.claim} ({self.reference}; {self.hypotheses}; {self.trials} trials, "
            f"margin {self.margin:.3g}, worst case {self.worst_case})"
        )


class Trials:
    """Counts trials and keeps the worst of them.

    Parameters
    ----------
    claim, reference, hypotheses : str
        As in `Evidence`.
    """

    def __init__(self, claim: str, reference: str, hypotheses: str) -> None:
        self._texts = (claim, reference, hypotheses)
        self._count, self._margin, self._worst_case = 0, math.inf, "none"

    def add(self, margin: float, case: str) -> None:
        """One trial, its margin, and an expression that reproduces it; a margin that is NaN is a violation."""
        margin = -math.inf if math.isnan(margin) else float(margin) + 0.0
        if margin < self._margin or self._count == 0:
            self._margin, self._worst_case = margin, case
        self._count += 1

    def evidence(self) -> Evidence:
        """The outcome over all trials so far."""
        holds = self._margin >= 0 and self._count > 0
        return Evidence(*self._texts, self._count, self._margin, self._worst_case, holds)
