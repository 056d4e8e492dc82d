"""Referrals: send, answer, withdraw, read."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from app.db import Row, Writer, one, row, value
from app.errors import (
    ClassificationRefused,
    MandateMismatch,
    NotFound,
    NotYourReferral,
    TransitionNotAllowed,
    ValidationFailed,
)
from app.rules import policy, succession, workflow
from app.rules.caller import Caller
from app.rules.policy import Permission
from app.rules.vocabulary import Action, ReferralStatus, RequestedClassification, Standing
from app.rules.workflow import ReferralMove
from app.schemas.referrals import LetterInput, ReferralInput, ResponseInput, WithdrawalInput
from app.services import law, moments, records, visibility
from app.services.escalations import escalated
from app.services.referral_moves import close_referral, send
from app.services.referral_rows import load_referral, open_moves, show_referral
from app.services.task_rows import take_task
from app.services.transitions import allowed
from app.services.versions import check_version

_ACTION_OF: Final = {
    ReferralStatus.RECEIVED: Action.RECEIVE,
    ReferralStatus.ACCEPTED: Action.ACCEPT,
    ReferralStatus.RETURNED: Action.RETURN,
}


# sending


async def refer_task(
    writer: Writer,
    caller: Caller,
    id: UUID,
    version: int,
    input: ReferralInput,
) -> dict[str, Any]:
    """Hand a task to the agency whose mandate covers it; it changes hands only when that agency accepts.

    Raises NotFound, PermissionDenied, StaleVersion, TransitionNotAllowed, ReferralOpen, and the refusals of
    `law.determine`.
    """
    task = await take_task(writer, caller, id)
    move = allowed(caller, task, Action.REFER, version)
    at = moments.moved_at(writer, input.effective_at, task)
    asked = law.question_of(task, at=at)
    if input.function is not None:
        asked = replace(asked, function=input.function, variant=input.variant or "")
    elif input.variant is not None:
        asked = replace(asked, variant=input.variant)
    if (input.to_agency, asked.function, asked.variant) == (
        task["accountable"],
        task["function"],
        task["variant"] or "",
    ):
        raise records.refused(
            "/to_agency", "already_owner", "It owns this already.", "Instansi itu sudah menjadi penanggung jawab."
        )
    answer = await law.determine(writer, asked, proposed=input.to_agency, pointer="/to_agency")
    if answer.mandate is None:
        raise AssertionError(answer)
    referral = {
        "id": uuid7(),
        "task_id": task["id"],
        "from_agency": task["holder"],
        "to_agency": input.to_agency,
        "status": ReferralStatus.SENT,
        "function": asked.function,
        "variant": asked.variant or None,
        "mandate": answer.mandate.id,
        "supporting": list(answer.supporting),
        "informed": list(await escalated(writer, answer, task["vulnerabilities"])),
        "note": input.note,
        "retain_access": input.retain_access,
        "effective_at": at,
        **_letter(input.letter, "letter"),
    }
    await send(writer, caller, task, referral, move, {})
    await writer.flush()
    await visibility.keep_readers(writer, task["id"])
    return await show_referral(writer, caller, referral["id"])


def _letter(letter: LetterInput | None, prefix: str) -> dict[str, Any]:
    if letter is None:
        return {}
    if letter.classification == RequestedClassification.SANGAT_RAHASIA:
        raise ClassificationRefused(classification=letter.classification.value)
    return {f"{prefix}_{name}": content for name, content in letter.model_dump().items()}


# answering


async def answer_referral(
    writer: Writer,
    caller: Caller,
    id: UUID,
    version: int,
    input: ResponseInput,
) -> dict[str, Any]:
    """Receive, accept or return a referral; on acceptance the receiver becomes accountable.

    Raises NotFound, NotYourReferral, PermissionDenied, StaleVersion, TransitionNotAllowed, MandateMismatch,
    ValidationFailed.
    """
    referral = await load_referral(writer, caller, id)
    action = _ACTION_OF[ReferralStatus(input.answer)]
    by_sender = await _recorded_by_sender(writer, caller, referral, action)
    check_version(referral["version"], version)
    move = await _lawful(writer, caller, referral, action)
    _require_members(input, move, by_sender=by_sender)
    task = await _task(writer, caller, referral)
    at = moments.moved_at(writer, input.effective_at, task)
    if input.suggested_agency is not None:
        asked = law.question_of(task, at=at)
        asked = replace(asked, function=referral["function"], variant=referral["variant"] or "")
        await law.check_suggestion(writer, asked, suggested=input.suggested_agency)
    standing = await _standing(writer, referral, task, at) if action is Action.ACCEPT else {}
    changed = {
        **standing,
        "reason": input.reason,
        "suggested_agency": input.suggested_agency,
        "recorded_by_sender": by_sender,
        ("received_at" if action is Action.RECEIVE else "answered_at"): at,
        **_letter(input.letter, "answer_letter"),
    }
    said = input.model_dump(mode="json", exclude={"answer", "effective_at"}, exclude_none=True)
    said["recorded_by_sender"] = by_sender
    return await close_referral(writer, caller, {**referral, **standing}, move, at, changed, said)


async def withdraw_referral(
    writer: Writer,
    caller: Caller,
    id: UUID,
    version: int,
    input: WithdrawalInput,
) -> dict[str, Any]:
    """Take a referral back before its acceptance.

    Raises NotFound, NotYourReferral, PermissionDenied, StaleVersion, TransitionNotAllowed, ValidationFailed.
    """
    referral = await load_referral(writer, caller, id)
    if referral["from_agency"] not in visibility.bodies_for(caller, referral["_recused"]):
        raise NotYourReferral(agency=referral["from_agency"])
    policy.require(caller.role, Permission.REFERRAL_WITHDRAW, {Standing.SENDER})
    check_version(referral["version"], version)
    move = await _lawful(writer, caller, referral, Action.WITHDRAW)
    task = await _task(writer, caller, referral)
    at = moments.moved_at(writer, input.effective_at, task)
    said = {"reason": input.reason} if input.reason else {}
    return await close_referral(writer, caller, referral, move, at, {"reason": input.reason, "answered_at": at}, said)


async def _recorded_by_sender(writer: Writer, caller: Caller, referral: Row, action: Action) -> bool:
    """Whether the sender's supervisor records the answer of a receiver that has no active client.

    Raises NotYourReferral or PermissionDenied for anybody else but an officer of the receiver.
    """
    own = visibility.bodies_for(caller, referral["_recused"])
    if referral["to_agency"] in own:
        move = next(one for one in workflow.REFERRAL_MOVES if one.action == action)
        policy.require(caller.role, move.permission, {Standing.REFERRED_TO})
        return False
    if referral["from_agency"] not in own or await value(
        writer,
        "select app.has_client(:to_agency)",
        to_agency=referral["to_agency"],
    ):
        raise NotYourReferral(agency=referral["to_agency"])
    policy.require(caller.role, Permission.REFERRAL_RECORD_ANSWER, {Standing.SENDER})
    return True


async def _lawful(writer: Writer, caller: Caller, referral: Row, action: Action) -> ReferralMove:
    move = workflow.referral_move(action, ReferralStatus(referral["status"]))
    if move is None:
        lawful = await open_moves(writer, caller, referral)
        raise TransitionNotAllowed(action=action, current=referral["status"], lawful=lawful)
    return move


def _require_members(input: ResponseInput, move: ReferralMove, *, by_sender: bool) -> None:
    missing = [f"/{name}" for name in move.requires if getattr(input, name) is None]
    if by_sender and input.letter is None:
        missing.append("/letter")
    if missing:
        raise ValidationFailed(errors=[records.required(pointer) for pointer in missing])


async def _task(writer: Writer, caller: Caller, referral: Row) -> Row:
    """The task of a referral that the caller saw, as the move needs it; raises StaleVersion, NotFound."""
    found = await row(
        writer,
        "select id, category, subcategory, function, variant, subject_kind, region_code, event_at, effective_at,"
        " last_effective_at, status, clock_timestamp() as now, app.take_up(id),"
        " array(select l.vulnerability_id from task_vulnerability l where l.task_id = x.id) as vulnerabilities"
        " from task_detail x where id = :id",
        id=referral["task"],
    )
    if found is None:  # who had an open referral saw its task: it was answered or withdrawn since
        now = await load_referral(writer, caller, referral["id"])
        check_version(now["version"], referral["version"])
        raise NotFound
    return found


async def _standing(writer: Writer, referral: Row, task: Row, at: datetime) -> dict[str, Any]:
    """What the referral rests on when it is accepted: what the law says now, if its row or its receiver has ended.

    Raises MandateMismatch, which names who is competent now, or the other refusals of `law.determine`.
    """
    found = await one(
        writer,
        "select a.valid_to as agency_to, case when m.resolve_at <> 'event' then m.valid_to end as mandate_to"
        " from agency a cross join mandate m where a.code = :code and m.id = :mandate",
        code=referral["to_agency"],
        mandate=referral["mandate"],
    )
    if succession.ended(at, found["mandate_to"], found["agency_to"]) is None:
        return {}
    asked = replace(law.question_of(task, at=at), function=referral["function"], variant=referral["variant"] or "")
    answer = await law.determine(writer, asked, proposed=referral["to_agency"], pointer="/answer")
    if answer.mandate is None:
        raise AssertionError(answer)
    if found["agency_to"] is not None and succession.midnight(found["agency_to"]) <= at:
        raise MandateMismatch(agency=referral["to_agency"], refusal_kind="agency_not_valid", competent_agency=None)
    return {
        "mandate": answer.mandate.id,
        "supporting": list(answer.supporting),
        "informed": list(await escalated(writer, answer, task["vulnerabilities"])),
    }
