"""Who looks on while a run goes on: tables, traces, requests to stop; and whose time is counted where."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import parsimo as ps
from parsimo.solvers import ProximalADMM, ProximalGradient, stopping
from parsimo.solvers.observers import Table, Trace
from parsimo.solvers.stopping import Report

SMALL = ProximalGradient(step_size=0.1)


def lasso() -> ps.Composite:
    rng = np.random.default_rng(0)
    return ps.Composite(ps.LeastSquares(rng.standard_normal((12, 5)) / 4, rng.standard_normal(12)), ps.L1(0.1))


class Clock:
    """Time that passes where a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        clock = SimpleNamespace(perf_counter=lambda: self.now)
        for module in ("parsimo.solvers.loop", "parsimo.core.functions"):
            monkeypatch.setattr(sys.modules[module], "time", clock)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@dataclass(frozen=True)
class Timed(ProximalGradient):
    """Steps that take `lengths[k]` seconds, the last of them for ever; a merit that takes `look` seconds."""

    clock: Any = None
    lengths: tuple[float, ...] = (1.0,)
    look: float = 0.0
    taken: Any = None

    def step(self, problem: Any, state: Any) -> Any:
        self.clock.now += self.lengths[min(len(self.taken), len(self.lengths) - 1)]
        self.taken.append(1)
        return super().step(problem, state)

    def merit(self, problem: Any, state: Any) -> float:
        self.clock.now += self.look
        return super().merit(problem, state)


def timed(clock: Clock, *lengths: float, look: float = 0.0) -> Timed:
    return Timed(step_size=0.1, clock=clock, lengths=lengths, look=look, taken=[])


# ---- time limits


@pytest.mark.parametrize(
    ("lengths", "look", "every", "watching", "limit", "steps"),
    [
        ((1.0,), 0.0, 1, 0.0, 10.0, 9),  # the tenth would end at the limit
        ((1.0,), 0.0, 1, 0.0, 10.5, 10),
        ((4.0,), 0.0, 1, 0.0, 10.0, 2),  # a third one would end at 12
        ((1.0,), 1.0, 1, 0.0, 20.0, 8),  # 8 steps, 9 looks; a ninth would end at 19, and the result be ready at 20
        ((1.0,), 1.0, 100, 0.0, 20.0, 17),  # one look: the end of step 18 at 19, and the result at 20
        ((1.0,), 0.0, 1, 1.0, 20.0, 8),  # observers' time counts
        ((0.1, 0.1, 3.0, 0.1), 0.0, 1, 0.0, 10.05, 71),  # one long step is forgotten after three short ones
    ],
)
def test_no_step_is_begun_that_would_end_after_the_limit(
    clock: Clock, lengths: tuple[float, ...], look: float, every: int, watching: float, limit: float, steps: int
):
    def watch(report: Report) -> None:
        clock.now += watching

    solver = timed(clock, *lengths, look=look)
    result = ps.solve(lasso(), solver, stop=stopping.time_limit(limit), observe=watch, every=every)
    assert result.status is ps.Status.TIME_LIMIT
    assert result.iterations == steps
    assert result.seconds <= limit


def test_a_step_longer_than_all_before_it_is_the_one_that_breaks_the_limit(clock: Clock):
    result = ps.solve(lasso(), timed(clock, 1.0, 1.0, 50.0), stop=stopping.time_limit(10.0))
    assert result.iterations == 3
    assert result.seconds == 52.0


def test_a_limit_of_zero_returns_the_start(clock: Clock):
    assert ps.solve(lasso(), timed(clock), stop=stopping.time_limit(0.0)).iterations == 0


def test_neither_observers_nor_evaluations_are_the_solvers_time(clock: Clock):
    def watch(report: Report) -> None:
        clock.now += 7.0

    seen: list[float] = []
    result = ps.solve(
        lasso(),
        timed(clock, 1.0, look=5.0),
        stop=stopping.max_iterations(4),
        observe=[watch, lambda report: seen.append(report.seconds)],
        every=2,
    )
    assert result.history["seconds"] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert seen == [5.0, 13.0, 26.0, 34.0, 47.0]  # of the wall, before the observers of this iteration
    assert result.seconds == 4 * 1.0 + 3 * 5.0 + 5 * 7.0


# ---- requests to stop, and further columns


def test_an_observer_ends_the_run_by_returning_true():
    result = ps.solve(lasso(), SMALL, observe=lambda report: report.iteration == 6)
    assert result.status is ps.Status.STOPPED
    assert result.iterations == 6
    six = ps.solve(lasso(), SMALL, stop=stopping.max_iterations(6))
    assert (result.x == six.x).all()
    assert result.certificate == six.certificate
    assert result.status.cut_short
    with pytest.raises(ps.NotConvergedError, match="STOPPED: an observer asked"):
        result.require()


def test_all_observers_see_the_last_iteration_and_the_rule_goes_first():
    seen: list[int] = []
    ends = [lambda report: report.iteration == 3, lambda report: seen.append(report.iteration)]
    assert ps.solve(lasso(), SMALL, observe=ends).status is ps.Status.STOPPED
    assert seen == [0, 1, 2, 3]
    ruled = ps.solve(lasso(), SMALL, stop=stopping.max_iterations(3), observe=ends)
    assert ruled.status is ps.Status.MAX_ITERATIONS


def test_a_run_that_is_stopped_between_evaluations_is_looked_at():
    """NaN that a finite residual hides is found where the run ends."""

    @dataclass(frozen=True)
    class Hiding(ProximalGradient):
        def step(self, problem: Any, state: Any) -> Any:
            new = super().step(problem, state)
            return new._replace(x=new.x * (math.nan if math.isfinite(state.residual) else 1.0), residual=1.0)

    result = ps.solve(lasso(), Hiding(step_size=0.1), stop=stopping.max_iterations(2), every=10)
    assert result.status is ps.Status.NONFINITE
    assert np.isfinite(result.x).all()
    assert ps.solve(lasso(), Hiding(step_size=0.1), every=10).status is ps.Status.NONFINITE


def test_columns_may_come_after_a_look_at_the_history():
    def late(report: Report) -> dict[str, float]:
        return {"twice": 2 * report.history["objective"][-1]}

    history = ps.solve(lasso(), SMALL, stop=stopping.max_iterations(3), observe=late).history
    assert history["twice"] == [2 * v for v in history["objective"]]
    assert history.row(1)["twice"] == history["twice"][1]


def test_long_histories_are_sorted_into_columns_on_the_way():
    history = ps.solve(lasso(), SMALL, stop=stopping.max_iterations(2100), every=50).history
    assert history.rows == 2101
    assert history["iteration"] == list(range(2101))
    assert np.flatnonzero(np.isfinite(history["certificate"])).tolist() == list(range(0, 2101, 50))
    assert np.isfinite(history["residual"][1:]).all()


def test_the_support_is_counted_where_the_objective_is():
    history = ps.solve(lasso(), SMALL, stop=stopping.max_iterations(4), every=2).history
    assert np.isnan(history["support"]).tolist() == [False, True, False, True, False]


# ---- the table


def lines_of(solver: Any, observe: Any = (), interval: float = 0.0, **how: Any) -> tuple[list[str], ps.Result]:
    lines: list[str] = []
    table = Table(interval=interval, sink=lines.append)
    return lines, ps.solve(lasso(), solver, observe=[*observe, table], **how)


def test_the_table_shows_the_columns_that_exist():
    lines, result = lines_of(ProximalADMM(), stop=stopping.max_iterations(3))
    assert lines[0].split() == [
        *("iteration", "objective", "certificate", "primal", "dual", "support", "sigma", "seconds"),
    ]
    assert len(lines) == 1 + 4 + 1
    for k, line in enumerate(lines[1:-1]):
        assert line.split()[0] == str(k)
        assert line.split()[1] == f"{result.history['objective'][k]:.10g}"
        assert len(line) == len(lines[0])
    assert lines[-1].startswith("MAX_ITERATIONS after 3 iterations, ")
    assert lines[-1].endswith(f"objective {result.objective:.10g}, certificate {result.certificate:.2e}")
    gradient, _ = lines_of(SMALL, stop=stopping.max_iterations(0))
    assert gradient[0].split() == ["iteration", "objective", "certificate", "support", "step", "seconds"]


def test_only_what_was_evaluated_is_shown_and_the_heading_again_after_twenty_lines():
    lines, _ = lines_of(SMALL, stop=stopping.max_iterations(63), every=3)
    shown = [line.split()[0] for line in lines[:-1]]
    assert shown == ["iteration", *map(str, range(0, 60, 3)), "iteration", "60", "63"]


def test_lines_are_apart_in_time_and_the_last_iteration_is_shown_in_any_case(clock: Clock):
    lines, _ = lines_of(timed(clock, 1.0), interval=2.5, stop=stopping.max_iterations(10))
    assert [line.split()[0] for line in lines] == ["iteration", "0", "3", "6", "9", "10", "MAX_ITERATIONS"]
    assert [line.split()[-1] for line in lines[1:-1]] == ["0", "3", "6", "9", "10"]


def test_a_table_serves_again():
    lines: list[str] = []
    table = Table(interval=0.0, sink=lines.append)
    for _ in range(2):
        ps.solve(lasso(), SMALL, stop=stopping.max_iterations(2), observe=table)
    assert [line.split()[0] for line in lines] == ["iteration", "0", "1", "2", "MAX_ITERATIONS"] * 2


def test_an_infinite_figure_and_a_missing_one_keep_the_columns_in_place():
    lines: list[str] = []
    prob = ps.Composite(lasso().f, ps.Box(-0.1, 0.1))
    ps.solve(prob, SMALL, np.full(5, 3.0), stop=stopping.max_iterations(1), observe=Table(0.0, lines.append))
    assert lines[1].split()[1:3] == ["inf", "inf"]
    assert len(lines[1]) == len(lines[0])


def test_verbose_prints_and_changes_nothing_else(capsys: pytest.CaptureFixture[str]):
    stop = stopping.max_iterations(5)
    quiet = ps.solve(lasso(), SMALL, stop=stop)
    assert capsys.readouterr().out == ""
    loud = ps.solve(lasso(), SMALL, stop=stop, verbose=True)
    out = capsys.readouterr().out.splitlines()
    assert out[0].split()[0] == "iteration"
    assert out[-1].startswith("MAX_ITERATIONS after 5 iterations")
    assert (loud.x == quiet.x).all()
    assert loud.history["objective"] == quiet.history["objective"]


RULES = {
    "none": None,
    "certificate": stopping.certificate_below(1e-3),
    "nothing": stopping.max_iterations(0),
    "all": stopping.all_of(stopping.certificate_below(1.0), stopping.max_iterations(3)),
    "any": stopping.first_of(stopping.stalled(5), stopping.diverged(), stopping.max_iterations(30)),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("observers", ["none", "column", "stop", "table", "all"])
def test_rules_tables_and_observers_go_together(rule: str, verbose: bool, every: int, observers: str, tmp_path: Path):
    lines: list[str] = []
    several: dict[str, Any] = {
        "none": (),
        "column": lambda report: {"size": float(np.abs(report.x).max())},
        "stop": lambda report: report.iteration >= 2,
        "table": Table(0.0, lines.append),
    }
    several["all"] = [several["column"], several["table"], Trace(tmp_path / "trace.jsonl"), several["stop"]]
    result = ps.solve(
        lasso(), ProximalGradient(), stop=RULES[rule], observe=several[observers], every=every, verbose=verbose
    )
    history = result.history
    assert history.rows == result.iterations + 1
    assert ("size" in history) == (observers in ("column", "all"))
    if observers in ("stop", "all"):
        assert result.iterations <= 2
    if rule in ("none", "certificate") and observers not in ("stop", "all"):
        assert result.status is ps.Status.CONVERGED
    if observers in ("table", "all"):
        assert lines[-1].startswith(result.status.name)
    assert all(len(history[name]) == history.rows for name in history)


# ---- the trace


def test_a_trace_is_on_disk_while_the_run_goes_on(tmp_path: Path):
    path = tmp_path / "run.jsonl"
    lengths: list[int] = []

    def count(report: Report) -> dict[str, float]:
        lengths.append(len(path.read_text().splitlines()) if path.exists() else 0)
        return {"size": math.inf}

    result = ps.solve(lasso(), SMALL, stop=stopping.max_iterations(6), observe=[count, Trace(path)], every=3)
    assert lengths == [0, 1, 1, 1, 2, 2, 2]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["iteration"] for row in rows] == [0, 3, 6]
    assert [row["objective"] for row in rows] == [result.history["objective"][k] for k in (0, 3, 6)]
    assert rows[0]["residual"] is None  # infinite
    assert rows[1]["size"] is None
    ps.solve(lasso(), SMALL, stop=stopping.max_iterations(0), observe=Trace(path))
    assert len(path.read_text().splitlines()) == 1  # begun anew


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Table(interval=-1.0), ValueError, "Table: interval must be a finite number >= 0, got -1.0"),
        (lambda: Table(interval="often"), TypeError, "Table: interval must be a finite number >= 0, got 'often'"),
        (lambda: Table(sink="stdout"), TypeError, "Table: sink must be a function of one line of text, got 'stdout'"),
        (lambda: Trace("missing/run.jsonl"), FileNotFoundError, "there is no folder missing; create it first"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, error: type[Exception], match: str):
    with pytest.raises(error, match=match):
        make()


# ---- a run that diverges


@pytest.mark.parametrize("every", [1, 5, 50])
def test_a_diverging_run_ends_as_diverged_with_the_best_point(every: int):
    result = ps.solve(lasso(), ProximalGradient(step_size=10.0), np.ones(5), every=every)
    assert result.status is ps.Status.DIVERGED
    assert result.objective == np.nanmin(result.history["objective"])
    assert result.objective < result.history["objective"][result.iterations]
    assert math.isfinite(result.certificate)


def test_the_best_point_of_a_diverging_run_need_not_be_the_start():
    """A solver that descends for five steps, then goes away for ever."""

    @dataclass(frozen=True)
    class Turning(ProximalGradient):
        def init(self, problem: Any, x0: Any) -> Any:
            return SimpleNamespace(point=x0, u=None, inner=super().init(problem, x0), k=0)

        def step(self, problem: Any, state: Any) -> Any:
            if state.k >= 5:
                return SimpleNamespace(point=30 * state.point, u=None, inner=state.inner, k=state.k + 1)
            inner = super().step(problem, state.inner)
            return SimpleNamespace(point=inner.point, u=None, inner=inner, k=state.k + 1)

        def measures(self, state: Any) -> dict[str, float]:
            return super().measures(state.inner)

        def merit(self, problem: Any, state: Any) -> float:
            return float(problem.value(state.point))

        def notes(self, state: Any) -> tuple[str, ...]:
            return ()

    result = ps.solve(lasso(), Turning(step_size=0.1), np.ones(5))
    assert result.status is ps.Status.DIVERGED
    assert result.iterations > 6
    five = ps.solve(lasso(), SMALL, np.ones(5), stop=stopping.max_iterations(5))
    assert (result.x == five.x).all()
    assert result.certificate == five.certificate


class Remembers:
    """f(x) = |x|^2 / 2, in three seconds, or in one where it was asked at the same point before."""

    convex, lipschitz = True, 1.0

    def __init__(self, clock: Clock, forgets: bool = False) -> None:
        self.clock, self.forgets, self.last = clock, forgets, math.nan

    def value(self, x: np.ndarray) -> float:
        return self.value_and_grad(x)[0]

    def grad(self, x: np.ndarray) -> np.ndarray:
        return self.value_and_grad(x)[1]

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        value = float(x @ x) / 2
        self.clock.now += 1.0 if value == self.last and not self.forgets else 3.0
        self.last = value
        return value, x.copy()


@pytest.mark.parametrize("every", [1, 2, 100])
@pytest.mark.parametrize("forgets", [False, True])
def test_a_solver_pays_for_what_f_remembers_from_the_evaluation(clock: Clock, every: int, forgets: bool):
    problem = ps.Composite(Remembers(clock, forgets), ps.L1(0.0))
    result = ps.solve(problem, SMALL, np.ones(3), stop=stopping.max_iterations(5), every=every)
    np.testing.assert_array_equal(result.history["seconds"], [0.0, 3.0, 6.0, 9.0, 12.0, 15.0])
