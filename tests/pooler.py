"""A PgBouncer in transaction mode before the throwaway server: one socket, never as root, gone with the block."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.engine import make_url

from app import processes

PROGRAM: Final = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
_SOCKET: Final = ".s.PGSQL.6432"


@contextmanager
def pooled(url: str, *, size: int) -> Iterator[str]:
    """The address of the same database through a pooler that keeps `size` connections to it."""
    assert PROGRAM is not None
    whom = make_url(url)
    host = whom.host or str(whom.query["host"])
    folder = Path(tempfile.mkdtemp(prefix="simpul-pooler-", dir="/tmp"))  # a socket's path must be short
    account = Path(host).stat() if host.startswith("/") else folder.stat()  # who may enter the server's socket folder
    (folder / "users").write_text(f'"{whom.username}" "{whom.password}"\n')
    (folder / "pooler.ini").write_text(
        f"[databases]\n* = host={host} port={whom.port or 5432}\n"
        "[pgbouncer]\npool_mode = transaction\nlisten_addr =\nlisten_port = 6432\n"
        f"unix_socket_dir = {folder}\nlogfile = {folder}/log\nauth_type = scram-sha-256\nauth_file = {folder}/users\n"
        f"default_pool_size = {size}\nmax_client_conn = 200\nquery_wait_timeout = 20\n"
    )
    for one in (folder, *folder.iterdir()):
        os.chown(one, account.st_uid, account.st_gid)
    child = subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", "-c", processes._LAUNCHER),
            *(str(os.getpid()), str(account.st_uid), str(account.st_gid)),
            *(PROGRAM, "-q", str(folder / "pooler.ini")),
        ],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 15
        while not (folder / _SOCKET).exists():
            assert child.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        yield whom.set(host=None, port=None, query={"host": str(folder), "port": "6432"}).render_as_string(
            hide_password=False
        )
    finally:
        child.terminate()
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        shutil.rmtree(folder)
