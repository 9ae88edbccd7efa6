"""The races: a wrong translation is refused, no failure is dropped, and a race that was stopped goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Lasso

import parsimo as ps
from benchmarks.speed import race, tables
from benchmarks.speed.cases import CASES, Case, Goal
from benchmarks.speed.contestants import ENTRIES, FIELDS, enter, field_of
from benchmarks.speed.judge import WrongTranslation, check_translation, judge
from benchmarks.speed.worker import Failed, Timed
from parsimo.problems import instances


def small(penalty: str = "l1", loss: str = "squares") -> Case:
    """30 x 20, at a tenth of the largest weight."""
    make = instances.gaussian if loss == "squares" else instances.logistic
    data = make(30, 20, 3, seed=0)
    A, b = np.asfortranarray(data.f.design.A), data.f.targets
    case = Case("small", "small", A, b, data.truth, penalty, (1.0,), gamma=3.7, loss=loss)
    parameters = (3,) if penalty == "subset" else (float(np.abs(case.slopes_at_zero).max()) / 10,)
    return replace(case, parameters=parameters, goals=(Goal("parsimo ProximalGradient", ("skglm FISTA",), 1.0),))


class Scripted:
    """A contestant whose points are as exact as its tolerance, and whose seconds are given."""

    ladder = (1e-2, 1e-4, 1e-6, 1e-8)

    def __init__(self, case: Case, seconds: float = 1.0, fails: str = "", best: float = 0.0) -> None:
        self.case, self.seconds, self.fails, self.best = case, seconds, fails, best
        self.asked: list[tuple[float, bool]] = []
        stop = ps.stopping.first_of(ps.stopping.certificate_below(1e-12), ps.stopping.max_iterations(5000))
        self.solution = ps.solve(case.problems[0], ps.ProximalGradient(), stop=stop).x

    def solve(self, tolerance: float, once: bool) -> Timed:
        if self.fails:
            raise Failed(self.fails)
        self.asked.append((tolerance, once))
        error = np.where(self.solution != 0, max(tolerance, self.best) * np.linalg.norm(self.case.slopes_at_zero), 0.0)
        return Timed(self.seconds, self.seconds, (self.solution + error / 100)[None, :])

    def close(self) -> None:
        pass


def run(path: Path, workers: dict[str, Any], case: Case, repeats: int = 3) -> dict[str, race.Row]:
    """A race of scripted contestants."""

    def start(name: str) -> Any:
        worker = workers[name]
        if isinstance(worker, Failed):
            raise worker
        return worker

    return dict(race.Race(case, 0, workers, path, 10.0, start).run(repeats, say=lambda _: None))


OURS, THEIRS = "parsimo ProximalGradient", "skglm FISTA"


def test_every_field_enters_known_contestants_and_every_case_has_a_field():
    assert {name for field in FIELDS.values() for name in field} == set(ENTRIES)
    for name in ("lasso", "mcp-path", "subsets-1000"):
        case = CASES[name](1)
        names = field_of(case)
        assert all(goal.ours in names and set(goal.against) <= set(names) for goal in case.goals)


@pytest.mark.parametrize("penalty", ["l1", "mcp", "scad"])
def test_a_right_translation_passes_and_one_off_by_the_number_of_rows_is_refused(penalty):
    case = small(penalty)
    problem = case.problems[0]
    check_translation(case, lambda x, k: problem.value(x))
    with pytest.raises(WrongTranslation, match=r"objective 0 of small at random point 0"):
        check_translation(case, lambda x, k: problem.f.value(x) * 30 + problem.g.value(x))


def test_scikit_learn_solves_the_case_that_parsimo_states():
    case = small()
    contestant = enter("scikit-learn CD", case)
    check_translation(case, contestant.objective)
    assert judge(case, contestant.at(1e-14)()).good
    wrong = Lasso(alpha=case.parameters[0] * 1.001, tol=1e-14, fit_intercept=False).fit(case.A, case.b).coef_
    assert not judge(case, wrong[None, :]).good


@pytest.mark.parametrize("name", ["scikit-learn liblinear", "scikit-learn saga"])
def test_the_logistic_losses_are_one(name):
    case = small(loss="logistic")
    check_translation(case, enter(name, case).objective)


@pytest.mark.parametrize("name", ["parsimo ProximalGradient", "parsimo ProximalADMM"])
def test_parsimo_takes_part_under_the_same_judge(name):
    case = small("mcp")
    contestant = enter(name, case)
    check_translation(case, contestant.objective)
    assert judge(case, contestant.at(1e-7)()).good


def test_an_answer_of_another_shape_is_no_answer():
    case = small()
    with pytest.raises(ValueError, match=r"must have shape \(1, 20\), got \(20,\)"):
        judge(case, np.zeros(20))


def test_the_loosest_tolerance_that_is_good_enough_is_the_one_that_is_timed(tmp_path):
    case = small()
    worker = Scripted(case)
    row = run(tmp_path / "r.json", {OURS: worker}, case)[OURS]
    certificates = {tolerance: certificate for tolerance, certificate, _ in row.rungs}
    assert certificates[row.tolerance] <= 1e-6
    assert all(certificate > 1e-6 for tolerance, certificate in certificates.items() if tolerance > row.tolerance)
    assert worker.asked[-3:] == [(row.tolerance, False)] * 3


def test_one_that_never_gets_there_and_one_that_fails_are_rows_with_a_reason(tmp_path):
    case = small()
    workers = {OURS: Scripted(case, best=1e-3), THEIRS: Scripted(case, fails="no answer within 10 s")}
    workers["celer"] = Failed("ModuleNotFoundError: No module named 'celer'")
    found = run(tmp_path / "r.json", workers, case)
    assert found[OURS].reason.startswith("never: certificate ")
    assert found[THEIRS].reason == "no answer within 10 s"
    assert found["celer"].reason.startswith("ModuleNotFoundError")
    text = "\n".join(tables.rows(case, 0, found))
    assert text.count("\n") == 2
    assert "no answer within 10 s" in text


def test_repeats_are_taken_in_turn(tmp_path):
    case, order = small(), []
    workers = {name: Scripted(case) for name in (OURS, THEIRS)}
    for name, worker in workers.items():
        worker.solve = _noting(order, name, worker.solve)
    run(tmp_path / "r.json", workers, case)
    assert [name for name, once in order if not once] == [OURS, THEIRS] * 3


def _noting(order: list[Any], name: str, solve: Callable[..., Any]) -> Callable[..., Any]:
    def noted(tolerance: float, once: bool) -> Any:
        order.append((name, once))
        return solve(tolerance, once)

    return noted


def test_a_race_that_was_stopped_goes_on_where_it_was(tmp_path):
    case, path = small(), tmp_path / "r.json"
    first = run(path, {OURS: Scripted(case), THEIRS: Scripted(case)}, case, repeats=2)
    workers = {OURS: Scripted(case), THEIRS: Scripted(case)}
    second = run(path, workers, case, repeats=3)
    assert [once for _, once in workers[OURS].asked] == [False]
    assert second[OURS].seconds[:2] == first[OURS].seconds


def test_where_one_library_changed_all_are_timed_again(tmp_path):
    case, path = small(), tmp_path / "r.json"
    run(path, {OURS: Scripted(case), THEIRS: Scripted(case)}, case)
    content = json.loads(path.read_text())
    content["rows"][THEIRS]["version"] = "0.1"
    path.write_text(json.dumps(content))
    workers = {OURS: Scripted(case), THEIRS: Scripted(case)}
    run(path, workers, case)
    assert [once for _, once in workers[OURS].asked] == [False] * 3
    assert sum(once for _, once in workers[THEIRS].asked) >= 3


def test_one_that_failed_is_tried_again_and_one_that_never_got_there_is_not(tmp_path):
    case, path = small(), tmp_path / "r.json"
    run(
        path, {OURS: Scripted(case, fails="it broke"), THEIRS: Scripted(case, best=1e-3), "celer": Scripted(case)}, case
    )
    workers = {OURS: Scripted(case), THEIRS: Scripted(case), "celer": Scripted(case)}
    found = run(path, workers, case)
    assert found[OURS].reason == ""
    assert found[THEIRS].reason.startswith("never")
    assert workers[THEIRS].asked == []
    assert workers["celer"].asked == [(found["celer"].tolerance, False)] * 3


def test_the_goal_is_met_by_the_medians_alone(tmp_path):
    case = small()
    for ours, said in ((1.0, "0.5 | 0.5 | 1 | yes"), (4.0, "2 | 2 | 1 | no")):
        path = tmp_path / f"{ours}.json"
        found = run(path, {OURS: Scripted(case, ours), THEIRS: Scripted(case, 2.0)}, case)
        (line,) = tables.goal_lines(case, 0, found)
        assert said in line
        assert tables.read(path)[1] == found
