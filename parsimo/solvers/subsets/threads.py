"""One thread for small products: a second one costs more than it brings."""

from __future__ import annotations

import importlib.util
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

__all__ = ["one_thread"]


def one_thread() -> AbstractContextManager[Any]:
    """A context in which BLAS runs on one thread, where threadpoolctl is installed; elsewhere nothing changes.

    The products of a search have some ten thousand entries. Threads that wait for each other over them take several
    times as long.
    """
    controller = _controller()
    return nullcontext() if controller is None else controller.limit(limits=1, user_api="blas")


@cache
def _controller() -> Any:
    if importlib.util.find_spec("threadpoolctl") is None:
        return None
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
