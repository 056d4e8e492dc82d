"""A witness of the log, for an agency: asks over HTTP alone, trusts the keys it pinned and the proofs it checked.

What it keeps is one line of JSON, atomically replaced: the newest head that it knows to continue all it was shown
before, and the log's keys. `simpul log verify` takes that file as kept head and as kept keys.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson

from app import log_files, losses, statements
from app.calling import Login, Service, Unreachable, answer
from app.log_files import Head
from app.memory import keep
from app.rules import merkle
from app.security import SigningKey
from app.statements import Kind, Unsigned


class Untrusted(Exception):
    """A head is signed by no key that was pinned, or is about another log."""


class Rewritten(Exception):
    """The log does not continue what it was; `shown` is the proof of it: what it has signed then and now."""

    def __init__(self, sentence: str, shown: dict[str, Any]) -> None:
        super().__init__(sentence)
        self.shown = shown


@dataclass(frozen=True)
class Seen:
    """What a witness keeps: the log's name and pinned keys, its newest proven head, the size it has cosigned last."""

    log: str
    keys: list[dict[str, str]]
    size: int
    root: str
    head: str
    since: str
    cosigned: int = 0


def read_seen(path: Path) -> Seen | None:
    """What was kept, None before the first time; raises ValueError for anything else."""
    try:
        return Seen(**orjson.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as cause:
        raise ValueError(f"{log_files.shown(path)} was not written by a witness.") from cause


class Witness(Service):
    """One agency's look at one log, over HTTP."""

    def __init__(
        self, http: httpx.AsyncClient, login: Login, *, trusted: tuple[str, ...] = (), accepted: tuple[int, ...] = ()
    ) -> None:
        super().__init__(http, login)
        self.trusted, self.accepted = trusted, accepted

    async def look(self, seen: Seen | None) -> Seen:
        """The newest head, if it is the log's and continues what was seen.

        Raises Unreachable, Untrusted, Rewritten.
        """
        await self.log_in()
        published = (await self.get("/.well-known/log-keys.json")).get("keys", [])
        pinned = [*seen.keys, *(one for one in published if one["kid"] in self.trusted)] if seen else published
        shown = await self.get("/v1/log/head")
        said = self._stated(pinned, published, str(shown.get("head")))
        if seen is None:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            return Seen(said.iss, pinned, said.size, said.root, shown["head"], now)
        if said.iss != seen.log:
            raise Untrusted(f"This is another log: {said.iss}, not {seen.log}.")
        try:
            await self._require_continuation(seen, said, shown["head"])
        except Rewritten as found:
            accepted = await self._account_for(seen, said, found)
            if not accepted:
                raise
            now = datetime.now(UTC).isoformat(timespec="seconds")
            return Seen(said.iss, _distinct(pinned), said.size, said.root, shown["head"], now)
        return replace(seen, keys=_distinct(pinned), size=said.size, root=said.root, head=shown["head"])

    def _stated(self, pinned: list[dict[str, str]], published: list[dict[str, str]], text: str) -> Head:
        try:
            return log_files.stated(pinned, Kind.HEAD, Head, text)
        except Unsigned:
            pass
        try:
            _, kid = statements.read(published, Kind.HEAD, text)
        except Unsigned:
            raise Untrusted("The newest head is signed by no key that the log publishes.") from None
        raise Untrusted(
            f"The newest head is signed with key {kid}, which is not one of those you have pinned. Ask the operator by"
            f" another way whether the log has a new key; if so, run this once with --trust {kid}."
        )

    async def _require_continuation(self, seen: Seen, said: Head, head: str) -> None:
        shown: dict[str, Any] = {"held": seen.size, "head": seen.head, "shown": head, "keys": seen.keys}
        if said.size < seen.size:
            raise Rewritten(f"The log ends at entry {said.size}; it has signed {seen.size} entries before.", shown)
        if said.size == seen.size:
            if said.root != seen.root:
                raise Rewritten(f"The log has signed two different trees of {said.size} entries.", shown)
            return
        asked = await self.ask("GET", f"/v1/log/proofs/consistency?from={seen.size}&to={said.size}")
        if asked.status_code == 404:
            raise Rewritten(f"The log does not know the head of size {seen.size} that it has signed.", shown)
        try:
            proof = [bytes.fromhex(step) for step in answer(asked)["path"]]
            merkle.check_consistency(seen.size, said.size, proof, bytes.fromhex(seen.root), bytes.fromhex(said.root))
        except (merkle.Unproven, KeyError, TypeError, ValueError) as cause:
            shown["path"] = asked.json().get("path")
            sentence = f"The log of {said.size} entries does not continue that of {seen.size} entries."
            raise Rewritten(sentence, shown) from cause

    async def _account_for(self, seen: Seen, said: Head, found: Rewritten) -> bool:
        """Add to a rewritten log what it says of that itself; whether that was accepted."""
        held = log_files.stated(seen.keys, Kind.HEAD, Head, seen.head)
        loss = losses.loss_of(held, said.resumed)
        if loss is None:
            return False
        entries = (await self.get(f"/v1/log/entries?after={loss.entry - 1}&limit=1"))["items"]
        found.add_note(losses.declaration(loss, entries[0]["document"] if entries else None))
        found.add_note(f"To go on from there: --accept-resumed {loss.entry}.")
        return loss.entry in self.accepted

    async def report(self, head: str) -> str:
        """Hold a head against the log, which then stands still until an operator declares why; how that went."""
        self.headers["Idempotency-Key"] = str(uuid4())
        try:
            answer(await self.ask("POST", "/v1/log/lost-heads", json={"head": head}))
        except Unreachable as refused:
            return f"The service took no report of it ({refused})."
        return "The service was shown it, and the log stands still until its operator declares why."

    async def cosign(self, seen: Seen, key: SigningKey, *, agency: str) -> Seen:
        """Cosign the head just looked at, unless it adds nothing but cosignatures: two witnesses would never end.

        Raises Unreachable.
        """
        if seen.size <= seen.cosigned or await self._only_cosignatures(seen):
            return seen
        said = {
            "iss": agency,
            "log": seen.log,
            "size": seen.size,
            "root": seen.root,
            "iat": int(datetime.now(UTC).timestamp()),
        }
        self.headers["Idempotency-Key"] = str(uuid4())
        body = {"cosignature": statements.state(key, Kind.COSIGNATURE, said)}
        answer(await self.ask("POST", "/v1/log/cosignatures", json=body))
        return replace(seen, cosigned=seen.size)

    async def _only_cosignatures(self, seen: Seen) -> bool:
        count = min(seen.size - seen.cosigned, 1000)
        added = (await self.get(f"/v1/log/entries?after={seen.cosigned}&limit={count}"))["items"]
        return count == seen.size - seen.cosigned and all(one["kind"] == "log.cosigned" for one in added)

    async def agency(self) -> str:
        """The agency for which the client acts; raises Unreachable."""
        return str((await self.get("/v1/me"))["agency"])


def _distinct(keys: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({one["kid"]: one for one in keys}.values())


def alarm(path: Path, found: Rewritten) -> Path:
    """Keep the proof of a rewritten log beside the state, which stays as it was; returns where."""
    place = path.with_name(f"{path.stem}.rewritten-{datetime.now(UTC):%Y%m%dT%H%M%S}.json")
    keep(place, {"found": str(found), **found.shown})
    return place


def content_of(seen: Seen) -> dict[str, Any]:
    """What is kept of what was seen."""
    return asdict(seen)
