"""The ring of keys that sign access tokens: next (published before use), active, passive (verifying only), dead.

A key that is rotated in was published for `NOTICE` before it signs, and a process that meets a token of a key it does
not know reads the ring anew, at most once a second: no rotation costs a request. A key that was killed takes all tokens
with it, by the epoch of all, which is looked up on every request; a token that names a later epoch than the ring of a
process is believed only under a ring read since. So a dead key opens nothing anywhere from the next request on.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

from app.claims import LEEWAY, LONGEST_LIFE, Claims, global_epoch
from app.db import Database, Executor, Row, Writer, row, rows, value
from app.errors import TemporarilyUnavailable, TokenInvalid
from app.models import SigningKey as Kept
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.vocabulary import KeyState
from app.security import Behind, Keys, SigningKey, new_pem, public_half, seal, unseal, verify
from app.services import locks, log, token_epochs
from app.services.locks import Lock

#: A process that signs has read the ring within so many seconds.
FRESH: Final = 5.0
#: How long a key is published before it may sign.
NOTICE: Final = timedelta(seconds=10)
#: How long a key that signs no more may have tokens in use: their life, and a process that learnt of it late.
OUTLIVED: Final = LONGEST_LIFE + LEEWAY + timedelta(minutes=1)

_RING: Final = """
    select kid, public, case when state = 'active' then sealed end as sealed, number as epoch
    from epoch left join signing_key on state <> 'dead'
    order by array_position(array['active', 'next', 'passive'], state), activated_at desc
"""
_LIST: Final = """
    select kid, state, recorded_at, activated_at, retired_at from signing_key
    order by array_position(array['next', 'active', 'passive', 'dead'], state), recorded_at desc
"""
_ENDS: Final = (
    "retired_at = coalesce(retired_at, now()), sealed = ''::bytea"  # what signs no more keeps no private half
)


class RingRefused(Exception):
    """The ring does not turn, and why."""


# what every process does


async def verified(database: Database, keys: Keys, token: str) -> Claims:
    """What a token says, read under a newer ring if it may have been signed with one; raises TokenInvalid."""
    now = datetime.now(UTC)
    try:
        return verify(keys, token, at=now)
    except TokenInvalid as refused:
        if not isinstance(refused.__cause__, Behind):
            raise
        await _renew(database, keys, patience=refused.__cause__.patience)
    return verify(keys, token, at=now)


async def keep_up(database: Database, keys: Keys, *, epoch: str | None = None) -> None:
    """Have a ring that was read a moment ago, and after `epoch` of all tokens began: what is signed now is good.

    Raises TemporarilyUnavailable when nobody has made a ring yet.
    """
    behind = epoch is not None and (keys.epoch is None or global_epoch(epoch) > keys.epoch)
    if behind or monotonic() - keys.read_at > FRESH:
        await _renew(database, keys, patience=0 if behind else FRESH)
    if not keys.ring:
        raise TemporarilyUnavailable


async def _renew(database: Database, keys: Keys, *, patience: float) -> None:
    """Read the ring, unless somebody did within `patience` seconds; whoever comes meanwhile waits for that."""
    wanted = monotonic() - patience
    async with keys.reading:
        if keys.read_at < wanted:
            async with database.reading() as reader:
                await _read(reader, keys)


async def _read(executor: Executor, keys: Keys) -> None:
    began = monotonic()
    found = await rows(executor, _RING)
    ring = tuple(_known(keys, one) for one in found if one["kid"])
    keys.turn(ring, epoch=found[0]["epoch"], at=began)


def _known(keys: Keys, kept: Row) -> SigningKey:
    try:
        private = kept["sealed"] and unseal(keys, _name(kept["kid"]), kept["sealed"])
    except ValueError as cause:
        raise RingRefused(
            "The signing keys are sealed under another pepper: bring that back,"
            " or kill first the next key and then the active one (`.venv/bin/python -m app.cli keys`)."
        ) from cause
    return SigningKey.known(kept["public"].encode(), private)


def published(keys: Keys) -> dict[str, list[dict[str, str]]]:
    """The public halves of all that may have signed a good token, or soon will (RFC 7517)."""
    return {"keys": [key.published() for key in keys.ring]}


# what turns the ring


async def prepare_ring(writer: Writer, keys: Keys, *, by: Caller, adopted: bytes | None = None) -> bool:
    """Make an active and a next key where there are none, the active one from the PEM `adopted` if there is one.

    Returns whether it did. Raises RingRefused for a ring that this pepper does not open.
    """
    await locks.wait(writer, Lock.SIGNING_RING)
    await _read(writer, keys)
    if keys.ring:
        return False
    await _activated(writer, by, await _add(writer, keys, by, adopted or new_pem(), state=KeyState.ACTIVE))
    await _add(writer, keys, by, new_pem(), state=KeyState.NEXT)
    await _read(writer, keys)
    return True


async def list_ring(executor: Executor) -> list[Row]:
    """Every key there was, with its state."""
    return await rows(executor, _LIST)


async def rotate(writer: Writer, keys: Keys, *, by: Caller, notice: timedelta = NOTICE) -> str:
    """Let the next key sign, the active one only verify, and publish a new next one; returns the kid that signs.

    Raises RingRefused while the next key has not been published for `notice`.
    """
    await locks.wait(writer, Lock.SIGNING_RING)
    ready = await value(
        writer,
        "select kid from signing_key where state = 'next'"
        " and recorded_at <= clock_timestamp() - cast(:notice as interval)",
        notice=notice,
    )
    if ready is None:
        raise RingRefused(f"There is no key that has been published for {notice.total_seconds():.0f} seconds: wait.")
    await value(writer, f"update signing_key set state = 'passive', {_ENDS} where state = 'active' returning kid")
    return await _succeed(writer, keys, by)


async def retire(writer: Writer, *, by: Caller) -> int:
    """End the keys that cannot have a good token any more; returns how many."""
    gone = await rows(
        writer,
        "update signing_key set state = 'dead' where state = 'passive'"
        " and retired_at <= now() - cast(:outlived as interval) returning kid",
        outlived=OUTLIVED,
    )
    for one in gone:
        await _record(writer, by, EventKind.SIGNING_KEY_ENDED, one["kid"], because="retired")
    return len(gone)


async def kill(writer: Writer, keys: Keys, kid: str, *, by: Caller) -> int:
    """End a compromised key at once, and with it every access token there is: the epoch of all counts up.

    Its successor takes over however short it has been published. Returns the new epoch; raises RingRefused.
    """
    await locks.wait(writer, Lock.SIGNING_RING)
    killed = await row(writer, "select state from signing_key where kid = :kid and state <> 'dead'", kid=kid)
    if killed is None:
        raise RingRefused("No living key has this kid.")
    await value(writer, f"update signing_key set state = 'dead', {_ENDS} where kid = :kid returning kid", kid=kid)
    epoch = await token_epochs.begin_epoch(writer, by, f"Signing key {kid} was compromised.")
    await _record(writer, by, EventKind.SIGNING_KEY_ENDED, kid, because="compromised", epoch=epoch)
    if killed["state"] == KeyState.ACTIVE:
        await _succeed(writer, keys, by)
    elif killed["state"] == KeyState.NEXT:
        await _add(writer, keys, by, new_pem(), state=KeyState.NEXT)
    return epoch


async def _succeed(writer: Writer, keys: Keys, by: Caller) -> str:
    """The next key signs from now on, and a new one waits."""
    successor: str = await value(
        writer, "update signing_key set state = 'active', activated_at = now() where state = 'next' returning kid"
    )
    await _activated(writer, by, successor)
    await _add(writer, keys, by, new_pem(), state=KeyState.NEXT)
    return successor


async def _add(writer: Writer, keys: Keys, by: Caller, pem: bytes, *, state: KeyState) -> str:
    public = public_half(pem)
    kid = SigningKey.known(public, None).kid
    activated = datetime.now(UTC) if state is KeyState.ACTIVE else None
    sealed = seal(keys, _name(kid), pem)
    writer.add(Kept(kid=kid, public=public.decode(), sealed=sealed, state=state, activated_at=activated))
    await _record(writer, by, EventKind.SIGNING_KEY_ADDED, kid)
    await writer.flush()
    return kid


async def _activated(writer: Writer, by: Caller, kid: str) -> None:
    await _record(writer, by, EventKind.SIGNING_KEY_ACTIVATED, kid)


async def _record(writer: Writer, by: Caller, kind: EventKind, kid: str, **facts: str | int) -> None:
    await log.record(writer, by, kind, on="signing_key", id=kid, effective_at=datetime.now(UTC), payload=dict(facts))


def _name(kid: str) -> str:
    return f"signing-key:{kid}"
