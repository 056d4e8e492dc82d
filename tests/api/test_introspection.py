"""What a token is good for now, told to whom it concerns (RFC 7662); and how its holder ends it (RFC 7009)."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from attacks import forged
from fastapi import FastAPI
from forger import Forger
from signer import Signer
from support import Agency, SignIn

from app.db import Database, row, value
from app.main import create_app
from app.settings import Settings

INACTIVE = {"active": False}


def token_of(agency: Agency) -> str:
    return agency.headers["Authorization"].removeprefix("Bearer ")


def shown(agency: Agency) -> dict[str, str]:
    return {name: str(agency.credentials[name]) for name in ("client_id", "client_secret")}


async def introspect(agency: Agency, token: str) -> Any:
    answer = await agency.http.post("/oauth2/introspect", data={**shown(agency), "token": token})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def revoke(agency: Agency, token: str, **other: str) -> httpx.Response:
    return await agency.http.post("/oauth2/revoke", data={**shown(agency), "token": token, **other})


async def change(database: Database, sql: str, **values: Any) -> None:
    async with database.writing() as writer:
        assert await value(writer, sql, **values) is not None


# introspection


async def test_a_token_is_told_to_its_agency_and_to_operators_and_to_nobody_else(
    client_of: SignIn, kpu: Agency, bawaslu: Agency, operator: Agency
) -> None:
    one = await client_of("KPU_KOTA_MALANG", "officer")
    token, me = token_of(one), (await one.get("/v1/me")).json()
    said = await introspect(one, token)
    assert said == await introspect(kpu, token) == await introspect(operator, token)
    assert (said["active"], said["client_id"], said["sub"]) == (True, me["client_id"], me["client_id"])
    assert (said["scope"], said["token_type"], said["agency"]) == ("officer", "Bearer", "KPU_KOTA_MALANG")
    assert (said["iss"], said["aud"], said["exp"] - said["iat"]) == ("simpul", "simpul", 600)
    assert datetime.fromtimestamp(said["exp"], UTC) == datetime.fromisoformat(me["token_ends"])
    assert await introspect(bawaslu, token) == INACTIVE
    assert await introspect(kpu, token_of(operator)) == INACTIVE
    assert (await introspect(operator, token_of(operator)))["agency"] is None


async def test_no_forgery_is_active(operator: Agency, forger: Forger) -> None:
    one_each = dict(forged(forger))
    assert len(one_each) > 60
    for family, token in one_each.items():
        assert await introspect(operator, token) == INACTIVE, family


STANDING = {
    "client suspended": ("update client set status = 'suspended' where id = :id returning id"),
    "client revoked": ("update client set status = 'revoked' where id = :id returning id"),
    "epoch of the client": ("update client set epoch = epoch + 1 where id = :id returning id"),
    "secret revoked": ("update client_secret set revoked_at = now() where client_id = :id returning id"),
    "role lessened": ("update client set role = 'viewer' where id = :id returning id"),
    "agency suspended": (
        "update agency set suspended = true where code = (select agency from client where id = :id) returning code"
    ),
    "epoch of the agency": (
        "update agency set epoch = epoch + 1 where code = (select agency from client where id = :id) returning code"
    ),
    "epoch of all": ("update epoch set number = number + 1 where cast(:id as uuid) is not null returning number"),
}


@pytest.fixture(scope="module")
async def elsewhere(clone: Callable[[], Awaitable[str]], settings: Settings, credentials: list[dict[str, Any]]) -> Any:
    """A database of its own: whole agencies are suspended in it."""
    app = create_app(settings, await clone())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as http:
        operator = await Agency(http, credentials[-1]).sign_in()
        yield app.state.database, operator
    await app.state.database.close()


@pytest.mark.parametrize("how", STANDING)
async def test_active_is_what_the_database_says_now(how: str, elsewhere: tuple[Database, Agency]) -> None:
    database, operator = elsewhere
    await operator.sign_in()
    agency = "BAWASLU_KOTA_MALANG" if "agency" in how else "KPU_KOTA_MALANG"
    made = await operator.post("/v1/clients", {"agency": agency, "role": "officer", "purpose": "Uji"})
    client = await Agency(operator.http, made.json()).sign_in()
    assert (await introspect(operator, token_of(client)))["active"]
    await change(database, STANDING[how], id=made.json()["client_id"])
    assert await introspect(operator, token_of(client)) == INACTIVE
    assert (await client.get("/v1/me")).status_code in {401, 403}
    await change(database, "update agency set suspended = false where code = :code returning code", code=agency)


async def test_a_token_is_active_wherever_it_is_asked_about(client_of: SignIn, database: Database, kpu: Agency) -> None:
    far = await client_of("KPU_KOTA_MALANG")
    await change(
        database,
        "update client set networks = '{192.0.2.0/24}' where id = cast(:id as uuid) returning id",
        id=far.credentials["client_id"],
    )
    assert (await far.get("/v1/me")).status_code == 403
    assert (await introspect(kpu, token_of(far)))["active"]


# revocation


async def test_a_token_is_revoked_from_the_next_request_on_and_its_siblings_live(
    client_of: SignIn, database: Database
) -> None:
    client = await client_of("KPU_KOTA_MALANG")
    first = token_of(client)
    await client.sign_in()
    for _ in range(2):
        answer = await revoke(client, first, token_type_hint="access_token")
        assert (answer.status_code, answer.content) == (200, b"")
    assert await introspect(client, first) == INACTIVE
    refused = await client.get("/v1/me", headers={"Authorization": f"Bearer {first}"})
    assert (refused.status_code, refused.json()["code"]) == (401, "token-invalid")
    assert (await client.get("/v1/me")).status_code == 200
    async with database.reading() as reader:
        facts = await row(
            reader,
            "select count(*) as often from event where kind = 'token.revoked' and client_id = cast(:id as uuid)",
            id=client.credentials["client_id"],
        )
    assert facts == {"often": 1}


async def test_what_is_no_good_token_is_revoked_already(kpu: Agency, forger: Forger) -> None:
    for token in ("nothing", "a.b.c", *list(dict(forged(forger)).values())[:12]):
        assert (await revoke(kpu, token)).status_code == 200
    assert (await kpu.get("/v1/me")).status_code == 200


async def test_nobody_revokes_the_token_of_another_client(kpu: Agency, bawaslu: Agency, operator: Agency) -> None:
    for stranger in (kpu, operator):
        answer = await revoke(stranger, token_of(bawaslu))
        assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    assert (await bawaslu.get("/v1/me")).status_code == 200


# both


@pytest.mark.parametrize("path", ["/oauth2/introspect", "/oauth2/revoke"])
@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"token": None}, 400, "invalid_request"),
        ({"token": ""}, 400, "invalid_request"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"client_secret": "smp_embedded_" + "a" * 43 + "_aaaaaa"}, 401, "invalid_client"),
        ({"client_id": str(uuid4())}, 401, "invalid_client"),
        ({"client_assertion": "a.b.c"}, 400, "invalid_request"),
    ],
)
async def test_who_does_not_prove_a_client_learns_and_does_nothing(
    path: str, change: dict[str, str | None], status: int, error: str, http: httpx.AsyncClient, kpu: Agency
) -> None:
    form = {name: said for name, said in {**shown(kpu), "token": token_of(kpu), **change}.items() if said is not None}
    answer = await http.post(path, data=form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json().keys() == {"error", "error_description"}
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert (await kpu.get("/v1/me")).status_code == 200


async def test_a_bearer_token_is_no_proof_of_a_client(http: httpx.AsyncClient, kpu: Agency) -> None:
    answer = await http.post("/oauth2/introspect", data={"token": token_of(kpu)}, headers=kpu.headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (
            b'--x\r\nContent-Disposition: form-data; name="token"\r\n\r\nabc\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
        (b"nonsense", "multipart/form-data"),
        (b"&".join(b"f%d=1" % one for one in range(2000)), "application/x-www-form-urlencoded"),
        (b"token=a&token=b", "application/x-www-form-urlencoded"),
        (b"client_id=a&client_id=a", "application/x-www-form-urlencoded"),
        (b"token=%ff", "application/x-www-form-urlencoded"),
        (b"token=\xff", "application/x-www-form-urlencoded"),
        (b'{"token": "a"}', "application/json"),
        (b"token=a", "text/plain"),
    ],
)
async def test_whatever_is_no_plain_form_is_refused_in_the_form_of_rfc_6749(
    path: str, content: bytes, kind: str, http: httpx.AsyncClient
) -> None:
    answer = await http.post(path, content=content, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), answer.text
    assert answer.headers["cache-control"] == "no-store"


# what is kept of the use of a credential


async def test_the_last_five_addresses_are_kept_newest_first(
    app: FastAPI, client_of: SignIn, database: Database
) -> None:
    client = await client_of("KPU_KOTA_MALANG")
    signer = Signer(str(client.credentials["client_id"]))
    await signer.register(database)
    here = [f"192.0.2.{one}" for one in (1, 2, 3, 4, 5, 6, 3)]
    for address in here:
        transport = httpx.ASGITransport(app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://simpul") as http:
            await Agency(http, client.credentials).sign_in()
            assert (await http.post("/oauth2/token", data=signer.form())).status_code == 200
    for table in ("client_secret", "client_key"):
        async with database.reading() as reader:
            found = await row(
                reader,
                f"select addresses, last_used_at > now() - interval '1 minute' as lately from {table}"
                " where client_id = cast(:id as uuid)",
                id=client.credentials["client_id"],
            )
        assert found == {"addresses": ["192.0.2.3", "192.0.2.6", "192.0.2.5", "192.0.2.4", "192.0.2.2"], "lately": True}


@pytest.mark.parametrize("ended", ["revoked", "expired"])
async def test_the_use_of_an_ended_secret_is_a_fact_once_a_minute_and_address_and_locks_nobody_out(
    ended: str, app: FastAPI, client_of: SignIn, database: Database
) -> None:
    client = await client_of("KPU_KOTA_MALANG")
    signer = Signer(str(client.credentials["client_id"]))
    await signer.register(database)
    column = "revoked_at" if ended == "revoked" else "expires_at"
    await change(
        database,
        f"update client_secret set {column} = now() - interval '1 second'"
        " where client_id = cast(:id as uuid) returning id",
        id=client.credentials["client_id"],
    )
    form = {"grant_type": "client_credentials", **shown(client)}
    for address in ("192.0.2.7", "192.0.2.7", "192.0.2.8", "192.0.2.7"):
        transport = httpx.ASGITransport(app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://simpul") as http:
            answer = await http.post("/oauth2/token", data=form)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
            wrong = await http.post("/oauth2/token", data={**form, "client_id": str(uuid4())})
            assert wrong.content == answer.content
            assert (await http.post("/oauth2/token", data=signer.form())).status_code == 200
    async with database.reading() as reader:
        found = await row(
            reader,
            "select array_agg(payload ->> 'address' order by id) as addresses, min(payload ->> 'ended') as ended,"
            " min(agency) as agency from event where kind = 'secret.misused' and object_id = :id",
            id=client.credentials["client_id"],
        )
    assert found == {"addresses": ["192.0.2.7", "192.0.2.8"], "ended": ended, "agency": "KPU_KOTA_MALANG"}


async def test_basic_proves_a_client_at_every_door(http: httpx.AsyncClient, kpu: Agency) -> None:
    basic = "Basic " + base64.b64encode(":".join(shown(kpu).values()).encode()).decode()
    for path in ("/oauth2/introspect", "/oauth2/revoke"):
        answer = await http.post(path, data={"token": "none"}, headers={"Authorization": basic})
        assert answer.status_code == 200
