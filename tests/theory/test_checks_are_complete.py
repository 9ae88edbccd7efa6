"""No check escapes its page, and none is without a planted fault."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

from parsimo import theory_checks
from parsimo.theory_checks import standard_checks

ROOT = Path(__file__).parents[2]
PLANTED = (
    *(ROOT / "tests" / "theory").glob("test_*fault*.py"),
    ROOT / "tests" / "theory" / "test_gradient_check.py",
    ROOT / "tests" / "theory" / "test_oracle_convex.py",
    ROOT / "tests" / "theory" / "test_solver_check.py",
    ROOT / "tests" / "solvers" / "test_admm_theory.py",
)
"""Where implementations are broken on purpose, and the checks must see it."""


def test_the_page_lists_each_check_under_its_number():
    driven = defaultdict(set)
    for check in standard_checks():
        driven[check.number].add(check.function_name)
    listed = {}
    for line in (ROOT / "docs" / "checks.md").read_text().splitlines():
        if row := re.match(r"\| (\d+) \|", line):
            listed[int(row[1])] = set(re.findall(r"`(check_\w+)`", line))
    assert listed == driven
    assert set(range(1, 31)) <= set(listed)


def test_every_check_has_a_planted_fault():
    used = set()
    for path in PLANTED:
        used |= {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
    checks = {name for name in theory_checks.__all__ if name.startswith("check_")}
    assert checks <= used, checks - used


def test_no_two_checks_share_a_name():
    names = [check.name for check in standard_checks()]
    assert len(set(names)) == len(names)
