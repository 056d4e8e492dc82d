"""Whether this process can serve."""

from __future__ import annotations

from typing import Any, Final

from app.db import Database, problem_of, row

_NEEDED: Final = (
    "select current_setting('server_version') as version, to_regclass('alembic_version') is not null as migrated,"
    " exists (select from pg_extension where extname = 'btree_gist') as btree_gist"
)


async def readiness(database: Database) -> dict[str, Any]:
    """Status `ready` or `not_ready`, and each check; never raises for an unreachable database."""
    try:
        async with database.reading() as reader:
            found = await row(reader, _NEEDED) or {}
            regions = found.get("migrated") and await row(reader, "select 1 as loaded from region limit 1")
    except Exception as error:
        if problem_of(error) is None:
            raise
        return {"status": "not_ready", "checks": {"database": False}}
    checks = {
        "database": True,
        "migrated": bool(found["migrated"]),
        "btree_gist": bool(found["btree_gist"]),
        "registry": bool(regions),
    }
    return {"status": "ready" if all(checks.values()) else "not_ready", "checks": checks}
