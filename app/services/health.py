"""Whether this process can serve."""

from __future__ import annotations

import asyncio
from math import nan
from time import monotonic
from typing import Any, Final

from prometheus_client import Gauge

from app.db import Database, Reader, one, row, value
from app.outages import problem_of
from app.services.replica import Replica

_NEEDED: Final = (
    "select to_regclass('alembic_version') is not null as migrated,"
    " exists (select from pg_extension where extname = 'btree_gist') as btree_gist,"
    " has_table_privilege(to_regclass('region'), 'select') as reads_registry"
)
_SECONDS: Final = 1.0
_LOG: Final = {
    "waiting": Gauge("simpul_log_waiting", "Facts that have no place in the log yet, 10,000 at most."),
    "waiting_seconds": Gauge("simpul_log_waiting_seconds", "How long the oldest of them has waited."),
    "size": Gauge("simpul_log_size", "Entries of the log."),
    "signed": Gauge("simpul_log_signed", "How many of them the newest signed head covers."),
}
_MAY_ASK: Final = "select has_schema_privilege(to_regnamespace('app'), 'usage')"


async def missing_walls(reader: Reader) -> list[str]:
    """What the second wall lacks for the login of this connection; nothing when it stands."""
    if not await value(reader, _MAY_ASK):
        return ["schema app, or this login's membership in simpul_api"]
    missing: list[str] = await value(reader, "select app.missing_walls()")
    return missing


async def measure_log(database: Database) -> None:
    """Renew the gauges of the log: whether the worker keeps up; NaN while the database can't be reached."""
    try:
        async with database.reading() as reader:
            state = await one(reader, "select * from app.log_state()")
    except Exception as error:
        if problem_of(error) is None:
            raise
        state = dict.fromkeys(_LOG, nan)
    for name, gauge in _LOG.items():
        gauge.set(state[name])


class Readiness:
    """What `readiness` says, asked of the database once a second at most, however many want to know."""

    def __init__(self, database: Database, replica: Replica) -> None:
        self._database, self._replica = database, replica
        self._lock = asyncio.Lock()
        self._asked_at, self._said = -_SECONDS, dict[str, Any]()

    async def now(self) -> dict[str, Any]:
        """Status and checks, at most a second old."""
        async with self._lock:
            if monotonic() - self._asked_at >= _SECONDS:
                self._said = await readiness(self._database, self._replica)
                self._asked_at = monotonic()
            return self._said


async def readiness(database: Database, replica: Replica) -> dict[str, Any]:
    """Status `ready`, `degraded` or `not_ready`, and each check; never raises for an unreachable database.

    `degraded` is a log that stands still for a lost head, or a replica that is gone or too far behind. It serves all
    the same, facts are kept and their receipts are owed, the primary does the replica's work: whoever takes such a
    process out of service takes the case files from every agency, and mends nothing.
    """
    try:
        async with database.reading() as reader:
            found = await one(reader, _NEEDED)
            regions = found["reads_registry"] and await row(reader, "select 1 as loaded from region limit 1")
            missing = await missing_walls(reader)
            halted = await _halt(reader) if found["migrated"] else None
    except Exception as error:
        if problem_of(error) is None:
            raise
        return {"status": "not_ready", "checks": {"database": False}, "missing_walls": [], "log_halted": None}
    checks = {
        "database": True,
        "migrated": bool(found["migrated"]),
        "btree_gist": bool(found["btree_gist"]),
        "registry": bool(regions),
    }
    # a second wall that this database cannot have is named; only production refuses to go without it
    walls = not missing or database.settings.env != "production"
    status = "ready" if all(checks.values()) and walls else "not_ready"
    copied = await replica.fit()
    if status == "ready" and (halted or copied is False):
        status = "degraded"
    checks |= {"walls": not missing, "log": halted is None}
    if copied is not None:
        checks["replica"] = copied
    return {"status": status, "checks": checks, "missing_walls": missing, "log_halted": halted}


async def _halt(reader: Reader) -> str | None:
    """Why nothing gets a place in the log, in a sentence; None where nothing is wrong."""
    if not await value(reader, _MAY_ASK):
        return None
    lost = await row(reader, "select size, signed_at from app.log_halt()")
    if lost is None:
        return None
    return (
        f"The log has signed a head over {lost['size']} entries at {lost['signed_at']:%Y-%m-%d %H:%M:%S} UTC that this"
        " database does not hold, as after a restored backup. Facts are kept, but get no place in the log until an"
        " operator declares why: simpul log resume."
    )
