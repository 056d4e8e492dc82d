"""Whose turn it is, and what came of it: webhooks are claimed for a while, and what is recorded is fenced by the claim.

A claim is short, and is held for as long as the webhook is served: a worker that dies gives it back by its silence, and
one that can't hold it stops before it ends, so that two workers never serve one webhook at a time. What a worker that
died had sent but not recorded is sent again under the same id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from typing import Any, Final
from uuid import UUID, uuid4

from app.db import Row, Writer, row, rows, settings_of
from app.rules.caller import itself
from app.rules.facts import EventKind
from app.rules.webhooks import AT_ONCE, DeliveryStatus, Failure, Patience, failure_of, next_try
from app.services import locks, webhook_rows
from app.services.locks import Lock
from app.services.webhook_feed import Envelope
from app.settings import Settings

#: How long a claim holds by itself.
LEASE: Final = timedelta(seconds=6)
_CHANCE: Final = SystemRandom()
_KEPT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt went: the receiver's status or our word for the failure, and how long it took (milliseconds)."""

    status: int | None
    failure: Failure | None
    took: int

    @classmethod
    def of(cls, answered: int | Failure, took: float) -> Outcome:
        """The outcome of an answer with a status, or of a failure, after so many seconds."""
        if isinstance(answered, Failure):
            return cls(None, answered, int(took * 1000))
        return cls(answered, failure_of(answered), int(took * 1000))


_CLAIMED: Final = "w.id, w.agency, w.url, w.types, w.clearance, w.signature, w.position, w.version, w.lease"
#: Agencies whose turn it may be, and how many claims each may have more.
_ROOM: Final = f"""
    room as (
        select a.code as agency, {AT_ONCE} - count(b.agency) as free from agency a left join (
            select agency from webhook where leased_until > now()
            union all select o.agency from delivery d join webhook o on o.id = d.webhook_id
                where d.status = 'asked' and d.leased_until > now()
        ) b on b.agency = a.code where not a.suspended group by a.code
    )
"""
_CLAIM: Final = f"""
    with {_ROOM}, ready as (
        select w.id, w.agency, w.served_at,
            row_number() over (partition by w.agency order by w.served_at nulls first, w.id) as turn
        from webhook w
        where w.status = 'active' and w.position < (select coalesce(max(place) + 1, 0) from log_node where level = 0)
            and coalesce(w.retry_at <= now(), true) and coalesce(w.leased_until <= now(), true)
    ), chosen as (
        select w.id from webhook w join ready r on r.id = w.id join room on room.agency = r.agency
        where r.turn <= room.free and w.status = 'active' and coalesce(w.leased_until <= now(), true)
        order by r.served_at nulls first, r.id limit :most for update of w skip locked
    )
    update webhook w set lease = :lease, leased_until = now() + :long, served_at = now()
    from chosen c where c.id = w.id returning {_CLAIMED}
"""
_CLAIM_ASKED: Final = f"""
    with {_ROOM}, ready as (
        select d.id, w.agency, row_number() over (partition by w.agency order by d.id) as turn
        from delivery d join webhook w on w.id = d.webhook_id
        where d.status = 'asked' and coalesce(d.leased_until <= now(), true)
    ), chosen as (
        select d.id from delivery d join ready r on r.id = d.id join room on room.agency = r.agency
        where r.turn <= room.free and d.status = 'asked' and coalesce(d.leased_until <= now(), true)
        order by r.id limit :most for update of d skip locked
    )
    update delivery d set lease = :lease, leased_until = now() + :long
    from chosen c, webhook w where c.id = d.id and w.id = d.webhook_id
    returning {_CLAIMED}, d.id as delivery, d.event_id as event, d.recorded_at as asked_at, d.lease as delivery_lease
"""


async def claim(writer: Writer, *, most: int) -> tuple[list[Row], list[Row]]:
    """Take what there is to serve, deliveries asked for out of order first; nothing while another worker chooses."""
    if not await locks.attempt(writer, Lock.WEBHOOK_CLAIMS):
        return [], []
    asked = await rows(writer, _CLAIM_ASKED, most=most, lease=uuid4(), long=LEASE)
    left = most - len(asked)
    return asked, await rows(writer, _CLAIM, most=left, lease=uuid4(), long=LEASE) if left else []


_HOLD: Final = """
    with hooks as (
        select id from webhook where lease = any(:leases) and id = any(:ids) for no key update skip locked
    ), asked as (
        select id from delivery where lease = any(:leases) and id = any(:ids) and status = 'asked'
        for no key update skip locked
    ), of_hooks as (
        update webhook w set leased_until = now() + :long from hooks h where h.id = w.id returning w.lease, w.id
    ), of_asked as (
        update delivery d set leased_until = now() + :long from asked a where a.id = d.id returning d.lease, d.id
    )
    select lease, id from of_hooks union all select lease, id from of_asked
"""


async def hold(writer: Writer, claims: Iterable[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Hold these claims, each a lease and what is claimed under it, for LEASE from now; returns those that are held.

    It waits for nobody: what somebody is changing at the moment is held the next time.
    """
    leases, ids = zip(*claims, strict=True)
    found = await rows(writer, _HOLD, leases=list(leases), ids=list(ids), long=LEASE)
    return {(one["lease"], one["id"]) for one in found}


_TRIED: Final = """
    insert into delivery (id, webhook_id, event_id, log_index, type, status, attempts, first_attempt_at,
        last_attempt_at, status_code, failure, duration_ms)
    select :id, moved.id, :event, :index, :type, :state, 1, now(), now(), :code, :failure, :took from moved
    on conflict (webhook_id, event_id) do update set status = excluded.status, attempts = delivery.attempts + 1,
        last_attempt_at = now(), first_attempt_at = coalesce(delivery.first_attempt_at, now()),
        status_code = excluded.status_code, failure = excluded.failure, duration_ms = excluded.duration_ms
    returning (select version from moved) as version
"""
_ADVANCED: Final = f"""
    with moved as (
        update webhook set position = :index, failing_since = null, attempts = 0, retry_at = null
        where id = :webhook and lease = :lease returning id, version
    ) {_TRIED}
"""
_DELAYED: Final = f"""
    with moved as (
        update webhook set attempts = attempts + 1, failing_since = :since, retry_at = :retry_at, status = :turned,
            version = version + :turns, lease = null, leased_until = null
        where id = :webhook and lease = :lease and version = :version returning id, version
    ) {_TRIED}
"""


async def delivered(writer: Writer, claimed: Row, sent: Envelope, outcome: Outcome) -> bool:
    """Record that an event was delivered; returns whether to go on with this webhook: not when it changed meanwhile."""
    done = await row(writer, _ADVANCED, **_attempt(claimed, sent, outcome, DeliveryStatus.DELIVERED))
    return done is not None and done["version"] == claimed["version"]


async def failed(writer: Writer, claimed: Row, sent: Envelope, outcome: Outcome) -> None:
    """Record that an event could not be delivered, and when it is tried again, if ever."""
    held = await row(
        writer,
        "select attempts, failing_since, status from webhook"
        " where id = :id and lease = :lease and version = :version for update",
        id=claimed["id"],
        lease=claimed["lease"],
        version=claimed["version"],
    )
    if held is None or outcome.failure is None:
        return
    now = datetime.now(UTC)
    since = held["failing_since"] or now
    again = next_try(
        patience_of(settings_of(writer)),
        attempts=held["attempts"] + 1,
        since=since,
        at=now,
        failure=outcome.failure,
        chance=_CHANCE.random(),
    )
    parked = again is None
    await row(
        writer,
        _DELAYED,
        since=since,
        retry_at=again,
        turned="parked" if parked else held["status"],
        turns=int(parked),
        version=claimed["version"],
        **_attempt(claimed, sent, outcome, DeliveryStatus.FAILING),
    )
    if parked:
        versions = (claimed["version"], claimed["version"] + 1)
        said = {"position": claimed["position"], "failure": outcome.failure, "status_code": outcome.status}
        await webhook_rows.record(
            writer, itself("worker"), EventKind.WEBHOOK_PARKED, claimed, versions=versions, payload=said
        )


def _attempt(claimed: Row, sent: Envelope, outcome: Outcome, state: DeliveryStatus) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "webhook": claimed["id"],
        "lease": claimed["lease"],
        "event": sent.id,
        "index": sent.index,
        "type": sent.type,
        "state": state,
        "code": outcome.status,
        "failure": outcome.failure,
        "took": outcome.took,
    }


def patience_of(settings: Settings) -> Patience:
    """How long these settings try."""
    return Patience(
        timedelta(seconds=settings.webhook_first_delay),
        timedelta(seconds=settings.webhook_longest_delay),
        timedelta(hours=settings.webhook_hours),
    )


async def passed(writer: Writer, claimed: Row, *, through: int | None) -> None:
    """Give a webhook back; all up to `through` is dealt with, unless the webhook changed meanwhile."""
    if through is not None:
        await rows(
            writer,
            "with moved as (update webhook set position = :through where id = :id and lease = :lease"
            " and version = :version and position < :through returning id)"
            " update delivery d set status = 'failed' from moved m where d.webhook_id = m.id and d.status = 'failing'"
            " and d.log_index <= :through returning d.id",
            through=through,
            id=claimed["id"],
            lease=claimed["lease"],
            version=claimed["version"],
        )
    await release(writer, [claimed["lease"]], of=claimed["id"])


async def answered(writer: Writer, claimed: Row, outcome: Outcome) -> None:
    """Record how a delivery went that was asked for out of order."""
    await rows(
        writer,
        "update delivery set status = :state, attempts = attempts + 1, last_attempt_at = now(),"
        " first_attempt_at = coalesce(first_attempt_at, now()), status_code = :code, failure = :failure,"
        " duration_ms = :took, lease = null, leased_until = null where id = :id and lease = :lease returning id",
        state=DeliveryStatus.DELIVERED if outcome.failure is None else DeliveryStatus.FAILED,
        code=outcome.status,
        failure=outcome.failure,
        took=outcome.took,
        id=claimed["delivery"],
        lease=claimed["delivery_lease"],
    )


async def release(writer: Writer, leases: Sequence[UUID], *, of: UUID | None = None) -> None:
    """Give back what is claimed under these leases, all of it or one webhook."""
    await rows(
        writer,
        "update webhook set lease = null, leased_until = null where lease = any(:leases)"
        " and coalesce(id = cast(:of as uuid), true) returning id",
        leases=list(leases),
        of=of,
    )
    if of is None:
        await rows(
            writer,
            "update delivery set lease = null, leased_until = null"
            " where lease = any(:leases) and status = 'asked' returning id",
            leases=list(leases),
        )


async def forget_old(writer: Writer) -> int:
    """Delete what is known of deliveries that were over 30 days ago; returns how many."""
    over = "last_attempt_at < now() - cast(:kept as interval) and status in ('delivered', 'failed')"
    return len(await rows(writer, f"delete from delivery where {over} returning id", kept=_KEPT))
