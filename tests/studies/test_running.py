"""Running a study: what is on disk, what an interruption leaves, what an error becomes, where the work is done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

from parsimo.studies import TIMED, backend, collect, missing_cells, read_study, run_study
from parsimo.studies.cell import load_cell, run_cell


def figures(study, out: Path) -> pd.DataFrame:
    """The results without what differs from run to run."""
    return collect(study, out).results.drop(columns=list(TIMED))


def test_each_cell_is_on_disk_under_its_key(write, tmp_path):
    study = read_study(write())
    seen = []
    assert run_study(study, tmp_path / "out", observe=lambda cell, status: seen.append((cell, status))) == 8
    assert {cell.key for cell, _ in seen} == {path.stem for path in (tmp_path / "out/cells").iterdir()}
    assert run_study(study, tmp_path / "out") == 0
    outcome = load_cell(study.cells[0].path(tmp_path / "out/cells"))
    content = json.loads(study.cells[0].path(tmp_path / "out/cells").read_text())
    assert content["configuration"]["problem"]["penalty"] == {"name": "L1", "weight": "max/10"}
    assert outcome.row["iterations"] == len(outcome.history["iteration"]) - 1


def test_a_killed_study_goes_on_where_it_was(write, tmp_path):
    """SIGKILL after the first cell; a second run does the missing ones alone, and the table is that of one run."""
    slow = write(**{"iterations = 60": "iterations = 150\ncertificate = 0.0", "[3, 5]": "[1, 2, 3]"})
    study, out = read_study(slow), tmp_path / "killed"
    command = [sys.executable, "-m", "parsimo", "study", str(slow), "--out", str(out)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not list(out.glob("cells/[!.]*.json")):
            assert running.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    done = {path: path.stat().st_mtime_ns for path in out.glob("cells/[!.]*.json")}
    missing = missing_cells(study, out)
    assert len(missing) == len(study.cells) - len(done) > 0
    assert run_study(study, out) == len(missing)
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())

    run_study(study, tmp_path / "whole")
    pd.testing.assert_frame_equal(figures(study, out), figures(study, tmp_path / "whole"), check_exact=True)


def test_half_a_file_is_never_a_cell(write, tmp_path, monkeypatch):
    cell = read_study(write()).cells[0]
    (tmp_path / "cells").mkdir()
    monkeypatch.setattr(Path, "replace", lambda self, target: (_ for _ in ()).throw(OSError("power cut")))
    with pytest.raises(OSError, match="power cut"):
        run_cell(cell, tmp_path / "cells")
    assert list((tmp_path / "cells").iterdir()) == []


def test_damaged_cells_are_told(write, tmp_path):
    study = read_study(write())
    run_study(study, tmp_path)
    path = study.cells[0].path(tmp_path / "cells")
    whole = json.loads(path.read_text())
    for text in ("{", "[]", "null", json.dumps(whole | {"row": []}), json.dumps(whole | {"history": 3})):
        path.write_text(text)
        with pytest.raises(ValueError, match=rf"{path.name} is no finished cell .*; delete it and run the study again"):
            collect(study, tmp_path)
    path.write_text(json.dumps(whole | {"row": {"status": "CONVERGED"}}))
    with pytest.raises(ValueError, match=r"lacks certificate, .*; delete it"):
        collect(study, tmp_path)


def test_the_file_of_another_cell_is_told(write, tmp_path):
    study = read_study(write())
    run_study(study, tmp_path)
    one, other = (cell.path(tmp_path / "cells") for cell in study.cells[:2])
    one.write_text(other.read_text())
    with pytest.raises(ValueError, match=rf"{one.name} holds the cell {other.stem}, with another configuration"):
        collect(study, tmp_path)


def test_what_is_no_file_is_told_before_anything_runs(write, tmp_path):
    study = read_study(write())
    study.cells[0].path(tmp_path / "cells").mkdir(parents=True)
    with pytest.raises(ValueError, match="it is no file; move it away"):
        run_study(study, tmp_path)
    with pytest.raises(ValueError, match="jobs = 0 would run nothing"):
        run_study(study, tmp_path, jobs=0)


def test_an_infinite_parameter_is_kept(write, tmp_path):
    study = read_study(write(**{"nonzeros = 3 }": "nonzeros = 3, snr = inf }"}))
    run_study(study, tmp_path)
    assert (collect(study, tmp_path).results["status"] != "ERROR").all()


def test_an_error_becomes_a_row(write, tmp_path):
    """More nonzeros than columns: the cell says so, and the others go on."""
    study = read_study(write(**{"nonzeros = 3, columns": "nonzeros = 31, columns"}))
    run_study(study, tmp_path)
    results = collect(study, tmp_path).results
    failed = results[results["problem"] == "counting"]
    assert (failed["status"] == "ERROR").all()
    assert failed["message"].eq("ValueError: nonzeros must be at most 30, got 31").all()
    assert failed["objective"].isna().all()
    assert (results[results["problem"] == "lasso"]["message"] == "").all()
    assert len(results) == 8
    assert missing_cells(study, tmp_path) == []
    assert len(missing_cells(study, tmp_path, retry=True)) == 4


def test_nothing_to_collect_is_told(write, tmp_path):
    with pytest.raises(ValueError, match=r"no cell of the study is in .*; run it first"):
        collect(read_study(write()), tmp_path)


@pytest.mark.parametrize("name", ["threading", "sequential"])
def test_the_backend_does_not_matter(write, tmp_path, name: str):
    study = read_study(write())
    with backend(name):
        run_study(study, tmp_path / name, jobs=2)
    run_study(study, tmp_path / "plain")
    pd.testing.assert_frame_equal(figures(study, tmp_path / name), figures(study, tmp_path / "plain"), check_exact=True)


def test_processes_of_loky(write, tmp_path):
    study = read_study(write())
    with backend("loky"):
        assert run_study(study, tmp_path, jobs=2) == 8
    assert missing_cells(study, tmp_path) == []


def test_dask_is_two_lines(write, tmp_path):
    """An open Client and joblib's context: run_study is the same."""
    distributed = pytest.importorskip("distributed")
    study = read_study(write())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the cluster's own
        client = distributed.Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None)
        with client, joblib.parallel_config("dask"):
            assert run_study(study, tmp_path / "dask") == 8
    run_study(study, tmp_path / "plain")
    pd.testing.assert_frame_equal(
        figures(study, tmp_path / "dask"), figures(study, tmp_path / "plain"), check_exact=True
    )


def test_an_unknown_backend_is_told():
    with (
        pytest.raises(ValueError, match="joblib has no backend 'smoke'; choose one of loky, threading"),
        backend("smoke"),
    ):
        pass


def test_support_and_truth(write, tmp_path):
    """Columns against the point itself, solved again."""
    import parsimo as ps
    from parsimo.problems import instances

    study = read_study(write())
    run_study(study, tmp_path)
    tables = collect(study, tmp_path)
    row = tables.results.iloc[0]
    instance = instances.gaussian(20, 30, 3, seed=3)
    weight = np.abs(instance.f.grad(instance.f.start())).max() / 10
    supports: list[np.ndarray] = []
    result = ps.solve(
        ps.Composite(instance.f, ps.L1(row["weight"])),
        ps.ProximalGradient(),
        stop=ps.stopping.max_iterations(60),
        observe=lambda report: supports.append(report.x != 0),
    )
    found, real = set(np.flatnonzero(result.x)), set(np.flatnonzero(instance.truth))
    assert row["weight"] == pytest.approx(weight)
    assert row["support"] == row["pieces"] == len(found)
    assert row["f1"] == pytest.approx(2 * len(found & real) / (len(found) + len(real)))
    same = [np.array_equal(s, result.x != 0) for s in supports]
    first = next(k for k in range(len(same)) if all(same[k:]))
    assert row["identification"] == first
    assert row["objective"] == pytest.approx(result.objective)
    assert row["gap"] == row["objective"] - min(tables.results["objective"].iloc[:2])
