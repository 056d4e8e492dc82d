"""Whoever changes something gets a receipt: a signed promise that its facts will stand in the log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
from bodies import Case
from fastapi import FastAPI
from lawful import lawful
from support import JSON, Agency, Contract, task

from app import statements
from app.db import rows
from app.main import create_app
from app.openapi import operations
from app.rules import merkle
from app.services import log_keys, sequencer
from app.settings import Settings
from app.statements import Kind

#: Nobody's token outlives this one, so it comes last.
LAST = "revokeAllTokens"


@dataclass
class Office:
    """A service of its own, and a lawful request of each operation."""

    app: FastAPI
    http: httpx.AsyncClient
    keys: list[dict[str, str]]
    cases: dict[str, Case] = field(default_factory=dict)

    async def leaves(self, request_id: str) -> list[str]:
        """Those of the facts of a request, in the order of the log."""
        async with self.app.state.database.working() as worker:
            found = await rows(worker, "select leaf from event where request_id = :id order by id", id=request_id)
        return [bytes(one["leaf"]).hex() for one in found]

    async def logged(self) -> set[str]:
        """The leaves that are in the log after one more round."""
        async with self.app.state.database.working() as worker:
            while (await sequencer.sequence(worker, head_every=0)).placed:
                pass
            found = await rows(worker, "select hash from log_node where level = 0")
        return {bytes(one["hash"]).hex() for one in found}

    def read(self, receipt: str) -> dict[str, Any]:
        said, kid = statements.read(self.keys, Kind.RECEIPT, receipt)
        assert kid == self.keys[-1]["kid"]
        assert len(receipt) <= 1_500
        return said


@pytest.fixture(scope="module")
async def office(
    clone: Callable[[], Awaitable[str]], settings: Settings, credentials: list[dict[str, Any]]
) -> AsyncIterator[Office]:
    app = create_app(settings, await clone())
    hooks = {"response": [Contract(app).check]}
    async with app.state.database.reading() as reader:
        keys = await log_keys.published(reader)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://simpul", event_hooks=hooks
    ) as http:
        office = Office(app, http, keys)

        async def first(agency: str | None, role: str) -> Agency:
            found = next(one for one in credentials if one["agency"] == agency and one["role"] == role)
            return await Agency(http, found).sign_in()

        three = [await first(f"{one}_KOTA_MALANG", "supervisor") for one in ("BAKESBANGPOL", "BKPSDM", "BAWASLU")]
        office.cases, _ = await lawful(three[0], three[1], three[2], await first(None, "operator"))
        yield office
    await app.state.database.close()


#: What asks for a delivery decides nothing, and a loss reported again is known: they enter no fact.
WITHOUT_FACTS = {"pingWebhook", "redeliver", "reportLostHead"}


async def ask(case: Case, key: str) -> httpx.Response:
    headers = {**case.caller.headers, "Content-Type": JSON, "Idempotency-Key": key}
    headers |= {"If-Match": case.etag} if case.etag else {}
    return await case.caller.http.request(case.method, case.path, json=case.body, headers=headers)


async def test_every_operation_that_changes_something_answers_with_a_receipt_for_its_facts(office: Office) -> None:
    changing = {name: case for name, case in office.cases.items() if case.method != "GET"}
    described = {
        one["operationId"]
        for _, _, one in operations(office.app.openapi())
        for response in one["responses"].values()
        if "Audit-Receipt" in response.get("headers", {})
    }
    assert described == {*changing, "revokeToken"}
    promised: set[str] = set()
    for name in sorted(changing, key=lambda name: name == LAST):
        case, key = changing[name], str(uuid4())
        answer = await ask(case, key)
        assert answer.is_success, (name, answer.text)
        if name in WITHOUT_FACTS:
            assert "audit-receipt" not in answer.headers
            continue
        said = office.read(answer.headers["audit-receipt"])
        request_id = answer.headers["request-id"]
        assert said.keys() == {"iss", "iat", "request_id", "within", "leaves"}, name
        assert (said["iss"], said["request_id"], said["within"]) == ("simpul", request_id, 3600)
        assert said["leaves"] == await office.leaves(request_id) != [], name
        promised |= set(said["leaves"])
        if case.method == "POST" and name != LAST:
            again = await ask(case, key)
            assert again.headers["idempotent-replayed"] == "true", name
            assert again.headers["audit-receipt"] == answer.headers["audit-receipt"], name
            assert await office.leaves(again.headers["request-id"]) == []
    assert len(promised) > len(changing) > 30
    assert promised <= await office.logged()
    for case in office.cases.values():
        await case.caller.sign_in()


async def test_a_large_request_has_a_receipt_of_bounded_size(office: Office) -> None:
    case = office.cases["decide"]
    body = {"text": "Dua puluh", "tasks": [task(title=f"Tugas {number}") for number in range(20)]}
    answer = await case.caller.post(case.path, body)
    assert answer.status_code == 201, answer.text
    said = office.read(answer.headers["audit-receipt"])
    leaves = await office.leaves(answer.headers["request-id"])
    assert (said["first"], said["count"]) == (leaves[0], len(leaves)) == (leaves[0], 41)
    tree = merkle.Tree()
    for leaf in leaves:
        list(tree.append(bytes.fromhex(leaf)))
    assert said["root"] == tree.root().hex()
    assert "leaves" not in said
    placed = await office.logged()
    assert set(leaves) <= placed
    async with office.app.state.database.working() as worker:
        places = await rows(
            worker,
            "select l.index from log_entry l join event e on e.id = l.event_id where request_id = :id order by e.id",
            id=answer.headers["request-id"],
        )
    first = places[0]["index"]
    assert [one["index"] for one in places] == list(range(first, first + 41))


async def test_what_is_refused_or_changes_nothing_has_no_receipt(office: Office) -> None:
    supervisor, shared = office.cases["logTask"].caller, office.cases["shareTask"]
    refused = await supervisor.post("/v1/clients", {"agency": "DKPP", "role": "viewer", "purpose": "Uji"})
    assert refused.status_code == 403
    assert len(await office.leaves(refused.headers["request-id"])) == 1  # a fact of ours, and no promise to who failed
    invalid = await supervisor.post("/v1/tasks", {})
    stale = await shared.caller.put(shared.path, shared.body, etag='"999"')
    read = await supervisor.get("/v1/tasks")
    assert [one.status_code for one in (invalid, stale, read)] == [422, 412, 200]
    for answer in (refused, invalid, stale, read):
        assert "audit-receipt" not in answer.headers
    for answer in (invalid, stale, read):
        assert await office.leaves(answer.headers["request-id"]) == []


async def test_a_revoked_token_has_a_receipt_once(office: Office) -> None:
    caller = office.cases["logTask"].caller
    own = {name: caller.credentials[name] for name in ("client_id", "client_secret")}
    token = (await Agency(office.http, caller.credentials).sign_in()).token
    first, second = [await office.http.post("/oauth2/revoke", data={**own, "token": token}) for _ in range(2)]
    assert (first.status_code, second.status_code) == (200, 200)
    said = office.read(first.headers["audit-receipt"])
    assert said["leaves"] == await office.leaves(first.headers["request-id"])
    assert len(said["leaves"]) == 1
    assert "audit-receipt" not in second.headers
