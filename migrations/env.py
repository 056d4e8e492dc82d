"""Alembic's way to the database: one connection, short waits, one migrator at a time."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.models import metadata
from app.services.locks import Lock
from app.settings import settings

LOCK_TIMEOUT = "2s"
STATEMENT_TIMEOUT = "60s"


def run(connection: Connection) -> None:
    """Migrate over a connection, under an advisory lock that a second migrator waits for."""
    connection.execute(text(f"set statement_timeout = '{STATEMENT_TIMEOUT}'"))
    connection.execute(text("select pg_advisory_lock(:key)"), {"key": Lock.MIGRATION.value})
    connection.execute(text(f"set lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.commit()
    try:
        context.configure(connection=connection, target_metadata=metadata, compare_server_default=True)
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("select pg_advisory_unlock(:key)"), {"key": Lock.MIGRATION.value})
        connection.commit()


async def connect() -> None:
    """Migrate the database of the settings."""
    chosen = settings()
    if chosen.pooled and chosen.owner_url is None:
        raise SystemExit("Set SIMPUL_OWNER_URL: a migration's lock is of its session, which a pooler gives away.")
    url = chosen.owner_url or chosen.database_url
    if url is None:
        raise SystemExit("Set SIMPUL_DATABASE_URL, or use `simpul migrate`, which finds the embedded database.")
    engine = create_async_engine(url.get_secret_value())
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
        context.execute(f"set statement_timeout = '{STATEMENT_TIMEOUT}'")
        context.run_migrations()
elif (connection := context.config.attributes.get("connection")) is not None:
    run(connection)
else:
    asyncio.run(connect())
