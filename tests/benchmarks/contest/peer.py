"""Contestant d: Kinto, a generic store of JSON records over HTTP that keeps all it has in PostgreSQL.

It is installed beside ours (`requirements-peer.lock`, `.venv/peer`), for its pins are its own, and runs as its
documentation says: `pserve` with waitress, storage, permissions and cache in PostgreSQL, here in a database of the same
cluster. Its collection holds the same documents as ours. It knows no visibility within a collection, no workflow and no
history; a caller proves who it is with a password.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
from benchmarks.contest import ground, processes
from benchmarks.contest.ground import Ground
from benchmarks.contest.hand_sql import documents
from benchmarks.contest.processes import Served
from sqlalchemy import make_url

PLACE = processes.ROOT / ".venv/peer"
COLLECTION = "/v1/buckets/bench/collections/tasks"
RECORDS = f"{COLLECTION}/records"
HEADERS = {"Authorization": "Basic " + base64.b64encode(b"bench:bench").decode()}
THREADS = 8
_SETTINGS = """
[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = {port}
threads = {threads}
connection_limit = 1000

[app:main]
use = egg:kinto
kinto.storage_backend = kinto.core.storage.postgresql
kinto.storage_url = {url}
kinto.storage_pool_size = {threads}
kinto.permission_backend = kinto.core.permission.postgresql
kinto.permission_url = {url}
kinto.permission_pool_size = {threads}
kinto.cache_backend = kinto.core.cache.postgresql
kinto.cache_url = {url}
kinto.cache_pool_size = {threads}
kinto.bucket_create_principals = system.Authenticated
kinto.userid_hmac_secret = bench
multiauth.policies = basicauth

[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = WARNING
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
format = %(message)s
"""


def installed() -> bool:
    """Whether it is there."""
    return (PLACE / "bin/pserve").exists()


@contextmanager
def served(ours: Ground, folder: Path) -> Iterator[Served]:
    """Kinto on a database of its own, loaded with our tasks."""
    url = asyncio.run(ground.another(ours.url, "kinto"))
    port, settings = processes.free_port(), folder / "kinto.ini"
    settings.touch(mode=0o600)
    settings.write_text(_SETTINGS.format(port=port, url=_plain(url).replace("%", "%%"), threads=THREADS))
    plain = {name: content for name, content in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run([PLACE / "bin/kinto", "migrate", "-q", "--ini", settings], check=True, env=plain, timeout=120)
    command = [str(PLACE / "bin/pserve"), "-q", str(settings)]
    with processes.started(command, environment={}, log=ours.logs / "peer.log") as pid:
        answering = Served(pid, port)
        processes.await_answer(answering, "/v1/", ready=200)
        with httpx.Client(base_url=answering.address, headers=HEADERS) as http:
            for path in ("/v1/buckets/bench", COLLECTION):
                http.put(path, json={}).raise_for_status()
        asyncio.run(_load(_plain(ours.url), _plain(url)))
        yield answering


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


async def _load(ours: str, theirs: str) -> None:
    """Every task as a record, the newest change last, a millisecond apart: their order is that of ours."""
    source, target = await asyncpg.connect(ours), await asyncpg.connect(theirs)
    chunks: asyncio.Queue[bytes | None] = asyncio.Queue(64)

    async def read() -> None:
        try:
            await source.copy_from_query(documents(), output=chunks.put, format="text")
        finally:
            await chunks.put(None)

    async def given() -> AsyncIterator[bytes]:
        while (chunk := await chunks.get()) is not None:
            yield chunk

    columns = ["id", "parent_id", "resource_name", "last_modified", "data", "deleted"]
    reading = asyncio.create_task(read())
    await target.execute("alter table objects disable trigger tgr_objects_last_modified")  # the times are given
    await target.copy_to_table("objects", source=given(), columns=columns, format="text")
    await reading
    await target.execute("alter table objects enable trigger tgr_objects_last_modified")
    await target.execute("vacuum analyze objects")
    await source.close()
    await target.close()


def newest(filters: Mapping[str, str] | None = None, *, limit: int = 50) -> str:
    """The address of its newest records; a filter compares as JSON, in which a text has quotes."""
    asked = "".join(f"&{name}={quote(json.dumps(content))}" for name, content in (filters or {}).items())
    return f"{RECORDS}?_sort=-last_modified&_limit={limit}{asked}"


def items(answer: httpx.Response) -> list[dict[str, Any]]:
    """The documents of a page, without what is Kinto's own."""
    return [document(one) for one in json.loads(answer.content)["data"]]


def document(record: dict[str, Any]) -> dict[str, Any]:
    """The document that a record is, without what is Kinto's own."""
    return {name: content for name, content in record.items() if name not in {"last_modified", "schema"}}
