"""The clients of the first run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from app.db import Executor, Writer, rows, value
from app.models import Client
from app.rules.caller import itself
from app.rules.facts import EventKind
from app.rules.vocabulary import Clearance, Role
from app.security import Keys
from app.services import expiry, log
from app.services.client_secrets import add_secret

FIVE: Final = (
    "KPU_KOTA_MALANG",
    "BAWASLU_KOTA_MALANG",
    "POLRESTA_MALANG_KOTA",
    "KODIM_0833_KOTA_MALANG",
    "BAKESBANGPOL_KOTA_MALANG",
)
#: Agency and role of each client of the first run, in the order in which they are printed.
FIRST: Final[tuple[tuple[str | None, Role], ...]] = (
    *((agency, Role.SUPERVISOR) for agency in (*FIVE, "BKPSDM_KOTA_MALANG")),
    *((agency, Role.AGENCY_ADMIN) for agency in FIVE),
    (None, Role.OPERATOR),
    (None, Role.OPERATOR),
)


async def create_first_clients(writer: Writer, keys: Keys) -> list[dict[str, Any]]:
    """Make the clients of the first run; returns `{agency, client_id, client_secret, role}` of each."""
    ends = await expiry.lawful_end(writer, None)
    return [await _made(writer, keys, agency, role, ends) for agency, role in FIRST]


async def _made(writer: Writer, keys: Keys, agency: str | None, role: Role, ends: datetime) -> dict[str, Any]:
    client = Client(agency=agency, role=role, purpose="First run")
    writer.add(client)
    _, secret = add_secret(writer, keys, client.id, by=None, ends=ends)
    await log.record(
        writer,
        itself("start"),
        EventKind.CLIENT_CREATED,
        on="client",
        id=client.id,
        concerns=agency,
        effective_at=datetime.now(UTC),
        versions=(None, 1),
        payload={"agency": agency, "role": role, "clearance": Clearance.TERBATAS},
    )
    return {"agency": agency, "client_id": str(client.id), "client_secret": secret, "role": role.value}


async def are_known(writer: Writer, client_ids: list[str]) -> bool:
    """Whether all of these clients exist in this database."""
    found = await rows(writer, "select id from client where id = any(cast(:ids as uuid[]))", ids=client_ids)
    return len(found) == len(set(client_ids))


async def has_clients(executor: Executor) -> bool:
    """Whether any client exists: the first run makes some."""
    return bool(await value(executor, "select 1 as there from client limit 1"))
