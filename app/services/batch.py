"""Many operations on tasks in one transaction: all or nothing, or each in a savepoint of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from app.db import Row, Writer, attempting
from app.errors import Denied, PermissionDenied, Problem, ValidationFailed
from app.outages import problem_of
from app.rules import policy
from app.rules.caller import Caller
from app.rules.policy import Permission as P
from app.schemas.batch import (
    AnswerOperation,
    CommentOperation,
    LogOperation,
    Malformed,
    MoveOperation,
    Operation,
    ReferOperation,
    ShareOperation,
    UnshareOperation,
    UpdateOperation,
    WithdrawOperation,
)
from app.services import comments, referrals, refusals, shares, tasks, transitions
from app.services.task_rows import hold_tasks
from app.services.versions import version_of
from app.wire import body_fault


@dataclass(frozen=True, slots=True)
class Done:
    """What an operation brought about: its representation, and the version for the next If-Match."""

    status: int
    content: Row | None
    version: int
    location: str | None = None


Result = Done | Problem
CarryOut = Callable[[Writer, Caller, Any], Awaitable[Done]]


async def run(
    writer: Writer, caller: Caller, operations: Sequence[Operation | Malformed], *, atomic: bool
) -> list[Result]:
    """Carry out operations in their order; each sees what those before it did.

    Raises, when `atomic`, the refusal of the first that is refused, with `operation` (its place) and `refused` (place,
    status and code of every one that is); and whatever is the fault of no operation (503).
    """
    await hold_tasks(writer, tasks=_named("task", operations), referrals=_named("referral", operations))
    results = [await _attempt(writer, caller, place, one) for place, one in enumerate(operations)]
    refused = {place: one for place, one in enumerate(results) if isinstance(one, Problem)}
    if atomic and refused:
        place, first = next(iter(refused.items()))
        named = [{"operation": n, "status": one.status, "code": one.code} for n, one in refused.items()]
        first.facts |= {"operation": place, "refused": named}
        first.denied = tuple(_denied(operations, refused))
        raise first
    for one in _denied(operations, refused):
        await refusals.record_refusal(
            writer, caller, one.problem, operation=one.operation, method="POST", object=one.record
        )
    return results


def _named(record: str, operations: Sequence[Operation | Malformed]) -> set[UUID]:
    return {named for one in operations if (named := getattr(one, record, None))}


async def _attempt(writer: Writer, caller: Caller, place: int, operation: Operation | Malformed) -> Result:
    """One operation: what it wrote is taken back where it is refused."""
    try:
        async with attempting(writer):
            if isinstance(operation, Malformed):
                raise _malformed(operation)
            deed = DEEDS[operation.operation]
            if not policy.may_enter(caller.role, deed.permission):
                raise PermissionDenied(permission=deed.permission.value)
            return await deed.carry_out(writer, caller, operation)
    except IntegrityError as broken:
        refused = problem_of(broken)
        if refused is None:
            raise
    except Problem as problem:
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        refused = problem
    within = "" if isinstance(operation, Malformed) else "/input"
    refused.errors = tuple(
        replace(one, pointer=f"/operations/{place}{within}{one.pointer}") if one.pointer is not None else one
        for one in refused.errors
    )
    return refused


def _malformed(operation: Malformed) -> ValidationFailed:
    faults = [body_fault({**one, "loc": ("body", *one["loc"])}, operation.content) for one in operation.errors]
    return ValidationFailed(errors=faults)


def _denied(operations: Sequence[Operation | Malformed], refused: Mapping[int, Problem]) -> Iterator[Denied]:
    """A refusal by permission or standing is a fact, whether it was asked for alone or among others."""
    for place, problem in refused.items():
        operation = operations[place]
        if problem.status == HTTPStatus.FORBIDDEN and not isinstance(operation, Malformed):
            record = getattr(operation, "task", None) or getattr(operation, "referral", None)
            yield Denied(problem, DEEDS[operation.operation].name, record)


async def _log(writer: Writer, caller: Caller, asked: LogOperation) -> Done:
    task = await tasks.log_task(writer, caller, asked.input)
    return Done(201, task, task["version"], f"/v1/tasks/{task['id']}")


async def _update(writer: Writer, caller: Caller, asked: UpdateOperation) -> Done:
    task = await tasks.update_task(writer, caller, asked.task, version_of(asked.if_match), asked.input)
    return Done(200, task, task["version"])


async def _move(writer: Writer, caller: Caller, asked: MoveOperation) -> Done:
    task, version = await transitions.move_task(writer, caller, asked.task, version_of(asked.if_match), asked.input)
    return Done(200, task, version)


async def _comment(writer: Writer, caller: Caller, asked: CommentOperation) -> Done:
    return Done(201, await comments.comment_on_task(writer, caller, asked.task, asked.input.body), 1)


async def _share(writer: Writer, caller: Caller, asked: ShareOperation) -> Done:
    version, level = version_of(asked.if_match), asked.input.level
    share, new = await shares.share_task(writer, caller, asked.task, asked.agency, version, level)
    return Done(200, share, new)


async def _unshare(writer: Writer, caller: Caller, asked: UnshareOperation) -> Done:
    new = await shares.unshare_task(writer, caller, asked.task, asked.agency, version_of(asked.if_match))
    return Done(204, None, new)


async def _refer(writer: Writer, caller: Caller, asked: ReferOperation) -> Done:
    referral = await referrals.refer_task(writer, caller, asked.task, version_of(asked.if_match), asked.input)
    return Done(201, referral, referral["version"], f"/v1/referrals/{referral['id']}")


async def _answer(writer: Writer, caller: Caller, asked: AnswerOperation) -> Done:
    answer = await referrals.answer_referral(writer, caller, asked.referral, version_of(asked.if_match), asked.input)
    return Done(200, answer, answer["version"])


async def _withdraw(writer: Writer, caller: Caller, asked: WithdrawOperation) -> Done:
    version = version_of(asked.if_match)
    referral = await referrals.withdraw_referral(writer, caller, asked.referral, version, asked.input)
    return Done(200, referral, referral["version"])


@dataclass(frozen=True, slots=True)
class Deed:
    """How an operation is carried out: its name when asked for alone, and the permission to enter."""

    name: str
    permission: P
    carry_out: CarryOut


DEEDS: Final[Mapping[str, Deed]] = {
    "log": Deed("logTask", P.TASK_LOG, _log),
    "update": Deed("updateTask", P.TASK_UPDATE, _update),
    "move": Deed("moveTask", P.TASK_MOVE, _move),
    "comment": Deed("commentOnTask", P.TASK_COMMENT, _comment),
    "share": Deed("shareTask", P.TASK_SHARE, _share),
    "unshare": Deed("unshareTask", P.TASK_SHARE, _unshare),
    "refer": Deed("referTask", P.REFERRAL_REFER, _refer),
    "answer": Deed("answerReferral", P.REFERRAL_ANSWER, _answer),
    "withdraw": Deed("withdrawReferral", P.REFERRAL_WITHDRAW, _withdraw),
}
