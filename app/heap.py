"""How often a process looks for what nobody refers to any more: seldom while it builds itself, often afterwards."""

from __future__ import annotations

import gc


def build() -> None:
    """Look seldom: nearly all that is made while modules load stays."""
    gc.set_threshold(50_000, 20, 20)


def settle() -> None:
    """Leave what is there for good, and look often through what is made from now on."""
    # A write leaves some thousand objects that refer to one another: left alone, they made a process half as large
    # again. As what was there is left out, looking costs by how much is made, however often it is done.
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 10, 10)
