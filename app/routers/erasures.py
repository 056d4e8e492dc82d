"""Erasure of persons over HTTP."""

from __future__ import annotations

from fastapi import Request, Response

from app import answers
from app.deps import Caller, Writer
from app.errors import NotFound
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.schemas.erasures import Erasure, ErasureInput
from app.services import erasures

router = guarded(prefix="/v1/erasures", tags=["log"])


@router.post(
    "",
    operation_id="erasePerson",
    summary="Erase a person from the log",
    status_code=201,
    response_model=Erasure,
    dependencies=[needs(P.PERSON_ERASE, NotFound)],
)
async def erase_person(request: Request, writer: Writer, caller: Caller, input: ErasureInput) -> Response:
    """Destroy the key under which the person's name is sealed: from now on every fact is shown without it.

    The log is not touched and verifies as before; no backup but one taken earlier holds the name. Somebody who acts
    under the same name later is recorded anew. Where nobody acted under it, or the name is gone already, there is
    nothing to erase (404). Texts of your own in which you named the person are yours to change.
    """
    return answers.written(request, await erasures.erase_person(writer, caller, input), status=201)
