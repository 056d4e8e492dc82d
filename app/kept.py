"""Children of the service, its worker and processes of its API: one that ends is started again, all end with us."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from typing import Final

import structlog

from app.settings import ROOT

#: How long we wait before another one (seconds): longer each time, from the first again after one that lasted.
FIRST_PAUSE, LAST_PAUSE, LASTED = 1.0, 30.0, 60.0
_LOOKED_AFTER_EVERY: Final = 0.2
_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Child:
    """A module that runs as a process of its own on a database, and ends when its standard input does."""

    name: str
    module: str
    argument: str
    url: str


def worker(url: str) -> Child:
    """The background process."""
    return Child("worker", "app.worker", "--with-parent", url)


def api(url: str, port: int) -> Child:
    """A process that serves the API, beside others on the same port."""
    return Child("api", "app.serving", str(port), url)


@contextmanager
def kept(*children: Child, grace: float) -> Iterator[None]:
    """Keep children alive for as long as the block lasts; they then have `grace` seconds to end."""
    enough = Event()
    keepers = [Thread(target=_keep, args=(one, grace, enough), name=one.name, daemon=True) for one in children]
    for keeper in keepers:
        keeper.start()
    try:
        yield
    finally:
        enough.set()
        for keeper in keepers:
            keeper.join()


def _keep(child: Child, grace: float, enough: Event) -> None:
    pause = FIRST_PAUSE
    while not enough.is_set():
        began = monotonic()
        try:
            said = str(_accompany(child, grace, enough))
        except OSError as error:
            said = str(error)
        if enough.is_set():
            return
        _log.error(f"{child.name}_ended", status=said)
        pause = FIRST_PAUSE if monotonic() - began > LASTED else pause
        enough.wait(pause)
        pause = min(pause * 2, LAST_PAUSE)


def _accompany(wanted: Child, grace: float, enough: Event) -> int:
    """Start a child and stay with it until it ends, of itself or because it is enough; its exit status."""
    # who owns the tables is none of its business
    inherited = {name: value for name, value in os.environ.items() if name != "SIMPUL_OWNER_URL"}
    environment = {**inherited, "SIMPUL_DATABASE_URL": wanted.url, "SIMPUL_WORKER_URL": wanted.url}
    command = [sys.executable, "-m", wanted.module, wanted.argument]
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
