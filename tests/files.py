"""Files of the follow-up matrix as the tests read them."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import openpyxl
from fastapi import FastAPI
from openpyxl.workbook.workbook import Workbook
from support import Agency

from app.matrix import CSV, NDJSON, XLSX

KINDS = (CSV, NDJSON, XLSX)


async def file_of(agency: Agency, kind: str, *, language: str = "en", **params: str) -> httpx.Response:
    """The list as a file."""
    answer = await agency.get("/v1/tasks", params=params, headers={"Accept": kind, "Accept-Language": language})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].partition(";")[0] == kind
    return answer


async def list_of(agency: Agency, **params: str) -> list[dict[str, Any]]:
    """The list itself, page by page, in the order that files have."""
    asked = {"sort": "-effective_at", "limit": "200", **params}
    found: list[dict[str, Any]] = []
    while True:
        page = (await agency.get("/v1/tasks", params=asked)).json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        asked["cursor"] = page["next_cursor"]


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    """The tasks of NDJSON."""
    return [json.loads(line) for line in answer.content.splitlines()]


def records(answer: httpx.Response) -> list[dict[str, str]]:
    """The rows of CSV by their headings."""
    text = answer.content.decode("utf-8-sig")
    assert "\n" not in text.replace("\r\n", "") or '"' in text
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def workbook(content: bytes) -> Workbook:
    """An XLSX, read with every guard against hostile XML; openpyxl uses defusedxml where it is there."""
    assert openpyxl.DEFUSEDXML
    return openpyxl.load_workbook(io.BytesIO(content))


def table(book: Workbook) -> list[dict[str, Any]]:
    """The rows of its first sheet by their headings."""
    sheet = book.worksheets[0]
    heads, *rows = list(sheet.iter_rows(min_row=4, values_only=True))
    return [dict(zip(map(str, heads), row, strict=True)) for row in rows]


@dataclass
class Download:
    """A download over ASGI whose reader decides when it reads on, and may go."""

    app: FastAPI
    agency: Agency
    kind: str = NDJSON
    query: bytes = b""
    status: int = 0
    parts: list[bytes] = field(default_factory=list)
    whole: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, meanwhile: Callable[[Download], Awaitable[None]]) -> Download:
        """Read part by part; `meanwhile` is awaited after each, before the next is read."""
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                return
            if message.get("body"):
                self.parts.append(message["body"])
            self.whole = not message.get("more_body", False)
            await meanwhile(self)

        headers = [(name.lower().encode(), said.encode()) for name, said in self.agency.headers.items()]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/v1/tasks",
            "raw_path": b"/v1/tasks",
            "query_string": self.query,
            "root_path": "",
            "headers": [*headers, (b"accept", self.kind.encode())],
            "client": ("127.0.0.1", 1),
            "server": ("simpul", 80),
            "state": {},
        }
        await self.app(scope, receive, send)
        return self
