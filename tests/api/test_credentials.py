"""Credentials: rotated with overlap, ended at once, never in a freeze window, announced before they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from bodies import REASON, in_days, public_jwk
from snapshot import after_refusals, snapshot
from sqlalchemy import text
from support import Agency, SignIn
from words import facts_of

from app import db, public_keys, worker
from app.db import Database
from app.main import create_app
from app.rules.freeze import window
from app.settings import Settings

KPU = "KPU_KOTA_MALANG"


def place(client: Agency) -> str:
    return f"/v1/clients/{client.credentials['client_id']}"


async def turn(who: Agency, path: str, move: str, *, etag: str | None = None) -> httpx.Response:
    """A move with the ETag just read."""
    etag = etag or (await who.get(path)).headers["etag"]
    return await who.post(f"{path}/{move}", REASON, etag=etag)


async def door(client: Agency) -> tuple[int, str | None]:
    """What the client is told when it uses the token that it holds."""
    answer = await client.get("/v1/me")
    return answer.status_code, answer.json().get("code")


def renewed(client: Agency, made: dict[str, Any]) -> Agency:
    """The same client with another secret."""
    return Agency(client.http, {**client.credentials, "client_secret": made["client_secret"]})


async def fetches(client: Agency) -> bool:
    """Whether its secret fetches a token."""
    form = {name: client.credentials[name] for name in ("client_id", "client_secret")}
    answer = await client.http.post("/oauth2/token", data={"grant_type": "client_credentials", **form})
    return answer.status_code == 200


async def said_of(database: Database, client: Agency, kind: str) -> list[dict[str, Any]]:
    """The facts of one kind about a client, oldest first."""
    return await facts_of(
        database, "e.object_id = :id and e.kind = :kind", id=client.credentials["client_id"], kind=kind
    )


async def change(database: Database, sql: str, **values: Any) -> None:
    async with database.writing() as writer:
        await writer.execute(text(sql), values)


SHUT = (401, "token-invalid")
OPEN = (200, None)


@pytest.fixture
async def admin(sign_in: SignIn) -> Agency:
    return await sign_in(KPU, "agency_admin")


# changing


async def test_a_change_of_a_client_holds_at_once(operator: Agency, client_of: SignIn, database: Database) -> None:
    client = await client_of(KPU, "supervisor")
    patch = {
        "role": "viewer",
        "purpose": "Dasbor",
        "contact": None,
        "origins": ["https://simpul.example.go.id"],
        "token_minutes": 3,
        "networks": ["127.0.0.0/8"],
    }
    changed = await operator.patch(place(client), patch, etag='"1"')
    assert changed.status_code == 200, changed.text
    assert {name: changed.json()[name] for name in patch} == patch
    assert await door(client) == SHUT  # its token says supervisor
    assert (await (await client.sign_in()).get("/v1/me")).json()["role"] == "viewer"
    stale = await operator.patch(place(client), {"purpose": "-"}, etag='"1"')
    assert (stale.status_code, stale.json()["code"]) == (412, "stale-version")
    (fact,) = await said_of(database, client, "client.updated")
    assert fact["payload"] == {"changed": sorted(patch)}


async def test_the_life_of_tokens_is_the_lesser_of_client_and_service(
    client_of: SignIn, http: httpx.AsyncClient
) -> None:
    for minutes, seconds in ((3, 180), (15, 600), (None, 600)):
        client = await client_of(KPU, "viewer", token_minutes=minutes)
        form = {name: client.credentials[name] for name in ("client_id", "client_secret")}
        granted = await http.post("/oauth2/token", data={"grant_type": "client_credentials", **form})
        assert granted.json()["expires_in"] == seconds


@pytest.mark.parametrize(
    "origin",
    [
        "http://simpul.example.go.id",
        "https://simpul.example.go.id/",
        "https://simpul.example.go.id/a",
        "https://Simpul.example.go.id",
        "https://simpul.example.go.id:443",
        "https://simpul.example.go.id:70000",
        "https://simpul.example.go.id:0",
        "https://user@simpul.example.go.id",
        "https://*.example.go.id",
        "https://-a.example.go.id",
        "http://localhost",
        "http://127.0.0.1:80",
        "http://localhost.example.go.id:3000",
        "null",
        "*",
    ],
)
async def test_an_origin_is_written_as_a_browser_writes_it(operator: Agency, origin: str) -> None:
    said = {"agency": KPU, "role": "viewer", "purpose": "-", "origins": ["https://a.go.id", origin]}
    refused = await operator.post("/v1/clients", said)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/origins/1")


async def test_only_an_operator_clears_and_nobody_becomes_one(
    operator: Agency, admin: Agency, client_of: SignIn
) -> None:
    client = await client_of(KPU, "viewer")
    for patch, permission in (({"clearance": "rahasia"}, "client.clear"), ({"role": "operator"}, "client.update")):
        refused = await admin.patch(place(client), patch, etag='"1"')
        assert (refused.status_code, refused.json()["permission"]) == (403, permission)
    refused = await operator.patch(place(client), {"role": "operator"}, etag='"1"')
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/role")
    assert (await operator.patch(place(client), {"clearance": "rahasia"}, etag='"1"')).status_code == 200
    # whoever is not cleared hands out no credentials of who is
    for path, body in ((f"{place(client)}/secrets", {}), (f"{place(client)}/keys", {"jwk": public_jwk()})):
        refused = await admin.post(path, body)
        assert (refused.status_code, refused.json()["permission"]) == (403, "client.clear")


async def test_an_agency_admin_reaches_neither_other_agencies_nor_operators(
    admin: Agency, operator: Agency, client_of: SignIn, database: Database
) -> None:
    before_made = [await client_of("BAWASLU_KOTA_MALANG", "viewer"), operator]
    secret = (await operator.get(f"{place(before_made[0])}/secrets")).json()["items"][0]["id"]
    before = await snapshot(database)
    for other in before_made:
        path = place(other)
        answers = [
            await admin.get(path),
            await admin.get(f"{path}/secrets"),
            await admin.get(f"{path}/keys"),
            await admin.patch(path, {"purpose": "-"}, etag='"1"'),
            await admin.post(f"{path}/secrets", {}),
            await admin.post(f"{path}/secrets/{secret}/revocation", REASON),
            await admin.post(f"{path}/keys", {"jwk": public_jwk()}),
            await admin.post(f"{path}/token-revocation", REASON),
            *[await admin.post(f"{path}/{move}", REASON, etag='"1"') for move in ("suspension", "revocation")],
        ]
        assert {one.status_code for one in answers} == {404}
    assert (await admin.post(f"/v1/agencies/{KPU}/suspension", REASON, etag='"1"')).status_code == 403
    assert (await admin.post("/v1/token-revocation", REASON)).status_code == 403
    assert await snapshot(database) == after_refusals(before, 2)


# rotating


async def test_a_client_rotates_itself_and_both_secrets_work_during_the_overlap(
    client_of: SignIn, database: Database
) -> None:
    client = await client_of(KPU, "viewer")
    made = await client.post(f"{place(client)}/secrets", {"overlap_days": 2, "reason": "Berkala"})
    assert made.status_code == 201, made.text
    assert made.headers["cache-control"] == "no-store"
    assert await fetches(client)
    assert await fetches(renewed(client, made.json()))
    assert await door(client) == OPEN
    listed = await client.get(f"{place(client)}/secrets")
    old, new = listed.json()["items"]
    assert made.json()["client_secret"] not in listed.text
    assert new["id"] == made.json()["id"]
    assert new["created_by"] == client.credentials["client_id"]
    left = datetime.fromisoformat(old["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=1, hours=23) < left <= timedelta(days=2)
    (fact,) = await said_of(database, client, "secret.rotated")
    assert fact["payload"]["credential"] == new["id"]
    assert [one["credential"] for one in fact["payload"]["retired"]] == [old["id"]]
    assert made.json()["client_secret"] not in str(fact)


async def test_an_overlap_never_lengthens_a_secrets_life(client_of: SignIn, database: Database) -> None:
    client = await client_of(KPU, "viewer")
    ends = datetime.now(UTC) + timedelta(hours=1)
    sql = "update client_secret set expires_at = :ends where client_id = :id"
    await change(database, sql, ends=ends, id=client.credentials["client_id"])
    assert (await client.post(f"{place(client)}/secrets", {"overlap_days": 30})).status_code == 201
    old = (await client.get(f"{place(client)}/secrets")).json()["items"][0]
    assert datetime.fromisoformat(old["expires_at"]) == ends


async def test_a_compromise_ends_the_old_secret_and_its_tokens_at_once(operator: Agency, client_of: SignIn) -> None:
    client = await client_of(KPU, "viewer")
    made = await operator.post(f"{place(client)}/secrets", {"overlap_days": 0, "reason": "Bocor"})
    assert await door(client) == SHUT
    assert not await fetches(client)
    assert await fetches(renewed(client, made.json()))


async def test_two_secrets_live_at_most_and_a_third_ends_the_oldest(operator: Agency, client_of: SignIn) -> None:
    first = await client_of(KPU, "viewer")
    second = renewed(first, (await operator.post(f"{place(first)}/secrets", {})).json())
    assert await fetches(first)
    third = renewed(first, (await operator.post(f"{place(first)}/secrets", {})).json())
    assert [await fetches(one) for one in (first, second, third)] == [False, True, True]
    assert await door(first) == SHUT


async def test_rotations_at_the_same_moment_leave_two_live_secrets(operator: Agency, client_of: SignIn) -> None:
    client = await client_of(KPU, "viewer")
    made = await asyncio.gather(*(operator.post(f"{place(client)}/secrets", {}) for _ in range(6)))
    assert {one.status_code for one in made} == {201}
    listed = (await operator.get(f"{place(client)}/secrets")).json()["items"]
    assert len([one for one in listed if one["revoked_at"] is None]) == 2


async def test_a_token_for_a_lesser_role_gives_out_no_secret(client_of: SignIn, http: httpx.AsyncClient) -> None:
    client = await client_of(KPU, "supervisor")
    lesser = await Agency(http, client.credentials).sign_in(scope="viewer")
    for path, body, permission in (
        (f"{place(client)}/secrets", {}, "secret.rotate"),
        (f"{place(client)}/keys", {"jwk": public_jwk()}, "key.register"),
    ):
        refused = await lesser.post(path, body)
        assert (refused.status_code, refused.json()["permission"]) == (403, permission)
    assert (await client.post(f"{place(client)}/secrets", {})).status_code == 201


async def test_a_client_rotates_no_other_client(client_of: SignIn) -> None:
    one, other = await client_of(KPU, "supervisor"), await client_of(KPU, "viewer")
    for path in ("secrets", "keys"):
        assert (await one.get(f"{place(other)}/{path}")).status_code == 404
    assert (await one.post(f"{place(other)}/secrets", {})).status_code == 404
    assert (await one.post(f"{place(other)}/keys", {"jwk": public_jwk()})).status_code == 404


# ending


async def test_a_revoked_secret_and_its_token_are_refused_on_the_next_request(
    operator: Agency, client_of: SignIn
) -> None:
    old = await client_of(KPU, "viewer")
    new = await renewed(old, (await operator.post(f"{place(old)}/secrets", {})).json()).sign_in()
    secret = (await old.get("/v1/me")).json()["credential"]
    ended = await operator.post(f"{place(old)}/secrets/{secret}/revocation", REASON)
    assert ended.json()["revoked_at"] is not None
    assert (await door(old), await door(new)) == (SHUT, OPEN)
    again = await operator.post(f"{place(old)}/secrets/{secret}/revocation", REASON)
    assert (again.status_code, again.json()["code"]) == (409, "transition-not-allowed")
    other = await client_of(KPU, "viewer")
    assert (await operator.post(f"{place(other)}/secrets/{secret}/revocation", REASON)).status_code == 404


async def test_a_client_suspended_is_out_on_its_next_request_and_its_token_stays_dead(
    admin: Agency, client_of: SignIn, database: Database
) -> None:
    client = await client_of(KPU, "viewer")
    suspended = await turn(admin, place(client), "suspension")
    assert (suspended.status_code, suspended.json()["status"]) == (200, "suspended")
    assert await door(client) == SHUT
    assert not await fetches(client)
    again = await turn(admin, place(client), "suspension")
    assert (again.status_code, again.json()["current"]) == (409, "suspended")
    assert [one["action"] for one in again.json()["lawful"]] == ["reinstate", "revoke"]
    assert (await turn(admin, place(client), "reinstatement")).json()["status"] == "active"
    assert await door(client) == SHUT
    assert await door(await client.sign_in()) == OPEN
    for kind in ("client.suspended", "client.reinstated"):
        (fact,) = await said_of(database, client, kind)
        assert (fact["payload"], fact["agency"]) == (REASON, KPU)


async def test_a_revoked_client_ends_for_good_with_all_it_had(admin: Agency, client_of: SignIn) -> None:
    client = await client_of(KPU, "viewer")
    assert (await client.post(f"{place(client)}/keys", {"jwk": public_jwk()})).status_code == 201
    gone = await turn(admin, place(client), "revocation")
    assert (gone.json()["status"], gone.json()["secrets"], gone.json()["keys"]) == ("revoked", [], [])
    assert await door(client) == SHUT
    assert not await fetches(client)
    etag = gone.headers["etag"]
    for refused in (
        await turn(admin, place(client), "reinstatement"),
        await admin.patch(place(client), {"purpose": "-"}, etag=etag),
        await admin.post(f"{place(client)}/secrets", {}),
        await admin.post(f"{place(client)}/keys", {"jwk": public_jwk()}),
    ):
        assert (refused.status_code, refused.json()["current"], refused.json()["lawful"]) == (409, "revoked", [])


async def test_all_tokens_of_a_client_end_and_it_may_fetch_new_ones(admin: Agency, client_of: SignIn) -> None:
    client, other = await client_of(KPU, "viewer"), await client_of(KPU, "viewer")
    assert (await admin.post(f"{place(client)}/token-revocation", REASON)).status_code == 200
    assert (await door(client), await door(other)) == (SHUT, OPEN)
    assert await door(await client.sign_in()) == OPEN


async def test_a_suspended_agency_is_told_so_and_its_tokens_stay_dead(operator: Agency, client_of: SignIn) -> None:
    client, agency = await client_of("DISPENDUKCAPIL_KOTA_MALANG", "viewer"), "/v1/agencies/DISPENDUKCAPIL_KOTA_MALANG"
    assert (await turn(operator, agency, "suspension")).json()["suspended"] is True
    assert await door(client) == (403, "agency-suspended")
    assert not await fetches(client)
    again = await turn(operator, agency, "suspension")
    assert (again.status_code, again.json()["lawful"][0]["action"]) == (409, "reinstate")
    stale = await turn(operator, agency, "reinstatement", etag='"1"')
    assert (stale.status_code, stale.json()["code"]) == (412, "stale-version")
    assert (await turn(operator, agency, "reinstatement")).json()["suspended"] is False
    assert await door(client) == SHUT
    assert await door(await client.sign_in()) == OPEN


@pytest.fixture
async def alone(
    clone: Callable[[], Awaitable[str]], settings: Settings, credentials: list[dict[str, Any]]
) -> AsyncIterator[tuple[Database, list[Agency]]]:
    """A database of its own, with its two operators and an agency."""
    app = create_app(settings, await clone())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as http:
        kept = [one for one in credentials if one["role"] == "operator"]
        kpu = next(one for one in credentials if one["agency"] == KPU)
        yield app.state.database, [await Agency(http, one).sign_in() for one in (*kept, kpu)]
    await app.state.database.close()


async def test_an_operator_ends_all_tokens_of_everybody(alone: tuple[Database, list[Agency]]) -> None:
    _, everybody = alone
    assert (await everybody[0].post("/v1/token-revocation", REASON)).status_code == 200
    assert [await door(one) for one in everybody] == [SHUT] * 3
    assert [await door(await one.sign_in()) for one in everybody] == [OPEN] * 3


async def test_the_last_credential_of_the_last_operator_is_not_revoked(alone: tuple[Database, list[Agency]]) -> None:
    _, (one, other, _) = alone
    assert (await turn(one, place(other), "suspension")).status_code == 200
    (secret,) = (await one.get(f"{place(one)}/secrets")).json()["items"]
    refused = await one.post(f"{place(one)}/secrets/{secret['id']}/revocation", REASON)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "last_operator")
    assert await door(one) == OPEN


async def test_no_client_shuts_out_itself_and_no_operator_the_last_one(
    alone: tuple[Database, list[Agency]],
) -> None:
    _, (one, other, _) = alone
    for move in ("suspension", "revocation"):
        refused = await turn(one, place(one), move)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "itself")
    answers = await asyncio.gather(turn(one, place(other), "suspension"), turn(other, place(one), "revocation"))
    assert sorted(answer.status_code for answer in answers) != [200, 200]
    assert [await fetches(one), await fetches(other)].count(True) >= 1


# keys


async def test_a_key_is_shown_by_its_thumbprint_and_never_taken_twice(operator: Agency, client_of: SignIn) -> None:
    client = await client_of(KPU, "viewer")
    jwk = public_jwk()
    made = await client.post(f"{place(client)}/keys", {"jwk": jwk, "expires_at": in_days(20)})
    assert made.status_code == 201, made.text
    key = made.json()
    assert key["kid"] == key["thumbprint"]
    assert (await operator.get(place(client))).json()["keys"] == [key]
    named = await operator.post(f"{place(client)}/keys", {"jwk": public_jwk(kid="kpu-1")})
    assert named.json()["kid"] == "kpu-1"
    assert named.json()["thumbprint"] != "kpu-1"
    ended = await operator.post(f"{place(client)}/keys/{key['id']}/revocation", REASON)
    assert ended.json()["revoked_at"] is not None
    for again, pointer in ((jwk, "/jwk"), ({**jwk, "kid": "other"}, "/jwk"), (public_jwk(kid="kpu-1"), "/jwk/kid")):
        refused = await operator.post(f"{place(client)}/keys", {"jwk": again})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
        assert refused.json()["errors"][0]["code"] == "taken"


async def test_five_keys_live_at_most(operator: Agency, client_of: SignIn) -> None:
    path = f"{place(await client_of(KPU, 'viewer'))}/keys"
    answers = [await operator.post(path, {"jwk": public_jwk()}) for _ in range(6)]
    assert [one.status_code for one in answers] == [201] * 5 + [422]
    assert answers[-1].json()["errors"][0]["code"] == "too_many"


def test_a_kid_that_is_not_given_is_the_thumbprint_of_rfc_7638() -> None:
    x, y = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
    assert public_keys.public_jwk({"x": x, "y": y})["kid"] == "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"


P256 = public_jwk()
WRONG: dict[str, dict[str, Any]] = {
    "a private key": {**P256, "d": "A" * 43},
    "an unknown member": {**P256, "x5u": "https://example.org/"},
    "a point off the curve": {**P256, "x": "A" * 43},
    "the point at infinity": {**P256, "x": "A" * 43, "y": "A" * 43},
    "a coordinate that is not canonical": {**P256, "x": P256["x"][:-1] + "-" + "_"},
    "another curve": {**P256, "crv": "P-384"},
    "a symmetric key": {"kty": "oct", "k": "AAAA"},
    "another algorithm": {**P256, "alg": "none"},
    "another use": {**P256, "use": "enc"},
    "a kid that injects": {**P256, "kid": "../../etc/passwd"},
}


@pytest.mark.parametrize("what", WRONG)
async def test_no_key_is_taken_but_a_public_point_of_p256(kpu: Agency, database: Database, what: str) -> None:
    before = await snapshot(database)
    refused = await kpu.post(f"{place(kpu)}/keys", {"jwk": WRONG[what]})
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"].startswith("/jwk")
    assert await snapshot(database) == before


# freeze windows


@pytest.fixture(scope="module")
async def elections(operator: Agency) -> list[date]:
    """Two elections ahead: one whose count is dated by a stage, one whose count is not. Their days of voting."""
    today = datetime.now(UTC).date()
    days = [today + timedelta(days=80), today + timedelta(days=185)]
    for number, day in enumerate(days):
        code = f"pilkada-uji-{number}"
        said = {"code": code, "kind": "pilkada", "name_id": "Uji", "region_code": "35.73", "voting_date": str(day)}
        assert (await operator.post("/v1/elections", said)).status_code == 201
    stage = {"code": "count_recap", "name_id": "Rekapitulasi", "starts_on": str(days[0])}
    stage |= {"ends_on": str(days[0] + timedelta(days=20))}
    assert (await operator.post("/v1/elections/pilkada-uji-0/stages", stage)).status_code == 201
    return days


async def test_no_credential_may_expire_in_the_window_of_either_election(
    elections: list[date], operator: Agency, client_of: SignIn, database: Database
) -> None:
    first = window("pilkada-uji-0", elections[0], elections[0] + timedelta(days=20))
    second = window("pilkada-uji-1", elections[1], None)
    client = await client_of(KPU, "viewer")
    before = await snapshot(database)
    for frozen in (first, second):
        for at in (frozen.start, frozen.end - timedelta(seconds=1)):
            for path, body in (("secrets", {}), ("keys", {"jwk": public_jwk()})):
                refused = await operator.post(f"{place(client)}/{path}", {**body, "expires_at": at.isoformat()})
                assert (refused.status_code, refused.json()["code"]) == (422, "expiry-in-freeze-window")
                assert refused.json()["window"] == frozen.name
    assert await snapshot(database) == before
    for frozen in (first, second):
        for at in (frozen.start - timedelta(seconds=1), frozen.end):
            taken = await operator.post(f"{place(client)}/secrets", {"expires_at": at.isoformat()})
            assert (taken.status_code, datetime.fromisoformat(taken.json()["expires_at"])) == (201, at)


async def test_a_default_end_moves_to_before_the_window(elections: list[date], client_of: SignIn) -> None:
    frozen = window("pilkada-uji-1", elections[1], None)
    assert frozen.start < datetime.now(UTC) + timedelta(days=180) < frozen.end
    client = await client_of(KPU, "viewer")
    ends = datetime.fromisoformat(client.credentials["secrets"][0]["expires_at"])
    assert ends == frozen.start - timedelta(seconds=1)
    key = await client.post(f"{place(client)}/keys", {"jwk": public_jwk()})
    assert datetime.fromisoformat(key.json()["expires_at"]) == ends


@pytest.mark.parametrize("days", [-1, 0, 366])
async def test_an_end_lies_ahead_and_within_a_year(operator: Agency, client_of: SignIn, days: int) -> None:
    path = f"{place(await client_of(KPU, 'viewer'))}/secrets"
    refused = await operator.post(path, {"expires_at": in_days(days)})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/expires_at")


# warnings


async def ends_in(database: Database, client: Agency, days: float) -> None:
    sql = "update client_secret set expires_at = now() + :left where client_id = :id"
    await change(database, sql, left=timedelta(days=days), id=client.credentials["client_id"])


async def test_the_end_of_a_credential_is_announced_once_at_each_step_however_many_workers_race(
    client_of: SignIn, database: Database
) -> None:
    client = await client_of(KPU, "viewer")
    for left, days in ((31, []), (29.5, [30]), (15, [30]), (13.9, [30, 14]), (6, [30, 14, 7]), (0.5, [30, 14, 7, 1])):
        await ends_in(database, client, left)
        await asyncio.gather(*(worker.tend(database) for _ in range(4)))
        await worker.tend(database)
        facts = await said_of(database, client, "credential.expiring")
        assert [one["payload"]["days"] for one in facts] == days, left
    last = facts[-1]
    assert (last["agency"], last["client_id"]) == (None, None)
    secret = client.credentials["secrets"][0]
    assert last["payload"]["credential"] == secret["id"]
    assert last["payload"]["last_four"] == client.credentials["client_secret"][-4:]
    remaining = datetime.fromisoformat(last["payload"]["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=11) < remaining < timedelta(hours=12)


async def test_the_end_of_a_key_is_announced_and_of_what_was_revoked_nothing_is(
    operator: Agency, client_of: SignIn, database: Database
) -> None:
    client, gone = await client_of(KPU, "viewer"), await client_of(KPU, "viewer")
    key = await client.post(f"{place(client)}/keys", {"jwk": public_jwk(), "expires_at": in_days(5)})
    await ends_in(database, gone, 5)
    assert (await turn(operator, place(gone), "revocation")).status_code == 200
    await worker.tend(database)
    (fact,) = await said_of(database, client, "credential.expiring")
    assert (fact["payload"]["credential"], fact["payload"]["days"]) == (key.json()["id"], 7)
    assert await said_of(database, gone, "credential.expiring") == []


async def test_what_was_revoked_is_forgotten_only_when_it_has_ended(client_of: SignIn, database: Database) -> None:
    client = (await client_of(KPU, "viewer")).credentials["client_id"]
    for age, name in ((timedelta(minutes=6), "ended"), (timedelta(minutes=1), "ending"), (timedelta(days=-1), "live")):
        await change(
            database,
            "insert into revoked_token (jti, client_id, expires_at) values (:jti, :id, now() - cast(:age as interval))",
            jti=uuid4(),
            id=client,
            age=age,
        )
        sql = (
            "insert into used_assertion (client_id, jti, expires_at) values (:id, :jti, now() - cast(:age as interval))"
        )
        await change(database, sql, jti=name, id=client, age=age)
    await worker.tend(database)
    async with database.reading() as reader:
        left = await db.rows(reader, "select jti from used_assertion where client_id = :id order by jti", id=client)
        tokens = await db.value(reader, "select count(*) from revoked_token where client_id = :id", id=client)
    assert [one["jti"] for one in left] == ["ending", "live"]
    assert tokens == 2


async def test_a_token_ends_with_the_credential_it_was_fetched_with(database: Database, client_of: SignIn) -> None:
    client = await client_of(KPU)
    assert await door(client) == OPEN
    ended = "update client_secret set expires_at = now() where client_id = cast(:id as uuid)"
    await change(database, ended, id=client.credentials["client_id"])
    assert await door(client) == SHUT


async def test_an_overlap_of_nothing_ends_the_keys_as_well(admin: Agency, client_of: SignIn) -> None:
    client = await client_of(KPU)
    thief = await client.post(f"{place(client)}/keys", {"jwk": public_jwk()})
    assert thief.status_code == 201, thief.text
    rotated = await admin.post(f"{place(client)}/secrets", {"overlap_days": 0, "reason": "Bocor"})
    assert rotated.status_code == 201, rotated.text
    keys = (await admin.get(f"{place(client)}/keys")).json()["items"]
    assert [one["revoked_at"] is not None for one in keys] == [True]
    assert await door(client) == SHUT
