"""Several processes that serve the API on one port: all of them answer, one that dies is missed for a moment only."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from running import ROOT, Running, running, spent

from app.settings import Settings

pytestmark = pytest.mark.attack

PATIENCE = 60.0


def children(served: Running, module: str) -> set[int]:
    """The processes that it started of a module."""
    found = set()
    for one in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((one / "stat").read_text().rpartition(") ")[2].split()[1])
            if parent == served.process.pid and f"\0{module}\0" in (one / "cmdline").read_text():
                found.add(int(one.name))
        except OSError:
            continue  # it has gone
    return found


def answered(served: Running, count: int) -> int:
    """How many of so many requests, on a new connection each, got what they asked for."""
    good = 0
    with httpx.Client(base_url=served.address, headers={"Connection": "close"}, timeout=PATIENCE) as http:
        for _ in range(count):
            try:
                good += http.get("/readyz").status_code == 200
            except httpx.TransportError:
                continue
    return good


def until(served: Running, count: int, *, without: set[int]) -> set[int]:
    """Wait until there are so many processes of the API, none of those among them, and until they listen."""
    end = time.monotonic() + PATIENCE
    while len(found := children(served, "app.serving") - without) != count or answered(served, 20) != 20:
        assert time.monotonic() < end, (found, served.said)
        time.sleep(0.1)
    return found


@pytest.fixture
async def database_url(clone: Callable[[], Awaitable[str]]) -> str:
    return await clone()


def test_all_processes_answer_and_one_that_dies_is_replaced(database_url: str, settings: Settings) -> None:
    with running(database_url, settings, more={"SIMPUL_WORKERS": "2"}) as served:
        both = until(served, 2, without=set())
        assert len(children(served, "app.worker")) == 1
        before = {one: spent(one) for one in both}
        assert answered(served, 100) == 100
        assert all(spent(one) > before[one] for one in both)

        with socket.socket() as intruder, pytest.raises(OSError, match="in use"):
            intruder.bind(("127.0.0.1", served.port))

        dead = min(both)
        os.kill(dead, signal.SIGKILL)
        until(served, 2, without={dead})
        assert any("api_ended" in line for line in served.said)
    assert not [one for one in both if Path(f"/proc/{one}").exists()]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{served.address}/livez")


def test_a_second_service_on_the_port_is_refused(database_url: str, settings: Settings) -> None:
    with running(database_url, settings, more={"SIMPUL_WORKERS": "2"}) as served:
        until(served, 2, without=set())
        wanted = {"SIMPUL_DATABASE_URL": database_url, "SIMPUL_PORT": str(served.port), "SIMPUL_WORKERS": "2"}
        second = subprocess.run(
            [sys.executable, "-m", "app.cli", "serve"],
            cwd=ROOT, env={**os.environ, **wanted}, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert second.returncode == 1
        assert "can't be used" in second.stderr + second.stdout
