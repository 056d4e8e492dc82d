"""CORS by exact origin: a page reads what its own agency's clients may, and nothing travels by cookie.

Cross-Origin-Resource-Policy stays `same-origin`: browsers hold only requests without CORS to it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from time import monotonic
from typing import Final

import structlog
from starlette.types import Scope

from app.db import Executor
from app.outages import problem_of
from app.services.origins import registered

Header = tuple[bytes, bytes]
Agencies = frozenset[str | None]

EXPOSED: Final = (
    *("ETag", "Location", "Link", "Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy"),
    *("Idempotent-Replayed", "Audit-Receipt", "Deprecation", "Sunset"),
)
#: Authorization and whatever else the API knows; a browser asks for each by name.
SENT: Final = (
    *("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Prefer", "Accept-Language"),
    *("Acting-User", "Request-Id", "Traceparent"),
)
_SECONDS: Final = 5.0  # how long a page may still call whose origin was just taken off
# Neither `null` nor a pattern is an origin, whatever the database holds.
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(?::\d{1,5})?|https?://\[[0-9a-f:]+\](?::\d{1,5})?")
_VARY: Final = (b"vary", b"Origin")
#: What a page of a registered origin may send; that it may is said by `headers`.
PREFLIGHT: Final = (
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", ", ".join(SENT).encode()),
    (b"access-control-max-age", b"600"),
)
_EXPOSED: Final = (b"access-control-expose-headers", ", ".join(EXPOSED).encode())
_log: Final = structlog.get_logger()


class Origins:
    """The registered origins, read again when they are older than a few seconds: what strangers claim costs no look."""

    def __init__(self, reading: Callable[[], AbstractAsyncContextManager[Executor]]) -> None:
        self._reading = reading
        self._known: Mapping[str, Agencies] = {}
        self._read_at = -_SECONDS
        self._lock = asyncio.Lock()

    async def agencies(self, origin: str) -> Agencies:
        """Whose pages live at an origin; as it was last known while the database can't say."""
        if _ORIGIN.fullmatch(origin) is None:
            return frozenset()
        async with self._lock:  # one reads, the others wait for it
            if monotonic() - self._read_at >= _SECONDS:
                self._known = await self._read()
                self._read_at = monotonic()
        return self._known.get(origin, frozenset())

    async def _read(self) -> Mapping[str, Agencies]:
        try:
            async with self._reading() as reader:
                return await registered(reader)
        except Exception as error:
            if (problem := problem_of(error)) is None:
                raise
            _log.warning("origins", problem=problem.code)
            return self._known


def is_preflight(scope: Scope, sent: Mapping[bytes, bytes]) -> bool:
    """Whether a browser asks before it sends."""
    return scope["method"] == "OPTIONS" and b"access-control-request-method" in sent


def headers(scope: Scope, origin: bytes, agencies: Agencies) -> Iterator[Header]:
    """What an answer says about who may read it.

    Of a caller, only pages of its own agency. Without one (a token, the catalogue, a 401) the answer tells of no
    agency, and pages of any registered origin may read it: they must see that a token has ended.
    """
    yield _VARY
    caller = scope["state"].get("caller")
    if agencies and (caller is None or caller.agency in agencies):
        yield b"access-control-allow-origin", origin
        yield _EXPOSED
