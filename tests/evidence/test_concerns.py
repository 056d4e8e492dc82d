"""What operators, strangers and the machine do to a client is heard by the admin of its agency, and of no other."""

from __future__ import annotations

from typing import Any

import pytest
from bodies import REASON, in_days, public_jwk
from fastapi import FastAPI
from support import Agency, SignIn

from app.db import Database, rows
from app.rules.caller import itself
from app.services import callers, expiry, signing, visibility

CODE = "KPU_KAB_MALANG"
#: A comparison that each wall stands without the other.
BOTH, FIRST, SECOND = "both walls", "the predicate alone", "row security alone"


async def heard(database: Database, who: Agency, objects: list[str], *, walls: str) -> list[dict[str, Any]]:
    """The facts about some objects that a caller hears of."""
    claims = await signing.verified(database, database.keys, who.token)
    async with database.writing() as writer:
        caller = await callers.identify(writer, claims, address="127.0.0.1", acting_user=None, request_id="test")
        if walls == FIRST:
            await rows(writer, "select 1 from app.work()")
        predicate = "true" if walls == SECOND else visibility.heard(caller)
        return await rows(
            writer,
            f"select kind, agency, concerns from event e where {predicate} and object_id = any(:objects)"
            " and kind not in ('agency.created', 'agency.updated') order by e.id",
            **visibility.hearing(caller) if walls != SECOND else {},
            objects=objects,
        )


async def live_through(operator: Agency, app: FastAPI) -> list[str]:
    """Let everything be done to a client of the agency by somebody else; returns the ids of the client and agency."""
    made = (await operator.post("/v1/clients", {"agency": CODE, "role": "viewer", "purpose": "Uji"})).json()
    place, first = f"/v1/clients/{made['id']}", made["secrets"][0]["id"]
    wrong = {"grant_type": "client_credentials", "client_id": made["id"]}
    key = await operator.post(f"{place}/keys", {"jwk": public_jwk(), "expires_at": in_days(40)})
    soon = await operator.post(f"{place}/secrets", {"expires_at": in_days(6), "overlap_days": 3})
    for move, etag in (
        (f"keys/{key.json()['id']}/revocation", None),
        (f"secrets/{first}/revocation", None),
        ("token-revocation", None),
        ("suspension", '"1"'),
        ("reinstatement", '"2"'),
    ):
        answer = await operator.post(f"{place}/{move}", REASON, etag=etag)
        assert answer.is_success, answer.text
    assert (await operator.patch(place, {"purpose": "Lagi"}, etag='"3"')).is_success
    async with app.state.database.working() as worker:
        assert await expiry.warn(worker, by=itself("worker")) >= 1
    assert soon.is_success
    assert (await operator.post(f"{place}/revocation", REASON, etag='"4"')).is_success
    for secret in (made["client_secret"], "smp_wrong"):  # one that is revoked, one that never was
        assert (await operator.http.post("/oauth2/token", data={**wrong, "client_secret": secret})).status_code == 401
    await app.state.refusals.enter()
    for move in ("suspension", "reinstatement"):
        etag = (await operator.get(f"/v1/agencies/{CODE}")).headers["etag"]
        assert (await operator.post(f"/v1/agencies/{CODE}/{move}", REASON, etag=etag)).is_success
    return [made["id"], CODE]


@pytest.fixture(scope="module")
async def lived(operator: Agency, app: FastAPI) -> list[str]:
    return await live_through(operator, app)


@pytest.mark.parametrize("walls", [BOTH, FIRST, SECOND])
async def test_the_admin_and_the_auditor_of_the_agency_hear_of_all_that_is_done_to_its_clients(
    walls: str, lived: list[str], client_of: SignIn, operator: Agency, database: Database
) -> None:
    told = await heard(database, operator, lived, walls=walls)
    assert {one["kind"] for one in told} == {
        "client.created",
        "key.registered",
        "secret.rotated",
        "key.revoked",
        "secret.revoked",
        "tokens.revoked",
        "client.suspended",
        "client.reinstated",
        "client.updated",
        "credential.expiring",
        "client.revoked",
        "secret.misused",
        "authentication.failed",
        "agency.suspended",
        "agency.reinstated",
    }
    assert {one["agency"] or one["concerns"] for one in told} == {CODE}
    for role in ("agency_admin", "auditor"):
        assert await heard(database, await client_of(CODE, role), lived, walls=walls) == told


@pytest.mark.parametrize("walls", [BOTH, FIRST, SECOND])
async def test_nobody_else_hears_of_it(
    walls: str, lived: list[str], client_of: SignIn, sign_in: SignIn, database: Database
) -> None:
    others = [
        await sign_in("KPU_KOTA_MALANG", "agency_admin"),
        await client_of("KPU_JATIM", "agency_admin"),
        await client_of("KPU_RI", "auditor"),
        await client_of("BAKESBANGPOL_KOTA_MALANG", "supervisor"),
        await client_of(CODE, "supervisor"),
        await client_of(CODE, "expert"),
    ]
    for other in others:
        assert await heard(database, other, lived, walls=walls) == []


async def test_a_client_hears_of_itself_and_of_no_other(
    lived: list[str], client_of: SignIn, database: Database
) -> None:
    client = await client_of(CODE, "officer")
    own = str(client.credentials["client_id"])
    told = await heard(database, client, [own, *lived], walls=BOTH)
    assert [one["kind"] for one in told] == ["client.created"]
    assert [one["concerns"] for one in told] == [CODE]


async def test_what_an_agency_does_itself_concerns_no_other(client_of: SignIn, database: Database) -> None:
    admin = await client_of(CODE, "agency_admin")
    made = (await admin.post("/v1/clients", {"role": "viewer", "purpose": "Uji"})).json()
    assert (await admin.post(f"/v1/clients/{made['id']}/suspension", REASON, etag='"1"')).is_success
    told = await heard(database, admin, [made["id"]], walls=BOTH)
    assert [(one["kind"], one["agency"], one["concerns"]) for one in told] == [
        ("client.created", CODE, None),
        ("client.suspended", CODE, None),
    ]
