"""One API process of ours on a socket that several may share, configured as `simpul serve` configures it."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from benchmarks.contest.serving import ends_with_parent, told

from app import logs, serving
from app.settings import Settings


def main(url: str, var: str, listening: int) -> None:
    """Serve until told to stop."""
    threading.Thread(target=ends_with_parent, daemon=True).start()
    logs.configure()
    rate = "1000000/second"
    chosen = Settings(var=Path(var), client_rate=rate, agency_rate=rate, failure_rate=rate, grant_failure_rate=rate)
    serving.server(chosen, url).run(sockets=[socket.socket(fileno=listening)])


if __name__ == "__main__":
    given = told()
    main(given["url"], given["var"], given["fd"])
