"""A caller as the tests see one: who is asking is visible in every line."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import TypeAdapter

T = TypeVar("T")
JSON = "application/json"
#: Seconds after which who asks for long fetches a new token: they live for ten minutes, a run may last longer.
RENEWED_AFTER = 300.0
PROBLEM = "application/problem+json"


def routes(app: FastAPI) -> list[Any]:
    """Every route of the app as the framework sees it, included routers walked through."""
    return [one for one in iter_route_contexts(app.routes) if isinstance(one.original_route, APIRoute)]


class Contract:
    """Every answer is held against the model that the OpenAPI document promises for it."""

    def __init__(self, app: FastAPI) -> None:
        self._routes = routes(app)
        self._adapters: dict[str, TypeAdapter[Any]] = {}

    async def check(self, response: httpx.Response) -> None:
        """Fail the test whose answer breaks the contract."""
        await response.aread()
        assert response.status_code < 500, response.text
        assert response.headers["request-id"]
        if response.status_code >= 400 and not response.request.url.path.startswith("/oauth2"):
            self._check_problem(response)
        elif response.headers.get("content-type") == JSON and response.status_code < 400:
            self._check_answer(response)

    def _check_problem(self, response: httpx.Response) -> None:
        assert response.headers["content-type"] == PROBLEM, response.text
        document = response.json()
        assert document["status"] == response.status_code
        assert document["type"] == f"/problems/{document['code']}"
        assert document["request_id"] == response.headers["request-id"]
        assert {"title", "detail", "instance"} <= document.keys()

    def _check_answer(self, response: httpx.Response) -> None:
        scope = {"type": "http", "method": response.request.method, "path": response.request.url.path}
        for one in self._routes:
            match, _ = one.matches(scope)
            if match.value == 2:
                model = one.response_model
                if model is not None and "fields" not in response.request.url.params:
                    adapter = self._adapters.setdefault(str(model), TypeAdapter(model))
                    adapter.validate_json(response.content)
                return


@dataclass
class Agency:
    """A client of an agency, with its token."""

    http: httpx.AsyncClient
    credentials: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    signed_in: float | None = None

    @property
    def code(self) -> str:
        return str(self.credentials["agency"])

    @property
    def token(self) -> str:
        return self.headers["Authorization"].removeprefix("Bearer ")

    async def sign_in(self, **form: str) -> Agency:
        answer = await self._ask_for_token(form)
        assert answer.status_code == 200, answer.text
        self._take(answer)
        self.signed_in = None if form else time.monotonic()
        return self

    async def _renew(self) -> None:
        """Fetch a new token in time; who gets none any more goes on with the old one."""
        if self.signed_in is not None and time.monotonic() - self.signed_in > RENEWED_AFTER:
            answer = await self._ask_for_token({})
            if answer.is_success:
                self._take(answer)
                self.signed_in = time.monotonic()

    async def _ask_for_token(self, form: dict[str, str]) -> httpx.Response:
        named = {name: self.credentials[name] for name in ("client_id", "client_secret")}
        return await self.http.post("/oauth2/token", data={"grant_type": "client_credentials", **named, **form})

    def _take(self, answer: httpx.Response) -> None:
        self.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self._send("GET", path, **more)

    async def post(self, path: str, body: Any = None, *, etag: str | None = None, **more: Any) -> httpx.Response:
        headers = {"Idempotency-Key": str(uuid4()), **more.pop("headers", {})}
        return await self._send("POST", path, body, etag=etag, headers=headers, **more)

    async def patch(self, path: str, body: Any, *, etag: str | None = None, **more: Any) -> httpx.Response:
        return await self._send("PATCH", path, body, etag=etag, **more)

    async def put(self, path: str, body: Any, *, etag: str | None = None, **more: Any) -> httpx.Response:
        return await self._send("PUT", path, body, etag=etag, **more)

    async def delete(self, path: str, *, etag: str | None = None, **more: Any) -> httpx.Response:
        return await self._send("DELETE", path, etag=etag, **more)

    async def _send(
        self, method: str, path: str, body: Any = None, *, etag: str | None = None, **more: Any
    ) -> httpx.Response:
        await self._renew()
        headers = {**self.headers, **more.pop("headers", {})}
        if etag is not None:
            headers["If-Match"] = etag
        if body is not None:
            more["content"] = json.dumps(body)
            headers["Content-Type"] = JSON
        return await self.http.request(method, path, headers=headers, **more)

    # what most stories do

    async def log(self, **said: Any) -> dict[str, Any]:
        """Log a task; by default one that the law gives to BKPSDM."""
        answer = await self.post("/v1/tasks", task(**said))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def read(self, task_id: str) -> dict[str, Any]:
        answer = await self.get(f"/v1/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def move(self, task_id: str, action: str, **said: Any) -> httpx.Response:
        """Make a move with the ETag just read."""
        etag = (await self.get(f"/v1/tasks/{task_id}")).headers.get("etag")
        return await self.post(f"/v1/tasks/{task_id}/transitions", {"action": action, **said}, etag=etag)

    async def refer(self, task_id: str, **said: Any) -> httpx.Response:
        etag = (await self.get(f"/v1/tasks/{task_id}")).headers.get("etag")
        return await self.post(f"/v1/tasks/{task_id}/referrals", said, etag=etag)

    async def answer(self, referral_id: str, answer: str, **said: Any) -> httpx.Response:
        """Answer a referral with the ETag just read."""
        etag = (await self.get(f"/v1/referrals/{referral_id}")).headers.get("etag")
        return await self.post(f"/v1/referrals/{referral_id}/response", {"answer": answer, **said}, etag=etag)

    async def accept(self, task: dict[str, Any], **said: Any) -> dict[str, Any]:
        """Accept the open referral of a task and read the task again."""
        answer = await self.answer(task["open_referral"]["id"], "accepted", **said)
        assert answer.status_code == 200, answer.text
        return await self.read(task["id"])


def task(**said: Any) -> dict[str, Any]:
    """The body of a task; by default one that the law gives to BKPSDM (M01)."""
    return {
        "title": "Sosialisasi netralitas ASN",
        "description": "Sosialisasi kepada ASN Kota Malang sebelum masa kampanye.",
        "category": "asn_neutrality",
        "function": "prevention",
        "region": "35.73",
        **said,
    }


SignIn = Callable[..., Awaitable[Agency]]


def scaled(small: T, full: T) -> T:
    """A count (or whatever costs time) for every run, and the full one where SIMPUL_FULL is set (`make attack`)."""
    return full if os.environ.get("SIMPUL_FULL") else small
