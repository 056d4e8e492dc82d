"""The follow-up of a meeting as a page that people print: no script, no asset, everything escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from html import escape
from typing import Any, Final

from fastapi import Request, Response

from app.db import Row
from app.negotiation import JSON, chosen
from app.problems import Language, language_of
from app.rules.deadlines import ZONES
from app.rules.facts import EventKind
from app.rules.law import WIB
from app.rules.vocabulary import Access
from app.schemas.catalogue import CATALOGUE

HTML: Final = "text/html"
DOCUMENTED: Final[dict[str, Any]] = {HTML: {"schema": {"type": "string"}, "example": "<!doctype html>..."}}
_STYLE: Final = """
body { font: 11pt/1.4 "Noto Sans", "Liberation Sans", Arial, sans-serif; margin: 2rem auto; max-width: 70rem;
  padding: 0 1rem; color: #111; background: #fff; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .3rem; break-after: avoid; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; } dt { color: #555; } dd { margin: 0; }
p { margin: .3rem 0; white-space: pre-line; overflow-wrap: anywhere; } .aside { color: #555; font-size: .9rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { border: 1px solid #888; padding: .25rem .4rem; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
th { background: #e8eef7; } thead { display: table-header-group; } tr { break-inside: avoid; }
@page { size: A4 landscape; margin: 15mm; }
@media print { body { margin: 0; max-width: none; padding: 0; font-size: 10pt; } a { color: inherit; } }
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: What the page says of its own.
_WORDS: Final[Mapping[str, Mapping[Language, str]]] = {
    "heading": {"id": "Tindak lanjut rapat", "en": "Follow-up of the meeting"},
    "host": {"id": "Tuan rumah", "en": "Host"},
    "held_on": {"id": "Tanggal", "en": "Date"},
    "venue": {"id": "Tempat", "en": "Venue"},
    "region": {"id": "Wilayah", "en": "Region"},
    "participants": {"id": "Peserta", "en": "Participants"},
    "decision": {"id": "Keputusan", "en": "Decision"},
    "other": {"id": "Tugas lain yang merujuk rapat ini", "en": "Other tasks that cite this meeting"},
    "none": {"id": "Tidak ada tugas yang dapat Anda lihat.", "en": "No task that you may see."},
    "undecided": {"id": "Belum ada keputusan yang dicatat.", "en": "No decision has been entered."},
    "summary": {"id": "(ringkasan)", "en": "(summary)"},
    "unaccepted": {"id": "belum ada yang menerima", "en": "not yet accepted"},
    "seen": {"id": "Sebagaimana terlihat oleh {agency} pada {at}.", "en": "As {agency} sees it at {at}."},
    "more": {
        "id": "Masih ada tugas lain: lihat /v1/tasks?meeting={meeting}.",
        "en": "There are more tasks: see /v1/tasks?meeting={meeting}.",
    },
}
_HEADINGS: Final[Mapping[Language, tuple[str, ...]]] = {
    "id": ("Nomor", "Tugas", "Penanggung jawab", "Status", "Tenggat", "Tindakan terakhir"),
    "en": ("Reference", "Task", "Accountable", "Status", "Due", "Last act"),
}

Names = Mapping[tuple[str, str], Row]


def wanted(request: Request) -> bool:
    """Whether the caller asks for the page rather than for JSON; raises NotAcceptable where it wants neither."""
    return chosen(request, (JSON, HTML)) == HTML


def printed(request: Request, follow_up: dict[str, Any], names: Names) -> Response:
    """The page."""
    language = language_of(request)
    page = _Page(language, names).of(follow_up, request.state.caller.agency)
    headers = {
        "Content-Security-Policy": _POLICY,
        "Cache-Control": "no-store",
        "Content-Language": language,
        "Vary": "Accept, Accept-Language",
    }
    return Response(page, media_type=f"{HTML}; charset=utf-8", headers=headers)


class _Page:
    """The page in one language; `names` tells how people call what has a code."""

    def __init__(self, language: Language, names: Names) -> None:
        self._language, self._names = language, names

    def of(self, follow_up: dict[str, Any], agency: str) -> str:
        meeting = follow_up["meeting"]
        title = f"{self._word('heading')}: {self._told(meeting, 'title')}"
        return "".join(
            (
                f'<!doctype html><html lang="{self._language}"><meta charset="utf-8"><title>{escape(title)}</title>',
                f"<style>{_STYLE}</style><h1>{escape(title)}</h1>",
                self._about(meeting),
                *self._decisions(follow_up["decisions"]),
                *self._others(follow_up["other_tasks"]),
                *self._end(follow_up, agency),
                "</html>",
            )
        )

    def _about(self, meeting: Row) -> str:
        said = {
            "host": self._name("agency", meeting["host"]),
            "held_on": meeting["held_on"].isoformat(),
            "venue": meeting["venue"],
            "region": self._name("region", meeting["region"]),
            "participants": "; ".join(self._name("agency", one["agency"]) for one in meeting["participants"]),
        }
        lines = (f"<dt>{escape(self._word(name))}</dt><dd>{escape(told)}</dd>" for name, told in said.items() if told)
        return f"<dl>{''.join(lines)}</dl>"

    def _decisions(self, decisions: list[Row]) -> Iterator[str]:
        if not decisions:
            yield f'<p class="aside">{escape(self._word("undecided"))}</p>'
        for one in decisions:
            yield f"<h2>{escape(self._word('decision'))} {one['number']}</h2><p>{escape(self._told(one, 'text'))}</p>"
            yield f'<p class="aside">{escape(self._name("agency", one["agency"]))}</p>'
            yield self._table(one["tasks"])

    def _others(self, tasks: list[Row]) -> Iterator[str]:
        if tasks:
            yield f"<h2>{escape(self._word('other'))}</h2>{self._table(tasks)}"

    def _end(self, follow_up: dict[str, Any], agency: str) -> Iterator[str]:
        if not follow_up["complete"]:
            yield f"<p>{escape(self._word('more').format(meeting=follow_up['meeting']['id']))}</p>"
        at = follow_up["at"].astimezone(WIB).strftime("%Y-%m-%d %H:%M WIB")
        yield f'<p class="aside">{escape(self._word("seen").format(agency=agency, at=at))}</p>'

    def _table(self, tasks: list[Row]) -> str:
        if not tasks:
            return f'<p class="aside">{escape(self._word("none"))}</p>'
        heads = "".join(f"<th>{escape(heading)}</th>" for heading in _HEADINGS[self._language])
        lines = "".join(f"<tr>{_cells(self._task(task))}</tr>" for task in tasks)
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"

    def _task(self, task: Row) -> Iterator[str]:
        yield task["reference"]
        yield task["title"] if task["access"] == Access.FULL else self._word("summary")
        yield self._name("agency", task["accountable"]) if task["accountable"] else self._word("unaccepted")
        outcome = f" ({self._name('case_outcome', task['outcome'])})" if task["outcome"] else ""
        yield self._name("task_status", task["status"]) + outcome
        yield self._at(task["due_at"], task["region"])
        last = task["last_act"]
        yield f"{self._at(last['effective_at'], task['region'])}: {self._fact(last['kind'])}" if last else ""

    def _fact(self, kind: str) -> str:
        row = CATALOGUE[EventKind(kind)]
        return row.id if self._language == "id" else row.en

    def _at(self, instant: datetime | str | None, region: str) -> str:
        """An instant by the clocks of the region."""
        if instant is None:
            return ""
        moment = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
        zone = ZONES[self._names["zone", region]["label_id"]]
        return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")

    def _name(self, kind: str, code: str) -> str:
        """How people call it, or the code where nobody does."""
        found = self._names.get((kind, code))
        return str(found[f"label_{self._language}"]) if found else code

    def _told(self, record: Row, name: str) -> str:
        """What people wrote, in English where they did so too."""
        return str((self._language == "en" and record[f"{name}_en"]) or record[name])

    def _word(self, name: str) -> str:
        return _WORDS[name][self._language]


def _cells(texts: Iterable[str]) -> str:
    return "".join(f"<td>{escape(one)}</td>" for one in texts)
