"""The columns of the follow-up matrix: what each is called, how wide it is, and what stands in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.db import Row, encode
from app.problems import Language
from app.rules.deadlines import ZONES
from app.spreadsheets import Cell, Column, Kind


@dataclass(frozen=True, slots=True)
class Told:
    """A task, its number in the matrix, and the region in which it lies."""

    number: int
    task: Row
    region: Row


@dataclass(frozen=True, slots=True)
class Field:
    """One column: the member of a task that it shows, or a name of its own, and its headings."""

    name: str
    id: str
    en: str
    width: int
    kind: Kind = Kind.TEXT
    tell: Callable[[Told], Cell] | None = None

    def column(self, language: Language) -> Column:
        """It as a column of a file."""
        return Column(self.id if language == "id" else self.en, self.width, self.kind)


def columns(fields: Sequence[str] | None) -> list[Field]:
    """The columns of these members, in their order, or all; a number first, names and zones beside what needs them."""
    if fields is None:
        return [*_FIELDS]
    named = {one.name: one for one in _FIELDS}
    asked = ["number"]
    for name in dict.fromkeys(fields):
        asked += [name, *_BESIDE.get(name, ())]
    if any(named[name].kind is Kind.INSTANT for name in asked):
        asked.append("time_zone")
    return [named[name] for name in asked]


def told(said: Told, field: Field) -> Cell:
    """What stands in a column of a task; None where a summary does not show it."""
    if field.tell is not None:
        return field.tell(said)
    content = said.task.get(field.name)
    return _at(content, said.region) if field.kind is Kind.INSTANT else _plain(content)


def _plain(content: Any) -> Cell:
    match content:
        case bool():
            return str(content).lower()
        case None | int():
            return content
        case str():
            return content or None
        case list() | tuple():
            return ";".join(map(str, content)) or None
        case dict():
            return encode(content).decode() if content else None
        case _:
            return str(content)


def _at(content: Any, region: Row) -> datetime | None:
    """An instant by the clocks of the region; of the past it is told as text."""
    if content is None:
        return None
    instant = datetime.fromisoformat(content) if isinstance(content, str) else content
    return instant.astimezone(ZONES[region["time_zone"]])


def _referral(said: Told) -> str | None:
    """To whom the open referral goes, and how far it has come."""
    referral = said.task.get("open_referral")
    return f"{referral['to_agency']} ({referral['status']})" if referral else None


def _next(said: Told) -> datetime | None:
    """When the open clock that ends first ends."""
    deadline = said.task.get("next_deadline")
    return _at(deadline["due_at"], said.region) if deadline else None


def _of_next(name: str) -> Callable[[Told], Cell]:
    """A member of that clock."""
    return lambda said: (said.task.get("next_deadline") or {}).get(name)


#: Columns that come with a member, whose code or time tells people little alone.
_BESIDE: Final = {"region": ("region_name",), "next_deadline": ("next_deadline_code", "next_deadline_status")}
_FIELDS: Final = (
    Field("number", "No", "No", 6, Kind.NUMBER, lambda said: said.number),
    Field("reference", "Nomor", "Reference", 20),
    Field("title", "Judul", "Title", 36),
    Field("description", "Uraian", "Description", 60),
    Field("category", "Kategori", "Category", 20),
    Field("subcategory", "Subkategori", "Subcategory", 18),
    Field("function", "Fungsi", "Function", 14),
    Field("variant", "Varian", "Variant", 12),
    Field("subject_kind", "Jenis subjek", "Subject kind", 14),
    Field("region", "Kode wilayah", "Region code", 14),
    Field("region_name", "Wilayah", "Region", 22, tell=lambda said: said.region["name"]),
    Field("polling_station", "TPS", "Polling station", 8),
    Field("priority", "Prioritas", "Priority", 10),
    Field("status", "Status", "Status", 14),
    Field("logged_by", "Pencatat", "Logged by", 26),
    Field("holder", "Pemegang", "Holder", 26),
    Field("accountable", "Penanggung jawab", "Accountable", 26),
    Field("supporting", "Pendukung", "Supporting", 30),
    Field("informed", "Diberi tahu", "Informed", 30),
    Field("mandate", "Kewenangan", "Mandate", 10),
    Field("mandate_ended", "Kewenangan berakhir", "Mandate ended", 11),
    Field("open_referral", "Pelimpahan terbuka", "Open referral", 34, tell=_referral),
    Field("effective_at", "Dicatat pada", "Logged at", 17, Kind.INSTANT),
    Field("event_at", "Waktu kejadian", "Happened at", 17, Kind.INSTANT),
    Field("due_at", "Tenggat", "Due", 17, Kind.INSTANT),
    Field("next_deadline", "Batas terdekat", "Next deadline", 17, Kind.INSTANT, _next),
    Field("next_deadline_code", "Kode batas", "Deadline code", 22, tell=_of_next("code")),
    Field("next_deadline_status", "Status batas", "Deadline status", 12, tell=_of_next("status")),
    Field("updated_at", "Diperbarui pada", "Updated at", 17, Kind.INSTANT),
    Field("recorded_at", "Direkam pada", "Recorded at", 17, Kind.INSTANT),
    Field("time_zone", "Zona waktu", "Time zone", 8, tell=lambda said: ZONES[said.region["time_zone"]].tzname(None)),
    Field("outcome", "Hasil", "Outcome", 14),
    Field("note", "Catatan", "Note", 40),
    Field("facts", "Fakta", "Facts", 30),
    Field("classification", "Klasifikasi", "Classification", 12),
    Field("external_reference", "Nomor luar", "External reference", 18),
    Field("vulnerabilities", "Kerawanan", "Vulnerabilities", 38),
    Field("meeting", "Rapat", "Meeting", 38),
    Field("decision", "Keputusan", "Decision", 38),
    Field("access", "Akses", "Access", 9),
    Field("version", "Versi", "Version", 7, Kind.NUMBER),
    Field("id", "ID", "ID", 38),
)
