"""Every check of the theory holds for the code as it is."""

from __future__ import annotations

import ast
import copy
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parsimo import theory_checks
from parsimo.theory_checks import Evidence, Trials, standard_checks

CHECKS = {check.name: check for check in standard_checks()}


PASTED = "from parsimo.theory_checks.paste import *"
NAMES: dict[str, Any] = {}
exec(PASTED, NAMES)


@pytest.mark.parametrize("name", CHECKS)
def test_the_check_holds_and_its_cases_can_be_pasted(name: str, monkeypatch: pytest.MonkeyPatch):
    """The worst case, and the first one of every line of code that adds trials: any of them may become the worst."""
    cases: dict[Any, str] = {}
    add = Trials.add

    def kept(self: Trials, margin: float, case: str | Callable[[], str]) -> None:
        frame = sys._getframe(1)
        line = tuple((at.f_code, at.f_lineno) for at in (frame, frame.f_back) if at is not None)
        if line not in cases:
            alone = copy.copy(self)
            alone._count = 0
            add(alone, margin, case)
            cases[line] = alone.evidence().worst_case
        add(self, margin, case)

    monkeypatch.setattr(Trials, "add", kept)
    evidence = CHECKS[name].run()
    for case in (evidence.worst_case, *cases.values()):
        assert "  # " in case  # what should hold
        assert eval(case, dict(NAMES)) is not None, case
    assert evidence.holds, evidence
    assert evidence.trials >= 4
    assert evidence.margin < math.inf
    assert "docs/theory.md" in evidence.reference or "definition" in evidence.reference


def test_every_check_is_among_the_standard_ones():
    exported = {name for name in theory_checks.__all__ if name.startswith("check_")}
    driven = {check.function_name for check in CHECKS.values()}
    assert driven == exported


def test_every_check_is_exported():
    defined = set()
    for path in Path(theory_checks.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text())
        defined |= {n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("check_")}
    assert defined == {name for name in theory_checks.__all__ if name.startswith("check_")}


def test_checks_repeat():
    check = CHECKS["Lloyd's descent"]
    assert check.run(5) == check.run(5)
    assert check.run(5) != check.run(6)
    assert check.run(5, trials=7).trials < check.run(5).trials


def test_evidence_reads_as_a_sentence():
    held = Evidence("two is even", "Euclid", "none", 3, 0.5, "2 % 2", "holds")
    assert str(held) == "holds: two is even (Euclid; none; 3 trials, margin 0.5)\nclosest call: 2 % 2"
    failed = Evidence("one is even", "nobody", "none", 1, -1.0, "1 % 2", "fails")
    assert str(failed) == "fails: one is even (nobody; none; 1 trials, margin -1)\nworst case: 1 % 2"
    assert str(Trials("c", "r", "h").evidence()).startswith("untried: c")


def test_evidence_cannot_contradict_itself():
    for trials, margin, verdict in ((3, -0.1, "holds"), (3, math.nan, "holds"), (0, 1.0, "holds"), (3, 0.1, "fails")):
        with pytest.raises(ValueError, match=f"verdict='{verdict}' contradicts margin"):
            Evidence("c", "r", "h", trials, margin, "w", verdict)  # type: ignore[arg-type]


def test_the_worst_trial_is_kept():
    outcome = Trials("c", "r", "h")
    for margin in (3.0, 1.0, 2.0):
        outcome.add(margin, f"case {margin}")
    assert outcome.evidence() == Evidence("c", "r", "h", 3, 1.0, "case 1.0", "holds")
    outcome.add(math.nan, "not a number")
    outcome.add(-5.0, "case -5")
    assert outcome.evidence() == Evidence("c", "r", "h", 5, -math.inf, "not a number", "fails")
    assert not Trials("c", "r", "h").evidence().holds


def test_the_documentation_gives_the_import_that_is_needed():
    for page in ("checks.md", "check_your_own.md"):
        assert PASTED in (Path(__file__).parents[2] / "docs" / page).read_text()
