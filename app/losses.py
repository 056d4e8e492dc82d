"""Losses that the log has declared: which of what it signed before they take in, and how they are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app import log_files
from app.log_files import Head, Loss, Tree


def loss_of(tree: Tree, declared: Iterable[Loss]) -> Loss | None:
    """The declared loss that takes in a tree, or None: then what was signed of it is held against the log.

    A head that names a loss was signed after it, so that this loss does not take it in.
    """
    known = tree.resumed if isinstance(tree, Head) else []
    for one in declared:
        within = one.kept < tree.size < one.size or (one.size, one.root) == (tree.size, tree.root)
        if within and one not in known:
            return one
    return None


class _Declared(BaseModel):
    model_config = ConfigDict(strict=True, defer_build=True)
    operator: str
    declaration: str


class _Resumption(BaseModel):
    model_config = ConfigDict(strict=True, defer_build=True)
    kind: Literal["log.resumed"]
    payload: _Declared


def declaration(loss: Loss, document: str | None) -> str:
    """A sentence on what is lost, by whom it was declared and why, from the document of the entry that declares it."""
    lost = f"Entries {loss.kept + 1} to {loss.size} are lost, or not known to be the same"
    try:
        said = _Resumption.model_validate(log_files.unambiguous((document or "").encode())).payload
    except (ValueError, RecursionError):
        return f"{lost}: the log names entry {loss.entry}, which declares nothing."
    return f"{lost}: resumed by {_line(said.operator)}, because: {_line(said.declaration)} (entry {loss.entry})."


def _line(text: str) -> str:
    """What somebody wrote, on one line that any terminal can show."""
    return "".join(one if one.isprintable() else " " for one in text)
