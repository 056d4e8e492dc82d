"""Many operations on tasks in one request, on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from app.schemas.comments import Comment, CommentInput
from app.schemas.referrals import Referral, ReferralInput, ResponseInput, WithdrawalInput
from app.schemas.shares import Share, ShareLevel
from app.schemas.tasks import Task, TaskInput, TaskPatch, TaskSummary
from app.schemas.transitions import TransitionInput
from app.schemas.types import AgencyCode, Command, Shown

#: How many operations one request may hold.
MANY: Final = 200

_Of = Annotated[str, Field(max_length=100)]
OfTask = Annotated[
    _Of | None, Field(description="The task's ETag as last read; without it the operation is refused with 428.")
]
OfReferral = Annotated[
    _Of | None, Field(description="The referral's ETag as last read; without it the operation is refused with 428.")
]


class LogOperation(Command):
    """As `logTask`."""

    operation: Literal["log"]
    input: TaskInput


class UpdateOperation(Command):
    """As `updateTask`."""

    operation: Literal["update"]
    task: UUID
    if_match: OfTask = None
    input: TaskPatch


class MoveOperation(Command):
    """As `moveTask`."""

    operation: Literal["move"]
    task: UUID
    if_match: OfTask = None
    input: TransitionInput


class CommentOperation(Command):
    """As `commentOnTask`."""

    operation: Literal["comment"]
    task: UUID
    input: CommentInput


class ShareOperation(Command):
    """As `shareTask`."""

    operation: Literal["share"]
    task: UUID
    agency: AgencyCode
    if_match: OfTask = None
    input: ShareLevel


class UnshareOperation(Command):
    """As `unshareTask`."""

    operation: Literal["unshare"]
    task: UUID
    agency: AgencyCode
    if_match: OfTask = None


class ReferOperation(Command):
    """As `referTask`."""

    operation: Literal["refer"]
    task: UUID
    if_match: OfTask = None
    input: ReferralInput


class AnswerOperation(Command):
    """As `answerReferral`."""

    operation: Literal["answer"]
    referral: UUID
    if_match: OfReferral = None
    input: ResponseInput


class WithdrawOperation(Command):
    """As `withdrawReferral`."""

    operation: Literal["withdraw"]
    referral: UUID
    if_match: OfReferral = None
    input: WithdrawalInput


Operation = (
    LogOperation
    | UpdateOperation
    | MoveOperation
    | CommentOperation
    | ShareOperation
    | UnshareOperation
    | ReferOperation
    | AnswerOperation
    | WithdrawOperation
)


@dataclass(frozen=True, slots=True)
class Malformed:
    """An operation that is none: what was sent, and what is wrong with it."""

    content: Any
    errors: list[Mapping[str, Any]]


def _one_by_one(value: Any, handler: ValidatorFunctionWrapHandler) -> Operation | Malformed:
    """Let one malformed operation leave the others alone."""
    try:
        operation: Operation = handler(value)
    except ValidationError as refused:
        return Malformed(value, list(refused.errors()))
    return operation


class BatchInput(Command):
    """Operations, carried out in this order. Each is the operation of the same name, with its own precondition."""

    atomic: bool = Field(
        default=True,
        strict=True,
        description="`true`: all or nothing, and the first refusal is the answer. `false`: each for itself.",
    )
    operations: Annotated[
        list[Annotated[Operation, Field(discriminator="operation"), WrapValidator(_one_by_one)]],
        Field(min_length=1, max_length=MANY),
    ]


class BatchResult(Shown):
    """What became of one operation: the answer that it would have had alone."""

    operation: Annotated[int, Field(ge=0, description="Its place among the operations sent, from 0.")]
    status: Annotated[int, Field(description="The HTTP status that it would have had alone.", examples=[201])]
    etag: Annotated[str | None, Field(description="For the next If-Match; null where it was refused.")]
    location: Annotated[str | None, Field(description="Where what was created is shown.")]
    result: Annotated[
        Task | TaskSummary | Referral | Share | Comment | None,
        Field(description="The new representation; null where it was refused, and with `Prefer: return=minimal`."),
    ]
    problem: Annotated[
        dict[str, Any] | None,
        Field(
            description="Why it was refused (a problem document, RFC 9457); each `pointer` leads into the whole body.",
            json_schema_extra={"anyOf": [{"$ref": "#/components/schemas/Problem"}, {"type": "null"}]},
        ),
    ]


class BatchReport(Shown):
    """What became of each operation, in the order sent."""

    results: list[BatchResult]
