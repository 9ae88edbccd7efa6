"""parsimo solve: sparse coefficients for a table of numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import parsimo as ps
from parsimo.cli.console import console, one_line_errors, progress, show_table, write_report
from parsimo.core.files import replace_when_written
from parsimo.data import Scaled, Table, load_table
from parsimo.problems.surrogate import surrogate_gap

__all__ = ["solve"]

# name: solver, and at every how many of its iterations the certificate is looked at
_SOLVERS = {
    "alternating": (ps.AlternatingMinimization(ps.ProximalGradient(acceleration=ps.Nesterov()), inner_steps=200), 1),
    "admm": (ps.ProximalADMM(), 10),
    "gradient": (ps.ProximalGradient(), 10),
}
_PHI: dict[str, Callable[[], ps.phi.Phi]] = {
    "mcp": ps.phi.mcp,
    "scad": ps.phi.scad,
    "capped-l1": ps.phi.capped_l1,
    "power": partial(ps.phi.power, 1.5),
    "log": ps.phi.log,
    "lq": ps.phi.lq,
}
_SHOWN = 20


def solve(
    file: Annotated[Path, typer.Argument(help="CSV with a header, NPZ with X and y, or libsvm text (.xz, .gz, .bz2).")],
    target: Annotated[str | None, typer.Option("--target", help="Target column of a CSV; the last by default.")] = None,
    loss: Annotated[str, typer.Option("--loss", help="squares, or logistic for two classes.")] = "squares",
    weight: Annotated[
        float | None, typer.Option("--weight", help="Price of one coefficient; by default from --relative-weight.")
    ] = None,
    relative_weight: Annotated[
        float, typer.Option("--relative-weight", help="Share of the smallest weight at which all are zero.")
    ] = 0.05,
    phi: Annotated[str, typer.Option("--phi", help=f"Generator of the surrogate: {', '.join(_PHI)}.")] = "mcp",
    solver: Annotated[str, typer.Option("--solver", help=f"{', '.join(_SOLVERS)}.")] = "alternating",
    tolerance: Annotated[float, typer.Option("--tolerance", help="On the certificate.")] = 1e-8,
    max_iterations: Annotated[int, typer.Option("--max-iterations")] = 10_000,
    polish: Annotated[
        bool, typer.Option("--polish/--no-polish", help="Then try moves of coordinates and swaps, until none helps.")
    ] = True,
    out: Annotated[Path, typer.Option("--out", help="Folder that receives coefficients, picture, report.json.")] = Path(
        "solved"
    ),
) -> None:
    """Sparse regression or classification: minimize mean loss + weight * |x|_0 through its exact surrogate."""
    with one_line_errors():
        for name, choice, known in (("phi", phi, _PHI), ("solver", solver, _SOLVERS)):
            if choice not in known:
                raise ValueError(f"--{name} must be one of {', '.join(known)}, got {choice!r}")
        table = load_table(file, target)
        scaled = Scaled.of(table)
        f, free = _data_term(loss, scaled, table)
        price = relative_weight * _weight_max(f, free) if weight is None else weight
        problem = ps.ZeroNormProblem(f, np.where(free, 0.0, price))
        surrogate = problem.to_mpec(_PHI[phi]()).penalize(rho="exact").eliminate()
        stop = ps.stopping.first_of(
            ps.stopping.certificate_below(tolerance), ps.stopping.stalled(), ps.stopping.max_iterations(max_iterations)
        )
        method, every = _SOLVERS[solver]
        with progress("solving", max_iterations) as observer:
            result = ps.solve(surrogate, method, stop=stop, observe=[observer], every=every)
        recovery = problem.recover(result)
        polished = ps.polish(problem, recovery.x) if polish else None
        _write(out, file, table, scaled, loss, price, free, result, recovery, polished)


def _data_term(loss: str, scaled: Scaled, table: Table) -> tuple[Any, np.ndarray]:
    """f, and which coordinates are free: the intercept of the logistic loss."""
    columns = scaled.matrix.shape[1]
    if loss == "squares":
        return ps.LeastSquares(scaled.matrix, table.target - table.target.mean(), average=True), np.zeros(columns, bool)
    if loss != "logistic":
        raise ValueError(f"--loss must be squares or logistic, got {loss!r}")
    classes = np.unique(table.target)
    if classes.size != 2:
        raise ValueError(f"--loss logistic needs a target of two classes, got {classes.size} distinct values")
    import scipy.sparse as sp

    ones = np.ones((scaled.matrix.shape[0], 1))
    matrix = (
        sp.hstack([scaled.matrix, ones], format="csr")
        if sp.issparse(scaled.matrix)
        else np.hstack([scaled.matrix, ones])
    )
    return ps.Logistic(matrix, np.where(table.target == classes[1], 1.0, -1.0), average=True), np.arange(
        columns + 1
    ) == columns


def _weight_max(f: Any, free: np.ndarray) -> float:
    """The smallest weight at which 0 is prox-stationary in every coordinate: max |grad_i f(0)|^2 / (2 L_i)."""
    gradient = f.grad(f.start())[~free]
    return float((gradient**2 / (2 * np.maximum(f.coordinate_curvature[~free], 1e-300))).max())


def _write(
    out: Path,
    file: Path,
    table: Table,
    scaled: Scaled,
    loss: str,
    price: float,
    free: np.ndarray,
    result: Any,
    recovery: Any,
    polished: Any,
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    problem, surrogate = result.problem.penalized.mpec.problem, result.problem
    x = recovery.x if polished is None else polished.x
    ladder = ps.certify(problem, x)
    coefficients = x[~free] / scaled.scale
    offset = float(x[free].sum()) if free.any() else float(table.target.mean())
    intercept = offset - float(scaled.center @ coefficients)
    chosen = np.flatnonzero(coefficients)
    with replace_when_written(out / "coefficients.csv") as temporary, temporary.open("w") as stream:
        stream.write("column,coefficient\n")
        stream.write(f"(intercept),{intercept!r}\n")
        stream.writelines(f"{_quoted(table.columns[j])},{float(coefficients[j])!r}\n" for j in chosen)
    result.history.plot(str(out / "convergence.png"))
    write_report(
        out,
        {
            "file": file.name,
            "loss": loss,
            "rows": int(table.matrix.shape[0]),
            "columns": int(table.matrix.shape[1]),
            "weight": price,
            "nonzeros": int(chosen.size),
            "objective": ladder.objective,
            "status": result.status.name,
            "status_sentence": result.status.value,
            "certificate": ladder[ps.Rung.CRITICAL].number,
            "natural_residual": ladder[ps.Rung.PROX_STATIONARY].number,
            "surrogate_gap": surrogate_gap(problem.weight, surrogate.g, x),
            "rung": ladder.rung.name,
            "ladder": str(ladder),
            "moves": 0 if polished is None else len(polished.moves),
            "objective_before_polish": recovery.objective,
            "exactness": str(recovery.exactness),
            "iterations": result.iterations,
            "seconds": result.seconds,
            "solver": result.solver,
        },
    )
    largest = chosen[np.argsort(-np.abs(coefficients[chosen] * scaled.scale[chosen]))][:_SHOWN]
    rows = [["(intercept)", f"{intercept:.6g}"], *([table.columns[j], f"{coefficients[j]:.6g}"] for j in largest)]
    show_table(f"{file.name}: {chosen.size} of {table.matrix.shape[1]} columns", ["column", "coefficient"], rows)
    console.print(f"weight {price:.6g}, columns scaled to root mean square 1", soft_wrap=True)
    console.print(f"{result}\n{recovery}", markup=False, highlight=False, soft_wrap=True)
    climbed = "not polished" if polished is None else str(polished).splitlines()[0]
    console.print(f"polish: {climbed}\nladder: {ladder.sentence}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"written to {out}/: coefficients.csv, convergence.png, report.json", soft_wrap=True)


def _quoted(name: str) -> str:
    """A CSV field; quotes are doubled as the format asks."""
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in ',"\n') else name
