"""Clients: who makes them, what is kept of their secrets, and how a door is shut."""

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from support import Agency, SignIn

from app import db
from app.db import Database

GRANT = {"grant_type": "client_credentials"}


async def change(database: Database, sql: str, **values: Any) -> None:
    """What time does: nobody ends a secret by itself."""
    async with database.writing() as writer:
        changed = await writer.execute(text(sql + " returning 1"), values)
        assert len(changed.all()) == 1


# making


async def test_an_operator_makes_a_client_whose_secret_is_shown_once(operator: Agency, http: httpx.AsyncClient) -> None:
    said = {
        "agency": "INSPEKTORAT_KOTA_MALANG",
        "role": "officer",
        "purpose": "Sistem informasi pengawasan",
        "contact": "pengelola sistem",
        "clearance": "rahasia",
        "networks": ["127.0.0.0/8", "2001:db8::/32"],
    }
    made = await operator.post("/v1/clients", said)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    client = made.json()
    assert {name: client[name] for name in said} == said
    assert client["id"] == client["client_id"]
    assert made.headers["location"] == f"/v1/clients/{client['id']}"
    assert client["client_secret"].startswith("smp_embedded_")
    shown = await operator.get(f"/v1/clients/{client['id']}")
    assert client["client_secret"] not in shown.text
    assert shown.json()["secrets"][0]["last_four"] == client["client_secret"][-4:]
    me = (await (await Agency(http, client).sign_in()).get("/v1/me")).json()
    assert (me["agency"], me["role"], me["clearance"]) == (said["agency"], "officer", "rahasia")
    used = (await operator.get(f"/v1/clients/{client['id']}")).json()["secrets"][0]
    assert used["last_used_at"] is not None


async def test_an_agency_admin_makes_clients_of_its_own_agency_only(sign_in: SignIn) -> None:
    admin = await sign_in("KPU_KOTA_MALANG", "agency_admin")
    own = await admin.post("/v1/clients", {"agency": "KPU_KOTA_MALANG", "role": "viewer", "purpose": "Dasbor"})
    assert own.status_code == 201
    for said in (
        {"agency": "BAWASLU_KOTA_MALANG", "role": "viewer"},
        {"agency": None, "role": "operator"},
        {"agency": "KPU_KOTA_MALANG", "role": "operator"},
    ):
        refused = await admin.post("/v1/clients", {**said, "purpose": "-"})
        assert (refused.status_code, refused.json()["permission"]) == (403, "client.create"), said


async def test_operators_and_only_they_belong_to_no_agency(operator: Agency) -> None:
    for said in ({"agency": None, "role": "viewer"}, {"agency": "KPU_RI", "role": "operator"}):
        refused = await operator.post("/v1/clients", {**said, "purpose": "-"})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/agency"), said
    unknown = await operator.post("/v1/clients", {"agency": "NO_SUCH_AGENCY", "role": "viewer", "purpose": "-"})
    assert unknown.json()["errors"][0] == {
        "pointer": "/agency",
        "code": "unknown",
        "detail": "There is no such agency.",
    }


async def test_an_agency_admin_sees_the_clients_of_its_own_agency_only(sign_in: SignIn, operator: Agency) -> None:
    admin = await sign_in("KPU_KOTA_MALANG", "agency_admin")
    own = (await admin.get("/v1/clients", params={"limit": "200"})).json()["items"]
    assert {one["agency"] for one in own} == {"KPU_KOTA_MALANG"}
    all_of_them = (await operator.get("/v1/clients", params={"limit": "200"})).json()["items"]
    others = [one for one in all_of_them if one["agency"] != "KPU_KOTA_MALANG"]
    assert len(others) > 5
    assert (await admin.get(f"/v1/clients/{others[0]['id']}")).status_code == 404
    none = await admin.get("/v1/clients", params={"agency": "BAWASLU_KOTA_MALANG"})
    assert none.json()["items"] == []


# keeping


async def test_no_secret_stands_anywhere_in_the_database(
    database: Database, credentials: list[dict[str, Any]], operator: Agency
) -> None:
    headers = {"Idempotency-Key": "one-key-for-one-client"}
    said = {"agency": "KPU_KOTA_MALANG", "role": "viewer", "purpose": "Rahasia"}
    made = await operator.post("/v1/clients", said, headers=headers)
    again = await operator.post("/v1/clients", said, headers=headers)
    assert again.json()["client_secret"] == made.json()["client_secret"]
    secrets = [one["client_secret"] for one in (*credentials, made.json())]
    needles = [needle for secret in secrets for needle in (secret, secret.split("_")[2])]
    async with database.reading() as reader:
        tables = await db.rows(reader, "select tablename from pg_tables where schemaname = 'public'")
        for table in tables:
            if table["tablename"] in {"region", "enumeration_value"}:
                continue
            dump = await db.rows(reader, f'select t::text as line from "{table["tablename"]}" t')
            texts = "\n".join(one["line"] for one in dump)
            hexed = [needle.encode().hex() for needle in needles]
            assert not [needle for needle in (*needles, *hexed) if needle in texts], table
        kept = await db.value(reader, "select count(*) from client_secret where length(fingerprint) = 32")
    assert kept >= len(secrets)


# shutting


async def test_a_client_may_be_used_from_its_networks_only(
    client_of: SignIn, operator: Agency, http: httpx.AsyncClient
) -> None:
    here = await client_of("KPU_KOTA_MALANG", networks=["127.0.0.0/8"])
    assert (await here.get("/v1/me")).status_code == 200
    place = f"/v1/clients/{here.credentials['client_id']}"
    assert (await operator.patch(place, {"networks": ["10.0.0.0/8"]}, etag='"1"')).status_code == 200
    refused = await here.get("/v1/me")
    assert (refused.status_code, refused.json()["code"]) == (403, "address-not-allowed")
    elsewhere = await operator.post(
        "/v1/clients",
        {"agency": "KPU_KOTA_MALANG", "role": "viewer", "purpose": "-", "networks": ["10.1.0.0/16", "::1/128"]},
    )
    form = {name: elsewhere.json()[name] for name in ("client_id", "client_secret")}
    no_token = await http.post("/oauth2/token", data={**GRANT, **form})
    assert (no_token.status_code, no_token.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    "column",
    ["expires_at = now() - interval '1 second'", "revoked_at = now()"],
)
async def test_a_secret_that_has_ended_grants_nothing(
    client_of: SignIn, database: Database, http: httpx.AsyncClient, column: str
) -> None:
    client = await client_of("KPU_KOTA_MALANG", "viewer")
    await change(
        database, f"update client_secret set {column} where client_id = :id", id=client.credentials["client_id"]
    )
    form = {name: client.credentials[name] for name in ("client_id", "client_secret")}
    refused = await http.post("/oauth2/token", data={**GRANT, **form})
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


async def test_a_secret_ends_within_a_year_by_itself(operator: Agency) -> None:
    items = (await operator.get("/v1/clients", params={"limit": "5"})).json()["items"]
    ends = [secret["expires_at"] for one in items for secret in one["secrets"]]
    assert ends
    assert all(end is not None for end in ends)


async def test_the_acting_person_is_recorded_and_gives_no_right(kpu: Agency, client_of: SignIn) -> None:
    draft = await kpu.post(
        "/v1/tasks",
        {
            "title": "Simulasi",
            "description": "Simulasi",
            "category": "asn_neutrality",
            "function": "prevention",
            "region": "35.73",
            "draft": True,
        },
        headers={"Acting-User": "staf-0042"},
    )
    entries = (await kpu.get(f"/v1/tasks/{draft.json()['id']}/history")).json()["items"]
    assert [one["acting_user"] for one in entries] == ["staf-0042"]
    assert [one["client"] for one in entries] == [kpu.credentials["client_id"]]
    viewer = await client_of("KPU_KOTA_MALANG", "viewer")
    refused = await viewer.post("/v1/tasks", {}, headers={"Acting-User": "staf-0042"})
    assert (refused.status_code, refused.json()["permission"]) == (403, "task.log")
    odd = await kpu.get("/v1/me", headers={"Acting-User": "a b"})
    assert (odd.status_code, odd.json()["errors"][0]["parameter"]) == (400, "Acting-User")
    assert json.dumps("a b") not in odd.text
