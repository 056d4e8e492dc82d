"""Every guarded route, walked: without a token, with a bogus one, and with every role there is."""

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from snapshot import snapshot
from support import Agency, SignIn, routes

from app.db import Database
from app.rules.policy import Permission, may_enter
from app.rules.vocabulary import Role

PLACES = {
    "id": str(UUID(int=1)),
    "code": "KPU_RI",
    "agency": "KPU_RI",
    "stage": "campaign",
    "secret": str(UUID(int=2)),
    "key": str(UUID(int=3)),
    "list": "category",
}
#: What belongs to operators and agency admins; a client renews its own credentials and ends none.
CREDENTIALS = ("secret.revoke", "key.revoke", "tokens.", "agency.")
#: Who may not even knock, in words of our own: what the policy says is held against this.
NEVER = {
    "operator": ("task.", "referral.", "vulnerability.", "meeting."),
    "agency_admin": (
        "task.",
        "referral.",
        "vulnerability.",
        "meeting.",
        "registry.write",
        "tokens.revoke_all",
        "agency.",
    ),
    "viewer": (
        "task.log",
        "task.update",
        "task.move",
        "task.share",
        "task.comment",
        "client.",
        *CREDENTIALS,
        "registry.write",
    ),
    "auditor": (
        "task.log",
        "task.update",
        "task.move",
        "task.share",
        "task.comment",
        "client.",
        *CREDENTIALS,
        "registry.write",
    ),
    "expert": (
        "task.log",
        "task.update",
        "task.move",
        "task.share",
        "referral.",
        "client.",
        *CREDENTIALS,
        "registry.write",
    ),
    "officer": ("client.", *CREDENTIALS, "registry.write"),
    "supervisor": ("client.", *CREDENTIALS, "registry.write"),
}


def guarded(app: FastAPI) -> list[tuple[str, str, Permission]]:
    """Method, path with places filled in, and permission of every guarded route."""
    return [
        (method, re.sub(r"{(\w+)}", lambda place: PLACES[place[1]], one.path), one.original_route.permission)
        for one in routes(app)
        if hasattr(one.original_route, "permission")
        for method in sorted(one.methods)
    ]


class Body:
    """Broken JSON that knows whether anybody read it."""

    def __init__(self) -> None:
        self.read = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.read = True
        yield b'{"title": '


@pytest.fixture(scope="module")
async def roles(client_of: SignIn, operator: Agency) -> dict[str, Agency]:
    made = {role.value: await client_of("KPU_KOTA_MALANG", role.value) for role in Role if role is not Role.OPERATOR}
    return {**made, "operator": operator}


async def knock(http: httpx.AsyncClient, method: str, path: str, **headers: str) -> httpx.Response:
    body = Body()
    sent = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4()), "If-Match": '"1"', **headers}
    answer = await http.request(method, path, content=body, headers=sent)
    assert not body.read, f"{method} {path} was read before it was refused"
    return answer


async def test_without_a_token_every_route_is_401_before_its_body_is_read(
    http: httpx.AsyncClient, app: FastAPI, database: Database
) -> None:
    walk = guarded(app)
    assert len(walk) > 50
    before = await snapshot(database)
    for method, path, _ in walk:
        refused = await knock(http, method, path)
        assert (refused.status_code, refused.json()["code"]) == (401, "token-missing"), path
    assert await snapshot(database) == before


async def test_the_body_of_a_caller_who_may_is_read(http: httpx.AsyncClient, kpu: Agency) -> None:
    body = Body()
    sent = {**kpu.headers, "Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
    refused = await http.post("/v1/tasks", content=body, headers=sent)
    assert (refused.status_code, refused.json()["code"], body.read) == (400, "malformed-json", True)


async def test_with_a_bogus_token_every_route_is_401_before_its_body_is_read(
    http: httpx.AsyncClient, app: FastAPI, database: Database
) -> None:
    before = await snapshot(database)
    for method, path, _ in guarded(app):
        refused = await knock(http, method, path, Authorization="Bearer " + "a" * 40 + "." + "b" * 40 + "." + "c" * 86)
        assert (refused.status_code, refused.json()["code"]) == (401, "token-invalid"), path
    assert await snapshot(database) == before


async def test_a_role_that_can_never_have_the_permission_is_403_and_told_which(
    http: httpx.AsyncClient, app: FastAPI, database: Database, roles: dict[str, Agency]
) -> None:
    refusals = 0
    before = await snapshot(database)
    for method, path, permission in guarded(app):
        for name, caller in roles.items():
            if may_enter(Role(name), permission):
                continue
            refused = await knock(http, method, path, **caller.headers)
            assert refused.status_code == 403, (name, method, path)
            assert (refused.json()["code"], refused.json()["permission"]) == ("permission-denied", permission.value)
            refusals += 1
    assert refusals > 100
    assert await snapshot(database) == before


@pytest.mark.parametrize("role", NEVER)
def test_no_role_is_let_in_where_it_has_no_business(app: FastAPI, role: str) -> None:
    let_in = {permission.value for _, _, permission in guarded(app) if may_enter(Role(role), permission)}
    assert not [one for one in let_in if one.startswith(NEVER[role])]
    assert "self.read" in let_in


async def test_an_operator_sees_no_task_content_at_all(bakesbangpol: Agency, operator: Agency) -> None:
    logged = await bakesbangpol.log(classification="terbuka")
    path = f"/v1/tasks/{logged['id']}"
    for one in (
        "/v1/tasks",
        path,
        *(f"{path}/{part}" for part in ("transitions", "shares", "history", "comments", "referrals")),
        "/v1/referrals",
        f"/v1/referrals/{logged['open_referral']['id']}",
        "/v1/vulnerabilities",
        "/v1/meetings",
    ):
        refused = await operator.get(one)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission-denied"), one


async def test_a_viewer_reads_and_writes_nothing(bakesbangpol: Agency, client_of: SignIn, database: Database) -> None:
    logged = await bakesbangpol.log()
    viewer = await client_of("BAKESBANGPOL_KOTA_MALANG", "viewer")
    path = f"/v1/tasks/{logged['id']}"
    etag = (await viewer.get(path)).headers["etag"]
    before = await snapshot(database)
    writes: dict[str, Any] = {
        "task.move": await viewer.post(f"{path}/transitions", {"action": "cancel", "reason": "-"}, etag=etag),
        "task.update": await viewer.patch(path, {"priority": "high"}, etag=etag),
        "task.comment": await viewer.post(f"{path}/comments", {"body": "-"}),
        "task.share": await viewer.put(f"{path}/shares/KPU_RI", {"level": "full"}, etag=etag),
        "referral.withdraw": await viewer.post(
            f"/v1/referrals/{logged['open_referral']['id']}/withdrawal", {}, etag='"1"'
        ),
    }
    for permission, refused in writes.items():
        assert (refused.status_code, refused.json()["permission"]) == (403, permission)
    assert (await viewer.read(logged["id"]))["available_transitions"] == []
    assert await snapshot(database) == before


def test_the_walk_meets_exactly_the_operations_of_the_openapi_document(app: FastAPI) -> None:
    walked = {
        (method.lower(), one.path): hasattr(one.original_route, "permission")
        for one in routes(app)
        if one.original_route.include_in_schema
        for method in one.methods
    }
    described = {
        (method, path): operation
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }
    assert walked.keys() == described.keys()
    assert {place for place, is_guarded in walked.items() if not is_guarded} == {
        ("post", "/oauth2/token"),
        ("post", "/oauth2/introspect"),
        ("post", "/oauth2/revoke"),
        ("get", "/.well-known/jwks.json"),
        ("get", "/.well-known/oauth-authorization-server"),
    }
    for place, operation in described.items():
        assert ("Permission: `" in operation["description"]) == walked[place], place
    hidden = {one.path for one in routes(app) if not one.original_route.include_in_schema}
    assert not [path for path in hidden if path.startswith("/v1")]
