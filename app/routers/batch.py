"""Many operations on tasks over HTTP."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request, Response

from app import answers
from app.deps import Caller, Writer
from app.errors import (
    ClassificationDenied,
    ClassificationRefused,
    DuplicateExternalReference,
    FourEyes,
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
from app.schemas.batch import BatchInput, BatchReport
from app.services import batch

PATH: Final = "/v1/tasks/batch"
router = guarded(tags=["tasks"])

_REFUSALS = (
    *(NotFound, NotYourReferral, PreconditionRequired, StaleVersion, TransitionNotAllowed, ReferralOpen, FourEyes),
    *(MandateMismatch, MandateGap, NoLegalBasis, Recusal),
    *(ClassificationDenied, ClassificationRefused, DuplicateExternalReference),
)
_EACH: dict[int | str, dict[str, Any]] = {
    207: {"model": BatchReport, "description": "Each for itself (`atomic` false): what became of every operation."}
}


@router.post(
    PATH,
    operation_id="runBatch",
    summary="Carry out many operations on tasks",
    response_model=BatchReport,
    responses=_EACH,
    dependencies=[needs(P.TASK_BATCH, *_REFUSALS)],
)
async def run_batch(request: Request, writer: Writer, caller: Caller, input: BatchInput) -> Response:
    """Up to 200 operations on tasks and their referrals, carried out in the order sent, each seeing those before it.

    With `atomic` true (the default) all are carried out (200), or none is: then the answer is the problem of the first
    that was refused, with its place as `operation`, and `refused` names every one that was. With `atomic` false (207)
    each stands for itself, with the answer it would have had alone. One Idempotency-Key stands for the whole request;
    each operation carries its own `if_match`, and counts as a request for the quota. The body may hold 1,048,576 bytes;
    that of every other operation 65,536 (413, whose `limit` says which).
    """
    await request.app.state.quota.spend_more(request, caller, len(input.operations) - 1)
    results = await batch.run(writer, caller, input.operations, atomic=input.atomic)
    return answers.reported(request, results, status=200 if input.atomic else 207)
