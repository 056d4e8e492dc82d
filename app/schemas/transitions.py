"""Moves of a task on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool

from app.rules.vocabulary import Action, CaseOutcome
from app.schemas.types import (
    WHEN,
    Code,
    Command,
    Instant,
    Prose,
    Shown,
)

Facts = Annotated[
    dict[Code, Annotated[str, Field(min_length=1, max_length=2000)] | Annotated[int, Field(strict=True)] | StrictBool],
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
    effective_at: Instant | None = Field(None, description=WHEN)


class AvailableTransition(Shown):
    """A move open to you now: send it to `href` with the members that `requires` names (`facts.x` inside `facts`).

    A task's move is sent as `action`; the answer to a referral as `answer`: receive is `received`, accept `accepted`,
    return `returned`. Refer and withdraw are said by their address alone.
    """

    action: Action
    method: Literal["POST"]
    href: str
    requires: list[str]


class TransitionList(Shown):
    """The moves of a task that are open to this caller."""

    items: list[AvailableTransition]
