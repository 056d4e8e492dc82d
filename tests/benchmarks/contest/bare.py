"""Contestant a: a bare ASGI application that answers each path with the bytes that ours answered, from memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.contest.serving import serve, told
from starlette.types import Receive, Scope, Send


class Bare:
    """The bytes by path and query."""

    def __init__(self, kept: dict[str, str]) -> None:
        self.kept = {path.encode(): body.encode() for path, body in kept.items()}

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            return
        query = scope["query_string"]
        body = self.kept[scope["raw_path"] + (b"?" + query if query else b"")]
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        start: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    given = told()
    serve(Bare(json.loads(Path(given["kept"]).read_text())), given["fd"])
