"""Loading the registry from `app/data` by COPY: idempotent, restartable, all or nothing."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ARRAY, Boolean, Column, Date, Float, Integer, Table

from app.db import Executor, Writer, execute, value
from app.entries import copy
from app.models import metadata
from app.rules import regions
from app.services import calendars
from app.settings import DATA

Report = Callable[[str, int], None]

_REGION_SOURCE: Final = "idn-area-data@4.0.1 (Kepmendagri 300.2.2-2138/2025), ODbL 1.0"
_FIRST_CITY: Final = 71
_AREAS: Final = (
    ("provinces", None),
    ("regencies", "province_code"),
    ("districts", "regency_code"),
    ("villages", "district_code"),
)

#: Table, file, and columns of the file that go by another name in the table. In the order of their references.
_FILES: Final[tuple[tuple[str, str, dict[str, str]], ...]] = (
    ("agency_type", "agency_types.csv", {"level": "levels"}),
    ("category", "categories.csv", {}),
    ("legal_instrument", "legal_instruments.csv", {}),
    ("election", "elections.csv", {}),
    ("stage", "stages.csv", {}),
    ("agency", "agencies.csv", {}),
    ("member", "members.csv", {}),
    ("mandate", "mandates.csv", {}),
    ("recusal", "recusals.csv", {}),
    ("escalation", "escalations.csv", {}),
    ("deadline_rule", "deadlines.csv", {}),
    ("deadline_relation", "deadline_relations.csv", {}),
    ("clock_start", "clock_starts.csv", {}),
    ("referral_clock_start", "referral_clock_starts.csv", {}),
    ("holiday", "holidays.csv", {"date": "day"}),
    ("closing_requirement", "closing_requirements.csv", {}),
    ("published_index", "indices.csv", {}),
)


#: How many tables a load reports.
TABLES: Final = 3 + len(_FILES)


async def load_registry(writer: Writer, *, report: Report, folder: Path = DATA) -> None:
    """Load every table of the registry; rows that are there already stay as they are, for rows are never edited.

    `report` hears of each table and its rows. Raises FileNotFoundError or ValueError for a damaged folder.
    """
    enumerations = json.loads((folder / "enums.json").read_text(encoding="utf-8"))["enums"]
    await copy_new(writer, metadata.tables["region"], _regions(folder), report)
    await copy_new(writer, metadata.tables["enumeration"], _enumerations(enumerations), report)
    await copy_new(writer, metadata.tables["enumeration_value"], _values(enumerations), report)
    for name, file, renamed in _FILES:
        await copy_new(writer, metadata.tables[name], _rows(folder / file, metadata.tables[name], renamed), report)
    await calendars.settle(writer, **_window(folder))
    await execute(writer, f"comment on table region is '{digest(folder)}'")


def _window(folder: Path) -> dict[str, date]:
    """Between which days the file of holidays knows all of them."""
    with (folder / "calendars.csv").open(encoding="utf-8", newline="") as file:
        found = next(csv.DictReader(file))
    return {name: date.fromisoformat(found[name]) for name in ("covers_from", "covers_to")}


def digest(folder: Path = DATA) -> str:
    """A name of the data as they are: the same files, the same name."""
    summed = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in {".csv", ".gz", ".json"}):
        summed.update(path.name.encode() + b"\0" + path.read_bytes())
    return summed.hexdigest()


async def loaded(executor: Executor) -> str | None:
    """The name of the data that were loaded last, or None."""
    found: str | None = await value(executor, "select obj_description(cast('region' as regclass), 'pg_class')")
    return found


async def copy_new(writer: Writer, table: Table, found: Iterable[dict[str, Any]], report: Report) -> None:
    """COPY rows with the same columns into a temporary twin of a table, then insert those that are new."""
    rows = list(found)
    names = list(rows[0])
    columns = ", ".join(f'"{name}"' for name in names)
    twin = f"loading_{table.name}"
    await execute(writer, f"create temporary table {twin} on commit drop as select {columns} from {table.name} limit 0")
    await copy(writer, twin, names, [tuple(row.values()) for row in rows])
    defaults = {"version": 1} if "version" in table.columns and "version" not in names else {}
    if "suspended" in table.columns:
        defaults["suspended"] = False
    extra = "".join(f", {name}" for name in defaults)
    given = "".join(f", {content}" for content in defaults.values())
    await execute(
        writer,
        f"insert into {table.name} ({columns}{extra}) select {columns}{given} from {twin} on conflict do nothing",
    )
    await execute(writer, f"analyze {table.name}")
    report(table.name, len(rows))


def _regions(folder: Path) -> Iterator[dict[str, Any]]:
    """Every region of the country, widest first, each with its level and the zone of its province."""
    with (folder / "province_zones.csv").open(encoding="utf-8", newline="") as file:
        zones = {row["province_code"]: row["time_zone"] for row in csv.DictReader(file)}
    for name, parent in _AREAS:
        with gzip.open(folder / "idn-area" / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if not regions.is_code(row["code"]):
                    raise ValueError(f"{name}: {row['code']} is no region code")
                yield {
                    "code": row["code"],
                    "name": row["name"],
                    "level": _level(row["code"]),
                    "parent_code": row[parent] if parent else None,
                    "time_zone": zones[row["code"][:2]],
                    "source": _REGION_SOURCE,
                }


def _level(code: str) -> str:
    """The level of a region by its code; regencies count from 01, cities from 71."""
    parts = code.split(".")
    if len(parts) == 2:
        return "city" if int(parts[1]) >= _FIRST_CITY else "regency"
    return {1: "province", 3: "district", 4: "village"}[len(parts)]


def _enumerations(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, one in found.items():
        yield {"name": name, "description_en": one["description_en"], "section": one["section"]}


def _values(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, one in found.items():
        for position, entry in enumerate(one["values"]):
            labels = {"label_id": entry["label_id"], "label_en": entry["label_en"]}
            yield {"enumeration": name, "code": entry["code"], "position": position, **labels}


def _rows(path: Path, table: Table, renamed: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The rows of a CSV file as the columns of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            named = {renamed.get(name, name): text for name, text in row.items()}
            yield {name: _typed(table.columns[name], text) for name, text in named.items()}


_READ: Final[Mapping[type, Callable[[str], Any]]] = {
    Boolean: {"true": True, "false": False}.__getitem__,
    Integer: int,
    Float: float,
    Date: date.fromisoformat,
}


def _typed(column: Column[Any], text: str) -> Any:
    if isinstance(column.type, ARRAY):
        return text.split(";") if text else []
    if not text and column.nullable:
        return None
    return _READ.get(type(column.type), str)(text)
