"""Convergence studies: a grid of problems, sizes, seeds and solvers, run in parallel, as tables and a page."""

from parsimo.studies.cell import TIMINGS, Cell, Outcome
from parsimo.studies.configuration import Study, read_study
from parsimo.studies.page import write_page
from parsimo.studies.profiles import Profile, performance_profiles
from parsimo.studies.rates import Rate, fit_rate
from parsimo.studies.running import backend, missing_cells, run_study
from parsimo.studies.tables import TIMED, Tables, collect, write_tables

__all__ = [
    "TIMED",
    "TIMINGS",
    "Cell",
    "Outcome",
    "Profile",
    "Rate",
    "Study",
    "Tables",
    "backend",
    "collect",
    "fit_rate",
    "missing_cells",
    "performance_profiles",
    "read_study",
    "run_study",
    "write_page",
    "write_tables",
]
