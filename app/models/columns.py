"""What columns share: types, names of constraints, checks of enumerations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import ARRAY, CheckConstraint, Column, Computed, DateTime, Index, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

SQLModel.metadata.naming_convention = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
# no row is validated here, and few tables are written with each start
SQLModel.model_config["defer_build"] = True

Instant = Annotated[datetime, Field(sa_type=DateTime(timezone=True))]


def identity() -> Any:
    """A UUIDv7 primary key, made here and not by the database."""
    return Field(default_factory=uuid7, primary_key=True)


def texts(**column: Any) -> Any:
    """A list of text, empty by default; `column` is for SQLAlchemy."""
    return Field(default_factory=list, sa_type=ARRAY(Text), sa_column_kwargs=column)


def document() -> Any:
    """A JSON document."""
    return Field(default_factory=dict, sa_type=JSONB)


def region_path() -> Any:
    """The record's region and all above it, kept by the database: what visibility by region asks for."""
    return Field(
        default=None, sa_type=ARRAY(Text), sa_column_args=(Computed("region_path(region_code)", persisted=True),)
    )


def found_by(table: Table, column: str, said: str, *, of: str) -> None:
    """A column of the words of what a row says, with its index beside the readers: `app.find` alone reads it.

    It is added behind the mapper's back, which would read it again after each write, as the API role may not.
    """
    table.append_column(Column(column, TSVECTOR, Computed(f"app.words_of({said})", persisted=True)))
    Index(
        f"ix_{table.name}_{column}",
        table.c[column],
        table.c[of],
        postgresql_using="gin",
        # what is added waits a little in a list that every search reads: a short one
        postgresql_with={"gin_pending_list_limit": 256},
    )


def recorded() -> Any:
    """The database's own clock at the write."""
    return Field(default=None, sa_type=DateTime(timezone=True), sa_column_kwargs={"server_default": func.now()})


def one_of(column: str, values: Iterable[str], *, optional: str | None = None) -> CheckConstraint:
    """Text and a CHECK, never a PostgreSQL enum; `optional` is a further value such as the empty string."""
    allowed = [*values, *([] if optional is None else [optional])]
    return CheckConstraint(f"{column} in ({', '.join(repr(str(value)) for value in allowed)})", name=f"{column}_known")
