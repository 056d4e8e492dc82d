"""Referrals over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import BeforeValidator

from app import answers
from app.deps import Caller, IfMatch, Keys, Page, Reader, Writer
from app.errors import (
    ClassificationRefused,
    CursorMismatch,
    MandateGap,
    MandateMismatch,
    NoLegalBasis,
    NotFound,
    NotYourReferral,
    PreconditionRequired,
    Recusal,
    ReferralOpen,
    StaleVersion,
    TransitionNotAllowed,
)
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.rules.vocabulary import ReferralStatus
from app.schemas.referrals import Referral, ReferralInput, ReferralPage, ResponseInput, WithdrawalInput
from app.schemas.types import AgencyCode, split
from app.services import referral_rows, referrals

router = guarded(prefix="/v1", tags=["referrals"])

_LAW = (MandateMismatch, MandateGap, NoLegalBasis, Recusal)
_CONDITIONAL = (NotFound, PreconditionRequired, StaleVersion, TransitionNotAllowed)
Statuses = Annotated[list[ReferralStatus] | None, BeforeValidator(split), Query(description="Comma: any of.")]
Agencies = Annotated[list[AgencyCode] | None, BeforeValidator(split), Query(description="Comma: any of.")]


@router.get(
    "/referrals",
    operation_id="listReferrals",
    summary="List referrals",
    response_model=ReferralPage,
    dependencies=[needs(P.REFERRAL_READ, CursorMismatch)],
)
async def list_referrals(
    request: Request,
    reader: Reader,
    caller: Caller,
    keys: Keys,
    page: Page,
    task: UUID | None = None,
    status: Statuses = None,
    from_agency: Agencies = None,
    to_agency: Agencies = None,
) -> Response:
    """The referrals your agency sent or received, and those of tasks you see whole; newest first."""
    asked = {"task": task, "status": status, "from_agency": from_agency, "to_agency": to_agency}
    found = await referral_rows.list_referrals(reader, caller, keys, asked, limit=page.limit, cursor=page.cursor)
    return answers.page(request, found)


@router.get(
    "/tasks/{id}/referrals",
    operation_id="listTaskReferrals",
    summary="List the referrals of a task",
    response_model=ReferralPage,
    dependencies=[needs(P.REFERRAL_READ, NotFound, CursorMismatch)],
)
async def list_task_referrals(
    request: Request,
    reader: Reader,
    caller: Caller,
    keys: Keys,
    page: Page,
    id: UUID,
) -> Response:
    """How the task changed hands, newest first."""
    found = await referral_rows.list_task_referrals(reader, caller, keys, id, limit=page.limit, cursor=page.cursor)
    return answers.page(request, found)


@router.post(
    "/tasks/{id}/referrals",
    operation_id="referTask",
    summary="Refer a task",
    status_code=201,
    response_model=Referral,
    dependencies=[needs(P.REFERRAL_REFER, *_CONDITIONAL, ReferralOpen, *_LAW, ClassificationRefused)],
)
async def refer_task(
    request: Request,
    writer: Writer,
    caller: Caller,
    id: UUID,
    version: IfMatch,
    input: ReferralInput,
) -> Response:
    """Hand the task to the agency whose mandate covers it, with its letter if there is one.

    It changes hands when that agency accepts: then the task has the referral's function and variant, is `accepted`, and
    the new mandate says who supports it. Work may go on meanwhile.

    If-Match takes the task's ETag; the answer carries the referral's.
    """
    referral = await referrals.refer_task(writer, caller, id, version, input)
    return answers.written(request, referral, status=201, location=f"/v1/referrals/{referral['id']}")


@router.get(
    "/referrals/{id}",
    operation_id="showReferral",
    summary="Show a referral",
    response_model=Referral,
    dependencies=[needs(P.REFERRAL_READ, NotFound)],
)
async def show_referral(request: Request, reader: Reader, caller: Caller, id: UUID) -> Response:
    """The letter sent and the answer."""
    return answers.read(request, await referral_rows.show_referral(reader, caller, id))


@router.post(
    "/referrals/{id}/response",
    operation_id="answerReferral",
    summary="Answer a referral",
    response_model=Referral,
    dependencies=[needs(P.REFERRAL_ANSWER, *_CONDITIONAL, NotYourReferral, *_LAW, ClassificationRefused)],
)
async def answer_referral(
    request: Request,
    writer: Writer,
    caller: Caller,
    id: UUID,
    version: IfMatch,
    input: ResponseInput,
) -> Response:
    """Receive, accept or return it; on acceptance your agency becomes accountable. If-Match takes the referral's ETag.

    For a receiver without an active client a supervisor of the sender records the answer, with its letter. When the
    receiver's mandate ends, the referral goes on to its successor by law, or back; one that was recorded only after
    that end waits a day for an answer dated before it.
    """
    return answers.written(request, await referrals.answer_referral(writer, caller, id, version, input))


@router.post(
    "/referrals/{id}/withdrawal",
    operation_id="withdrawReferral",
    summary="Withdraw a referral",
    response_model=Referral,
    dependencies=[needs(P.REFERRAL_WITHDRAW, *_CONDITIONAL, NotYourReferral)],
)
async def withdraw_referral(
    request: Request,
    writer: Writer,
    caller: Caller,
    id: UUID,
    version: IfMatch,
    input: WithdrawalInput,
) -> Response:
    """Take it back before its acceptance. If-Match takes the referral's ETag."""
    return answers.written(request, await referrals.withdraw_referral(writer, caller, id, version, input))
