"""Canaries: what callers send is in no log, metric or problem, nor on a terminal."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from bodies import Case, cases
from fastapi import FastAPI
from inputs import CANARY, Schemas
from running import Running, running
from support import JSON, Agency, scaled, task

from app.settings import Settings

pytestmark = pytest.mark.attack

#: Nobody's: a NIK, a telephone, a name, and a word that no code of ours holds.
NIK, PHONE, NAME, WORD = "3573051009870004", "+6281234509876", "Sukarsih Wagiyem", "kanarikenari"
CANARIES = (NIK, PHONE, NAME, NAME.split()[1], WORD)
TEXT = f"{NAME} (NIK {NIK}, {PHONE}) {WORD}"


class Listener:
    """Sends as a caller does, and keeps every refusal."""

    def __init__(self, client: httpx.Client) -> None:
        self.client, self.refusals, self.sent, self.secrets = client, list[str](), 0, set[str]()

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        answer = self.client.request(method, path, **more)
        self.sent += 1
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            # The path of the request is the one thing that a problem repeats (RFC 9457, `instance`).
            document = {**answer.json(), "instance": ""}
            self.refusals.append(json.dumps([document, {k: v for k, v in answer.headers.items() if k != "request-id"}]))
        return answer


@pytest.fixture(scope="module")
def served(url: str, settings: Settings) -> Iterator[Running]:
    with running(url, settings) as one:
        yield one


@pytest.fixture(scope="module")
def listener(served: Running) -> Iterator[Listener]:
    with httpx.Client(base_url=served.address, timeout=20) as client:
        yield Listener(client)


@pytest.fixture(scope="module")
async def lawful(bakesbangpol: Agency, bkpsdm: Agency, bawaslu: Agency, operator: Agency) -> dict[str, Case]:
    return await cases(bakesbangpol, bkpsdm, bawaslu, operator)


def test_nothing_that_callers_send_is_found_where_it_does_not_belong(
    app: FastAPI, served: Running, listener: Listener, kpu: Agency, lawful: dict[str, Case]
) -> None:
    log = os.environ.get("SIMPUL_TEST_LOG")
    before = Path(log).stat().st_size if log else 0
    schemas = Schemas(app.openapi())

    tell_everything(listener, kpu)
    ask_for_it(listener, schemas, kpu)
    say_it_in_headers(listener, kpu)
    for name, case in lawful.items():
        if name == "revokeAllTokens":
            continue  # any reason is a good one, and with it every token of this database would end
        headers = {**case.caller.headers, "Content-Type": JSON, "If-Match": case.etag or ""}
        for content in spoilt(schemas, name, case.body):
            headers["Idempotency-Key"] = f"{WORD}-{uuid4()}"
            listener.send(case.method, case.path, content=content, headers=headers)
    sign_in_badly(listener, kpu)

    assert listener.sent > 300
    assert len(listener.refusals) > 200
    assert_silent("problems", "\n".join(listener.refusals), listener.secrets)
    assert_silent("metrics", listener.client.get("/metrics").text, listener.secrets)
    served.process.terminate()
    served.process.wait(20)
    said = "".join(served.said)
    assert said.count('"event":"request"') >= listener.sent
    assert_silent("standard output and error", said, listener.secrets)
    assert "?" not in said
    assert "Traceback" not in said
    if log:
        with Path(log).open("rb") as kept:
            kept.seek(before)
            assert_silent("the log of PostgreSQL", kept.read().decode(errors="replace"), listener.secrets)


def assert_silent(where: str, text: str, secrets: set[str]) -> None:
    for canary in (*CANARIES, quote(NAME), "Wagiyem", *secrets):
        found = text.find(canary)
        assert found < 0, f"{where}: …{text[max(0, found - 300) : found + 100]}…"
    for scheme in ("Bearer ey", "Basic ", "smp_embedded_"):
        assert scheme not in text.replace('Basic realm="simpul"', "").replace('Basic realm=\\"simpul\\"', ""), where


def tell_everything(listener: Listener, kpu: Agency) -> None:
    """Tasks, comments, moves and meetings that are full of persons, and lawful."""

    def post(path: str, body: Any, etag: str | None = None) -> httpx.Response:
        key = {"Idempotency-Key": f"{WORD}{uuid4()}", "Acting-User": f"{WORD}-{NIK}"}
        headers = {**kpu.headers, **key, **({"If-Match": etag} if etag else {})}
        return listener.send("POST", path, json=body, headers=headers)

    reference = f"{WORD}/{NIK}/{uuid4().hex}"
    said = task(title=TEXT, description=TEXT, external_reference=reference, due_at="2030-01-01T00:00:00Z")
    logged = post("/v1/tasks", said)
    assert logged.status_code == 201, logged.text
    path = f"/v1/tasks/{logged.json()['id']}"
    assert post(f"{path}/comments", {"body": TEXT}).status_code == 201
    assert post("/v1/tasks", said).status_code == 409  # the reference again
    assert post("/v1/tasks", task(title=TEXT, region=NIK[:4])).status_code == 422
    post(f"{path}/transitions", {"action": "cancel", "reason": TEXT}, etag='"1"')
    post(f"{path}/transitions", {"action": "cancel", "reason": TEXT}, etag='"99"')
    post(f"{path}/referrals", {"to_agency": "BKPSDM_KOTA_MALANG", "function": "handling", "note": TEXT}, etag='"1"')
    post("/v1/vulnerabilities", {"category": "other", "description": TEXT})
    post("/v1/meetings", {"title": TEXT, "topics": [TEXT]})
    for address in (path, f"{path}/history", f"{path}/comments", "/v1/tasks"):
        listener.send("GET", address, headers=kpu.headers)


def ask_for_it(listener: Listener, schemas: Schemas, kpu: Agency) -> None:
    """Canaries in every query and every path."""
    for template, methods in schemas.document["paths"].items():
        for method, operation in methods.items():
            path = template
            while "{" in path:
                path = path[: path.index("{")] + quote(f"{WORD}{NIK}") + path[path.index("}") + 1 :]
            names = [one["name"] for one in schemas.parameters(operation) if one["in"] == "query"]
            for name in (*names, f"{WORD} {NAME}", NIK):
                address = f"{path}?{quote(name)}={quote(TEXT)}"
                listener.send(method.upper(), address, headers={**kpu.headers, "Idempotency-Key": str(uuid4())})
    for raw in ("%00", "%ff", "a%0d%0ab", "a" * 9_000):
        listener.send("GET", f"/v1/tasks/{raw}?q={quote(TEXT)}", headers=kpu.headers)
        listener.send("GET", f"/v1/tasks?q={raw}{quote(TEXT)}", headers=kpu.headers)


def say_it_in_headers(listener: Listener, kpu: Agency) -> None:
    names = (
        *("Acting-User", "Idempotency-Key", "If-Match", "If-None-Match", "Prefer", "Accept-Language", "Accept"),
        *("Traceparent", "Origin", "Content-Type", "User-Agent", "Referer", "Cookie", "X-Forwarded-For", "Forwarded"),
    )
    for name in names:
        for method in ("GET", "POST", "OPTIONS"):
            listener.send(method, "/v1/tasks", content=b"{}", headers={**kpu.headers, name: TEXT})
    # A request id of the caller's comes back and is logged, if it looks like one; this one doesn't.
    listener.send("GET", "/v1/me", headers={**kpu.headers, "Request-Id": TEXT})


def spoilt(schemas: Schemas, name: str, body: Any) -> Iterator[str]:
    """The lawful body with persons in it, in its wrong places; a plain word that is no member is named, on purpose."""
    for member in body:
        yield json.dumps({**body, member: TEXT * 60})
        yield json.dumps({**body, member: [TEXT]})
        yield json.dumps({**body, member: {TEXT: TEXT, NIK: PHONE}})
    yield json.dumps({**body, NIK: 1, TEXT: 2})
    yield json.dumps({TEXT: WORD})
    yield json.dumps(TEXT)
    yield json.dumps([TEXT] * 20)
    yield '{"' + TEXT + '": '
    yield '{"' + WORD + '": 1, "' + WORD + '": 2}'
    wrong = list(schemas.spoil(schemas.body_of(name), body))
    for one in wrong[:: max(1, len(wrong) // scaled(4, 10_000))]:
        yield one.content.replace(f'"{CANARY}":', '"x":').replace(CANARY, WORD)


def sign_in_badly(listener: Listener, kpu: Agency) -> None:
    """Tokens and secrets, good and bogus, in the right places and in wrong ones."""
    token, secret = kpu.headers["Authorization"].split()[1], str(kpu.credentials["client_secret"])
    client = str(kpu.credentials["client_id"])
    bogus = f"eyJ{WORD}.{base64.urlsafe_b64encode(TEXT.encode()).decode().rstrip('=')}.{'A' * 86}"
    basic = base64.b64encode(f"{client}:{secret}".encode()).decode()
    wrong = base64.b64encode(f"{WORD}:{TEXT}".encode()).decode()
    listener.secrets |= {token, token.split(".")[2], secret, basic, wrong, bogus}
    for value in (f"Bearer {bogus}", f"Bearer {token}x", f"Basic {basic}", f"Basic {wrong}", token, secret, TEXT,
                  f"Bearer {secret}", f"Digest username={WORD}", f"Bearer {token[:-9]}"):  # fmt: skip
        for path in ("/v1/me", "/v1/tasks", "/nowhere", "/oauth2/token"):
            listener.send("GET", path, headers={"Authorization": value})
            form = {"grant_type": "client_credentials"}
            listener.send("POST", path, data=form, headers={"Authorization": value})
    for path in ("/v1/me", "/v1/tasks", "/oauth2/token", "/livez", f"/v1/tasks/{secret}", "/problems"):
        for name, value in (("access_token", token), ("client_secret", secret), ("token", bogus), ("q", secret)):
            listener.send("GET", f"{path}?{name}={value}")
            listener.send("GET", f"{path}?{name}={value}", headers=kpu.headers)
            listener.send("GET", path, headers={"Cookie": f"{name}={value}"})
    for form in (
        {"grant_type": "client_credentials", "client_id": client, "client_secret": TEXT},
        {"grant_type": "client_credentials", "client_id": TEXT, "client_secret": secret},
        {"grant_type": "client_credentials", "client_id": secret, "client_secret": client},
        {"grant_type": WORD, "client_id": client, "client_secret": secret},
        {"grant_type": "client_credentials", "client_id": client, "client_secret": secret, "scope": TEXT},
        {"grant_type": "client_credentials", "client_id": f"{client}\x00", "client_secret": f"{secret}\x00"},
        {"grant_type": "password", "username": NAME, "password": NIK},
    ):
        listener.send("POST", "/oauth2/token", data=form)
        listener.send("POST", "/oauth2/token", json=form)
    granted = listener.send(
        "POST", "/oauth2/token", data={"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    )
    assert granted.status_code == 200
    listener.secrets.add(granted.json()["access_token"])
