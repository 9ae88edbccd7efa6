"""Running a study: the cells that are missing, in parallel, each on disk as soon as it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from parsimo.studies.cell import Cell, load_cell, run_cell
from parsimo.studies.configuration import Study
from parsimo.studies.names import require

__all__ = ["backend", "missing_cells", "run_study"]

CELLS = "cells"


def run_study(
    study: Study,
    out: str | Path,
    jobs: int | None = None,
    retry: bool = False,
    observe: Callable[[Cell, str], None] | None = None,
) -> int:
    """Run the cells of a study that are not in `out` yet; returns how many these were.

    The work is given to joblib, so that its context decides where it is done, and in how many processes if `jobs`
    does not say so:

        with joblib.parallel_config("dask"):  # a dask.distributed.Client() is open
            run_study(study, "out")

    Parameters
    ----------
    study : Study
    out : path-like
        The folder that keeps the cells; made if it is not there.
    jobs : int, optional
        How many cells are run at a time; -1 for as many as there are cores. By default joblib's own number.
    retry : bool
        Run again the cells that ended with an error.
    observe : callable, optional
        Called with each cell that is done and its status.

    Raises
    ------
    ValueError
        If `jobs` is 0, or something that is no file is where a cell is to be written.
    ChildProcessError
        If a process was killed on the way; what is finished stays.
    ImportError
        If joblib or threadpoolctl is not installed.
    """
    if jobs == 0:
        raise ValueError("jobs = 0 would run nothing; pass how many cells are run at a time, or -1 for one a core")
    require("threadpoolctl")  # the cells need it
    joblib, executor = require("joblib"), require("joblib.externals.loky.process_executor")
    folder = Path(out) / CELLS
    folder.mkdir(parents=True, exist_ok=True)
    cells = missing_cells(study, out, retry)
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
    try:
        for position, status in parallel(joblib.delayed(_numbered)(i, cell, folder) for i, cell in enumerate(cells)):
            if observe is not None:
                observe(cells[position], status)
    except executor.TerminatedWorkerError as error:
        raise ChildProcessError(
            "a process of the study was killed, perhaps for want of memory; the finished cells are kept: "
            "run it again, with fewer jobs"
        ) from error
    return len(cells)


def missing_cells(study: Study, out: str | Path, retry: bool = False) -> list[Cell]:
    """The cells that are not on disk; with `retry`, also those that ended with an error. Equal cells are one."""
    folder = Path(out) / CELLS
    for cell in study.cells:
        if (path := cell.path(folder)).exists() and not path.is_file():
            raise ValueError(f"{path} is where a cell is to be written, but it is no file; move it away")
    once = {cell.key: cell for cell in study.cells}.values()
    return [cell for cell in once if not cell.path(folder).is_file() or (retry and _failed(cell.path(folder)))]


@contextmanager
def backend(name: str | None, jobs: int | None = None) -> Iterator[None]:
    """joblib's backend of that name; for "dask" and "ray" the two lines that they take.

    Parameters
    ----------
    name : str, optional
        "loky" (processes), "threading", "sequential", "dask", "ray", or any that is registered
        with joblib; None leaves joblib's own choice.
    jobs : int, optional
        Processes of a Dask cluster on this machine. If Dask is configured with `scheduler-address`, that cluster is
        used instead.

    Raises
    ------
    ValueError
        If joblib knows no such backend.
    ImportError
        If Dask or Ray is not installed.
    """
    with ExitStack() as open_here:
        if name == "dask":
            open_here.enter_context(_dask(jobs))
        if name == "ray":
            _register_ray()
        if name is not None:
            try:
                open_here.enter_context(require("joblib").parallel_config(name))
            except ValueError as error:
                known = "loky, threading, sequential, dask, ray"
                raise ValueError(f"joblib has no backend {name!r}; choose one of {known}") from error
        yield


def _dask(jobs: int | None) -> Any:
    try:
        import dask
        from dask.distributed import Client
    except ImportError as error:
        raise ImportError('--backend dask needs dask: pip install "dask[distributed]"') from error
    if dask.config.get("scheduler-address", None):
        return Client()
    workers = None if jobs is None or jobs < 1 else jobs
    return Client(n_workers=workers, threads_per_worker=1, dashboard_address=None)


def _register_ray() -> None:
    try:
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise ImportError('--backend ray needs ray: pip install "ray[default]"') from error
    register_ray()


def _numbered(position: int, cell: Cell, folder: Path) -> tuple[int, str]:
    return position, run_cell(cell, folder)


def _failed(path: Path) -> bool:
    return load_cell(path).row["status"] == "ERROR"
