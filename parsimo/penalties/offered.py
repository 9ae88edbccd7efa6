"""What a penalty made of others offers, besides value and prox: what all of them do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["where_offered"]


def where_offered(method: Callable[..., Any]) -> Any:
    """The method, for penalties all of whose `parts` offer one of its name: `hasattr` tells the truth about the rest.

    Raises
    ------
    AttributeError
        Where the method is looked up, naming a part that lacks it.
    """

    def get(self: Any) -> Callable[..., Any]:
        for part in self.parts:
            if not hasattr(part, method.__name__):
                raise AttributeError(f"{self!r} has no {method.__name__}, because {type(part).__name__} has none")
        return partial(method, self)

    return property(get, doc=method.__doc__)
