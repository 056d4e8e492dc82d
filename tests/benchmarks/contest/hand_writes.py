"""The writes of contestant b: one plain asyncpg transaction that leaves the rows that ours leaves, a statement a table.

Those are, of a task that is logged and referred: the task with its readers, the referral, an assignment for each
supporting agency, the key of its words, two facts with words sealed and leaves made, which a trigger queues for the
log, and the answer kept under its idempotency key, sealed. Who is competent is worked out once for each kind of matter
and kept; nothing is authenticated, validated or asked of the second wall, and no receipt is signed.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from benchmarks.contest import hand_moves
from benchmarks.contest.hand_sql import FULL, Known
from uuid_utils.compat import uuid7

from app import evidence
from app.db import Database, encode
from app.rules import workflow
from app.rules.facts import WORDS, told
from app.rules.regions import seat
from app.rules.vocabulary import Action, Status
from app.security import Keys, seal
from app.services import law, sealing

_EVENT: Final = (
    "insert into event (id, kind, object_type, object_id, task_id, agency, client_id, request_id, effective_at,"
    " recorded_at, version_before, version_after, payload, words, words_key, words_sealed, salt, leaf)"
    " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
)
_KEY: Final = "insert into sealing_key (id, subject, sealed) values ($1, $2, $3)"
_TASK: Final = (
    "insert into task (id, reference, title, description, category, function, region_code, classification, priority,"
    " logged_by, holder, supporting, informed, recused_offices, status, facts, open_referral, readers,"
    " summary_readers, effective_at, last_effective_at, recorded_at, updated_at, version)"
    " values ($1, $2, $3, $4, $5, $6, $7, $8, 'medium', $9, $9, $10, $11, '{}', 'assigned', '{}', $12, $13, $14,"
    " $15, $15, $16, $16, 1)"
)
_REFERRAL: Final = (
    "insert into referral (id, task_id, from_agency, to_agency, status, function, mandate, supporting, informed,"
    " retain_access, recorded_by_sender, effective_at, recorded_at, updated_at, version, task_reference,"
    " classification, recused_offices, readers)"
    " values ($1, $2, $3, $4, 'sent', $5, $6, $7, $8, false, false, $9, $10, $10, 1, $11, $12, '{}', $13)"
)
_ASSIGNMENTS: Final = (
    "insert into assignment (id, task_id, agency, role, mandate, period, recorded_at)"
    " select n.id, $1, n.agency, 'supporting', $2, tstzrange($3, null), $4"
    " from unnest($5::uuid[], $6::text[]) n (id, agency)"
)
_ANSWER: Final = (
    "insert into idempotency_record (client_id, key_hash, request_hash, answer, expires_at)"
    " values ($1, $2, $3, $4, $5) on conflict (client_id, key_hash) do nothing returning expires_at"
)
_MOVE: Final = (
    "update task set status = $2, last_effective_at = $3, updated_at = $3, outcome = null, note = null, facts = '{}',"
    " resolved_by = null, version = version + 1 where id = $1 and version = $4 and status = $5 returning version"
)
_PART: Final = (
    "select coalesce(s.default_classification, 'terbatas') as class, region_path($2) as path from category s"
    " where s.code = $1"
)


class Stale(RuntimeError):
    """The task is not as the caller thought."""


@dataclass(frozen=True)
class Given:
    """To whom the law gives a matter, and what else a task of its kind begins with."""

    to_agency: str
    mandate: str
    supporting: list[str]
    informed: list[str]
    classification: str
    path: list[str]


@dataclass
class Writes:
    """Writes of one server."""

    pool: asyncpg.Pool[Any]
    database: Database
    keys: Keys
    known: dict[tuple[str, ...], Given] = field(default_factory=dict)

    async def log(self, known: Known, body: bytes, key: str) -> bytes:
        """Log a task that the law gives to another agency; returns the answer."""
        asked = orjson.loads(body)
        given = await self._competent(asked)
        at, new, agency = datetime.now(UTC), uuid7(), known.caller.body
        task = _drafted(asked, given, agency, at, new)
        waiting, class_, mandate = task["open_referral"], task["classification"], given.mandate
        referral, supporting, informed = UUID(waiting["id"]), task["supporting"], task["informed"]
        readers = sorted({"*", agency, given.to_agency, *supporting, *informed})
        brief = ["coordinator:", *(f"coordinator:{place}" for place in given.path)]
        words_key, secret = uuid7(), secrets.token_bytes(32)
        said = {"to": "assigned", "from": None, "mandate": mandate, "competent": given.to_agency}
        said["reference"], versions = task["reference"], (None, 1)
        logged = _fact(known, "task.logged", new, new, at, versions, said, state=task, key=(words_key, secret))
        said = {"mandate": mandate, "to_agency": given.to_agency}
        sent = _fact(known, "referral.sent", referral, new, at, versions, said)
        moves = hand_moves.available(known.caller, _of_moves(task, waiting, readers, brief, given.path))
        answer = orjson.dumps({**task, "available_transitions": orjson.Fragment(moves)}, option=orjson.OPT_UTC_Z)
        sealed = sealing.kept(self.keys, words_key, secret)
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(_KEY, words_key, sealing.of_record("task", new), sealed)
            await connection.execute(
                _TASK, new, task["reference"], asked["title"], asked["description"], asked["category"],
                asked["function"], asked["region"], class_, agency, supporting, informed, referral, readers, brief,
                at, at,
            )  # fmt: skip
            await connection.execute(
                _REFERRAL, referral, new, agency, given.to_agency, asked["function"], mandate, supporting, informed,
                at, at, task["reference"], class_, readers,
            )  # fmt: skip
            parts = [uuid7() for _ in supporting]
            await connection.execute(_ASSIGNMENTS, new, mandate, at, at, parts, supporting)
            await connection.executemany(_EVENT, [logged, sent])
            await self._keep(connection, known, key, b"/v1/tasks" + body, 201, answer)
        return answer

    async def move(self, known: Known, task: str, version: int, body: bytes, key: str) -> bytes:
        """Make a move of a task that its body says no more about; returns the answer. Raises Stale."""
        action = Action(orjson.loads(body)["action"])
        at = datetime.now(UTC)
        async with self.pool.acquire() as connection, connection.transaction():
            found = await connection.fetchrow(known.single, task)
            move = found and workflow.transition(action, Status(found["status"]))
            if found is None or move is None or found["accountable"] not in known.caller.acts_for:
                raise Stale(task)
            won = await connection.fetchval(_MOVE, task, move.target.value, at, version, found["status"])
            if won is None:
                raise Stale(task)
            changed: dict[str, Any] = {"status": move.target.value}
            if move.target is Status.IN_PROGRESS:
                changed |= {"outcome": None, "note": None, "facts": {}}
            said = {"from": found["status"], "to": move.target.value}
            its, versions = UUID(task), (version, won)
            fact = _fact(known, move.event.value, its, its, at, versions, said, state=changed)
            await connection.execute(_EVENT, *fact)
            now = {**{name: found[name] for name in FULL}, **changed, "updated_at": at, "version": won}
            moves = hand_moves.available(known.caller, {**found, **changed})
            answer = orjson.dumps({**now, "available_transitions": orjson.Fragment(moves)}, option=orjson.OPT_UTC_Z)
            await self._keep(connection, known, key, f"/v1/tasks/{task}/transitions".encode() + body, 200, answer)
        return answer

    async def _keep(self, connection: Any, known: Known, key: str, request: bytes, status: int, answer: bytes) -> None:
        name = f"{known.caller.client_id}:{key}"
        kept = orjson.dumps({"status": status, "headers": {}, "body": answer.decode()})
        mine = await connection.fetchval(
            _ANSWER,
            known.caller.client_id,
            hashlib.sha256(name.encode()).digest(),
            hashlib.sha256(request).digest(),
            seal(self.keys, name, kept),
            datetime.now(UTC) + timedelta(hours=72),
        )
        if mine is None:
            raise Stale(key)

    async def _competent(self, asked: Mapping[str, Any]) -> Given:
        matter = (asked["category"], asked["function"], asked["region"])
        if matter not in self.known:
            async with self.database.working() as worker:
                question = law.question(category=matter[0], function=matter[1], region=matter[2], at=datetime.now(UTC))
                found = await law.determine(worker, question, proposed=None, pointer="")
            if found.mandate is None or found.accountable is None:
                raise AssertionError(found)
            part = await self.pool.fetchrow(_PART, asked["category"], asked["region"])
            self.known[matter] = Given(
                found.accountable,
                found.mandate.id,
                [*found.supporting],
                [*found.informed],
                part["class"],
                [*part["path"]],
            )
        return self.known[matter]


def _drafted(asked: Mapping[str, Any], given: Given, agency: str, at: datetime, new: UUID) -> dict[str, Any]:
    """The members of a task that is logged and referred."""
    waiting = {
        "id": str(uuid7()),
        "status": "sent",
        "mandate": given.mandate,
        "variant": None,
        "function": asked["function"],
        "to_agency": given.to_agency,
        "from_agency": agency,
        "effective_at": at,
    }
    return dict.fromkeys(FULL) | {
        "access": "full", "id": str(new), "reference": f"{seat(asked['region'])}-{at.year}-{_tail()}",
        "title": asked["title"], "description": asked["description"], "category": asked["category"],
        "function": asked["function"], "region": asked["region"], "classification": given.classification,
        "priority": "medium", "vulnerabilities": [], "logged_by": agency, "holder": agency, "mandate_ended": False,
        "supporting": given.supporting, "informed": given.informed, "status": "assigned", "facts": {},
        "open_referral": waiting, "effective_at": at, "recorded_at": at, "updated_at": at, "version": 1,
    }  # fmt: skip


def _tail() -> str:
    return "".join(secrets.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(6))


def _fact(
    known: Known,
    kind: str,
    about: UUID,
    task: UUID,
    at: datetime,
    versions: tuple[int | None, int],
    payload: dict[str, Any],
    *,
    state: Mapping[str, Any] | None = None,
    key: tuple[UUID, bytes] | None = None,
) -> tuple[Any, ...]:
    """A row of the event table, its words sealed under their key."""
    content = orjson.loads(orjson.dumps({**payload, **told(state)}, default=str, option=orjson.OPT_UTC_Z))
    words = {name: content.pop(name) for name in WORDS & content.keys()}
    commitments, sealed = sealing.committed(words, key[1]) if words and key else ({}, None)
    caller, on = known.caller, kind.partition(".")[0]
    event = {
        "id": uuid7(), "kind": kind, "object_type": on, "object_id": str(about), "task_id": task,
        "agency": caller.agency, "client_id": caller.client_id, "concerns": None, "person": None,
        "request_id": str(uuid7()), "effective_at": at, "recorded_at": at, "version_before": versions[0],
        "version_after": versions[1], "payload": content, "words": commitments, "salt": evidence.new_salt(),
    }  # fmt: skip
    leaf = evidence.leaf(evidence.document(event))
    return (
        event["id"], kind, on, str(about), task, caller.agency, caller.client_id, event["request_id"], at, at,
        *versions, encode(content).decode(), encode(commitments).decode(), key[0] if key else None, sealed,
        event["salt"], leaf,
    )  # fmt: skip


def _of_moves(
    task: Mapping[str, Any], waiting: Mapping[str, Any], readers: list[str], brief: list[str], path: list[str]
) -> dict[str, Any]:
    return {
        **task,
        "whole": True,
        "readers": readers,
        "summary_readers": brief,
        "recused_offices": [],
        "region_path": path,
        "resolved_by": None,
        "referral": waiting["id"],
        "referral_status": waiting["status"],
        "from_agency": waiting["from_agency"],
        "to_agency": waiting["to_agency"],
        "receiver_has_no_client": False,
        "required_facts": [],
    }
