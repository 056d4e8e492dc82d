"""Hostile input through a real server, over every route that takes it."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from bodies import Case, cases
from fastapi import FastAPI
from inputs import CANARY, Schemas
from running import Running, eventually, running
from snapshot import rested, snapshot
from statements import heard
from support import JSON, PROBLEM, Agency, scaled, task

from app.db import Database
from app.ingress import HEADERS
from app.main import BATCH
from app.settings import Settings

pytestmark = pytest.mark.attack

LIMIT = 65_536
#: Identify the caller, look for the key, begin, end: what is refused for its form reaches no table of its own.
STATEMENTS = 6
BODIES = {
    "depth 17": ("[" * 17 + "]" * 17, {"json-depth"}),
    "depth 30000": ("[" * 30_000, {"json-depth"}),
    "duplicate keys": ('{"a":1,"a":2}', {"json-duplicate-key"}),
    "NaN": ('{"a":NaN}', {"json-number"}),
    "Infinity": ('{"a":-Infinity}', {"json-number"}),
    "1e999": ('{"a":1e999}', {"json-number"}),
    "a huge number": ('{"a":' + "9" * 5000 + "}", {"json-number"}),
    "bytes that are no text": (b'{"a":"\xff\xfe"}', {"malformed-json"}),
    "half of an object": ('{"a":', {"malformed-json"}),
    "nothing": ("", {"malformed-json", "validation-failed"}),
    "NUL": ('{"a":"\\u0000"}', {"text-encoding", "validation-failed"}),
    "a lone surrogate": ('{"a":"\\ud800"}', {"text-encoding", "validation-failed"}),
    "a bidi control": ('{"a":"\\u202e"}', {"text-encoding", "validation-failed"}),
    "a control character in a key": ('{"a\\u0000":1}', {"text-encoding", "validation-failed"}),
}
TYPES = ("text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "")


@pytest.fixture(scope="module")
def served(url: str, settings: Settings) -> Iterator[Running]:
    with running(url, settings) as one:
        yield one


@pytest.fixture(scope="module")
def line(served: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.address, timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def schemas(app: FastAPI) -> Schemas:
    return Schemas(app.openapi())


@pytest.fixture(scope="module")
async def lawful(bakesbangpol: Agency, bkpsdm: Agency, bawaslu: Agency, operator: Agency) -> dict[str, Case]:
    return await cases(bakesbangpol, bkpsdm, bawaslu, operator)


def headers_of(case: Case, content_type: str = JSON) -> dict[str, str]:
    headers = {**case.caller.headers, "Idempotency-Key": str(uuid4())}
    if content_type:
        headers["Content-Type"] = content_type
    return {**headers, "If-Match": case.etag} if case.etag else headers


def send(line: httpx.Client, case: Case, content: Any, content_type: str = JSON) -> httpx.Response:
    return line.request(case.method, case.path, content=content, headers=headers_of(case, content_type))


def check(answer: httpx.Response, said: str, status: set[int]) -> dict[str, Any]:
    """A refusal of ours: its status, its form, nothing of the input, nothing of the inside."""
    said = f"{said}: {answer.status_code} {answer.text[:500]}"
    assert answer.status_code in status, said
    assert answer.headers["content-type"] == PROBLEM, said
    assert answer.headers["request-id"], said
    for name, _ in HEADERS:
        assert name.decode() in answer.headers, said
    assert CANARY not in answer.text, said
    assert "Traceback" not in answer.text, said
    assert len(answer.content) < 8_192, said
    return dict(answer.json())


def quiet(served: Running) -> None:
    """The process says nothing of the input, and nothing broke."""
    said = "".join(served.said)
    assert CANARY not in said
    assert "Traceback" not in said
    assert '"unhandled"' not in said
    assert '"status": 5' not in said


async def test_malformed_bodies_are_refused_on_every_route_that_takes_one(
    served: Running, line: httpx.Client, lawful: dict[str, Case], database: Database
) -> None:
    before = await rested(database)
    for name, case in lawful.items():
        for what, (content, codes) in BODIES.items():
            refused = check(send(line, case, content), f"{what} to {name}", {400, 422})
            assert refused["code"] in codes, (name, what, refused)
    assert await snapshot(database) == before
    quiet(served)


async def test_every_kind_of_wrong_member_is_refused_on_every_route(
    served: Running, line: httpx.Client, lawful: dict[str, Case], schemas: Schemas, database: Database
) -> None:
    before = await rested(database)
    for name, case in lawful.items():
        spoilt = list(schemas.spoil(schemas.body_of(name), case.body))
        for one in spoilt[:: max(1, len(spoilt) // scaled(12, 10_000))]:
            check(send(line, case, one.content), f"{one.what} at {one.pointer} of {name}", {400, 422})
    assert await snapshot(database) == before
    quiet(served)


def test_of_many_unknown_members_twenty_are_named(line: httpx.Client, lawful: dict[str, Case]) -> None:
    for name, case in lawful.items():
        content = json.dumps({**case.body, **{f"surprise{number}": CANARY for number in range(50)}})
        assert len(check(send(line, case, content), name, {422})["errors"]) == 20


def test_a_body_too_large_is_413_declared_or_chunked(line: httpx.Client, lawful: dict[str, Case]) -> None:
    for name, case in lawful.items():
        limit = BATCH if name == "runBatch" else LIMIT
        large = json.dumps({"title": CANARY * (LIMIT // len(CANARY))}).encode().ljust(limit + 1)
        for content in (large, iter([large[:30_000], large[30_000:]])):
            assert check(send(line, case, content), name, {413})["code"] == "body-too-large"


def test_an_endless_body_is_not_read_to_its_end(served: Running, lawful: dict[str, Case]) -> None:
    case, sent = lawful["logTask"], 0
    headers = "".join(f"{name}: {value}\r\n" for name, value in headers_of(case).items())
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as line:
        line.sendall(f"POST {case.path} HTTP/1.1\r\nHost: x\r\n{headers}Transfer-Encoding: chunked\r\n\r\n".encode())
        try:
            while sent < 64 * 2**20:
                line.sendall(chunk)
                sent += len(chunk)
        except OSError:  # it closed the connection
            pass
    assert sent < 32 * 2**20  # most of it waits in the buffers of two sockets


def test_who_hangs_up_amid_a_body_has_sent_none(served: Running, lawful: dict[str, Case]) -> None:
    case, request_id = lawful["logTask"], f"amid-{uuid4()}"
    headers = "".join(f"{name}: {value}\r\n" for name, value in {**headers_of(case), "Request-Id": request_id}.items())
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as line:
        line.sendall(f"POST {case.path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 99\r\n\r\n{{".encode())
        time.sleep(0.2)  # until it waits for the rest
    eventually(lambda: any(request_id in one for one in served.said))
    (access,) = (json.loads(one) for one in served.said if request_id in one)
    assert (access["event"], access["status"], access["problem"]) == ("request", 400, "malformed-json")
    quiet(served)


def test_another_content_type_is_415(line: httpx.Client, lawful: dict[str, Case]) -> None:
    for name, case in lawful.items():
        for content_type in TYPES:
            refused = check(send(line, case, json.dumps(case.body), content_type), f"{content_type} to {name}", {415})
            assert refused["code"] == "unsupported-media-type"


def test_paths_that_are_no_text_are_refused_on_every_route(
    served: Running, line: httpx.Client, schemas: Schemas, kpu: Agency
) -> None:
    tried = 0
    for template, methods in schemas.document["paths"].items():
        if "{" not in template:
            continue
        for raw in ("%00", "%ff", "%ED%A0%80", "%E2%80%AE", "%C0%AF", "a%0d%0ab"):
            path = template
            while "{" in path:
                path = path[: path.index("{")] + raw + path[path.index("}") + 1 :]
            for method in methods:
                headers = {**kpu.headers, "Idempotency-Key": str(uuid4()), "If-Match": '"1"'}
                answer = line.request(method.upper(), path, headers=headers)
                assert check(answer, f"{method} {path}", {400})["code"] == "invalid-parameter"
                tried += 1
    assert tried > 100
    quiet(served)


def test_a_query_of_70_kb_is_414_on_every_route(
    served: Running, line: httpx.Client, schemas: Schemas, kpu: Agency
) -> None:
    long = f"?q={CANARY * (70_000 // len(CANARY))}"
    for template, methods in schemas.document["paths"].items():
        path = template.replace("{", "").replace("}", "")
        for method in map(str.upper, methods):
            answer = line.request(method, path + long[:9_000], headers=kpu.headers)
            assert check(answer, f"{method} {path}", {414})["code"] == "uri-too-long"
            told = served.raw(f"{method} {path}{long} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert told.startswith(b"HTTP/1.1 414 "), (method, path, told[:300])
            assert json.loads(told.partition(b"\r\n\r\n")[2])["code"] == "uri-too-long"
    quiet(served)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: " + b"a" * 200_000, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 40_000, 431),
        (b"GET /" + b"a" * 200_000, 414),
        (b"NONSENSE\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
        (
            b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-A : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX\x00A: b\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400),
    ],
    ids=lambda value: value[:30].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_what_the_parser_refuses_is_answered_as_all_else_is(served: Running, head: bytes, status: int) -> None:
    answer = served.raw(head)
    top, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = top.split(b"\r\n")
    assert first.startswith(b"HTTP/1.1 %d " % status), answer[:300]
    headers = dict(one.lower().split(b": ", 1) for one in lines)
    assert headers[b"connection"] == b"close"
    assert headers[b"content-type"] == PROBLEM.encode()
    assert {name for name, _ in HEADERS} <= headers.keys()
    assert int(headers[b"content-length"]) == len(body)
    assert json.loads(body)["status"] == status
    quiet(served)


def test_the_pages_for_people_run_nothing_but_what_the_service_sends(line: httpx.Client) -> None:
    for path in ("/docs", "/problems", "/problems/not-found"):
        page = line.get(path)
        policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert "unsafe" not in policy.get("script-src", "")
        assert "//" not in page.headers["content-security-policy"]
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert all(one.startswith("/") and not one.startswith("//") for one in loaded), loaded
        for name, _ in HEADERS:
            assert name.decode() in page.headers
    assert line.get("/docs/assets/swagger-ui-bundle.js").headers["x-content-type-options"] == "nosniff"


def test_a_socket_is_not_offered(served: Running, kpu: Agency) -> None:
    asked = b"GET /v1/me HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
    token = f"Authorization: {kpu.headers['Authorization']}\r\n".encode()
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    assert served.raw(asked + token + key).startswith(b"HTTP/1.1 200 ")


def test_header_values_that_are_no_text_break_nothing(served: Running, lawful: dict[str, Case]) -> None:
    case = lawful["logTask"]
    bearer = case.caller.headers["Authorization"].encode()
    for name in (b"Acting-User", b"Idempotency-Key", b"If-Match", b"If-None-Match", b"Prefer", b"Accept-Language",
                 b"Request-Id", b"Traceparent", b"Origin", b"Authorization", b"Content-Type", b"Accept"):  # fmt: skip
        for value in (b"\xff\xfe", b"a" * 20_000, b"\xe2\x80\xae", b"%00", b"*" * 3_000, b'"' * 3_000):
            kept = b"" if name == b"Authorization" else b"Authorization: " + bearer + b"\r\n"
            for start in (b"GET /v1/tasks", b"POST /v1/tasks"):
                head = start + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + kept + name + b": " + value
                status = int(served.raw(head + b"\r\nContent-Length: 2\r\n\r\n{}").split()[1])
                assert status < 500, (name, value[:20], status)
    quiet(served)


def test_credentials_of_every_sort_break_nothing_at_the_token_endpoint(served: Running, line: httpx.Client) -> None:
    for content_type in (*TYPES, JSON, "application/x-www-form-urlencoded; charset=\xff"):
        for content in (b"\xff", b"a=" + b"%00" * 500, b"client_id=%ff&client_secret=%00&grant_type=client_credentials",
                        b"&" * 5_000, b"=" * 5_000, b"--x\r\n" * 2_000, b"{}" + b"[" * 20_000):  # fmt: skip
            answer = line.post(
                "/oauth2/token", content=content, headers={b"Content-Type": content_type.encode("latin-1")}
            )
            assert 400 <= answer.status_code < 500, (content_type, content[:30], answer.text)
    many = "&".join(f"a{number}={CANARY}" for number in range(3_000))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert 400 <= line.post("/oauth2/token", content=many, headers=form).status_code < 500
    quiet(served)


#: Cyrillic, Greek, Han, full-width and mathematical letters among, or instead of, ours.
MIXED = (
    "K\u0420U Kota Malang",
    "\u0392awaslu",
    "B\u0430waslu",
    "\u041a\u041f\u0423",
    "Kota Malang \u4e2d",
    "\uff2b\uff30\uff35",
    "\U0001d40aPU",
    "KPU \u0661",
)


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("member", ["name_id", "name_en"])
def test_an_agency_has_a_name_of_one_script(
    line: httpx.Client, lawful: dict[str, Case], member: str, name: str
) -> None:
    for operation in ("createAgency", "updateAgency"):
        case = lawful[operation]
        content = json.dumps({**case.body, member: name})
        refused = check(send(line, case, content), operation, {422})
        assert [(one["pointer"], one["code"]) for one in refused["errors"]] == [(f"/{member}", "script")]


def test_an_agency_may_have_accents_and_signs_in_its_name(line: httpx.Client, lawful: dict[str, Case]) -> None:
    case = lawful["createAgency"]
    own = f"UJI_{uuid4().hex[:8].upper()}"
    names = {"name_id": "Komisi Pemilihan Umum (KPU) & Dinas - Kota 'Málang' 2/3", "code": own, "office": own}
    assert send(line, case, json.dumps({**case.body, **names})).status_code == 201


async def test_what_is_refused_for_its_form_costs_few_statements(
    app: FastAPI, kpu: Agency, lawful: dict[str, Case]
) -> None:
    ran: list[str] = []
    wide = task(supporting=["NO_SUCH"] * 5_000)
    addresses = ("/v1/tasks?status=%00", "/v1/tasks/%ff", "/v1/tasks?q=" + quote("a" * 9_000), "/v1/tasks?nein=1")
    with heard(app.state.database, ran.append):
        for name, case in lawful.items():
            spoilt: list[Any] = [content for content, _ in BODIES.values()][:: scaled(3, 1)]
            for content in (*spoilt, json.dumps({**case.body, "surprise": 1}), json.dumps(wide)[:LIMIT]):
                ran.clear()
                asking = case.caller.http.request(case.method, case.path, content=content, headers=headers_of(case))
                assert 400 <= (await asking).status_code < 500
                assert len(ran) <= STATEMENTS, (name, ran)
        for address in addresses:
            ran.clear()
            assert (await kpu.get(address)).status_code in {400, 414}
            assert len(ran) <= 1, (address, ran)
