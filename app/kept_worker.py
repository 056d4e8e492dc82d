"""The worker as a child of the service: one that ends is started again, and the last one ends with us."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import Final

import structlog

from app.settings import ROOT

#: How long we wait before another one (seconds): longer each time, from the first again after one that lasted.
FIRST_PAUSE, LAST_PAUSE, LASTED = 1.0, 30.0, 60.0
_LOOKED_AFTER_EVERY: Final = 0.2
_log: Final = structlog.get_logger()


@contextmanager
def kept_worker(url: str, *, grace: float) -> Iterator[None]:
    """Keep a worker alive for as long as the block lasts; it then has `grace` seconds to end."""
    enough = Event()
    keeper = Thread(target=_keep, args=(url, grace, enough), name="keeper", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        enough.set()
        keeper.join()


def _keep(url: str, grace: float, enough: Event) -> None:
    pause = FIRST_PAUSE
    while not enough.is_set():
        began = monotonic()
        try:
            said = str(_accompany(url, grace, enough))
        except OSError as error:
            said = str(error)
        if enough.is_set():
            return
        _log.error("worker_ended", status=said)
        pause = FIRST_PAUSE if monotonic() - began > LASTED else pause
        enough.wait(pause)
        pause = min(pause * 2, LAST_PAUSE)


def _accompany(url: str, grace: float, enough: Event) -> int:
    """Start a worker and stay with it until it ends, of itself or because it is enough; its exit status."""
    kept = {name: value for name, value in os.environ.items() if name != "SIMPUL_OWNER_URL"}  # none of its business
    environment = {**kept, "SIMPUL_DATABASE_URL": url, "SIMPUL_WORKER_URL": url}
    command = [sys.executable, "-m", "app.worker", "--with-parent"]
    # it ends when our end of its pipe closes, however we end
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE) as child:
        while child.poll() is None and not enough.wait(_LOOKED_AFTER_EVERY):
            pass
        if child.stdin is not None:
            child.stdin.close()
        try:
            return child.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()
