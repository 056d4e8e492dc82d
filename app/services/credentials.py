"""The clients of the first run."""

from __future__ import annotations

from typing import Any, Final

from app.db import Writer, rows
from app.models import Client
from app.rules.vocabulary import Role
from app.security import Keys
from app.services.clients import add_secret

FIVE: Final = (
    "KPU_KOTA_MALANG",
    "BAWASLU_KOTA_MALANG",
    "POLRESTA_MALANG_KOTA",
    "KODIM_0833_KOTA_MALANG",
    "BAKESBANGPOL_KOTA_MALANG",
)
#: Agency and role of each client of the first run, in the order of API.md.
FIRST: Final[tuple[tuple[str | None, Role], ...]] = (
    *((agency, Role.SUPERVISOR) for agency in (*FIVE, "BKPSDM_KOTA_MALANG")),
    *((agency, Role.AGENCY_ADMIN) for agency in FIVE),
    (None, Role.OPERATOR),
    (None, Role.OPERATOR),
)


def create_first_clients(writer: Writer, keys: Keys) -> list[dict[str, Any]]:
    """Make the clients of the first run; returns `{agency, client_id, client_secret, role}` of each."""
    return [_made(writer, keys, agency, role, "First run") for agency, role in FIRST]


def create_operator(writer: Writer, keys: Keys) -> dict[str, Any]:
    """Make one more operator; returns `{agency, client_id, client_secret, role}`."""
    return _made(writer, keys, None, Role.OPERATOR, "Break glass")


def _made(writer: Writer, keys: Keys, agency: str | None, role: Role, purpose: str) -> dict[str, Any]:
    client = Client(agency=agency, role=role, purpose=purpose)
    secret = add_secret(writer, keys, client, by=None)
    return {"agency": agency, "client_id": str(client.id), "client_secret": secret, "role": role.value}


async def are_known(writer: Writer, client_ids: list[str]) -> bool:
    """Whether all of these clients exist in this database."""
    found = await rows(writer, "select id from client where id = any(cast(:ids as uuid[]))", ids=client_ids)
    return len(found) == len(set(client_ids))
