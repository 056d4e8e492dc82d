"""New records: entered in one statement, or by COPY."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import SQLModel

from app.db import Row, Writer, began, encode, rows


@dataclass(frozen=True, slots=True)
class Computed:
    """What the database computes for a column of a new record: SQL, and the values of its parameters.

    All records of a statement share these.
    """

    sql: str
    values: Mapping[str, Any]


async def insert(writer: Writer, model: type[SQLModel], given: Mapping[str, Any]) -> Row:
    """Enter a record at once; returns it with the defaults of its model. Raises IntegrityError."""
    return (await insert_all(writer, model, [given]))[0]


async def insert_all(writer: Writer, model: type[SQLModel], given: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Enter records of one table in one statement; what they hold None of is left to the database.

    Returns them with the defaults of their model. Raises IntegrityError.
    """
    table = _table_of(model)
    records = [{name: make() for name, make in _defaults(model)} | dict(one) for one in given]
    columns = list(dict.fromkeys(name for one in records for name, content in one.items() if content is not None))
    values: Row = {}
    entered: list[str] = []
    for place, one in enumerate(records):
        told = dict.fromkeys(columns, "default")
        for name, content in stored(table, one).items():
            if isinstance(content, Computed):
                told[name] = content.sql
                values.update(content.values)
            elif content is not None:
                told[name], values[f"{name}_{place}"] = f":{name}_{place}", content
        entered.append(", ".join(told.values()))
    await rows(writer, f"insert into {table.name} ({', '.join(columns)}) values ({'), ('.join(entered)})", **values)
    return records


@cache
def _defaults(model: type[SQLModel]) -> list[tuple[str, Callable[..., Any]]]:
    """How the columns of a table come by what they hold where nothing is given; without those that must be given."""
    fields = model.model_fields.items()
    return [
        (name, field.default_factory or partial(lambda content: content, field.default))
        for name, field in fields
        if not field.is_required()
    ]


def _table_of(model: type[SQLModel]) -> Table:
    """The table of a model."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table


def stored(table: Table, values: Mapping[str, Any]) -> Row:
    """Values as the driver takes them for the columns of these names: documents as JSON."""
    return {
        name: encode(content).decode() if isinstance(table.c[name].type, JSONB) and content is not None else content
        for name, content in values.items()
    }


async def copy(writer: Writer, table: str, names: Sequence[str], records: Sequence[tuple[Any, ...]]) -> None:
    """COPY records with these columns into a table, in the transaction."""
    await began(writer)  # before its first statement, the driver's COPY would commit by itself
    await writer.info["driver"].copy_records_to_table(table, records=records, columns=list(names))
