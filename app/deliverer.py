"""Delivers to webhooks: claims those whose turn it is, sends them what they hear, records how it went.

Each is served by itself, a few of one agency at once: a receiver that is slow or worse costs its own agency time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final
from uuid import UUID

import structlog

from app import webhook_signatures
from app.db import Database, Row, Writer
from app.outages import problem_of
from app.outbound import Line, LookUp, NotSent, Outbound, system_look_up
from app.rules.targets import TargetRefused
from app.rules.webhooks import Failure, SignatureScheme
from app.services import webhook_feed, webhook_keys, webhook_queue, webhook_targets
from app.services.webhook_feed import Envelope
from app.services.webhook_queue import Outcome

#: How often it is asked whose turn it is (seconds).
EVERY: Final = 0.2
#: How often claims are held anew, and how long one is served that could not be (seconds): that ends before the claim,
#: counted from before it was asked for.
HELD_EVERY: Final = 1.0
_HELD: Final = webhook_queue.LEASE.total_seconds() - 1.0
#: How long a webhook is served before another one's turn (seconds), counted from before the claim.
_TURN: Final = 5.0
_CONNECTIONS: Final = 8
_log: Final = structlog.get_logger()


class Deliverer:
    """One of any number, each in a process of its own."""

    def __init__(self, database: Database, *, look_up: LookUp = system_look_up) -> None:
        settings = database.settings
        self._database = database
        self._rules = webhook_targets.rules_of(settings)
        self._outbound = Outbound(self._rules, bundle=settings.webhook_ca, look_up=look_up)
        self._most = settings.webhooks_at_once
        self._connections = asyncio.Semaphore(max(1, min(_CONNECTIONS, settings.pool_size - 3)))
        self._serving: dict[asyncio.Task[None], UUID] = {}
        self._held: dict[tuple[UUID, UUID], asyncio.Timeout] = {}

    async def round(self) -> None:
        """Begin to serve whatever waits, as far as there is room."""
        room = self._most - len(self._serving)
        if not room:
            return
        began = _now()
        async with self._work() as writer:
            asked, turns = await webhook_queue.claim(writer, most=room)
        for claimed in asked:
            claim = claimed["delivery_lease"], claimed["delivery"]
            self._begin(claim, claimed, self._answer(claimed), began)
        for claimed in turns:
            claim = claimed["lease"], claimed["id"]
            self._begin(claim, claimed, self._serve(claimed, until=began + _TURN), began)

    async def hold(self) -> None:
        """Hold the claims of what is being served; it goes on for a while after that."""
        if not self._held:
            return
        began = _now()
        async with self._database.working() as writer:
            kept = await webhook_queue.hold(writer, list(self._held))
        for one in kept & self._held.keys():
            if not self._held[one].expired():
                self._held[one].reschedule(began + _HELD)

    async def settle(self) -> None:
        """Wait until nothing is being served."""
        await asyncio.gather(*self._serving)

    def _begin(self, claim: tuple[UUID, UUID], claimed: Row, serving: Coroutine[Any, Any, None], began: float) -> None:
        task = asyncio.create_task(self._see_to(claim, claimed, serving, began))
        self._serving[task], _ = claim
        task.add_done_callback(lambda done: self._serving.pop(done, None))

    async def _see_to(
        self, claim: tuple[UUID, UUID], claimed: Row, serving: Coroutine[Any, Any, None], began: float
    ) -> None:
        """Serve one while its claim is held; what goes wrong with it stays with it, until its claim ends."""
        try:
            async with asyncio.timeout_at(began + _HELD) as held:
                self._held[claim] = held
                try:
                    await serving
                finally:
                    del self._held[claim]
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are served
            problem = problem_of(error)
            _log.warning(
                "webhook_not_served", webhook=str(claimed["id"]), cause=problem.code if problem else repr(error)
            )

    async def _serve(self, claimed: Row, *, until: float) -> None:
        """Deliver what a webhook hears, in order, until it fails, changes, or others wait."""
        async with self._work() as writer:
            waiting, until_index = await webhook_feed.heard(writer, claimed)
            through: int | None = until_index
            if not waiting:
                await webhook_queue.passed(writer, claimed, through=through)
                return
            head, keys = await webhook_feed.newest_head(writer), await self._keys(writer, claimed)
        async with self._line(claimed) as line:
            for sent in waiting:
                if _now() > until:
                    through = None
                    break
                outcome = await self._attempt(claimed, line, keys, sent, head)
                async with self._work() as writer:
                    if outcome.failure is not None:
                        await webhook_queue.failed(writer, claimed, sent, outcome)
                        return
                    if not await webhook_queue.delivered(writer, claimed, sent, outcome):
                        through = None
                        break
        async with self._work() as writer:
            await webhook_queue.passed(writer, claimed, through=through)

    async def _answer(self, claimed: Row) -> None:
        """Deliver what was asked for out of order, once."""
        async with self._work() as writer:
            sent = await self._asked(writer, claimed)
            if sent is None:
                await webhook_queue.answered(writer, claimed, Outcome.of(Failure.NOT_HEARD, 0))
                return
            head, keys = await webhook_feed.newest_head(writer), await self._keys(writer, claimed)
        async with self._line(claimed) as line:
            outcome = await self._attempt(claimed, line, keys, sent, head)
        async with self._work() as writer:
            await webhook_queue.answered(writer, claimed, outcome)

    async def _asked(self, writer: Writer, claimed: Row) -> Envelope | None:
        if claimed["event"] is None:
            return webhook_feed.ping(writer, claimed["delivery"], claimed["id"], claimed["asked_at"])
        return await webhook_feed.heard_once(writer, claimed, claimed["event"])

    async def _keys(self, writer: Writer, claimed: Row) -> list[bytes]:
        """What signs its deliveries now; nothing where the seals do not open."""
        try:
            return await webhook_keys.live_keys(writer, self._database.keys, claimed["id"])
        except ValueError:
            return []

    @asynccontextmanager
    async def _line(self, claimed: Row) -> AsyncIterator[Line | None]:
        """A line to where it goes, by the settings of today; None where they do not allow it."""
        try:
            target = webhook_targets.read_target(claimed["url"], self._rules)
        except TargetRefused:
            yield None
            return
        async with self._outbound.line(target, whose=claimed["agency"]) as line:
            yield line

    async def _attempt(self, claimed: Row, line: Line | None, keys: list[bytes], sent: Envelope, head: str) -> Outcome:
        if line is None:
            return Outcome.of(Failure.TARGET_NOT_ALLOWED, 0)
        if not keys:
            return Outcome.of(Failure.SECRET, 0)
        scheme, now = SignatureScheme(claimed["signature"]), datetime.now(UTC)
        headers = {
            "Content-Type": "application/cloudevents+json",
            "User-Agent": "Simpul",
            "Accept-Encoding": "identity",
            **webhook_signatures.headers(scheme, keys, id=sent.id, at=now, body=sent.body),
            **({"Log-Head": head} if head else {}),
        }
        began = monotonic()
        try:
            answered: int | Failure = await line.post(headers, sent.body)
        except NotSent as failed:
            answered = failed.failure
        return Outcome.of(answered, monotonic() - began)

    async def close(self) -> None:
        """Stop serving, and give back what was claimed."""
        leases = list(self._serving.values())
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        self._outbound.close()
        try:
            async with self._work() as writer:
                await webhook_queue.release(writer, leases)
        except Exception as error:
            if problem_of(error) is None:
                raise  # else the claims end by themselves

    @asynccontextmanager
    async def _work(self) -> AsyncIterator[Writer]:
        """A transaction of ours: no more at once than leave connections to the worker's other duties."""
        async with self._connections, self._database.working() as writer:
            yield writer


def _now() -> float:
    """By the clock of the loop, which ends what is no longer held (seconds)."""
    return asyncio.get_running_loop().time()
