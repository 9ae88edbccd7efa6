"""The commands, through typer's runner: files written, figures in them, one-line errors."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from parsimo.cli import app
from parsimo.neural import load, networks

REPORT = {
    "dense_test_error",
    "test_error",
    "weights",
    "nonzeros",
    "sparsity",
    "distinct_values",
    "bytes",
    "status",
    "certificate",
    "seconds",
    "seed",
}


def invoke(*arguments):
    torch.set_num_threads(1)
    return CliRunner().invoke(app, [str(a) for a in arguments])


def report_of(folder):
    return json.loads((folder / "report.json").read_text())


@pytest.fixture
def images(tmp_path):
    """Three classes of 6 x 6 images, each with a bright row of its own."""
    rng = np.random.default_rng(0)
    y = np.arange(150) % 3
    X = rng.normal(0, 0.3, (150, 1, 6, 6)).astype(np.float32)
    X[np.arange(150), 0, y, :] += 1
    path = tmp_path / "images.npz"
    np.savez(path, X=X, y=y)
    return path


def test_prune_writes_model_picture_and_report(images, tmp_path):
    out = tmp_path / "out"
    short = ("--epochs", 4, "--dense-epochs", 3, "--batch-size", 20, "--seed", 3)
    ran = invoke("prune", "--data", images, "--target-sparsity", 0.8, "--out", out, *short)
    assert ran.exit_code == 0, ran.output
    report = report_of(out)
    assert set(report) >= REPORT
    weights = 36 * 64 + 64 * 3
    assert (report["weights"], report["nonzeros"]) == (weights, round(0.2 * weights))
    assert report["sparsity"] == pytest.approx(0.8, abs=1e-3)
    assert report["bytes"] == (out / "model.parsimo").stat().st_size
    assert (report["seed"], report["status"]) == (3, "MAX_ITERATIONS")
    assert (out / "convergence.png").read_bytes().startswith(b"\x89PNG")
    network = load(out / "model.parsimo", into=networks.build("mlp", (1, 6, 6), 3))
    assert sum(int(torch.count_nonzero(p)) for p in network.parameters() if p.ndim > 1) == report["nonzeros"]
    assert "nonzero weights" in ran.output


def test_an_interrupted_run_goes_on(images, tmp_path, monkeypatch):
    from parsimo.neural import pruning

    def files(out):
        return (out / "model.parsimo").read_bytes()

    arguments = ("prune", "--data", images, "--dense-epochs", 2, "--epochs", 6, "--batch-size", 20)
    assert invoke(*arguments, "--out", tmp_path / "whole").exit_code == 0
    out, kept = tmp_path / "out", ("--checkpoint-every", 2, "--out", tmp_path / "out")
    fix = pruning.Handle._fix

    def killed(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(pruning.Handle, "_fix", killed)
    assert invoke(*arguments, *kept).exit_code == 130
    monkeypatch.setattr(pruning.Handle, "_fix", fix)
    refused = invoke(*arguments, *kept)
    assert refused.exit_code == 2
    assert "holds checkpoints of an earlier run: pass --resume to go on" in refused.output.replace("\n", " ")
    ran = invoke(*arguments, *kept, "--resume")
    assert ran.exit_code == 0, ran.output
    assert "went on from a checkpoint" in ran.output
    assert files(out) == files(tmp_path / "whole")


def test_quantize_can_start_from_a_pruned_model(images, tmp_path):
    short = ("--epochs", 3, "--batch-size", 20)
    invoke("prune", "--data", images, "--dense-epochs", 2, "--out", tmp_path / "p", "--target-sparsity", 0.7, *short)
    model = tmp_path / "p" / "model.parsimo"
    ran = invoke("quantize", "--data", images, "--model", model, "--clusters", 4, "--out", tmp_path / "q", *short)
    assert ran.exit_code == 0, ran.output
    report = report_of(tmp_path / "q")
    assert report["distinct_values"] <= 4
    assert report["nonzeros"] <= report_of(tmp_path / "p")["nonzeros"]
    assert report["bytes"] < report_of(tmp_path / "p")["bytes"]
    assert report["dense_test_error"] == pytest.approx(report_of(tmp_path / "p")["test_error"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("prune", "--data", "nowhere.npz"), "nowhere.npz"),
        (("prune", "--data", "mnist", "--data-dir", "."), "train-images"),
        (("prune", "--network", "vgg99"), "unknown network 'vgg99'"),
        (("prune", "--target-sparsity", "1.5"), "target_sparsity must lie in"),
        (("quantize", "--clusters", "1"), "k must be at least 2"),
        (("solve", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_misuse_is_one_line_and_exit_code_2(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    quick = () if arguments[0] == "solve" else ("--epochs", "0.5", "--dense-epochs", "0.5")
    ran = invoke(*arguments, *quick)
    assert ran.exit_code == 2
    assert words in ran.output
    assert "Traceback" not in ran.output


@pytest.fixture
def table(tmp_path):
    """y = 2 b - 3 d + 5, beside three columns that do not matter."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 5)) * [1, 2, 3, 4, 5] + [0, 10, 0, -5, 1]
    y = 2 * X[:, 1] - 3 * X[:, 3] + 5 + 0.01 * rng.normal(size=80)
    path = tmp_path / "table.csv"
    np.savetxt(path, np.column_stack([X, y]), delimiter=",", header="a,b,c,d,e,y", comments="")
    return path


def coefficients(folder):
    with (folder / "coefficients.csv").open() as stream:
        return {row["column"]: float(row["coefficient"]) for row in csv.DictReader(stream)}


@pytest.mark.parametrize("solver", ["alternating", "admm", "gradient"])
def test_solve_finds_the_columns_in_their_own_scale(table, tmp_path, solver):
    out = tmp_path / "out"
    ran = invoke("solve", table, "--solver", solver, "--out", out)
    assert ran.exit_code == 0, ran.output
    found = coefficients(out)
    assert set(found) == {"(intercept)", "b", "d"}
    assert found["b"] == pytest.approx(2, abs=0.01)
    assert found["d"] == pytest.approx(-3, abs=0.01)
    assert found["(intercept)"] == pytest.approx(5, abs=0.1)
    report = report_of(out)
    assert report["status"] == "CONVERGED"
    assert report["certificate"] <= 1e-8
    assert report["nonzeros"] == 2
    assert "Theorem 3.3" in report["exactness"]


def test_solve_polishes_and_prints_the_ladder(tmp_path):
    """A table where the solver's point can be bettered by moves: correlated columns and noise."""
    rng = np.random.default_rng(9)
    X = rng.normal(size=(40, 30)) + 4 * rng.normal(size=(40, 1))
    np.savez(tmp_path / "table.npz", X=X, y=X[:, :4] @ [1.0, -1.0, 1.0, -1.0] + rng.normal(size=40))
    reports = {}
    for option in ("--polish", "--no-polish"):
        ran = invoke("solve", tmp_path / "table.npz", option, "--solver", "gradient", "--out", tmp_path / option)
        assert ran.exit_code == 0, ran.output
        assert "ladder: " in ran.output
        reports[option] = report_of(tmp_path / option)
    polished, plain = reports["--polish"], reports["--no-polish"]
    assert polished["moves"] > 0
    assert polished["objective"] < polished["objective_before_polish"] == plain["objective"]
    assert polished["rung"] == "SWAP"
    assert plain["moves"] == 0
    assert plain["rung"] in ("PROX_STATIONARY", "COORDINATEWISE")
    assert "not polished" in ran.output


def test_solve_another_target_and_weight(table, tmp_path):
    ran = invoke("solve", table, "--target", "b", "--weight", 1e9, "--out", tmp_path / "out")
    assert ran.exit_code == 0, ran.output
    assert set(coefficients(tmp_path / "out")) == {"(intercept)"}


def test_solve_logistic_with_free_intercept(tmp_path):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(200, 6))
    y = (X[:, 2] + 1.0 + 0.3 * rng.normal(size=200) > 0).astype(int)
    np.savez(tmp_path / "two.npz", X=X, y=y)
    ran = invoke("solve", tmp_path / "two.npz", "--loss", "logistic", "--out", tmp_path / "out")
    assert ran.exit_code == 0, ran.output
    report = report_of(tmp_path / "out")
    assert report["nonzeros"] == 1
    assert coefficients(tmp_path / "out")["(intercept)"] > 0
    assert report["status"] == "CONVERGED"


def test_solve_logistic_refuses_three_classes(table, tmp_path):
    ran = invoke("solve", table, "--loss", "logistic", "--out", tmp_path / "out")
    assert ran.exit_code == 2
    assert "two classes" in ran.output


def test_an_interrupt_of_dense_training_ends_the_command(images, tmp_path, monkeypatch):
    import parsimo.neural

    train = parsimo.neural.train

    def interrupted(*arguments, observe, **options):
        def stop_at_once(report):
            raise KeyboardInterrupt

        return train(*arguments, observe=[stop_at_once], **options)

    monkeypatch.setattr(parsimo.neural, "train", interrupted)
    ran = invoke("prune", "--data", images, "--epochs", 2, "--dense-epochs", 2, "--out", tmp_path / "out")
    assert ran.exit_code == 130
    assert "INTERRUPTED" in ran.output
    assert (tmp_path / "out" / "dense.parsimo").exists()
    assert not (tmp_path / "out" / "model.parsimo").exists()
