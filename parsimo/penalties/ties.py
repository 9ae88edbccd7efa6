"""How many tied minimizers a prox_set lists before it refuses."""

from __future__ import annotations

__all__ = ["MOST_LISTED", "check_listable"]

MOST_LISTED = 10_000


def check_listable(count: int, owner: str) -> None:
    """Refuse to list more than MOST_LISTED minimizers.

    Raises
    ------
    ValueError
        With their number: ties multiply, 2 choices in each of 20 groups are a million points.
    """
    if count > MOST_LISTED:
        raise ValueError(f"{owner}.prox_set: {count} minimizers tie, more than {MOST_LISTED}; take prox, which is one")
