"""Whether this process can serve."""

from __future__ import annotations

from typing import Any, Final

from app.db import Database, problem_of, row, value

_NEEDED: Final = (
    "select current_setting('server_version') as version, to_regclass('alembic_version') is not null as migrated,"
    " exists (select from pg_extension where extname = 'btree_gist') as btree_gist,"
    " to_regprocedure('app.missing_walls()') is not null as walls"
)


async def readiness(database: Database) -> dict[str, Any]:
    """Status `ready` or `not_ready`, and each check; never raises for an unreachable database."""
    try:
        async with database.reading() as reader:
            found = await row(reader, _NEEDED) or {}
            regions = found.get("migrated") and await row(reader, "select 1 as loaded from region limit 1")
            missing = await value(reader, "select app.missing_walls()") if found.get("walls") else ["schema app"]
    except Exception as error:
        if problem_of(error) is None:
            raise
        return {"status": "not_ready", "checks": {"database": False}, "missing_walls": []}
    checks = {
        "database": True,
        "migrated": bool(found["migrated"]),
        "btree_gist": bool(found["btree_gist"]),
        "registry": bool(regions),
    }
    # a second wall that this database cannot have is named; only production refuses to go without it
    walls = not missing or database.settings.env != "production"
    status = "ready" if all(checks.values()) and walls else "not_ready"
    return {"status": status, "checks": {**checks, "walls": not missing}, "missing_walls": missing}
