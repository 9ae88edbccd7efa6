"""Tables, page and command."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from parsimo.cli import app
from parsimo.studies import collect, read_study, run_study, write_page, write_tables

IMPOSSIBLE = {"{ nonzeros = 3, columns = 30 }": "{ nonzeros = 31, columns = 30 }"}  # told when the cell is run


@pytest.fixture
def made(write, tmp_path):
    study = read_study(write(**{"seeds = [3, 5]": "seeds = [3]"}))
    run_study(study, tmp_path)
    return study, collect(study, tmp_path), tmp_path


def test_the_gap_is_to_the_least_of_the_instance(made):
    _, tables, _ = made
    results, history = tables.results, tables.histories
    lasso = results[results["problem"] == "lasso"]
    assert lasso["best_known"].nunique() == 1
    assert lasso["gap"].min() == 0
    np.testing.assert_allclose(lasso["gap"], lasso["objective"] - lasso["objective"].min())
    np.testing.assert_array_equal(
        results["oracle_calls"], np.fmax(results["values"], results["gradients"]) + results["proxes"]
    )
    assert len(history) == (results["iterations"] + 1).sum()
    assert (history["gap"] >= 0).all()


def test_solved_is_the_first_row_below_the_tolerance(made):
    study, tables, _ = made
    keys = ["problem", "size", "seed", "solver"]
    for names, run in tables.histories.groupby(keys, sort=False):
        row = tables.results.set_index(keys).sort_index().loc[names]
        below = run[run["certificate"] <= study.tolerance * run["certificate"].iloc[0]]
        expected = below["iteration"].iloc[0] if len(below) else np.nan
        np.testing.assert_equal(row["solved_iterations"], expected)


def test_tables_are_the_same_in_both_formats(made):
    _, tables, out = made
    names = {path.name for path in write_tables(tables, out)}
    assert names == {f"{t}.{e}" for t in ("results", "histories", "rates") for e in ("csv", "parquet")}
    parquet, csv = pd.read_parquet(out / "results.parquet"), pd.read_csv(out / "results.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(parquet, tables.results, check_dtype=False)
    assert list(csv) == list(parquet)
    assert len(pd.read_parquet(out / "histories.parquet")) == len(tables.histories)


def test_the_page_is_self_contained(made):
    study, tables, out = made
    text = write_page(study, tables, out).read_text()
    outside = text.split("</script>", 1)[1]  # after plotly itself
    assert not re.findall(r"(?:src|href)=[\"'](?!#)", outside)
    assert "<script src" not in text
    for part in ("Summary", "Convergence", "Performance profiles", "Rates", "Identification", "inexact", "max/10"):
        assert part in outside
    assert outside.count("Plotly.newPlot") == 4 + (not tables.rates.query("regime == 'linear'").empty)


def test_names_in_the_page_are_escaped(write, tmp_path):
    study = read_study(write(**{'"Small"': '"<b>Small & Co</b>"', "seeds = [3, 5]": "seeds = [3]"}))
    run_study(study, tmp_path)
    text = write_page(study, collect(study, tmp_path), tmp_path).read_text()
    assert "<h1>&lt;b&gt;Small &amp; Co&lt;/b&gt;</h1>" in text


def test_the_page_of_errors_alone(write, tmp_path):
    """There is a page, without charts."""
    study = read_study(
        write(**IMPOSSIBLE, **{"rows = 20, columns = 30, nonzeros = 3": "rows = 20, columns = 30, nonzeros = 31"})
    )
    run_study(study, tmp_path)
    tables = collect(study, tmp_path)
    write_tables(tables, tmp_path)
    page = write_page(study, tables, tmp_path).read_text().split("</script>", 1)[1]
    assert "nonzeros must be at most 30, got 31" in page
    assert "Plotly.newPlot" not in page


def test_the_command(write, tmp_path):
    path, out = write(**{"seeds = [3, 5]": "seeds = 1", '"Small"': '"Small [/b]"'}), tmp_path / "out"
    ran = CliRunner().invoke(app, ["study", str(path), "--out", str(out), "--backend", "threading", "--jobs", "2"])
    assert ran.exit_code == 0, ran.output
    assert "Small [/b]: 4 cells, 0 of them finished before" in ran.output
    assert {"results.csv", "results.parquet", "histories.parquet", "rates.csv", "study.html"} < {
        p.name for p in out.iterdir()
    }
    again = CliRunner().invoke(app, ["study", str(path), "--out", str(out)])
    assert "4 of them finished before" in again.output


def test_the_command_on_a_study_with_errors(write, tmp_path):
    path = write(**IMPOSSIBLE, **{"seeds = [3, 5]": "seeds = 1"})
    ran = CliRunner().invoke(app, ["study", str(path), "--out", str(tmp_path / "out")])
    assert ran.exit_code == 1
    assert "counting, rows 20, seed 0, ProximalGradient: ValueError" in ran.output


def test_the_command_tells_what_is_wrong_in_one_line(write, tmp_path):
    ran = CliRunner().invoke(app, ["study", str(write(**{"max/10": "min"})), "--out", str(tmp_path / "out")])
    assert ran.exit_code == 2
    assert "weight = 'min' must be a number" in ran.output
    assert not (tmp_path / "out").exists()
