"""The service as a process of its own, on a database that is there already; everything it says is kept."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = float(os.environ.get("SIMPUL_TEST_PATIENCE", "30"))  # seconds: more on a machine that is busy otherwise


@dataclass
class Running:
    """A process, where it listens, and what it wrote since it was ready."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def raw(self, *parts: bytes, patience: float = 5.0) -> bytes:
        """Send bytes as they are; what comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as line:
            for part in parts:
                line.sendall(part)
            answer = b""
            while chunk := line.recv(65_536):
                answer += chunk
            return answer


def eventually(holds: Callable[[], bool], *, step: float = 0.02) -> None:
    """Wait up to ten seconds for something to hold."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(step)


@contextmanager
def running(url: str, settings: Settings, *, more: Mapping[str, str] | None = None) -> Iterator[Running]:
    """`simpul serve` until the block ends; `more` are further settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SIMPUL_")}
    rates = ("CLIENT", "AGENCY", "FAILURE", "GRANT_FAILURE")
    environment |= {f"SIMPUL_{name}_RATE": "100000/second" for name in rates}
    environment |= {"SIMPUL_DATABASE_URL": url, "SIMPUL_VAR": str(settings.var), "SIMPUL_PORT": "0"}
    environment |= {"SIMPUL_LOG_MEMORY": str(settings.log_memory or "")}
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve"],
        cwd=ROOT,
        env={**environment, **(more or {}), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    served = Running(process)
    listeners = [
        threading.Thread(target=served.said.extend, args=(stream,), daemon=True)
        for stream in (process.stdout, process.stderr)
        if stream is not None
    ]
    try:
        for listener in listeners:
            listener.start()
        _await(served)
        served.said.clear()  # the welcome shows the first clients, secrets and all: once, on purpose
        yield served
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for listener in listeners:
            listener.join(PATIENCE)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _await(served: Running) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        assert served.process.poll() is None, "".join(served.said)
        assert time.monotonic() < until, "".join(served.said)
        docs = [line for line in served.said if line.startswith("Docs: ")]
        if docs:
            served.port = int(docs[0].split()[1].removesuffix("/docs").rsplit(":", 1)[1])
            try:
                if httpx.get(f"{served.address}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
        time.sleep(0.05)


def resident(pid: int) -> float:
    """Resident memory of a process, MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def spent(pid: int) -> float:
    """Processor time of a process so far, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def token(http: httpx.AsyncClient, one: dict[str, Any]) -> str:
    """A fresh token."""
    form = {"grant_type": "client_credentials", "client_id": one["client_id"], "client_secret": one["client_secret"]}
    return str((await http.post("/oauth2/token", data=form)).json()["access_token"])
