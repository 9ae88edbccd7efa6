"""What a check of the theory hands back: how far its worst trial was from breaking the statement."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

__all__ = ["Check", "Evidence", "Seed", "Trials", "Verdict"]

Seed = Any
"""What `numpy.random.default_rng` takes: a number, or a generator, which is used as it is."""

Verdict = Literal["holds", "fails", "untried"]


@dataclass(frozen=True)
class Evidence:
    """The outcome of one check; it asserts nothing.

    Raises
    ------
    ValueError
        If the verdict contradicts the margin or the number of trials.
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
    """The worst trial, as one expression to paste, and behind it a comment that says what should hold.

    Its names are those of `parsimo.theory_checks.paste`; what is the reader's own it calls as the check does: `g`,
    `f`, `phi`, `solver`, `problem`.
    """
    verdict: Verdict
    """Whether no trial violates the claim."""

    def __post_init__(self) -> None:
        if self.verdict != _verdict(self.margin, self.trials):
            raise ValueError(
                f"Evidence: verdict={self.verdict!r} contradicts margin={self.margin} after {self.trials} trials"
            )

    @property
    def holds(self) -> bool:
        """Whether there were trials and none violates the claim."""
        return self.verdict == "holds"

    def __str__(self) -> str:
        label = "closest call" if self.holds else "worst case"
        return (
            f"{self.verdict}: {self.claim} ({self.reference}; {self.hypotheses}; {self.trials} trials, "
            f"margin {self.margin:.3g})\n{label}: {self.worst_case}"
        )


class Trials:
    """Counts trials and keeps the worst of them.

    Parameters
    ----------
    claim, reference, hypotheses : str
        As in `Evidence`.
    subject : tuple of str, optional
        A name in the expressions, and what it stands for where the reader has nothing of that name.
    """

    def __init__(self, claim: str, reference: str, hypotheses: str, subject: tuple[str, str] = ("", "")) -> None:
        self._texts, self._subject = (claim, reference, hypotheses), subject
        self._count, self._margin, self._worst_case = 0, math.inf, "none"

    def add(self, margin: float, case: str | Callable[[], str]) -> None:
        """One trial, its margin, and an expression that reproduces it with a comment, or a function that writes both.

        A margin that is NaN is a violation.
        """
        margin = -math.inf if math.isnan(margin) else float(margin) + 0.0
        if margin < self._margin or self._count == 0:
            self._margin, self._worst_case = margin, case if isinstance(case, str) else case()
        self._count += 1

    def add_all(self, margins: np.ndarray, case: Callable[[int], str]) -> None:
        """A batch of trials; `case(k)` writes the expression that reproduces the k-th."""
        margins = np.where(np.isnan(margins), -math.inf, margins)
        if margins.size:
            worst = int(margins.argmin())
            self.add(float(margins[worst]), lambda: case(worst))
            self._count += margins.size - 1

    def evidence(self) -> Evidence:
        """The outcome over all trials so far."""
        verdict = _verdict(self._margin, self._count)
        return Evidence(*self._texts, self._count, self._margin, self._pasted(), verdict)

    def _pasted(self) -> str:
        """The worst case, with the subject put in."""
        (name, stands_for), (expression, sign, comment) = self._subject, self._worst_case.partition("  # ")
        if name == stands_for:
            return self._worst_case
        return f"(lambda {name}: {expression})({stands_for}){sign}{comment}"


def _verdict(margin: float, trials: int) -> Verdict:
    if not trials:
        return "untried"
    return "holds" if margin >= 0 else "fails"


@dataclass(frozen=True)
class Check:
    """One check with its subject, ready to run: a row of the table that `parsimo check` prints."""

    number: int
    """The statement of docs/checks.md that it tries out."""
    name: str
    """What a user types to select it, such as "prox of MCP"."""
    function: Callable[..., Evidence]
    """Takes `rng` and `trials`."""

    @property
    def function_name(self) -> str:
        """Such as "check_prox"."""
        function: Any = getattr(self.function, "func", self.function)
        return str(function.__name__)

    def run(self, rng: Seed = 0, trials: int | None = None) -> Evidence:
        """The evidence of so many trials, or of the function's own number."""
        return self.function(rng=rng) if trials is None else self.function(rng=rng, trials=trials)
