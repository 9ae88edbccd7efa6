"""Compiled kernels: the one room that imports numba, and only when a solver asks for it."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["PASSES", "passes_of"]

PASSES = "parsimo.solvers.compiled.sweeps"
"""The name of the module of compiled passes."""


def passes_of(owner: str) -> Any:
    """The module of compiled passes.

    Raises
    ------
    ImportError
        If numba is not installed, naming the extra that brings it.
    """
    try:
        return importlib.import_module(PASSES)
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        raise ImportError(f'{owner} needs numba: pip install "parsimo[fast]"') from error
