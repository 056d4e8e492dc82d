"""The feed as Server-Sent Events: a response that goes on until its token, its client or the process ends."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import Request
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from app.db import encode
from app.errors import NotAcceptable, Problem
from app.negotiation import JSON, weights
from app.outages import problem_of
from app.rules.facts import EventKind
from app.services.listeners import AGAIN_AFTER, Ask, Listener, Listeners

_STREAM: Final = "text/event-stream"
#: When to come back after the stream broke (milliseconds): not all at the same moment.
_RETRY: Final = (1_000, 5_000)


def wanted(request: Request) -> bool:
    """Whether the caller asks for a stream rather than for a page; raises NotAcceptable where it wants neither."""
    wishes = weights(request)
    whatever = wishes.get("*/*", 0.0)
    page = wishes.get(JSON, wishes.get("application/*", whatever))
    stream = wishes.get(_STREAM, wishes.get("text/*", 0.0))
    if (not page and not stream) or (stream > page and request.scope["http_version"] == "1.0"):
        raise NotAcceptable(available=f"{JSON}, {_STREAM}")
    return stream > page


class EventStream(EventSourceResponse):
    """What the caller of a request hears after a place in the log, as it comes.

    It holds no connection of the database while it waits. Raises QuotaExceeded before anything was sent.
    """

    def __init__(self, request: Request, *, after: int, types: frozenset[EventKind] | None) -> None:
        super().__init__((), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        state = request.state
        self._caller, self._position = state.caller, after
        self._listeners: Listeners = request.app.state.listeners
        self._heartbeat: float = request.app.state.database.settings.stream_heartbeat
        self._ask = Ask(state.bearer, types)
        self._told: str | None = None

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Tell, until it is over."""
        with self._listeners.joined(self._caller) as listener:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            watching = asyncio.create_task(_watch(receive, listener))
            try:
                await _say(send, format_sse_event(retry=random.randint(*_RETRY)))  # noqa: S311 - no secret
                await self._tell(listener, send)
                await send({"type": "http.response.body"})
            finally:
                watching.cancel()

    async def _tell(self, listener: Listener, send: Send) -> None:
        now = asyncio.get_running_loop().time
        ends = now() + (self._ask.bearer.claims.ends - datetime.now(UTC)).total_seconds()
        beat = now() + self._heartbeat
        while not listener.over and now() < ends:
            if await listener.wait(min(beat, ends) - now()):
                await self._catch_up(listener, send)
            else:
                # nobody woke it: nothing up to there was for its ears
                self._position = max(self._position, self._listeners.at or 0)
            if now() >= beat:
                await self._beat(send)
                beat = now() + self._heartbeat

    async def _catch_up(self, listener: Listener, send: Send) -> None:
        """Say what is new; ends the listener when it may no longer hear."""
        try:
            heard = await self._listeners.hear(listener, self._ask, after=self._position)
        except Exception as error:
            problem = error if isinstance(error, Problem) else problem_of(error)
            if problem is None:
                raise
            if problem.status < 500:
                listener.end()
                return
            await asyncio.sleep(AGAIN_AFTER)
            listener.wake()
            return
        for envelope in heard.items:
            await _say(send, _frame(envelope))
        self._position = heard.after
        if self._position < (self._listeners.at or 0):
            listener.wake()

    async def _beat(self, send: Send) -> None:
        """Say how far it has heard, and the newest head when there is a new one."""
        await _say(send, format_sse_event(comment="heartbeat", id=str(self._position)))
        if self._listeners.head not in (None, self._told):
            self._told = self._listeners.head
            await _say(send, format_sse_event(event="log.head", data_str=encode({"head": self._told}).decode()))


async def _watch(receive: Receive, listener: Listener) -> None:
    """End the listener when its client goes."""
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.end()


async def _say(send: Send, frame: bytes) -> None:
    await send({"type": "http.response.body", "body": frame, "more_body": True})


def _frame(envelope: dict[str, Any]) -> bytes:
    return format_sse_event(id=str(envelope["logindex"]), event=envelope["type"], data_str=encode(envelope).decode())
