"""The one way out: a POST to an address that somebody else chose, so that it reaches nothing of ours and costs little.

A name is resolved once; every answer must be allowed; the connection goes to the very address that was checked, while
TLS and `Host` say the name. No proxies, no redirects, and a bound on time and bytes whatever the other side does.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from socket import SOCK_STREAM, getaddrinfo
from typing import Any, Final

import httpcore
import httpx

from app.rules.addresses import Address, is_allowed
from app.rules.targets import Rules, Target
from app.rules.webhooks import Failure

#: How long one POST may take from the first look-up to the last byte (seconds).
PATIENCE: Final = 10.0
#: How much of an answer, its head included, is read at most.
MOST_READ: Final = 64 * 1024
_AT_A_TIME: Final = 4096  # so that a flood of tiny answers lets others have their turn
_LOOK_UP: Final = 5.0
_CONNECT: Final = 3.0
_LOOKUPS: Final = 128
#: A look-up can't be called off, and the names of one agency may have slow servers: so many of its own may hang.
_LOOKUPS_EACH: Final = 4

LookUp = Callable[[str, int], list[Address]]


class NotSent(Exception):
    """Why a POST failed, in our words."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


def system_look_up(host: str, port: int) -> list[Address]:
    """What the system's resolver says of a name."""
    return [ip_address(place[0]) for *_, place in getaddrinfo(host, port, type=SOCK_STREAM)]


class Resolver:
    """Looks names up in threads of its own, of which no agency can take more than a few."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="resolver")
        self._running: Counter[str] = Counter()

    async def resolve(self, host: str, port: int, *, whose: str) -> list[Address]:
        """All addresses of a name, each once; raises NotSent when there are none, or too many look-ups still hang."""
        if self._running[whose] >= _LOOKUPS_EACH:
            raise NotSent(Failure.DNS)
        self._running[whose] += 1
        looked_up = self._threads.submit(self._look_up, host, port)
        loop = asyncio.get_running_loop()
        looked_up.add_done_callback(lambda _: _call(loop, self._done, whose))
        try:
            async with asyncio.timeout(_LOOK_UP):
                found = await asyncio.wrap_future(looked_up)
        except (OSError, UnicodeError, ValueError, TimeoutError) as cause:
            raise NotSent(Failure.DNS) from cause
        if not found:
            raise NotSent(Failure.DNS)
        return list(dict.fromkeys(found))

    def _done(self, whose: str) -> None:
        self._running[whose] -= 1
        if not self._running[whose]:
            del self._running[whose]

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[str], None], whose: str) -> None:
    with suppress(RuntimeError):  # the loop may be over when a name answers at last
        loop.call_soon_threadsafe(what, whose)


class _TooMuch(Exception):
    """An answer too long to be read to its end."""


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that reads no more than it may."""

    def __init__(self, inner: httpcore.AsyncNetworkStream, allowance: list[int]) -> None:
        self._inner, self._allowance = inner, allowance

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - the library's
        if self._allowance[0] <= 0:
            raise _TooMuch
        content = await self._inner.read(min(max_bytes, self._allowance[0], _AT_A_TIME), timeout)
        self._allowance[0] -= len(content)
        return content

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        try:
            return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout), self._allowance)
        except (httpcore.ConnectError, ssl.SSLError, httpcore.ReadError) as cause:
            raise NotSent(Failure.TLS) from cause
        except asyncio.CancelledError:
            await self.aclose()  # nobody else knows of it yet
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.AsyncNetworkBackend):
    """Connects to one of the addresses that were checked, whatever name it is asked for."""

    def __init__(self, addresses: Sequence[Address], allowance: list[int]) -> None:
        self._inner = httpcore.AnyIOBackend()
        self._addresses, self._allowance = addresses, allowance

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the name was looked up before
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109, ARG002
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure = Failure.REFUSED
        for address in self._addresses:
            try:
                found = await self._inner.connect_tcp(str(address), port, _CONNECT, local_address, socket_options)
                return _Stream(found, self._allowance)
            except httpcore.ConnectTimeout:
                failure = Failure.TIMEOUT
            except httpcore.ConnectError:
                continue
        raise NotSent(failure)


class Line:
    """A line to one target, laid at its first use to the addresses that the target then has."""

    def __init__(self, to: Target, addresses: Callable[[], Awaitable[list[Address]]], trust: ssl.SSLContext) -> None:
        self._to, self._addresses, self._trust = to, addresses, trust
        self._allowance = [0]
        self._pool: httpcore.AsyncConnectionPool | None = None

    async def post(self, headers: dict[str, str], body: bytes) -> int:
        """Send one body; returns the status of the answer. Raises NotSent when there was none, or no end of it."""
        self._allowance[0] = MOST_READ
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._post(headers, body)
        except (TimeoutError, httpcore.TimeoutException) as cause:
            raise NotSent(Failure.TIMEOUT) from cause
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as cause:
            raise NotSent(Failure.PROTOCOL) from cause
        except httpcore.NetworkError as cause:
            raise NotSent(Failure.BROKEN) from cause

    async def _post(self, headers: dict[str, str], body: bytes) -> int:
        if self._pool is None:
            backend = _Backend(await self._addresses(), self._allowance)
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=self._trust, max_connections=1, network_backend=backend
            )
        url = httpcore.URL(
            scheme=b"https", host=self._to.host.encode(), port=self._to.port, target=self._to.path.encode()
        )
        sent = [("Host", self._to.authority), ("Content-Length", str(len(body))), *headers.items()]
        status = None
        try:
            async with self._pool.stream("POST", url, headers=sent, content=body) as response:
                status = response.status
                async for _ in response.aiter_stream():
                    pass  # only read to its end so that the connection can serve again
        except _TooMuch:
            if status is None:
                raise NotSent(Failure.PROTOCOL) from None
        return status

    async def close(self) -> None:
        """Hang up."""
        if self._pool is not None:
            await self._pool.aclose()


class Outbound:
    """Lays lines to targets; one for the whole process."""

    def __init__(self, rules: Rules, *, bundle: Path | None = None, look_up: LookUp = system_look_up) -> None:
        self._rules = rules
        self._resolver = Resolver(look_up)
        # never what the environment says of proxies or certificates: the bundle named in the settings, or the usual one
        self._trust = (
            ssl.create_default_context(cafile=str(bundle)) if bundle else httpx.create_ssl_context(trust_env=False)
        )

    @asynccontextmanager
    async def line(self, to: Target, *, whose: str) -> AsyncIterator[Line]:
        """A line to a target on behalf of an agency, for as long as the block lasts."""
        line = Line(to, partial(self._addresses, to, whose), self._trust)
        try:
            yield line
        finally:
            await line.close()

    async def _addresses(self, to: Target, whose: str) -> list[Address]:
        found = [to.address] if to.address else await self._resolver.resolve(to.host, to.port, whose=whose)
        if not all(is_allowed(address, self._rules.networks) for address in found):
            raise NotSent(Failure.ADDRESS_NOT_ALLOWED)
        return found

    def close(self) -> None:
        """Let go of the resolver."""
        self._resolver.close()
