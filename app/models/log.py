"""What makes a log of facts: their places in the one sequence, the tree over them, its heads and keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB, OID
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, document, identity, recorded

_TRANSACTION: Final = text("pg_current_xact_id()::text::bigint")


class Unsequenced(SQLModel, table=True):
    """An event that has no place in the log yet; a trigger puts it here, the sequencer takes it away."""

    event_id: UUID = Field(primary_key=True)
    number: int = Field(default=None, sa_type=BigInteger, sa_column_args=(Identity(always=True),))
    transaction: int = Field(
        default=None,
        sa_type=BigInteger,
        sa_column_kwargs={"server_default": _TRANSACTION},
    )
    entered_at: Instant = Field(default=None, sa_column_kwargs={"server_default": func.clock_timestamp()})


class LogEntry(SQLModel, table=True):
    """An event's place in the one sequence: contiguous from 1.

    It outlasts its event, which may be retired with its year; that there is one is checked when the entry is made.
    """

    __tablename__ = "log_entry"
    index: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    event_id: UUID = Field(unique=True)


class LogNode(SQLModel, table=True):
    """A complete subtree of the tree over the log; at level 0 the leaf of the entry with index `place` + 1."""

    __tablename__ = "log_node"
    # who holds a receipt asks by leaf
    __table_args__ = (Index("ix_log_node_leaf", "hash", postgresql_where="level = 0"),)
    level: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    place: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    hash: bytes


class LogHead(SQLModel, table=True):
    """A signed head: the root over the first `size` entries."""

    __tablename__ = "log_head"
    size: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    root: bytes
    signed: str
    recorded_at: Instant = Field(default=None, sa_column_kwargs={"server_default": func.clock_timestamp()})


class Cosignature(SQLModel, table=True):
    """What a witness signed: that it knows this head and that it continues all it knew before."""

    # the list of cosignatures goes by size
    __table_args__ = (
        Index("ix_cosignature_size", "size", "agency"),
        # a kid names one key of an agency for ever
        Index("ix_cosignature_kid", "agency", "kid"),
    )
    agency: str = Field(primary_key=True, foreign_key="agency.code")
    size: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="log_head.size")
    kid: str
    jwk: dict[str, Any] = document()
    signed: str
    recorded_at: datetime = recorded()


class LostHead(SQLModel, table=True):
    """A head that the log has signed and does not continue; until an operator resumes, nothing gets a place.

    `entry` is the index of the fact that declares the loss, `kept` the size up to which both are known to be one log.
    """

    __tablename__ = "lost_head"
    __table_args__ = (
        CheckConstraint("source in ('memory', 'report')", name="source_known"),
        CheckConstraint("(entry is null) = (kept is null)", name="declared_whole"),
    )
    size: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    root: bytes = Field(primary_key=True)
    head: str
    signed_at: Instant
    source: str
    agency: str | None = Field(default=None, foreign_key="agency.code")
    recorded_at: datetime = recorded()
    entry: int | None = Field(default=None, sa_type=BigInteger)
    kept: int | None = Field(default=None, sa_type=BigInteger)


class RetiredYear(SQLModel, table=True):
    """A year whose facts were taken offline: `until` is the index of its last one.

    `told_from` is the instant from which on the state of tasks is told, `digest` that of the year's facts in the export
    by which they left, `remains` that of what is left of them, `relation` the number of their table. Whether that is
    still there, the database's own catalogue says.
    """

    __tablename__ = "retired_year"
    year: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    relation: int = Field(sa_type=OID)
    facts: int = Field(sa_type=BigInteger)
    until: int = Field(sa_type=BigInteger)
    told_from: Instant
    digest: str
    remains: str
    recorded_at: datetime = recorded()


class RetiredFact(SQLModel, table=True):
    """What a task keeps of a retired fact: that it was, the part of its `state` that no later fact of its year set.

    What people wrote is kept, sealed, where that part or a comment needs it.
    """

    __tablename__ = "retired_fact"
    # the history of a task, its comments and its state
    __table_args__ = (Index("ix_retired_fact_task_id", "task_id", "index"),)
    id: UUID = identity()
    index: int = Field(sa_type=BigInteger)
    kind: str
    task_id: UUID
    comment_id: UUID | None = None
    agency: str | None = Field(default=None, foreign_key="agency.code")
    effective_at: Instant
    recorded_at: Instant
    version: int | None = None
    state: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    words: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    words_key: UUID | None = Field(default=None, foreign_key="sealing_key.id")
    words_sealed: bytes | None = None
    person: str | None = None
    person_key: UUID | None = Field(default=None, foreign_key="sealing_key.id")
    person_sealed: bytes | None = None


class LogKey(SQLModel, table=True):
    """A key that signs heads and receipts; its private half is sealed under the pepper and goes when it is retired."""

    __tablename__ = "log_key"
    __table_args__ = (
        CheckConstraint("(sealed is null) = (retired_at is not null)", name="sealed_until_retired"),
        # one key signs
        Index("uq_log_key_signing", text("(true)"), unique=True, postgresql_where="retired_at is null"),
    )
    kid: str = Field(primary_key=True)
    public: str
    sealed: bytes | None = None
    recorded_at: datetime = recorded()
    retired_at: Instant | None = None


class SealingKey(SQLModel, table=True):
    """The key under which words about one record, or the name of one person, are sealed; destroying it erases them.

    `subject` says whose it is (a keyed hash for persons) and goes with it.
    """

    __tablename__ = "sealing_key"
    __table_args__ = (CheckConstraint("(sealed is null) = (destroyed_at is not null)", name="sealed_until_destroyed"),)
    id: UUID = identity()
    subject: str | None = Field(default=None, unique=True)
    sealed: bytes | None = None
    recorded_at: datetime = recorded()
    destroyed_at: Instant | None = None
