"""The API as one process serves it: alone, or beside others on the same port, each with a socket of its own.

The kernel deals out new connections among the sockets that listen on one port (SO_REUSEPORT, on Linux evenly), so that
nobody hands them on, and one who dies takes no more than its own along. Quotas, seats and figures are of each process.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from threading import Thread
from typing import Final

import uvicorn

from app import logs
from app.main import create_app
from app.protocol import BoundedHttp, Server
from app.settings import Settings, settings

#: How long answers that are under way may take when a process is to end (seconds).
GRACE: Final = 8


def server(chosen: Settings, url: str) -> Server:
    """The API over a database."""
    api = create_app(chosen, url)
    config = uvicorn.Config(
        api,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # an address that anybody may claim restricts nobody
        server_header=False,
        http=BoundedHttp.of(chosen.stream_patience),
        ws="none",
        timeout_graceful_shutdown=GRACE,
    )
    return Server(config, ending=api.state.listeners.end)


def bind(host: str, port: int) -> socket.socket:
    """A port for us alone; raises OSError."""
    return _bound(host, port, socket.SO_REUSEADDR)


def bind_beside(host: str, port: int) -> socket.socket:
    """The same port as others of our account who ask for it likewise; raises OSError."""
    return _bound(host, port, socket.SO_REUSEADDR, socket.SO_REUSEPORT)


def _bound(host: str, port: int, *options: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        for option in options:
            made.setsockopt(socket.SOL_SOCKET, option, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def _end_with_parent(serving: Server) -> None:
    while os.read(0, 4096):  # as `sys.stdin` a thread that waits would hold a lock that our end needs
        pass
    serving.should_exit = True


def main() -> None:
    """Serve beside others on the port that is given, until standard input ends."""
    chosen = settings()
    if chosen.database_url is None:
        raise SystemExit("Set SIMPUL_DATABASE_URL; `.venv/bin/python -m app.cli serve` does it for its own processes.")
    logs.configure()
    serving = server(chosen, chosen.database_url.get_secret_value())
    Thread(target=_end_with_parent, args=(serving,), daemon=True).start()
    with bind_beside(chosen.host, int(sys.argv[1])) as bound, suppress(KeyboardInterrupt):  # Ctrl-C is for all of us
        serving.run(sockets=[bound])


if __name__ == "__main__":
    main()
