"""When credentials end: never in a freeze window, never unannounced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from app.db import Executor, Row, Writer, rows, settings_of
from app.errors import ExpiryInFreezeWindow
from app.rules import freeze
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.services import locks, log, records
from app.services.locks import Lock

LONGEST: Final = timedelta(days=365)
#: How many days before its end a credential is spoken of.
WARNINGS: Final = (30, 14, 7, 1)


async def lawful_end(writer: Writer, asked: datetime | None) -> datetime:
    """When a new credential ends: as asked, or by default after `secret_days`, before any freeze window.

    Raises ValidationFailed for an end that has passed or lies more than 365 days ahead, ExpiryInFreezeWindow.
    """
    now = datetime.now(UTC)
    windows = await _windows(writer)
    if asked is None:
        return freeze.outside(windows, now + timedelta(days=settings_of(writer).secret_days), after=now)
    if not now < asked <= now + LONGEST:
        raise records.refused(
            "/expires_at",
            "expiry",
            "A credential ends after now and within 365 days.",
            "Kredensial berakhir sesudah sekarang dan dalam 365 hari.",
        )
    frozen = freeze.holding(windows, asked)
    if frozen is not None:
        raise ExpiryInFreezeWindow(window=frozen.name)
    return asked


async def _windows(executor: Executor) -> list[freeze.Window]:
    found = await rows(
        executor,
        "select e.code, e.voting_date, s.ends_on from election e"
        " left join stage s on s.election_code = e.code and s.code = :count"
        " where greatest(e.voting_date, s.ends_on) > current_date - 30",
        count=freeze.COUNT,
    )
    return [freeze.window(one["code"], one["voting_date"], one["ends_on"]) for one in found]


async def warn(writer: Writer, *, by: Caller) -> int:
    """Enter a fact for each credential that ends within 30, 14, 7 or 1 days: each once, by whichever worker is first.

    What was missed meanwhile is not made up for: only the nearest of the four is told. Returns how many were entered.
    """
    if not await locks.attempt(writer, Lock.EXPIRY_WARNINGS):
        return 0
    ending = await rows(writer, _ENDING, within=timedelta(days=max(WARNINGS)))
    if not ending:
        return 0
    kind, clients = EventKind.CREDENTIAL_EXPIRING, [one["client_id"] for one in ending]
    told = await log.payloads(writer, kind, on="client", ids=clients)
    known = {(one["credential"], one["days"]) for one in told}
    near = [(one, _warning(one)) for one in ending]
    new = [(one, said) for one, said in near if (said["credential"], said["days"]) not in known]
    for one, said in new:
        await log.record(
            writer,
            by,
            kind,
            on="client",
            id=one["client_id"],
            concerns=one["agency"],
            effective_at=datetime.now(UTC),
            payload=said,
        )
    return len(new)


_ENDING: Final = """
    select one.*, c.agency, one.expires_at - now() as remaining from (
        select id, client_id, last_four, expires_at from client_secret where revoked_at is null
        union all select id, client_id, right(kid, 4), expires_at from client_key where revoked_at is null
    ) one join client c on c.id = one.client_id
    where c.status <> 'revoked' and one.expires_at > now() and one.expires_at <= now() + :within
    order by one.expires_at, one.id
"""


def _warning(ending: Row) -> Row:
    return {
        "credential": str(ending["id"]),
        "last_four": ending["last_four"],
        "expires_at": ending["expires_at"].astimezone(UTC).isoformat(),
        "days": min(days for days in WARNINGS if ending["remaining"] <= timedelta(days=days)),
    }
