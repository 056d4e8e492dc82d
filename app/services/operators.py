"""The operators: never may the last one who can get in be shut out, and two who act together are two persons."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from app.db import Writer, value
from app.errors import FourEyes
from app.services import locks, records
from app.services.locks import Lock

_LEFT: Final = """
    select count(*) as left from client c
    where c.role = 'operator' and c.status = 'active' and c.id is distinct from cast(:without as uuid) and exists (
        select from client_secret s where s.client_id = c.id and s.revoked_at is null and s.expires_at > now()
        union all select from client_key k where k.client_id = c.id and k.revoked_at is null and k.expires_at > now())
"""
#: Whoever created a client, or ever gave it a secret or a key, may have its credentials; so may, in turn, whoever did
#: so for that one. Two clients that somebody may have both of are not two persons.
_IN_ONE_HAND: Final = """
    with recursive given (id, by) as (
        select id, created_by from client union select client_id, created_by from client_secret
        union select client_id, created_by from client_key
    ), holder (of, id) as (
        select one, one from unnest(cast(:clients as uuid[])) one
        union select h.of, g.by from holder h join given g on g.id = h.id where g.by is not null
    )
    select exists (select from holder group by id having count(distinct of) > 1) as held
"""


async def require_one_left(writer: Writer, *, without: UUID | None = None) -> None:
    """Refuse what leaves no operator who can get in, not counting the one to be shut out; raises ValidationFailed."""
    await locks.wait(writer, Lock.OPERATORS)
    if not await value(writer, _LEFT, without=without):
        raise records.refused(
            "",
            "last_operator",
            "This is the last operator who can get in; create another first.",
            "Ini operator terakhir yang masih dapat masuk; buatlah yang lain dahulu.",
        )


async def require_another(writer: Writer, *, first: UUID, second: UUID | None) -> None:
    """Refuse a second pair of eyes that may be the first: one client, or two in one hand; raises FourEyes."""
    if second is None or first == second or await value(writer, _IN_ONE_HAND, clients=[first, second]):
        raise FourEyes
