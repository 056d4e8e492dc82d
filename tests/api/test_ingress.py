"""The door: what Ingress refuses, what every answer carries, how a refusal reads, what the log keeps."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from types import SimpleNamespace
from typing import Annotated, Any, Literal
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Form, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.types import Message
from structlog.testing import capture_logs

from app import errors, openapi, wire
from app.errors import Problem
from app.ingress import Ingress
from app.problems import (
    ProblemDocument,
    answer,
    catalogue_page,
    install,
    language_of,
    problem_page,
    responses,
    shown_example,
)

CANARY = "kanari-3573051009"
LIMIT = 65_536


class StrictRequest(Request):
    """A request whose JSON is read as the service reads it."""

    async def json(self) -> Any:
        """The body, by wire.decode."""
        return wire.decode(await self.body())


class StrictRoute(APIRoute):
    """A route that hands out strict requests."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler behind a strict request."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict


def one_script(name: str) -> str:
    """A validator with a sentence of its own."""
    if not name.isascii():
        message = {"en": "Use one script.", "id": "Gunakan satu aksara."}
        raise PydanticCustomError("mixed-script", "{en}", message)
    return name


class Letter(BaseModel):
    """A part of a body."""

    model_config = ConfigDict(extra="forbid", strict=True)

    number: str = Field(pattern="^[0-9/]+$")
    sent_at: AwareDatetime = Field(strict=False)


class Task(BaseModel):
    """A body."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: str = Field(min_length=1, max_length=20)
    priority: Literal["low", "high"] = "low"
    weight: int = Field(0, ge=0, le=9)
    name: Annotated[str, AfterValidator(one_script)] = "x"
    letters: list[Letter | int] = []


class Filter(BaseModel):
    """A query."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=200)
    q: str | None = None


router = APIRouter(prefix="/v1/tasks", route_class=StrictRoute)
problems = responses(errors.NotFound, errors.TokenMissing, errors.TokenInvalid, errors.MalformedJson, errors.Overloaded)


@router.get("", responses=problems)
async def list_tasks(query: Annotated[Filter, Query()]) -> dict[str, int]:
    """A list."""
    return {"limit": query.limit}


@router.post("", responses=problems | responses(errors.ValidationFailed, errors.TextEncoding))
async def log_task(task: Task) -> dict[str, str]:
    """A write."""
    return {"title": task.title}


@router.get("/{id}")
async def read_task(id: UUID) -> dict[str, str]:
    """A read."""
    return {"id": str(id)}


app = FastAPI(redirect_slashes=False)
install(app)
openapi.install(app)
app.router.routes.extend(router.routes)
app.add_middleware(Ingress, answer=answer, larger_bodies={"/evidence": 4 * LIMIT})


@app.post("/form")
async def take_form(title: Annotated[str, Form()]) -> dict[str, int]:
    """A form."""
    return {"size": len(title)}


@app.post("/evidence")
@app.post("/stream")
async def take_stream(request: Request) -> dict[str, int]:
    """A body read by the handler itself."""
    return {"size": sum([len(chunk) async for chunk in request.stream()])}


@app.post("/unread")
async def leave_unread() -> dict[str, int]:
    """A body nobody reads."""
    return {}


@app.get("/refuse/{code}")
async def refuse(code: str) -> None:
    """Any refusal without facts."""
    raise Problem.catalogue[code]


@app.get("/raise/{kind}")
async def break_down(kind: str) -> None:
    """Anything else that may be raised."""
    if kind == "nested":
        raise ExceptionGroup(CANARY, [ValueError(CANARY)]) from KeyError(CANARY)
    raise {
        "fault": ValueError(CANARY),
        "lost": ConnectionResetError(CANARY),
        "full": PoolTimeoutError(CANARY),
        "teapot": HTTPException(418, CANARY),
    }[kind]


@app.get("/own-headers")
async def own_headers(request: Request) -> Response:
    """A response with headers and a caller of its own."""
    request.state.caller = SimpleNamespace(agency="KPU_KOTA_MALANG", client_id=UUID(int=7))
    headers = {"Cache-Control": "private", "Content-Security-Policy": "default-src 'self'"}
    return PlainTextResponse("fine", headers=headers)


@app.get("/language")
async def language(request: Request) -> str:
    """The language of the caller."""
    return language_of(request)


@app.get("/half")
async def half() -> Response:
    """A response that breaks off."""

    async def lines() -> AsyncIterator[str]:
        yield "one"
        raise ValueError(CANARY)

    return StreamingResponse(lines())


@pytest.fixture
async def caller() -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who asks."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://simpul.test") as client:
        yield client


async def chunks(count: int, taken: list[int]) -> AsyncIterator[bytes]:
    """A body of `count` KiB with no Content-Length, which notes how much of it was taken."""
    for _ in range(count):
        taken.append(1_024)
        yield b"a" * 1_024


def raw_scope(path: bytes = b"/", query: bytes = b"", method: str = "GET", **headers: str) -> dict[str, Any]:
    """A scope as a server makes it of any bytes a client sends."""
    shown = path.decode("utf-8", "replace")
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": httpx.URL("http://t" + shown).path if "\ufffd" not in shown else shown,
        "raw_path": path, "query_string": query, "root_path": "", "headers": named,
        "client": ("127.0.0.1", 1), "server": ("simpul.test", 80),
    }  # fmt: skip


async def exchange(scope: dict[str, Any], *messages: Message) -> httpx.Response:
    """The answer to a raw scope; receiving more than `messages` fails the test."""
    waiting = list(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=body)


# Request id and trace


async def test_a_sensible_request_id_is_kept_and_any_other_replaced_by_a_uuid7(caller: httpx.AsyncClient) -> None:
    for given in ("abc-1.2_3", "x" * 64):
        answered = await caller.get("/nowhere", headers={"Request-Id": given})
        assert answered.headers["Request-Id"] == answered.json()["request_id"] == given
    for given in ("", "x" * 65, "a b", "<b>", "é"):
        answered = await caller.get("/nowhere", headers={b"Request-Id": given.encode()})
        assert UUID(answered.headers["Request-Id"]).version == 7
        assert answered.json()["request_id"] == answered.headers["Request-Id"]


async def test_a_valid_traceparent_goes_back_out_and_no_other(caller: httpx.AsyncClient) -> None:
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    answered = await caller.get("/language", headers={"traceparent": f"00-{trace}-{span}-01"})
    assert answered.headers["traceparent"] == f"00-{trace}-{span}-01"
    for given in (
        f"ff-{trace}-{span}-01",
        f"00-{'0' * 32}-{span}-01",
        f"00-{trace}-{'0' * 16}-01",
        "00-ab-cd-01",
        CANARY,
    ):
        answered = await caller.get("/language", headers={"traceparent": given})
        assert "traceparent" not in answered.headers


# Address


async def test_a_query_of_70_kb_is_414_and_the_longest_address_is_not() -> None:
    refused = await exchange(raw_scope(b"/language", b"q=" + b"a" * 70_000))
    assert (refused.status_code, refused.json()["code"], refused.json()["limit"]) == (414, "uri-too-long", 8_192)
    refused = await exchange(raw_scope(b"/" + b"a" * 8_192))
    assert (refused.status_code, len(refused.content) < 1_024) == (414, True)
    room = 8_192 - len("/language") - len("q=")
    assert (await exchange(raw_scope(b"/language", b"q=" + b"a" * room))).status_code == 200
    assert (await exchange(raw_scope(b"/language", b"q=" + b"a" * (room + 1)))).status_code == 414


@pytest.mark.parametrize(
    "path",
    [b"/v1/%00", b"/v1/%ff", b"/v1/tasks%0a", b"/%e2%80%ae", b"/%c2%85", b"/%ed%a0%80", b"/%", b"/%zz", b"/\xff"],
)
async def test_a_path_that_is_not_readable_text_is_400(path: bytes) -> None:
    refused = await exchange(raw_scope(path))
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid-parameter")
    assert [error["parameter"] for error in refused.json()["errors"]] == ["path"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        (b"limit=1&q=%00", "q"),
        (b"q=%ff", "q"),
        (b"q=%c3%28", "q"),
        (b"q=a%E2%80%AEb", "q"),
        (b"q=100%", "q"),
        (b"q=\xc3\xa9", "q"),
        (b"q%00=1", "query"),
        (b"%ff", "query"),
        (b"kanari%20%3Cb%3E=%00", "query"),
    ],
)
async def test_a_query_that_is_not_readable_text_is_400_and_names_the_parameter(query: bytes, parameter: str) -> None:
    refused = await exchange(raw_scope(b"/v1/tasks", query))
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid-parameter")
    assert [error["parameter"] for error in refused.json()["errors"]] == [parameter]
    assert "kanari" not in refused.text


async def test_readable_addresses_pass(caller: httpx.AsyncClient) -> None:
    answered = await caller.get("/v1/tasks", params={"q": "gudang + banjir & É 😀 100%"})
    assert answered.status_code == 200
    assert (await caller.get("/v1/tasks?q=a+b&&limit=7")).json()["limit"] == 7
    assert (await exchange(raw_scope(b"/v1/tasks%20/%C3%A9"))).status_code == 404
    scope = raw_scope(b"/language")
    del scope["raw_path"]
    assert (await exchange(scope)).status_code == 200


# Body


async def test_a_body_declared_too_large_is_refused_before_any_of_it_is_read() -> None:
    for length in (str(LIMIT + 1), "9" * 5_000):
        refused = await exchange(raw_scope(b"/v1/tasks", method="POST", content_length=length))
        assert (refused.status_code, refused.json()["code"], refused.json()["limit"]) == (413, "body-too-large", LIMIT)
        assert refused.headers["Connection"] == "close"


@pytest.mark.parametrize("path", ["/v1/tasks", "/form", "/stream"])
async def test_a_chunked_body_is_refused_once_it_grows_too_large(caller: httpx.AsyncClient, path: str) -> None:
    kind = "application/x-www-form-urlencoded" if path == "/form" else "application/json"
    taken: list[int] = []
    refused = await caller.post(path, content=chunks(1_000, taken), headers={"Content-Type": kind})
    assert (refused.status_code, refused.json()["code"]) == (413, "body-too-large")
    assert refused.headers["Connection"] == "close"
    assert sum(taken) <= LIMIT + 2_048


async def test_a_body_of_exactly_the_limit_is_read(caller: httpx.AsyncClient) -> None:
    for content in (chunks(64, []), b"a" * LIMIT):
        answered = await caller.post("/stream", content=content)
        assert (answered.json(), "Connection" in answered.headers) == ({"size": LIMIT}, False)


async def test_a_path_may_have_a_larger_limit(caller: httpx.AsyncClient) -> None:
    assert (await caller.post("/evidence", content=chunks(256, []))).json() == {"size": 4 * LIMIT}
    assert (await caller.post("/evidence", content=chunks(257, []))).json()["limit"] == 4 * LIMIT


async def test_the_connection_ends_with_an_answer_that_left_an_endless_body_unread(caller: httpx.AsyncClient) -> None:
    assert (await caller.post("/unread", content=chunks(9, []))).headers["Connection"] == "close"
    assert "Connection" not in (await caller.post("/unread", content=b"short")).headers


# Headers


@pytest.mark.parametrize("path", ["/language", "/nowhere", "/raise/fault", "/%00", "/half"])
async def test_every_answer_carries_the_security_headers(path: str) -> None:
    answered = await exchange(raw_scope(path.encode()), {"type": "http.request"}, {"type": "http.disconnect"})
    assert answered.headers["X-Content-Type-Options"] == "nosniff"
    assert answered.headers["Referrer-Policy"] == "no-referrer"
    assert answered.headers["X-Frame-Options"] == "DENY"
    assert answered.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answered.headers["Cache-Control"] == "no-store"
    assert answered.headers["Content-Security-Policy"] == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert "Strict-Transport-Security" not in answered.headers


async def test_a_response_keeps_its_own_cache_and_content_policy(caller: httpx.AsyncClient) -> None:
    answered = await caller.get("/own-headers")
    assert answered.headers.get_list("Cache-Control") == ["private"]
    assert answered.headers.get_list("Content-Security-Policy") == ["default-src 'self'"]


async def test_transport_security_is_promised_over_https_only() -> None:
    assert (
        "max-age" in (await exchange(raw_scope(b"/nowhere") | {"scheme": "https"})).headers["Strict-Transport-Security"]
    )


# Language


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "en"),
        ("id", "id"),
        ("id-ID,id;q=0.9,en-US;q=0.8,en;q=0.7", "id"),
        ("en;q=0.5, ID;q=0.8", "id"),
        ("en, id", "en"),
        ("id, en", "id"),
        ("fr, id;q=0.2", "id"),
        ("id;q=0", "en"),
        ("*", "en"),
        ("idx, i d, ;;;,q=1", "en"),
    ],
)
async def test_the_language_is_the_one_liked_best(caller: httpx.AsyncClient, header: str, expected: str) -> None:
    assert (await caller.get("/language", headers={"Accept-Language": header})).json() == expected


async def test_a_problem_speaks_the_language_of_the_caller(caller: httpx.AsyncClient) -> None:
    english = await caller.get("/nowhere")
    indonesian = await caller.get("/nowhere", headers={"Accept-Language": "id"})
    assert (english.json()["title"], english.headers["Content-Language"]) == ("Not found", "en")
    assert (indonesian.json()["title"], indonesian.headers["Content-Language"]) == ("Tidak ditemukan", "id")
    assert english.headers["Vary"] == indonesian.headers["Vary"] == "Accept-Language, Origin"
    assert english.json()["code"] == indonesian.json()["code"] == "not-found"


# Refusals


async def test_an_unknown_path_is_a_404_document_that_names_the_path_and_never_the_query(
    caller: httpx.AsyncClient,
) -> None:
    answered = await caller.get(f"/v1/nowhere?q={CANARY}")
    assert answered.headers["Content-Type"] == "application/problem+json"
    assert answered.json() == {
        "type": "/problems/not-found",
        "title": "Not found",
        "status": 404,
        "detail": "There is nothing here that you may see.",
        "instance": "/v1/nowhere",
        "code": "not-found",
        "request_id": answered.headers["Request-Id"],
    }


async def test_a_wrong_method_is_405_and_told_every_method_of_the_path(caller: httpx.AsyncClient) -> None:
    answered = await caller.put("/v1/tasks")
    assert (answered.status_code, answered.json()["code"]) == (405, "method-not-allowed")
    assert answered.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("code", "header", "value"),
    [
        ("token-missing", "WWW-Authenticate", "Bearer"),
        ("token-invalid", "WWW-Authenticate", 'Bearer error="invalid_token"'),
        ("quota-exceeded", "Retry-After", "1"),
        ("storage", "Retry-After", "30"),
    ],
)
async def test_a_refusal_says_in_its_headers_what_to_do(
    caller: httpx.AsyncClient, code: str, header: str, value: str
) -> None:
    answered = await caller.get(f"/refuse/{code}")
    assert (answered.json()["code"], answered.headers[header]) == (code, value)


async def test_a_path_that_is_no_uuid_is_404(caller: httpx.AsyncClient) -> None:
    assert (await caller.get("/v1/tasks/35.73-2024-7K3M9Q")).json()["code"] == "not-found"


async def test_an_unknown_parameter_is_named_with_the_known_ones(caller: httpx.AsyncClient) -> None:
    answered = await caller.get("/v1/tasks", params={"limt": CANARY})
    assert (answered.status_code, answered.json()["code"]) == (400, "unknown-parameter")
    assert [(error["parameter"], error["code"]) for error in answered.json()["errors"]] == [("limt", "unknown")]
    assert answered.json()["known"] == ["limit", "q"]
    assert CANARY not in answered.text


@pytest.mark.parametrize(
    ("params", "code"), [({"limit": CANARY}, "integer"), ({"limit": "201"}, "too-large"), ({"limit": "0"}, "too-small")]
)
async def test_a_wrong_parameter_is_named(caller: httpx.AsyncClient, params: dict[str, str], code: str) -> None:
    answered = await caller.get("/v1/tasks", params=params)
    assert (answered.status_code, answered.json()["code"]) == (400, "invalid-parameter")
    assert [(error["parameter"], error["code"]) for error in answered.json()["errors"]] == [(*params, code)]
    assert CANARY not in answered.text


BROKEN = {
    "title": CANARY * 2,
    "priority": CANARY,
    "weight": CANARY,
    "name": CANARY + "é",
    "letters": [{"number": CANARY, "sent_at": "2024-11-27T07:00:00"}, {"number": "1", "sent_at": CANARY}, {}, 1],
    "surprise": CANARY,
    f"<script>{CANARY}": 1,
}


async def test_each_fault_of_a_body_is_pointed_at_in_both_languages(caller: httpx.AsyncClient) -> None:
    english = (await caller.post("/v1/tasks", json=BROKEN)).json()
    assert (english["status"], english["code"], english["title"]) == (422, "validation-failed", "Validation failed")
    said = {(error["pointer"], error["code"]): error["detail"] for error in english["errors"]}
    assert said == {
        ("/title", "too-long"): "At most 20 characters.",
        ("/priority", "choice"): "This must be 'low' or 'high'.",
        ("/weight", "integer"): "This must be a whole number.",
        ("/name", "mixed-script"): "Use one script.",
        ("/letters/0/number", "pattern"): "This must match ^[0-9/]+$",
        ("/letters/0/sent_at", "timezone"): "The time needs its offset, +07:00 or Z.",
        ("/letters/0", "integer"): "This must be a whole number.",
        ("/letters/1/sent_at", "datetime"): "This must be an RFC 3339 time.",
        ("/letters/1", "integer"): "This must be a whole number.",
        ("/letters/2/number", "missing"): "This is required.",
        ("/letters/2/sent_at", "missing"): "This is required.",
        ("/letters/2", "integer"): "This must be a whole number.",
        ("/surprise", "unknown"): "Nothing of this name is known here.",
        ("", "unknown"): "Nothing of this name is known here.",
    }
    indonesian = (await caller.post("/v1/tasks", json=BROKEN, headers={"Accept-Language": "id"})).json()
    assert indonesian["title"] == "Isian tidak sah"
    assert [error["pointer"] for error in indonesian["errors"]] == [error["pointer"] for error in english["errors"]]
    details = {error["detail"] for error in indonesian["errors"]}
    assert {"Ini wajib diisi.", "Gunakan satu aksara.", "Ini harus 'low' atau 'high'."} <= details
    assert not details & set(said.values())


async def test_no_refusal_repeats_what_was_sent(caller: httpx.AsyncClient) -> None:
    for language in ("en", "id"):
        for body in (BROKEN, [CANARY], CANARY, {"title": CANARY + "\0"}, {"title": {CANARY: CANARY}}):
            refused = await caller.post("/v1/tasks", json=body, headers={"Accept-Language": language})
            assert (refused.status_code, CANARY in refused.text) == (422, False)
        for content in (CANARY, f'{{"{CANARY}": 1, "{CANARY}": 2}}', f'["{CANARY}", 1e999]', "[" * 99 + f'"{CANARY}"'):
            headers = {"Accept-Language": language, "Content-Type": "application/json"}
            refused = await caller.post("/v1/tasks", content=content, headers=headers)
            assert (refused.status_code, CANARY in refused.text) == (400, False)


async def test_at_most_twenty_faults_are_listed(caller: httpx.AsyncClient) -> None:
    refused = await caller.post("/v1/tasks", json={f"f{number}": number for number in range(500)})
    assert len(refused.json()["errors"]) == 20


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"title": "a"', "malformed-json"),
        (b'{"title": "\xff"}', "malformed-json"),
        (b"\xef\xbb\xbf{}", "malformed-json"),
        (b"[" * 900, "json-depth"),
        (b'{"title": "a", "title": "b"}', "json-duplicate-key"),
        (b'{"weight": NaN}', "json-number"),
        (b'{"title": "\\ud800"}', "text-encoding"),
    ],
)
async def test_bad_json_is_refused_by_its_own_code_through_the_framework(
    caller: httpx.AsyncClient, content: bytes, code: str
) -> None:
    refused = await caller.post("/v1/tasks", content=content, headers={"Content-Type": "application/json"})
    assert (refused.json()["code"], refused.status_code) == (code, Problem.catalogue[code].status)


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "multipart/form-data"}])
async def test_a_body_that_does_not_call_itself_json_is_415(caller: httpx.AsyncClient, headers: dict[str, str]) -> None:
    refused = await caller.post("/v1/tasks", content=b'{"title": "a"}', headers=headers)
    assert (refused.status_code, refused.json()["expected"]) == (415, "application/json")


async def test_an_absent_body_is_missing(caller: httpx.AsyncClient) -> None:
    refused = await caller.post("/v1/tasks")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "missing")


# Faults of ours


@pytest.mark.parametrize("kind", ["fault", "nested", "teapot"])
async def test_a_fault_of_ours_is_500_and_says_nothing_of_itself(caller: httpx.AsyncClient, kind: str) -> None:
    answered = await caller.get(f"/raise/{kind}")
    assert (answered.status_code, answered.json()["code"]) == (500, "internal")
    assert CANARY not in answered.text
    assert "Error" not in answered.text


async def test_a_fault_leaves_its_frames_in_the_log_but_not_its_text(caller: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        await caller.get("/raise/nested")
    fault, access = lines
    assert (fault["event"], fault["log_level"]) == ("unhandled", "error")
    assert "in break_down" in fault["traceback"]
    assert all(name in fault["traceback"] for name in ("ExceptionGroup", "ValueError", "KeyError"))
    assert (access["event"], access["status"], access["problem"]) == ("request", 500, "internal")
    assert CANARY not in json.dumps(lines)


@pytest.mark.parametrize(("kind", "code"), [("lost", "temporarily-unavailable"), ("full", "overloaded")])
async def test_a_failing_database_is_503_with_retry_after(caller: httpx.AsyncClient, kind: str, code: str) -> None:
    with capture_logs() as lines:
        answered = await caller.get(f"/raise/{kind}")
    assert (answered.status_code, answered.json()["code"]) == (503, code)
    assert int(answered.headers["Retry-After"]) > 0
    assert [line["event"] for line in lines] == ["unavailable", "request"]
    assert CANARY not in answered.text + json.dumps(lines)


async def test_a_response_that_breaks_off_is_logged_and_not_answered_twice() -> None:
    with capture_logs() as lines:
        answered = await exchange(raw_scope(b"/half"), {"type": "http.request"}, {"type": "http.disconnect"})
    assert (answered.status_code, answered.text) == (200, "one")
    assert [line["event"] for line in lines] == ["unhandled", "request"]


async def test_without_the_door_the_handlers_alone_still_answer() -> None:
    bare = FastAPI()
    install(bare)
    bare.add_api_route("/raise/{kind}", break_down)
    transport = httpx.ASGITransport(app=bare, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://simpul.test") as client:
        assert (await client.get("/raise/fault")).json()["code"] == "internal"
        assert (await client.get("/raise/lost")).json()["code"] == "temporarily-unavailable"


async def test_other_scopes_pass_untouched() -> None:
    seen: list[Any] = []

    async def inside(*given: Any) -> None:
        seen.extend(given)

    await Ingress(inside, answer=answer)({"type": "lifespan"}, "receive", "send")  # type: ignore[arg-type]
    assert seen == [{"type": "lifespan"}, "receive", "send"]


# Access log


async def test_the_access_line_names_the_template_and_nothing_that_was_sent(caller: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        answered = await caller.get(f"/v1/tasks/{CANARY}?q={CANARY}", headers={"Authorization": f"Bearer {CANARY}"})
    (line,) = lines
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "request_id": answered.headers["Request-Id"],
        "method": "GET",
        "route": "/v1/tasks/{id}",
        "status": 404,
        "problem": "not-found",
    }


async def test_the_access_line_names_agency_and_client_once_they_are_known(caller: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        await caller.get("/own-headers")
    assert (lines[0]["agency"], lines[0]["client_id"]) == ("KPU_KOTA_MALANG", str(UUID(int=7)))
    assert (lines[0]["status"], "problem" in lines[0]) == (200, False)


# The contract


def test_openapi_holds_one_problem_schema_and_none_of_the_framework() -> None:
    document = app.openapi()
    validate(document)
    assert {name for name in document["components"]["schemas"] if "Error" in name or "Problem" in name} == {
        "Problem",
        "ProblemError",
    }
    assert "HTTPValidationError" not in json.dumps(document)
    assert app.openapi() == document


def test_every_problem_of_an_operation_has_a_named_example_under_its_status() -> None:
    document = app.openapi()
    named = document["paths"]["/v1/tasks"]["get"]["responses"]
    shared = document["components"]["responses"]
    shown = {status: shared.get(one.get("$ref", "").rpartition("/")[2], one) for status, one in named.items()}
    assert set(shown) == {"200", "304", "400", "401", "404", "503"}
    (media_type,) = shown["401"]["content"]
    assert media_type == "application/problem+json"
    assert shown["401"]["content"][media_type]["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert set(shown["401"]["content"][media_type]["examples"]) == {"token-missing", "token-invalid"}
    assert (set(shown["401"]["headers"]), set(shown["503"]["headers"])) == ({"WWW-Authenticate"}, {"Retry-After"})


@pytest.mark.parametrize("code", sorted(Problem.catalogue))
def test_every_problem_of_the_catalogue_has_an_example_that_fits_the_schema(code: str) -> None:
    example = shown_example(code)["value"]
    Draft202012Validator(ProblemDocument.model_json_schema()).validate(example)
    assert ProblemDocument.model_validate(example).code == code


async def test_real_answers_fit_the_schema(caller: httpx.AsyncClient) -> None:
    validator = Draft202012Validator(ProblemDocument.model_json_schema())
    for answered in (
        await caller.get("/nowhere"),
        await caller.post("/v1/tasks", json=BROKEN),
        await caller.get("/v1/tasks?limt=1"),
        await caller.get("/raise/fault"),
    ):
        validator.validate(answered.json())


def test_the_catalogue_is_readable_by_people_in_both_languages() -> None:
    english, indonesian = catalogue_page("en"), catalogue_page("id")
    for code in Problem.catalogue:
        assert f'<a href="/problems/{code}">' in english
        assert f'<a href="/problems/{code}">' in indonesian
        assert Problem.catalogue[code].title[1] in problem_page(code, "id")
    assert ("Problem catalogue" in english, "Katalog masalah" in indonesian) == (True, True)
    with pytest.raises(errors.NotFound):
        problem_page("<script>", "en")
