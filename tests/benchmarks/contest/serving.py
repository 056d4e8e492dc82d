"""How contestants a and b are served: as `simpul serve` serves ours, in processes that end with their parent."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

import uvicorn

from app.protocol import BoundedHttp

LONGEST = 4 * 3600  # seconds


def told() -> dict[str, Any]:
    """What this process was told on its command line."""
    return dict(json.loads(sys.argv[1]))


def serve(app: Any, listening: int) -> None:
    """Serve on an inherited socket until somebody ends this process, its parent is gone, or it is time."""
    threading.Thread(target=ends_with_parent, daemon=True).start()
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        http=BoundedHttp.of(60.0),
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=listening)])


def ends_with_parent() -> None:
    """End this process when its parent is gone, or when it is time."""
    parent = os.getppid()
    until = time.monotonic() + LONGEST
    while os.getppid() == parent and time.monotonic() < until:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
