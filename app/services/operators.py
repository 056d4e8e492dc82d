"""The operators: never may the last one who can get in be shut out."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from app.db import Writer, value
from app.services import locks, records
from app.services.locks import Lock

_LEFT: Final = """
    select count(*) as left from client c
    where c.role = 'operator' and c.status = 'active' and c.id is distinct from cast(:without as uuid) and exists (
        select from client_secret s where s.client_id = c.id and s.revoked_at is null and s.expires_at > now()
        union all select from client_key k where k.client_id = c.id and k.revoked_at is null and k.expires_at > now())
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
