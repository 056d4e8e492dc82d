"""A listener as the tests see one: a plain connection that reads Server-Sent Events, chunk by chunk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from support import Agency

from app.db import Database
from app.services import sequencer

T = TypeVar("T")


async def sequence(database: Database) -> int:
    """Give all facts so far their places in the log; returns the last of these."""
    placed, head = True, 0
    while placed:
        async with database.working() as worker:
            found = await sequencer.sequence(worker, head_every=0)
        placed, head = bool(found.placed), found.head or head
    return head


async def heard(agency: Agency, *, after: int = 0, **params: str | list[str]) -> list[dict[str, Any]]:
    """All that an agency hears after a place in the log, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        answer = await agency.get("/v1/events", params={"after": str(after), "limit": "200", **params})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        if page["after"] == after:
            return found
        after = page["after"]


async def eventually(look: Callable[[], Awaitable[T]]) -> T:
    """What one finds when one looks again and again, for ten seconds, until there is something."""
    for _ in range(200):
        if found := await look():
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("it does not come")


@dataclass
class Frame:
    """One block of a stream."""

    id: int | None = None
    event: str | None = None
    data: Any = None
    comment: str | None = None


@dataclass
class Listening:
    """One stream: its connection, the status of its answer, and what is left of the bytes it has read."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    left: bytes = b""

    @classmethod
    async def to(
        cls, port: int, token: str, *, query: str = "", last: int | None = None, version: str = "1.1"
    ) -> Listening:
        """Ask for a stream and read the head of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        resume = "" if last is None else f"Last-Event-ID: {last}\r\n"
        writer.write(
            f"GET /v1/events{query} HTTP/{version}\r\nHost: simpul\r\nAccept: text/event-stream\r\n{resume}"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        named = dict(one.lower().split(": ", 1) for one in head[1:] if ": " in one)
        if " 200 " not in head[0]:
            writer.transport.abort()
        return cls(reader, writer, int(head[0].split()[1]), named)

    async def frame(self) -> Frame | None:
        """The next block, or None when the stream has ended."""
        while b"\n\n" not in self.left:
            size = int((await self.reader.readuntil(b"\r\n"))[:-2] or b"0", 16)
            if size == 0:
                self.close()
                return None
            self.left += (await self.reader.readexactly(size + 2))[:-2]
        block, self.left = self.left.split(b"\n\n", 1)
        return _frame(block.decode())

    async def until(self, index: int) -> list[dict[str, Any]]:
        """The envelopes that come until the stream has passed a place in the log."""
        heard = []
        while (frame := await self.frame()) is not None:
            if frame.id is not None and frame.event is not None:
                heard.append(frame.data)
            if frame.id is not None and frame.id >= index:
                return heard
        raise AssertionError(f"the stream ended before {index}")

    async def ended(self) -> bool:
        """Read to the end of the stream."""
        while await self.frame() is not None:
            pass
        return True

    def close(self) -> None:
        """Go, without a word."""
        self.writer.transport.abort()


def _frame(block: str) -> Frame:
    frame, data = Frame(), []
    for line in block.split("\n"):
        name, _, content = line.partition(": ")
        match name:
            case "id":
                frame.id = int(content)
            case "event":
                frame.event = content
            case "data":
                data.append(content)
            case "":
                frame.comment = content
    frame.data = json.loads("\n".join(data)) if data else None
    return frame
