"""Moves of a task on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.rules.vocabulary import Action, CaseOutcome
from app.schemas.types import (
    Code,
    Command,
    Instant,
    Prose,
    Shown,
)

Facts = Annotated[
    dict[Code, Annotated[str, Field(min_length=1, max_length=2000)] | Annotated[int, Field(strict=True)] | bool],
    Field(
        max_length=30, description="Facts of the outcome; `/v1/reference/closing_requirement` says which must be there."
    ),
]


class TransitionInput(Command):
    """A move of a task. `available_transitions` says what each action requires."""

    action: Literal[
        Action.SUBMIT,
        Action.START,
        Action.AWAIT_INFO,
        Action.RESUME,
        Action.RESOLVE,
        Action.CONFIRM,
        Action.REJECT_OUTCOME,
        Action.REOPEN,
        Action.CANCEL,
    ]
    reason: Prose | None = None
    outcome: CaseOutcome | None = None
    note: Prose | None = None
    facts: Facts | None = None
    effective_at: Instant | None = None


class AvailableTransition(Shown):
    """A move that is open to you now: send `action` to `href`; `requires` names the members that must be there."""

    action: Action
    method: Literal["POST"]
    href: str
    requires: list[str]


class TransitionList(Shown):
    """The moves of a task that are open to this caller."""

    items: list[AvailableTransition]
