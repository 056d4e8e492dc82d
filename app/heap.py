"""How often a process looks for memory that nobody refers to any more: seldom while it builds itself, often afterwards."""

from __future__ import annotations

import gc


def build() -> None:
    """While modules are loaded nearly all that is made stays: looking through it over and over cost a tenth of a start."""
    gc.set_threshold(50_000, 20, 20)


def settle() -> None:
    """From now on what is there stays, and is not looked through again; what comes from now on is, before it piles up.

    A write leaves some thousand objects that refer to one another: uncollected, they made a process grow to twice its
    size. As what was there is left out, looking costs as much as there is new, however often it is done.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 10, 10)
