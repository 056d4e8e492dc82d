"""Contestants as processes: started on a port of loopback, bounded in time, ended by their own ids; what they spend."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[3]
LONGEST = 4 * 3600  # seconds
PATIENCE = 60.0
PYTHON = sys.executable
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Served:
    """A contestant that listens."""

    pid: int
    port: int

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def module(name: str, told: Mapping[str, Any], *, log: Path, probe: str) -> Iterator[Served]:
    """A module of ours on a socket that it inherits, until the block ends."""
    with ExitStack() as stack:
        bound = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2048))
        command = [PYTHON, "-m", name, json.dumps({**told, "fd": bound.fileno()})]
        environment = {"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"}
        pid = stack.enter_context(started(command, environment=environment, log=log, keep=bound))
        served = Served(pid, bound.getsockname()[1])
        await_answer(served, probe)
        yield served


@contextmanager
def started(
    command: list[str], *, environment: Mapping[str, str], log: Path, keep: socket.socket | None = None
) -> Iterator[int]:
    """A process until the block ends, and no longer than some hours; what it says goes to a file."""
    bounded = [shutil.which("timeout") or "timeout", "--foreground", "--kill-after=10", str(LONGEST), *command]
    with log.open("ab") as said:
        process = subprocess.Popen(
            bounded,
            cwd=ROOT,
            env={**plain_environment(), **environment},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            pass_fds=() if keep is None else (keep.fileno(),),
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            for pid in (*descendants(process.pid), process.pid):
                _signal(pid, signal.SIGKILL)
            process.wait()


@contextmanager
def stilled(served: Collection[Served]) -> Iterator[None]:
    """Let these do nothing until the block ends: no background process of one works in the time of another."""
    pids = [pid for one in served for pid in descendants(one.pid)]  # not what bounds their time
    try:
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            _signal(pid, signal.SIGCONT)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has ended
        os.kill(pid, number)


def plain_environment() -> dict[str, str]:
    """The environment of a process that is told no more than a stranger's."""
    left_out = ("SIMPUL_", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


def free_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def await_answer(served: Served, path: str, *, ready: int | None = None) -> None:
    """Wait until the contestant answers, with this status where one is named."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            status = httpx.get(f"{served.address}{path}", timeout=5).status_code
            if status == ready or (ready is None and status < 500):
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise RuntimeError(f"nothing answers at {served.address}{path}")


# What processes spend


def descendants(pid: int) -> list[int]:
    """The processes below one, at any depth."""
    found: list[int] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            for child in map(int, listed.read_text().split()):
                found += [child, *descendants(child)]
    return found


def spent(pid: int) -> float:
    """Processor seconds of a process and all below it so far, of those that ended meanwhile too."""
    total = 0.0
    for one in (pid, *descendants(pid)):
        try:
            fields = Path(f"/proc/{one}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # the latter while it is read
            continue
        total += sum(int(field) for field in fields[11:15]) / _TICKS
    return total


def resident(pid: int) -> float:
    """Resident memory of a process, MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
