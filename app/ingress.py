"""Hygiene at the door, around every route: request id, size, encoding, security headers, one log line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from time import perf_counter
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

import structlog
import uuid_utils
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import cors, logs
from app.errors import BodyTooLarge, InvalidParameter, Problem, UriTooLong
from app.wire import fault, nameable, refuse_text

Answer = Callable[[Exception, Scope], ASGIApp]

REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
TRACEPARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_UNREADABLE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})|[^\x21-\x7e]")
SECONDS: Final = Histogram("simpul_request_seconds", "How long requests took.", ("method", "route", "status"))
_log: Final = structlog.get_logger()


class Ingress:
    """ASGI middleware that goes outermost; other scopes than http pass through untouched.

    `answer` renders any exception. Limits are bytes; `larger_bodies` maps the end of a path to a limit of its own.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        answer: Answer,
        body_limit: int = 65_536,
        larger_bodies: Mapping[str, int] | None = None,
        uri_limit: int = 8_192,
        origins: cors.Origins | None = None,
    ) -> None:
        self.app = app
        self.answer = answer
        self.body_limit = body_limit
        self.larger_bodies = larger_bodies or {}
        self.uri_limit = uri_limit
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it here; no exception of the application leaves."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, limit=self._limit(scope["path"]))
        with structlog.contextvars.bound_contextvars(request_id=exchange.request_id):
            try:
                _refuse_address(scope, limit=self.uri_limit)
                exchange.refuse_length()
                if self.origins is not None:
                    exchange.agencies = await self.origins.agencies(exchange.origin.decode("latin-1"))
                    if exchange.agencies and exchange.asks_first:
                        await exchange.allow()
                        return
                await self.app(scope, exchange.receive, exchange.send)
            except Exception as error:  # noqa: BLE001 - nothing may escape
                if exchange.status is None:
                    await self.answer(error, scope)(scope, receive, exchange.send)
                exchange.report(error)
            finally:
                exchange.log()

    def _limit(self, path: str) -> int:
        return next((limit for end, limit in self.larger_bodies.items() if path.endswith(end)), self.body_limit)


class _Exchange:
    """One request and its response: what was read, what was sent, what the log says."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, limit: int) -> None:
        self.began = perf_counter()
        self.scope, self._receive, self._send, self.limit = scope, receive, send, limit
        sent = dict(scope["headers"])
        given = sent.get(b"request-id", b"")
        self.request_id = given.decode() if REQUEST_ID.fullmatch(given) else str(uuid_utils.uuid7())
        self.trace = sent.get(b"traceparent", b"")
        length = sent.get(b"content-length", b"")[:20]
        self.length = int(length) if length.isdigit() else 0
        self.unbounded = b"transfer-encoding" in sent or self.length > limit
        self.origin = sent.get(b"origin", b"")
        self.asks_first = cors.is_preflight(scope, sent)
        self.agencies: cors.Agencies = frozenset()
        self.read = 0
        self.status: int | None = None
        # A copy: what a server shares between requests must not carry one request's state to the next.
        scope["state"] = {**scope.get("state", {}), "request_id": self.request_id}

    def refuse_length(self) -> None:
        """Refuse by Content-Length before anything is read; raises BodyTooLarge."""
        if self.length > self.limit:
            raise BodyTooLarge(limit=self.limit)

    async def receive(self) -> Message:
        """Pass the body on, and count it; raises BodyTooLarge."""
        message = await self._receive()
        self.read += len(message.get("body", b""))
        if self.read > self.limit:
            if self.status is not None:
                return {"type": "http.disconnect"}
            raise BodyTooLarge(limit=self.limit)
        self.unbounded = self.unbounded and message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Pass the response on, and add the headers that it does not set itself."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            names = {name.lower() for name, _ in headers}
            headers += [header for header in self._headers() if header[0] not in names]
            headers += cors.headers(self.scope, self.origin, self.agencies)
            message = {**message, "headers": headers}
        await self._send(message)

    async def allow(self) -> None:
        """Answer a browser that asks before it sends."""
        await self.send({"type": "http.response.start", "status": 204, "headers": cors.PREFLIGHT})
        await self.send({"type": "http.response.body"})

    def _headers(self) -> Iterator[tuple[bytes, bytes]]:
        yield b"request-id", self.request_id.encode()
        yield from HEADERS
        yield from self.scope["state"].get("quota_headers", ())
        if TRACEPARENT.fullmatch(self.trace):
            yield b"traceparent", self.trace
        if self.scope.get("scheme") == "https":
            yield b"strict-transport-security", b"max-age=31536000"
        if self.unbounded:
            # Otherwise the server reads on and discards, without end, to keep the connection.
            yield b"connection", b"close"

    def report(self, error: Exception) -> None:
        """Log what nobody refused on purpose: a fault of ours with its traceback, an outage by its name."""
        problem = self.scope["state"].get("problem", "internal")
        if problem == "internal":
            _log.error("unhandled", traceback=logs.frames(error))
        elif not isinstance(error, Problem) and (self.status or 500) >= 500:
            _log.warning("unavailable", problem=problem, error=type(error).__qualname__)

    def log(self) -> None:
        """Write the access line: never Authorization, a body or a query."""
        state, lasted = self.scope["state"], perf_counter() - self.began
        line: dict[str, Any] = {
            "request_id": self.request_id,
            "method": self.scope["method"],
            "route": _template(self.scope),
            "status": self.status,
            "duration_ms": round(lasted * 1000, 1),
        }
        _seconds(line["method"], line["route"] or "", str(self.status)).observe(lasted)
        if "problem" in state:
            line["problem"] = state["problem"]
        if caller := state.get("caller"):
            line |= {"agency": caller.agency, "client_id": caller.client_id and str(caller.client_id)}
        _log.info("request", **line)


@lru_cache(maxsize=4096)
def _seconds(method: str, route: str, status: str) -> Histogram:
    return SECONDS.labels(method, route, status)


def _template(scope: Scope) -> str | None:
    return getattr(scope.get("route"), "path_format", None)


def _refuse_address(scope: Scope, *, limit: int) -> None:
    """Hold path and query to size and encoding; raises UriTooLong, InvalidParameter."""
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    query: bytes = scope["query_string"]
    if len(path) + len(query) > limit:
        raise UriTooLong(limit=limit)
    # Printable is stricter than acceptable: a trailing line feed would still match a route's `$`.
    if not _decoded(path, parameter="path").isprintable():
        raise InvalidParameter(errors=[fault("percent", parameter="path")])
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        known = _decoded(name, parameter="query")
        refuse_text(known, parameter="query")
        parameter = known if nameable(known) else "query"
        refuse_text(_decoded(value, parameter=parameter), parameter=parameter)


def _decoded(raw: bytes, *, parameter: str) -> str:
    """The text behind the percent escapes; raises InvalidParameter."""
    try:
        if _UNREADABLE.search(raw) is None:
            return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        pass
    raise InvalidParameter(errors=[fault("percent", parameter=parameter)])
