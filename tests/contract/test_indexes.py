"""Every index is there for a statement that somebody can find, and none for nobody."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec

import pytest
from fastapi import FastAPI

from app.db import Database, Row, rows
from app.models import metadata
from app.openapi import operations

#: Indexes of tables, those of partitions left out: each is its table's; `why` is the comment on it.
_INDEXES = """
    select c.relname as name, i.indrelid::regclass::text as table, obj_description(c.oid, 'pg_class') as why,
        exists (select from pg_constraint k where k.conindid = c.oid) as rule
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where c.relnamespace = 'public'::regnamespace and not c.relispartition
"""
_FUNCTIONS = """
    select case n.nspname when 'app' then 'app.' else '' end || p.proname as name
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('app', 'public')
"""
#: `listTasks, app.find: what they ask`
_JUSTIFIED = re.compile(r"(?P<names>[\w.]+(, [\w.]+)*): (?P<asked>\S.*)")


@pytest.fixture(scope="module")
async def indexes(database: Database) -> list[Row]:
    async with database.reading() as reader:
        return await rows(reader, _INDEXES)


def of_a_service(name: str) -> bool:
    """Whether there is such a function: `module.function` of the services."""
    module, _, function = name.rpartition(".")
    place = f"app.services.{module}"
    return bool(module) and find_spec(place) is not None and callable(getattr(import_module(place), function, None))


async def test_every_index_names_the_statements_that_need_it(
    indexes: list[Row], app: FastAPI, database: Database
) -> None:
    async with database.reading() as reader:
        functions = {one["name"] for one in await rows(reader, _FUNCTIONS)}
    known = functions | {one["operationId"] for _, _, one in operations(app.openapi())}
    plain = [one for one in indexes if not one["rule"]]
    assert len(plain) > 50
    for one in plain:
        said = _JUSTIFIED.fullmatch(one["why"] or "")
        assert said, f"{one['name']}: comment on index {one['name']} is 'operation, function: what they ask'"
        unknown = [name for name in said["names"].split(", ") if name not in known and not of_a_service(name)]
        assert not unknown, (one["name"], unknown)


async def test_what_a_rule_is_kept_by_needs_no_other_reason(indexes: list[Row]) -> None:
    assert [one["name"] for one in indexes if one["rule"] and one["why"] is not None] == []


async def test_the_models_have_these_indexes_and_no_others(indexes: list[Row]) -> None:
    modelled = {(str(index.name), table.name) for table in metadata.tables.values() for index in table.indexes}
    assert {(one["name"], one["table"]) for one in indexes if not one["rule"]} == modelled


async def test_no_index_is_the_beginning_of_another(database: Database) -> None:
    """Whatever one finds or orders by the first columns of an index, it finds by the index of all of them."""
    async with database.reading() as reader:
        found = await rows(
            reader,
            """
            with plain as (
                select c.relname as name, i.indrelid, i.indkey::text as columns, i.indnkeyatts as width, i.indisunique,
                    coalesce(pg_get_expr(i.indpred, i.indrelid), '') as only,
                    coalesce(pg_get_expr(i.indexprs, i.indrelid), '') as terms, i.indclass::text as classes
                from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
                where c.relnamespace = 'public'::regnamespace and m.amname = 'btree' and not c.relispartition
            )
            select a.name, b.name as longer from plain a join plain b on a.indrelid = b.indrelid and a.name <> b.name
                and a.only = b.only and a.terms = b.terms and not a.indisunique
                and b.columns || ' ' like a.columns || ' %' and b.classes || ' ' like a.classes || ' %'
            """,
        )
    assert [(one["name"], one["longer"]) for one in found] == []
