"""Every operation behind a permission, asked for lawfully by everybody who may not, and at last by one who may."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
from bodies import REASON, Case, in_days
from fastapi import FastAPI
from forger import Forger
from lawful import lawful
from snapshot import after_refusals, snapshot
from support import JSON, Agency, Contract, routes

from app.db import rows
from app.main import create_app
from app.openapi import operations
from app.policy_page import permission_of
from app.rules.policy import Permission, may_enter
from app.rules.vocabulary import Role
from app.settings import Settings

pytestmark = pytest.mark.attack

#: Where a stranger is answered like anybody else: it finds what is its own, or what everybody may know.
OF_EVERYBODY = {
    *("listTasks", "listReferrals", "listVulnerabilities", "listMeetings", "listClients", "listWebhooks", "showMe"),
    *("countDeadlines", "countTasks"),
    *(
        "listDeadlines",
        "listCosignatures",
        "listLostHeads",
        "listEntries",
        "listEvents",
        "proveConsistency",
        "proveInclusion",
        "showHead",
    ),
}
#: What a stranger may do as well as anybody: it begins something of its own.
BEGINNINGS = {"cosign", "reportLostHead", "logTask", "mapVulnerability", "holdMeeting"}
REGISTRY = "registry.read"
OWNERS = ("BAKESBANGPOL", "BKPSDM", "BAWASLU")
STRANGER = "KPU_KAB_MALANG"
#: Nobody's token outlives this one, so it comes last.
LAST = "revokeAllTokens"


class Watched:
    """A lawful body that knows whether anybody read it."""

    def __init__(self, case: Case) -> None:
        self.content = json.dumps(case.body).encode() if case.body else b""
        self.read = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.read = True
        yield self.content


@dataclass
class Siege:
    """A service of its own, a lawful request of each operation, and what went otherwise than it should."""

    app: FastAPI
    http: httpx.AsyncClient
    operator: Agency
    cases: dict[str, Case] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    permissions: dict[str, Permission] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def callers(self) -> list[Agency]:
        """Whoever may, each once."""
        return list({id(case.caller): case.caller for case in self.cases.values()}.values())

    async def client(self, agency: str | None, role: str) -> Agency:
        made = await self.operator.post("/v1/clients", {"agency": agency, "role": role, "purpose": "Uji"})
        assert made.status_code == 201, made.text
        return await Agency(self.http, {**made.json(), "agency": agency}).sign_in()

    async def ask(self, case: Case, token: str | None) -> tuple[httpx.Response, bool]:
        """The lawful request with somebody's token; and whether its body was read."""
        body = Watched(case)
        headers = {"Content-Type": JSON} if body.content else {}
        headers |= {"Idempotency-Key": str(uuid4())} if case.method == "POST" else {}
        headers |= {"If-Match": case.etag} if case.etag else {}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        answer = await self.http.request(
            case.method, case.path, headers=headers, content=body if body.content else None
        )
        return answer, body.read

    async def try_door(self, name: str, who: str, token: str | None, *expected: Any) -> None:
        """One who is refused before the body is read: with this status, code and permission."""
        answer, read = await self.ask(self.cases[name], token)
        said = answer.json()
        if (answer.status_code, said.get("code"), said.get("permission"))[: len(expected)] != expected or read:
            self.faults.append(f"{name} with {who}: {answer.status_code} {said.get('code')}{', read' if read else ''}")
        self.refused[who] += 1
        self.note(name, answer)

    def note(self, name: str, answer: httpx.Response) -> None:
        """A refusal that must stand in the log: of a caller who was known."""
        code = answer.json()["code"]
        if answer.status_code == 403 and code != "agency-suspended":
            self.told.append((answer.headers["request-id"], name, code))

    async def unchanged(self, name: str, before: dict[str, Any]) -> dict[str, Any]:
        """Nothing is otherwise than before but for one fact of each refusal."""
        database, told = self.app.state.database, self.told
        after, self.told = await snapshot(database), []
        async with database.working() as worker:
            found = await rows(
                worker,
                "select request_id as id, payload ->> 'operation' as name, payload ->> 'code' as code from event"
                " where kind = 'request.refused' and request_id = any(:ids) order by id",
                ids=[request_id for request_id, _, _ in told],
            )
        if [tuple(one.values()) for one in found] != sorted(told):
            self.faults.append(f"{name} is in the log as {found}")
        before = after_refusals(before, len(told))
        if after != before:
            self.faults.append(f"{name} changed {sorted(one for one in after if after[one] != before[one])}")
        return after


@pytest.fixture(scope="module")
async def siege(
    clone: Callable[[], Awaitable[str]], settings: Settings, credentials: list[dict[str, Any]]
) -> AsyncIterator[Siege]:
    app = create_app(settings, await clone())
    hooks = {"response": [Contract(app).check]}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://simpul", event_hooks=hooks
    ) as http:
        first = next(one for one in credentials if one["role"] == "operator")
        siege = Siege(app, http, await Agency(http, first).sign_in())
        bakesbangpol, bkpsdm, bawaslu = [await siege.client(f"{one}_KOTA_MALANG", "supervisor") for one in OWNERS]
        siege.cases, siege.places = await lawful(bakesbangpol, bkpsdm, bawaslu, siege.operator)
        for _, _, one in operations(app.openapi()):
            if permission := permission_of(one):
                siege.permissions[one["operationId"]] = permission
        yield siege
    await app.state.database.close()


def test_there_is_a_lawful_request_of_every_operation_behind_a_permission(siege: Siege) -> None:
    document = {(method, path): permission_of(one) for path, method, one in operations(siege.app.openapi())}
    walked = {
        (method.lower(), one.path): getattr(one.original_route, "permission", None)
        for one in routes(siege.app)
        if one.original_route.include_in_schema
        for method in one.methods
    }
    assert walked == document
    assert set(siege.cases) == set(siege.permissions)
    assert len(siege.cases) == sum(permission is not None for permission in walked.values()) > 70
    hidden = {one.path for one in routes(siege.app) if not one.original_route.include_in_schema}
    assert not [path for path in hidden if path.startswith("/v1")]


async def test_an_agency_that_is_suspended_is_refused_every_operation(siege: Siege) -> None:
    admin = await siege.client("KPU_KOTA_MALANG", "agency_admin")
    agencies = [f"{one}_KOTA_MALANG" for one in ("KPU", *OWNERS)]
    for code in agencies:
        await turn(siege.operator, code, "suspension")
    before = await snapshot(siege.app.state.database)
    for name, case in siege.cases.items():
        holder = admin if case.caller is siege.operator else case.caller
        await siege.try_door(name, "a suspended agency", holder.token, 403, "agency-suspended")
        before = await siege.unchanged(name, before)
    for code in agencies:
        await turn(siege.operator, code, "reinstatement")
    await siege.try_door("showMe", "a token of before the suspension", admin.token, 401, "token-invalid")
    for caller in siege.callers:
        await caller.sign_in()
    assert siege.faults == []


async def turn(operator: Agency, code: str, move: str) -> None:
    etag = (await operator.get(f"/v1/agencies/{code}")).headers["etag"]
    turned = await operator.post(f"/v1/agencies/{code}/{move}", REASON, etag=etag)
    assert turned.status_code == 200, turned.text


async def spoilt(siege: Siege, caller: Agency) -> dict[str, str]:
    """Tokens of this very caller, or of its like, that were good once."""
    forger = Forger(siege.app.state.keys, caller.token, caller.token)
    past = {name: forger.now - before for name, before in (("iat", 600), ("nbf", 600), ("exp", 60))}
    fresh = forger.claiming(jti=str(uuid4()))
    assert (await siege.http.get("/v1/me", headers={"Authorization": f"Bearer {fresh}"})).status_code == 200
    made = {"a bogus token": f"{'a' * 40}.{'b' * 40}.{'c' * 86}", "an expired token": forger.claiming(**past)}

    own = {name: caller.credentials[name] for name in ("client_id", "client_secret")}
    revoked = (await Agency(siege.http, caller.credentials).sign_in()).token
    assert (await siege.http.post("/oauth2/revoke", data={**own, "token": revoked})).status_code == 200
    made["a revoked token"] = revoked

    place = f"/v1/clients/{own['client_id']}/secrets"
    secret = (await siege.operator.post(place, {"expires_at": in_days(40), "overlap_days": 3})).json()
    renewed = {**caller.credentials, "client_secret": secret["client_secret"]}
    made["a token of a revoked secret"] = (await Agency(siege.http, renewed).sign_in()).token
    assert (await siege.operator.post(f"{place}/{secret['id']}/revocation", REASON)).is_success

    role, agency = ("operator", None) if caller is siege.operator else ("supervisor", caller.code)
    for end, etag in (("suspension", '"1"'), ("revocation", '"1"'), ("token-revocation", None)):
        other = await siege.client(agency, role)
        place = f"/v1/clients/{other.credentials['client_id']}/{end}"
        assert (await siege.operator.post(place, REASON, etag=etag)).is_success
        made[f"a token of before the client's {end}"] = other.token
    return made


async def test_whoever_may_not_is_refused_every_operation_and_changes_nothing_and_whoever_may_succeeds(
    siege: Siege,
) -> None:
    tokens: dict[str, dict[str, str]] = {}
    lesser: dict[str, dict[Role, Agency]] = {}
    for caller in siege.callers:
        tokens[caller.token] = await spoilt(siege, caller)
        agency = "KPU_KOTA_MALANG" if caller is siege.operator else caller.code
        lesser[caller.token] = {
            role: await siege.client(agency, role) for role in Role if role is not Role.OPERATOR
        } | {Role.OPERATOR: siege.operator}
    strangers = {role: await siege.client(STRANGER, role) for role in (Role.SUPERVISOR, Role.AGENCY_ADMIN)}
    before = await snapshot(siege.app.state.database)
    for name in sorted(siege.cases, key=lambda name: (name == LAST, siege.cases[name].method != "GET")):
        case, permission = siege.cases[name], siege.permissions[name]
        await siege.try_door(name, "no token", None, 401, "token-missing")
        for who, token in tokens[case.caller.token].items():
            await siege.try_door(name, who, token, 401, "token-invalid")
        for role, client in lesser[case.caller.token].items():
            if not may_enter(role, permission):
                who = f"the role {role}"
                await siege.try_door(name, who, client.token, 403, "permission-denied", permission.value)
        await come_from_elsewhere(siege, name, strangers)
        before = await siege.unchanged(name, before)

        answer, read = await siege.ask(case, case.caller.token)
        if not answer.is_success or bool(case.body) != read:
            siege.faults.append(f"{name} by who may: {answer.status_code} {answer.text[:200]}")
        if case.method != "GET":
            after = await snapshot(siege.app.state.database)
            if after == before:
                siege.faults.append(f"{name} by who may left no trace")
            before = after
    assert siege.faults == []
    assert siege.refused.total() > 800
    assert siege.refused["no token"] == siege.refused["a revoked token"] == len(siege.cases)
    assert siege.refused["an agency of elsewhere"] > 30


async def come_from_elsewhere(siege: Siege, name: str, strangers: dict[Role, Agency]) -> None:
    """An agency of another region, in the role that could do it: what it may not see is not there for it."""
    case, permission = siege.cases[name], siege.permissions[name]
    stranger = strangers[Role.AGENCY_ADMIN if case.caller is siege.operator else Role.SUPERVISOR]
    if name in BEGINNINGS or not may_enter(Role(stranger.credentials["role"]), permission):
        return
    answer, _ = await siege.ask(case, stranger.token)
    hidden = [place for what, place in siege.places.items() if what != "head"]
    if name in OF_EVERYBODY or permission == REGISTRY:
        if answer.status_code != 200 or any(place in answer.text for place in hidden):
            siege.faults.append(f"{name} by a stranger: {answer.status_code} {answer.text[:200]}")
        return
    expected = (403, "permission-denied") if name in {"createClient", "createWebhook"} else (404, "not-found")
    if (answer.status_code, answer.json()["code"]) != expected:
        siege.faults.append(f"{name} by a stranger: {answer.status_code} {answer.json()['code']}")
    siege.refused["an agency of elsewhere"] += 1
    siege.note(name, answer)
