"""parsimo check: what it runs, prints, writes and returns."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from functools import partial
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from parsimo import theory_checks
from parsimo.cli import app
from parsimo.penalties import L1
from parsimo.theory_checks import Check, Evidence, check_prox


class Faulty(L1):
    """The l1 norm, with steps that are 1 % too long."""

    def prox(self, v: Any, step_size: Any) -> Any:
        return super().prox(v, 1.01 * step_size)


def invoke(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["check", *(str(a) for a in arguments)])


def made(claim: str, margin: float) -> Evidence:
    verdict = "holds" if margin >= 0 else "fails"
    return Evidence(claim, "docs", "none", 3, margin, f"worst of {claim}", verdict)


RUNS: list[tuple[str, Any, Any]] = []


def recorded(name: str, margin: float = 0.5) -> Any:
    def function(rng: Any, trials: int = 7) -> Evidence:
        RUNS.append((name, rng, trials))
        return made(name, margin)

    return function


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts checks in the place of the standard ones."""
    RUNS.clear()

    def replace(*stand_ins: Check) -> None:
        monkeypatch.setattr(theory_checks, "standard_checks", lambda: stand_ins)

    replace(
        Check(1, "one of a", recorded("one of a")),
        Check(2, "two of a", recorded("two of a")),
        Check(12, "two of b", recorded("two of b")),
    )
    return replace


def test_standard_checks_run_by_name_and_by_number():
    ran = invoke("prox of MCP", 2)
    assert ran.exit_code == 0, ran.output
    assert "prox of MCP" in ran.output
    assert "conjugate of mcp" in ran.output
    assert "prox of SCAD" not in ran.output
    assert "holds" in ran.output


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), ["one of a", "two of a", "two of b"]),
        ((2,), ["two of a"]),  # not 12
        (("two",), ["two of a", "two of b"]),
        (("of b", 1), ["one of a", "two of b"]),
    ],
)
def test_selection(checks: Any, names: tuple[Any, ...], expected: list[str]):
    ran = invoke(*names)
    assert ran.exit_code == 0, ran.output
    assert [name for name, _, _ in RUNS] == expected
    assert f"{len(expected)} of {len(expected)} checks hold" in ran.output


@pytest.mark.parametrize("name", ["three", "3", "one of b"])
def test_a_name_that_selects_nothing_is_an_error(checks: Any, name: str):
    ran = invoke("two of a", name)
    assert ran.exit_code == 2
    said = " ".join(ran.output.split())
    assert f"no check has the number, function or name '{name}'; " in said
    assert said.endswith("parsimo check --list shows them all")
    assert ("did you mean 'one of a'" in said) is (name == "one of b")
    assert RUNS == []


def test_upper_and_lower_case_are_one(checks: Any):
    assert invoke("ONE of A").exit_code == 0
    assert [name for name, _, _ in RUNS] == ["one of a"]


def test_seed_and_trials_reach_the_checks(checks: Any):
    invoke("one", "--seed", 5, "--trials", 40)
    invoke("one", "--seed", 5)
    assert RUNS == [("one of a", 5, 40), ("one of a", 5, 7)]
    assert invoke("one", "--trials", 0).exit_code == 2


def test_a_failing_check_ends_with_1_and_its_worst_case(checks: Any):
    checks(Check(1, "two", recorded("two is three", -1.0)), Check(2, "one", recorded("one is one")))
    ran = invoke()
    assert ran.exit_code == 1
    assert "1 of 2 checks hold" in ran.output
    assert "fails: two is three (docs; none; 3 trials, margin -1)" in ran.output
    assert "worst case: worst of two is three" in ran.output
    assert len(RUNS) == 2  # the others run all the same


def test_the_worst_case_that_is_printed_can_be_pasted(checks: Any):
    checks(Check(14, "prox of Faulty", partial(check_prox, Faulty(0.7), trials=100)))
    ran = invoke()
    assert ran.exit_code == 1
    line = next(line for line in ran.output.splitlines() if line.startswith("worst case: "))
    assert eval(line.removeprefix("worst case: "), {"Faulty": Faulty, "np": np}) is not None


def test_json_holds_every_field(checks: Any, tmp_path: Any):
    checks(Check(1, "two", recorded("two is three", -math.inf)), Check(2, "one", recorded("one is one")))
    file = tmp_path / "evidence.json"
    assert invoke("--json", file).exit_code == 1
    first, second = json.loads(file.read_text())
    names = {field.name for field in fields(Evidence)}
    assert set(first) == set(second) == names | {"number", "name", "seconds"}
    assert (first["number"], first["name"], first["verdict"], first["margin"]) == (1, "two", "fails", None)
    assert (second["claim"], second["trials"], second["margin"]) == ("one is one", 3, 0.5)
    assert second["seconds"] >= 0
    assert [path.name for path in tmp_path.iterdir()] == ["evidence.json"]


def test_json_into_a_missing_folder_is_refused_before_anything_runs(checks: Any, tmp_path: Any):
    ran = invoke("--json", tmp_path / "nowhere" / "evidence.json")
    assert ran.exit_code == 2
    assert "there is no folder" in ran.output
    assert RUNS == []


def test_json_into_a_folder_or_with_a_list_is_refused_before_anything_runs(checks: Any, tmp_path: Any):
    for arguments, message in (
        ((tmp_path,), "that is a folder"),
        ((tmp_path / "evidence.json", "--list"), "--list runs no check"),
    ):
        ran = invoke("--json", *arguments)
        assert ran.exit_code == 2
        assert message in ran.output
    assert RUNS == []
    assert list(tmp_path.iterdir()) == []


def test_the_table_is_shown_even_where_the_file_cannot_be_written(checks: Any, tmp_path: Any):
    folder = tmp_path / "gone"
    folder.mkdir()

    def vanishing(rng: Any) -> Evidence:
        folder.rmdir()
        return made("vanishing", 0.5)

    checks(Check(1, "vanishing", vanishing))
    ran = invoke("--json", folder / "evidence.json")
    assert ran.exit_code == 2
    assert "1 of 1 checks hold" in ran.output


def test_ctrl_c_keeps_and_writes_what_is_done(checks: Any, tmp_path: Any):
    def interrupted(rng: Any) -> Evidence:
        raise KeyboardInterrupt

    checks(
        Check(1, "first", recorded("first")),
        Check(2, "second", interrupted),
        Check(3, "third", recorded("third")),
    )
    file = tmp_path / "evidence.json"
    ran = invoke("--json", file)
    assert ran.exit_code == 130
    assert [entry["name"] for entry in json.loads(file.read_text())] == ["first"]
    assert "1 of 1 checks hold" in ran.output
    assert "interrupted, 2 not run" in ran.output
    assert [name for name, _, _ in RUNS] == ["first"]


def test_the_list_runs_nothing(checks: Any):
    ran = invoke("--list")
    assert ran.exit_code == 0
    assert [line.split()[1] for line in ran.output.splitlines() if line.startswith("│")] == ["1", "2", "12"]
    assert "function" in ran.output
    assert not RUNS


def test_a_check_is_found_by_its_function():
    ran = invoke("--list", "check_conjugate")
    rows = [line for line in ran.output.splitlines() if line.startswith("│")]
    assert rows
    assert all("conjugate of" in row and "check_conjugate" in row for row in rows)
    assert len(rows) == len(theory_checks.FAMILY)
