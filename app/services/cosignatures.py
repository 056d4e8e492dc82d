"""What witnesses sign: that they know a head of ours, and that it continues all they knew before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import orjson

from app.claims import LEEWAY
from app.db import Executor, Row, Writer, keys_of, one, row, rows, value
from app.errors import HeadMismatch, ValidationFailed
from app.log_files import Cosignature, stated
from app.rules import policy
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.rules.vocabulary import Standing
from app.schemas.log import CosignatureInput
from app.services import log, records
from app.statements import Kind, Unsigned

_SHOWN: Final = "c.agency, c.size, c.kid, c.jwk, c.signed as cosignature, c.recorded_at"


async def list_cosignatures(executor: Executor, *, after: int, limit: int) -> dict[str, Any]:
    """The cosignatures of heads beyond a size, the smallest first, those of one head together."""
    found = await rows(
        executor,
        f"select {_SHOWN} from (select * from cosignature where size > :after"
        " order by size fetch first :limit rows with ties) c order by c.size, c.agency",
        after=after,
        limit=limit,
    )
    return {"items": found, "after": found[-1]["size"] if found else after}


async def cosign(writer: Writer, caller: Caller, input: CosignatureInput) -> Row:
    """Keep what the caller's agency says of a head of ours; of one size the first that it says stays.

    Raises PermissionDenied, ValidationFailed, HeadMismatch.
    """
    policy.require(caller.role, Permission.LOG_COSIGN, {Standing.OWN_AGENCY})
    said, key = await _read(writer, caller, input.cosignature)
    root = await value(writer, "select encode(root, 'hex') from log_head where size = :size", size=said.size)
    if root != said.root:
        raise HeadMismatch(size=said.size)
    made = await row(
        writer,
        "insert into cosignature (agency, size, kid, jwk, signed)"
        " values (:agency, :size, :kid, cast(:jwk as jsonb), :signed) on conflict do nothing returning size",
        agency=caller.body,
        size=said.size,
        kid=key["kid"],
        jwk=orjson.dumps(key).decode(),
        signed=input.cosignature,
    )
    if made is not None:
        await log.record(
            writer,
            caller,
            EventKind.LOG_COSIGNED,
            on="log",
            id=str(said.size),
            effective_at=datetime.now(UTC),
            payload={"size": said.size, "root": said.root, "kid": key["kid"]},
        )
        await writer.flush()
    return await one(
        writer,
        f"select {_SHOWN} from cosignature c where c.agency = :agency and c.size = :size",
        agency=caller.body,
        size=said.size,
    )


async def _read(writer: Writer, caller: Caller, text: str) -> tuple[Cosignature, dict[str, Any]]:
    """What a cosignature says, and the live key of the caller's agency that signed it; raises ValidationFailed."""
    for found in await rows(writer, "select jwk from app.witness_keys()"):
        try:
            said = stated([found["jwk"]], Kind.COSIGNATURE, Cosignature, text)
        except Unsigned:
            continue
        if (said.iss, said.log) != (caller.body, keys_of(writer).issuer):
            raise records.refused(
                "/cosignature", "addressee", f"`iss` must be {caller.body}, and `log` {keys_of(writer).issuer}.",
                f"`iss` harus {caller.body}, dan `log` {keys_of(writer).issuer}.",
            )  # fmt: skip
        _require_past(said.iat)
        await _require_one_key(writer, caller, found["jwk"])
        return said, found["jwk"]
    raise _unsigned()


def _require_past(iat: int) -> None:
    """Refuse an instant that has not come, but for clocks that differ; raises ValidationFailed."""
    if iat > (datetime.now(UTC) + LEEWAY).timestamp():
        raise records.refused("/cosignature", "in_future", "Its `iat` lies in the future.", "`iat` belum terjadi.")


async def _require_one_key(writer: Writer, caller: Caller, jwk: dict[str, Any]) -> None:
    """Refuse a kid under which the agency cosigned with another key: who verifies later knows keys by it."""
    known = await value(
        writer, "select jwk from cosignature where agency = :agency and kid = :kid limit 1",
        agency=caller.body, kid=jwk["kid"],
    )  # fmt: skip
    if known is not None and (known["x"], known["y"]) != (jwk["x"], jwk["y"]):
        raise records.refused(
            "/cosignature", "kid", "Your agency has cosigned with another key of this `kid`: give each its own.",
            "Instansi Anda pernah memakai kunci lain dengan `kid` ini: beri tiap kunci `kid` sendiri.",
        )  # fmt: skip


def _unsigned() -> ValidationFailed:
    return records.refused(
        "/cosignature",
        "unsigned",
        "This is no cosignature signed by a live key of a client of your agency: register its public half first.",
        "Ini bukan kosignatur dari kunci aktif klien instansi Anda: daftarkan dahulu kunci publiknya.",
    )
