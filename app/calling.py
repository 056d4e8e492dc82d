"""A client of the service, for commands that need an address and no database: log in, ask, read the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import orjson

from app import log_files
from app.assertions import LONGEST_LIFE
from app.claims import b64
from app.public_keys import public_jwk
from app.security import SigningKey

#: How long an answer, or the next part of one, is awaited (seconds).
PATIENCE: Final = 30.0
_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Unreachable(Exception):
    """The service can't be asked now, or answers something else than it should; try again later."""


class Refused(Unreachable):
    """The service answered, and said no; `code` is that of its problem, or of OAuth's error."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Login:
    """How the agency's client proves itself: with a secret or with a registered key."""

    client_id: str
    secret: str | None = None
    key: SigningKey | None = None


def read_key(path: Path, kid: str | None) -> SigningKey:
    """A private P-256 key (PEM) under the kid it is registered with, by default its thumbprint; raises ValueError."""
    try:
        key = SigningKey.load(path.read_bytes())
        named = public_jwk({name: key.published()[name] for name in ("x", "y")})
    except Exception as cause:
        raise ValueError(f"{log_files.shown(path)} holds no private P-256 key in PEM.") from cause
    return replace(key, kid=kid or named["kid"])


class Service:
    """The service over HTTP, as one client of it sees it."""

    def __init__(self, http: httpx.AsyncClient, login: Login) -> None:
        self.http, self.login = http, login
        self.headers = dict[str, str]()

    async def log_in(self) -> None:
        """Get a token for all that follows; raises Unreachable."""
        proof = {"client_id": self.login.client_id, "grant_type": "client_credentials"}
        if self.login.key is not None:
            proof |= {"client_assertion_type": _BEARER, "client_assertion": self._assertion(self.login.key)}
        else:
            proof |= {"client_secret": self.login.secret or ""}
        granted = await self.ask("POST", "/oauth2/token", data=proof)
        self.headers["Authorization"] = f"Bearer {answer(granted)['access_token']}"

    def _assertion(self, key: SigningKey) -> str:
        """A client assertion (RFC 7523), addressed to the token endpoint that it goes to."""
        now = datetime.now(UTC)
        claims = {
            "iss": self.login.client_id,
            "sub": self.login.client_id,
            "aud": str(self.http.base_url.join("/oauth2/token")),
            "jti": str(uuid4()),
            "iat": int(now.timestamp()),
            "exp": int((now + min(LONGEST_LIFE, timedelta(minutes=2))).timestamp()),
        }
        header = {"alg": "ES256", "kid": key.kid, "typ": "JWT"}
        signed = f"{b64(orjson.dumps(header))}.{b64(orjson.dumps(claims))}"
        return f"{signed}.{b64(key.private.sign(signed.encode()))}"

    async def get(self, path: str) -> dict[str, Any]:
        """The JSON that is there; raises Unreachable."""
        return answer(await self.ask("GET", path))

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Whatever it answers; raises Unreachable."""
        try:
            return await self.http.request(method, path, headers=self.headers, **more)
        except httpx.HTTPError as cause:
            raise self._unreachable(cause) from cause

    @asynccontextmanager
    async def stream(self, path: str, *, headers: dict[str, str], params: Any) -> AsyncIterator[httpx.Response]:
        """A good answer while it comes; raises Unreachable, also in the block, when it breaks off."""
        try:
            async with self.http.stream("GET", path, headers=self.headers | headers, params=params) as response:
                if not response.is_success:
                    await response.aread()
                    raise _refusal(response)
                yield response
        except httpx.HTTPError as cause:
            raise self._unreachable(cause) from cause

    def _unreachable(self, cause: httpx.HTTPError) -> Unreachable:
        return Unreachable(f"{self.http.base_url}: {str(cause) or type(cause).__name__}")


def answer(response: httpx.Response) -> dict[str, Any]:
    """The JSON of a good answer; raises Refused."""
    found = _document(response)
    if response.is_success and found is not None:
        return found
    raise _refusal(response)


def _refusal(response: httpx.Response) -> Refused:
    said = _document(response) or {}
    sentence = said.get("detail") or said.get("error_description") or ""
    faults = [f"{one.get('parameter') or one.get('pointer')}: {one.get('detail')}" for one in said.get("errors") or ()]
    told = " ".join((f"{response.request.url.path}: {response.status_code} {sentence}", *faults))
    return Refused(told.rstrip(), str(said.get("code") or said.get("error") or ""))


def _document(response: httpx.Response) -> dict[str, Any] | None:
    try:
        found = response.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
