"""What no role may, in words of our own; tests/api/test_every_operation.py asks for every operation."""

from typing import Any

import pytest
from fastapi import FastAPI
from snapshot import after_refusals, snapshot
from support import Agency, SignIn, routes

from app.db import Database
from app.rules.policy import may_enter
from app.rules.vocabulary import Role

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


@pytest.mark.parametrize("role", NEVER)
def test_no_role_is_let_in_where_it_has_no_business(app: FastAPI, role: str) -> None:
    let_in = {
        permission.value
        for one in routes(app)
        if (permission := getattr(one.original_route, "permission", None)) and may_enter(Role(role), permission)
    }
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
    assert await snapshot(database) == after_refusals(before, len(writes))
