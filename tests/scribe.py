"""Writes down real answers, one an operation, as the examples of the OpenAPI document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
from fastapi import FastAPI
from support import routes

from app.openapi import operations

# Of the right form, and plainly nobody's: what a caller could use must not stand in a public document.
SECRET = "smp_embedded_ThisIsAnExampleAndNobodysSecretAtAll0000000_000000"
TOKEN = f"eyJ0eXAiOiJhdCtqd3QifQ.eyJpc3MiOiJleGFtcGxlIn0.{'A' * 86}"
_CURSOR = "an-opaque-cursor"


class Scribe:
    """Keeps the first successful answer of each operation that it sees."""

    def __init__(self, app: FastAPI) -> None:
        self.seen: dict[str, dict[str, Any]] = {}
        self.all = {one["operationId"] for _, _, one in operations(app.openapi())}
        self._routes = routes(app)

    async def watch(self, response: httpx.Response) -> None:
        """An event hook of the client whose answers are wanted."""
        await response.aread()
        scope = {"type": "http", "method": response.request.method, "path": response.request.url.path}
        for one in self._routes:
            match, child = one.matches(scope)
            if match.value == 2:
                if response.is_success and one.operation_id in self.all:
                    self.seen.setdefault(one.operation_id, _example(response, child["path_params"]))
                return

    def write(self, folder: Path) -> None:
        """Put the answers in place of those that were kept before."""
        for old in folder.glob("*.json"):
            old.unlink()
        for name, example in self.seen.items():
            text = json.dumps(example, indent=1, ensure_ascii=False) + "\n"
            (folder / f"{name}.json").write_text(text, encoding="utf-8")


def _example(response: httpx.Response, path_parameters: dict[str, Any]) -> dict[str, Any]:
    request = response.request
    sent = request.content.decode()
    form = request.headers.get("content-type") == "application/x-www-form-urlencoded"
    body = (dict(parse_qsl(sent)) if form else json.loads(sent)) if sent else None
    return {
        "parameters": {name: str(given) for name, given in path_parameters.items()} | dict(request.url.params),
        "request": _harmless(body),
        "response": _harmless(response.json() if response.content else None),
        "status": response.status_code,
    }


def _harmless(content: Any) -> Any:
    if isinstance(content, dict):
        hidden = {"client_secret": SECRET, "access_token": TOKEN, "token": TOKEN, "next_cursor": _CURSOR}
        return {name: hidden[name] if name in hidden and one else _harmless(one) for name, one in content.items()}
    return content
