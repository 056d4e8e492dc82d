"""The attacks on tokens once more, as bytes on a socket: no parser before ours lets one in or falls."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from itertools import islice
from typing import Literal

import pytest
import uvicorn
from attacks import FAMILIES, Attack
from forger import Forger
from support import scaled

from app.main import create_app
from app.settings import Settings

pytestmark = pytest.mark.attack

Http = Literal["httptools", "h11"]
Said = tuple[int, bytes]


@pytest.fixture(scope="module", params=["httptools", "h11"])
async def port(request: pytest.FixtureRequest, url: str, settings: Settings) -> AsyncIterator[int]:
    """The service on a loopback port, behind each parser that uvicorn knows."""
    app = create_app(settings, url)
    config = uvicorn.Config(app, http=request.param, log_config=None, ws="none", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        yield bound.getsockname()[1]
        server.should_exit = True
        async with asyncio.timeout(20):
            await serving
    await app.state.database.close()


async def said(port: int, raw: bytes) -> list[Said]:
    """The answers to the bytes of one connection, each its status and body."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(raw)
            whole = await reader.read()
        except ConnectionResetError:
            return []
        finally:
            writer.close()
    answers = []
    while whole:
        head, _, rest = whole.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        sizes = [int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")]
        size = sizes[0] if sizes else len(rest)
        answers.append((int(lines[0].split()[1]), rest[:size]))
        whole = rest[size:]
    return answers


def written(lines: list[bytes], *, query: str = "", body: bytes | None = None) -> bytes:
    """A request that ends its connection, with header lines as they are."""
    method, size = (b"GET", []) if body is None else (b"POST", [b"Content-Length: %d" % len(body)])
    start = b"%s /v1/tasks%s HTTP/1.1" % (method, f"?{query}".encode() if query else b"")
    return b"\r\n".join([start, b"Host: simpul", b"Connection: close", *size, *lines, b"", body or b""])


def sendable(attack: Attack) -> bool:
    """Whether a line on the wire still says what the attack says: line ends and outer blanks belong to HTTP."""
    values = [value for _, value in attack.headers]
    return not any(b"\r" in value or b"\n" in value or value != value.strip(b" \t") for value in values)


@pytest.mark.parametrize("family", FAMILIES)
async def test_an_attack_is_refused_on_the_wire(port: int, forger: Forger, family: str) -> None:
    attacks = ((case, attack) for case, attack in FAMILIES[family](forger) if sendable(attack))
    for case, attack in islice(attacks, scaled(3, 20)):
        lines = [name + b": " + value for name, value in attack.headers]
        answers = await said(port, written(lines, query=attack.query, body=attack.body))
        assert len(answers) == 1, case
        status, content = answers[0]
        assert status in {400, 401, 414, 431}, case
        if status == 401:
            assert json.loads(content)["code"] == attack.code, case


LINES = {
    "NUL at the end": b"Authorization: Bearer %s\0",
    "NUL before": b"Authorization: Bearer \0%s",
    "NUL in the name": b"Authorization\0: Bearer %s",
    "blank before the colon": b"Authorization : Bearer %s",
    "tab before the colon": b"Authorization\t: Bearer %s",
    "no colon": b"Authorization Bearer %s",
    "carriage return inside": b"Authorization: Bearer\r%s",
    "carriage return at the end": b"Authorization: Bearer %s\rX: y",
    "folded after": b"Authorization: Bearer %s\r\n folded",
    "folded before the line": b"X: y\r\n Authorization: Bearer %s",
    "vertical tab": b"Authorization: Bearer\x0b%s",
    "delete": b"Authorization: Bearer %s\x7f",
    "not ASCII": b"Authorization: Bearer %s\xff",
    "name not ASCII": b"Authorizatio\xef\xbd\x8e: Bearer %s",
    "two lines": b"Authorization: Bearer %s\r\nAuthorization: Bearer a.b.c",
    "two lines of other case": b"authorization: Bearer a.b.c\r\nAUTHORIZATION: Bearer %s",
    "after the body's length twice": b"Content-Length: 0\r\nContent-Length: 9\r\nAuthorization: Basic %s",
    "chunked and long": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\nAuthorization: Basic %s",
    "a name of 70 kB": b"A" * 70_000 + b": Bearer %s",
    "underscore": b"HTTP_AUTHORIZATION: Bearer %s",
    "percent": b"Authorization%%20: Bearer %s",
}


@pytest.mark.parametrize("line", LINES)
async def test_a_line_that_http_forbids_carries_no_token(port: int, forger: Forger, line: str) -> None:
    answers = await said(port, written([LINES[line] % forger.good.encode()]))
    assert all(status in {400, 401, 431} for status, _ in answers), answers


async def test_blanks_before_a_value_are_not_part_of_it(port: int, forger: Forger) -> None:
    """After it, one parser leaves them to us, and we refuse them."""
    answers = await said(port, written([b"Authorization: \t Bearer %s" % forger.good.encode()]))
    assert [status for status, _ in answers] == [200]


async def test_each_request_of_a_connection_shows_its_own_token(port: int, forger: Forger) -> None:
    start = b"GET /v1/me HTTP/1.1\r\nHost: simpul\r\n"
    good, bad = (start + b"Authorization: Bearer %s\r\n\r\n" % one for one in (forger.good.encode(), b"a.b.c"))
    last = start + b"Connection: close\r\n\r\n"
    answers = await said(port, good + bad + good + last)
    assert [status for status, _ in answers] == [200, 401, 200, 401]
