"""Bad input of every field is refused by name, changes nothing and is never repeated."""

import json
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from bodies import Case, cases
from fastapi import FastAPI
from inputs import CANARY, Schemas, wrongs
from snapshot import after_refusals, snapshot
from support import Agency, task

from app.db import Database

OPERATIONS = (
    *("createClient", "updateClient", "suspendClient", "reinstateClient", "revokeClient"),
    *("rotateSecret", "revokeSecret", "registerKey", "revokeKey", "revokeTokens", "revokeAllTokens"),
    *("suspendAgency", "reinstateAgency", "createWebhook", "updateWebhook", "rotateWebhookKey"),
    *("cosign", "reportLostHead", "erasePerson"),
    *("logTask", "updateTask", "moveTask", "shareTask", "commentOnTask", "runBatch"),
    *("referTask", "answerReferral", "withdrawReferral"),
    *("mapVulnerability", "updateVulnerability", "addVulnerabilityEvidence", "assessVulnerability"),
    *("holdMeeting", "updateMeeting", "decide"),
    *("proposeClosure", "answerClosure"),
    *("createMandate", "createAgency", "updateAgency", "createLegalInstrument", "updateLegalInstrument"),
    *("createElection", "updateElection", "createStage", "updateStage"),
    *("agreeDeadline", "reviseDeadline", "moveDeadline", "startClocks", "correctCalendar"),
)


@pytest.fixture(scope="module")
def schemas(app: FastAPI) -> Schemas:
    return Schemas(app.openapi())


@pytest.fixture(scope="module")
async def lawful(bakesbangpol: Agency, bkpsdm: Agency, bawaslu: Agency, operator: Agency) -> dict[str, Case]:
    return await cases(bakesbangpol, bkpsdm, bawaslu, operator)


def test_every_operation_that_takes_a_body_is_tried(schemas: Schemas) -> None:
    described = {
        operation["operationId"]
        for methods in schemas.document["paths"].values()
        for operation in methods.values()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }
    assert described == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_every_field_of_every_body_is_refused_by_name(
    schemas: Schemas, lawful: dict[str, Case], database: Database, name: str
) -> None:
    case, schema = lawful[name], schemas.body_of(name)
    before = await snapshot(database)
    tried = 0
    for spoilt in schemas.spoil(schema, case.body):
        answer = await case.send(spoilt.content)
        said = f"{spoilt.what} at {spoilt.pointer}: {answer.status_code} {answer.text}"
        assert answer.status_code in {400, 422}, said
        assert CANARY not in answer.text, said
        if spoilt.code is not None:
            assert answer.json()["code"] == spoilt.code, said
        else:
            pointers = [fault.get("pointer") for fault in answer.json()["errors"]]
            assert any(one == spoilt.pointer or one.startswith(spoilt.pointer + "/") for one in pointers), said
        tried += 1
    assert tried > 10
    assert await snapshot(database) == before


@pytest.mark.parametrize("name", OPERATIONS)
async def test_what_is_no_object_at_all_is_refused(lawful: dict[str, Case], name: str) -> None:
    for content in ("", "{", "null", "[]", "7", '"text"', "{}x", "\ufeff{}", "{'a': 1}"):
        answer = await lawful[name].send(content)
        assert answer.status_code in {400, 422}, (content, answer.text)


async def test_every_query_and_path_parameter_is_refused_by_name(
    schemas: Schemas, kpu: Agency, operator: Agency, database: Database
) -> None:
    before, refused = await snapshot(database), 0
    tried = 0
    for path, methods in schemas.document["paths"].items():
        for method, operation in methods.items():
            of_operators = path.startswith(("/v1/clients", "/v1/webhooks")) or path.endswith("/closure")
            caller = operator if of_operators else kpu
            for parameter in schemas.parameters(operation):
                if parameter["in"] == "header" or (parameter["in"] == "query" and method != "get"):
                    continue
                for raw in junk(schemas, parameter):
                    target, query = filled(operation, path, parameter, raw)
                    address, headers = f"{target}{query}", {"Idempotency-Key": str(uuid4())}
                    answer = (
                        await caller.get(address)
                        if method == "get"
                        else await caller._send(method.upper(), address, {}, etag='"1"', headers=headers)
                    )
                    said = f"{method} {target}{query}: {answer.status_code} {answer.text}"
                    assert answer.status_code in ({400, 403, 404} if parameter["in"] == "path" else {400}), said
                    assert CANARY not in answer.json().get("detail", "") + json.dumps(answer.json().get("errors")), said
                    if answer.status_code == 400 and answer.json()["code"] != "cursor-mismatch":
                        named = {fault.get("parameter") for fault in answer.json().get("errors", ())}
                        assert named & {parameter["name"], "path"} or answer.json()["code"].startswith("idempotency"), (
                            said
                        )
                    tried += 1
                    refused += answer.status_code == 403
    assert tried > 400
    assert await snapshot(database) == after_refusals(before, refused)


def junk(schemas: Schemas, parameter: dict[str, Any]) -> list[str]:
    """What this parameter does not take, percent-encoded."""
    kinds = [
        kind
        for one in schemas.kinds(parameter["schema"])
        for kind in (schemas.kinds(one["items"]) if one.get("type") == "array" else [one])
        if kind.get("type") != "null"
    ]
    # On the address line everything is text: only what the text says can be wrong.
    said = [raw for what, raw in wrongs(kinds) if raw.startswith('"') and what not in {"text", "a number as text"}]
    texts = [text for text in map(json.loads, said) if parameter["in"] == "query" or text]
    always = ["%00", "%ff", "%ED%A0%80", "%E2%80%AE", *(["a%0d%0ab"] if parameter["in"] == "path" else [])]
    typed = {kind.get("type") for kind in kinds}
    numbers = ["1.5", "x", "9" * 30, "99999999999"] if "integer" in typed else []
    truths = ["maybe", ""] if "boolean" in typed else []
    return [*(quote(text[:4000], safe="") for text in texts), *always, *numbers, *truths]


def filled(operation: dict[str, Any], path: str, parameter: dict[str, Any], raw: str) -> tuple[str, str]:
    """The address with junk in one parameter and something plausible in every other."""
    plausible = {
        "code": "KPU_RI" if "agencies" in path else "35.73" if "regions" in path else "pilkada-2024-35.73",
        "agency": "KPU_RI",
        "stage": "campaign",
        "list": "category",
        "id": "M01"
        if "mandates" in path
        else "uu_1_2015"
        if "legal" in path
        else "00000000-0000-7000-8000-000000000000",
        "secret": "00000000-0000-7000-8000-000000000001",
        "key": "00000000-0000-7000-8000-000000000002",
        "delivery": "00000000-0000-7000-8000-000000000003",
    }
    if parameter["in"] == "path":
        plausible[parameter["name"]] = raw
    needed = {
        "category": "asn_neutrality",
        "function": "prevention",
        "region": "35.73",
        "from": "1",
        "code": "mk_decision",
        "started_at": "2025-01-03T10:00:00Z",
    }
    query = {
        one["name"]: needed[one["name"]]
        for one in operation.get("parameters", ())
        if one.get("in") == "query" and one.get("required")
    }
    if parameter["in"] == "query":
        query[parameter["name"]] = raw
    text = "&".join(f"{name}={value}" for name, value in query.items())
    return path.format(**plausible), f"?{text}" if text else ""


@pytest.mark.parametrize(
    ("name", "change", "pointer"),
    [
        ("logTask", {"region": "99.99"}, "/region"),
        ("logTask", {"category": "no_such"}, "/category"),
        ("logTask", {"subcategory": "ex_convict"}, "/subcategory"),
        ("logTask", {"proposed_owner": "NO_SUCH"}, "/proposed_owner"),
        ("logTask", {"supporting": ["NO_SUCH"]}, "/supporting/0"),
        ("logTask", {"supporting": ["KPU_RI", "KPU_RI"]}, "/supporting"),
        ("logTask", {"shares": [{"agency": "NO_SUCH", "level": "full"}]}, "/shares/0"),
        ("logTask", {"effective_at": "2100-01-01T00:00:00Z"}, "/effective_at"),
        ("referTask", {"to_agency": "NO_SUCH"}, "/to_agency"),
        ("mapVulnerability", {"region": "99"}, "/region"),
        ("mapVulnerability", {"election": "no-such", "stage": None}, "/election"),
        ("mapVulnerability", {"stage": "no_such"}, "/stage"),
        ("mapVulnerability", {"mapped_by": "NO_SUCH"}, "/mapped_by"),
        ("mapVulnerability", {"effective_at": "2100-01-01T00:00:00Z"}, "/effective_at"),
        ("holdMeeting", {"host": "NO_SUCH"}, "/host"),
        ("holdMeeting", {"participants": [{"agency": "NO_SUCH"}]}, "/participants/0/agency"),
        ("decide", {"tasks": [task(region="99.99")]}, "/tasks/0/region"),
        ("createMandate", {"category": "no_such"}, "/category"),
        ("createMandate", {"legal_basis": ["no_such"]}, "/legal_basis/0"),
        ("createMandate", {"valid_to": "2020-01-01"}, "/valid_to"),
        ("createMandate", {"id": "M01"}, "/id"),
        ("createAgency", {"code": "KPU_RI"}, "/code"),
        ("createAgency", {"type": "no_such"}, "/type"),
        ("createAgency", {"regions": ["99.99"]}, "/regions/0"),
        ("createAgency", {"command_parent": "NO_SUCH"}, "/command_parent"),
        ("createAgency", {"valid_to": "2020-01-01"}, "/valid_to"),
        ("createLegalInstrument", {"id": "uu_1_2015"}, "/id"),
        ("createLegalInstrument", {"in_force_to": "2020-01-01"}, "/in_force_to"),
        ("createElection", {"code": "pemilu-2024"}, "/code"),
        ("createElection", {"region_code": "99.99"}, "/region_code"),
        ("createStage", {"ends_on": "2020-01-01"}, "/ends_on"),
        ("createClient", {"agency": "NO_SUCH"}, "/agency"),
    ],
)
async def test_a_name_of_something_that_is_not_there_is_refused_by_name(
    lawful: dict[str, Case], database: Database, name: str, change: dict[str, Any], pointer: str
) -> None:
    case = lawful[name]
    if name == "createStage":
        case = Case(case.caller, case.method, "/v1/elections/pemilu-2024/stages", case.body)
    before = await snapshot(database)
    refused = await case.send(json.dumps({**case.body, **change}))
    assert refused.status_code == 422, refused.text
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]
    assert await snapshot(database) == before


async def test_what_was_spoilt_is_accepted_when_it_is_not(lawful: dict[str, Case]) -> None:
    # The last of them ends everybody's tokens: test_credentials tries it in a database of its own.
    for name in (one for one in OPERATIONS if one != "revokeAllTokens"):
        answer = await lawful[name].send(json.dumps(lawful[name].body))
        assert answer.status_code in {200, 201}, f"{name}: {answer.text}"


async def test_an_agency_named_twice_among_the_shares_is_refused(kpu: Agency) -> None:
    twice = [{"agency": "KODIM_0833_KOTA_MALANG", "level": level} for level in ("full", "summary")]
    refused = await kpu.post("/v1/tasks", task(shares=twice))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/shares"


async def test_a_law_cannot_amend_one_that_is_not(operator: Agency) -> None:
    law = {"id": "uu_99_2027", "kind": "uu", "title_id": "Perubahan", "amends": ["uu_1_2015", "uu_0_1900"]}
    refused = await operator.post("/v1/legal-instruments", law)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/amends/1")


async def test_basic_credentials_that_are_no_ascii_are_refused_in_the_form_of_the_rfc(http: httpx.AsyncClient) -> None:
    headers = {b"Authorization": b"Basic \xff\xfe"}
    answer = await http.post("/oauth2/token", data={"grant_type": "client_credentials"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
