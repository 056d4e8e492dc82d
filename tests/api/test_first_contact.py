"""First contact: one command on an empty folder, a curl that works as pasted, and nothing lost to a kill."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.settings import ROOT

PATIENCE = 60
FIVE = (
    "KPU_KOTA_MALANG",
    "BAWASLU_KOTA_MALANG",
    "POLRESTA_MALANG_KOTA",
    "KODIM_0833_KOTA_MALANG",
    "BAKESBANGPOL_KOTA_MALANG",
)
FIRST = [
    *((agency, "supervisor") for agency in (*FIVE, "BKPSDM_KOTA_MALANG")),
    *((agency, "agency_admin") for agency in FIVE),
    (None, "operator"),
    (None, "operator"),
]


class Service:
    """`simpul serve` as a process of its own."""

    def __init__(self, var: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SIMPUL_")}
        environment |= {"SIMPUL_VAR": str(var), "SIMPUL_PORT": "0", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self.readers = [
            threading.Thread(target=kept.extend, args=(stream,), daemon=True)
            for kept, stream in ((self.lines, self.process.stdout), (self.errors, self.process.stderr))
            if stream is not None
        ]
        for reader in self.readers:
            reader.start()

    def address(self) -> str:
        """Where it listens, once it answers."""
        self.wait(lambda: any(line.startswith("Docs: ") for line in self.lines))
        (line,) = [line for line in self.lines if line.startswith("Docs: ")]
        address = line.split()[1].removesuffix("/docs")
        self.wait(lambda: _ready(address))
        return address

    def wait(self, happened: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not happened():
            assert self.process.poll() is None, "".join(self.lines + self.errors)
            assert time.monotonic() < end, "".join(self.lines + self.errors)
            time.sleep(0.1)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(timeout=PATIENCE)
        for reader in self.readers:
            reader.join(timeout=PATIENCE)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that the account of PostgreSQL may enter; pytest's own is closed to it."""
    made = Path(tempfile.mkdtemp(prefix="simpul-first-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        elsewhere = [link.resolve() for link in made.rglob("elsewhere") if link.is_symlink()]
        for one in (*elsewhere, made):
            shutil.rmtree(one, ignore_errors=True)


def processes_of(var: Path) -> list[str]:
    """Whoever still names this folder on its command line or works in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                said = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(var) in said or (entry / "cwd").resolve().is_relative_to(var):
                    found.append(said)
            except OSError:
                continue
    return found


@contextmanager
def first_contact() -> Iterator[dict[str, Any]]:
    """Everything that happens at first contact; the promises below read what was seen."""
    seen: dict[str, Any] = {}
    with folder() as place, ExitStack() as running:
        var = place / "var"
        first = Service(var)
        running.callback(first.end, signal.SIGKILL)
        address = first.address()
        second = Service(var)
        running.callback(second.end, signal.SIGKILL)
        seen["readyz"] = httpx.get(f"{address}/readyz").json()
        seen["printed"] = "".join(first.lines)
        seen["mode"] = stat.S_IMODE((var / "credentials.json").stat().st_mode)
        seen["credentials"] = json.loads((var / "credentials.json").read_text())
        curl = next(line for line in first.lines if line.startswith("curl "))
        pasted = subprocess.run(["/bin/sh", "-c", curl], capture_output=True, text=True, timeout=PATIENCE, check=True)
        seen["pasted"] = json.loads(pasted.stdout)
        seen["docs"] = httpx.get(f"{address}/docs")
        seen["assets"] = [
            httpx.get(f"{address}{path}").status_code
            for path in re.findall(r'(?:src|href)="(/[^"]+)"', seen["docs"].text)
        ]
        seen["second"] = (second.process.wait(timeout=PATIENCE), second)
        second.end()
        seen["logged"] = _log(address, seen["credentials"][1])
        first.end(signal.SIGKILL)
        began = time.monotonic()
        third = Service(var)
        running.callback(third.end, signal.SIGKILL)
        address = third.address()
        seen["warm"] = time.monotonic() - began
        seen["kept"] = _read(address, seen["credentials"][1], seen["logged"]["id"])
        seen["credentials again"] = json.loads((var / "credentials.json").read_text())
        seen["printed again"] = "".join(third.lines)
        seen["ended"] = third.end()
        end = time.monotonic() + 10
        while (left := processes_of(var)) and time.monotonic() < end:
            time.sleep(0.1)
        seen["left"] = left
        yield seen


def _headers(address: str, client: dict[str, str]) -> dict[str, str]:
    form = {name: client[name] for name in ("client_id", "client_secret")}
    granted = httpx.post(f"{address}/oauth2/token", data={"grant_type": "client_credentials", **form})
    return {"Authorization": f"Bearer {granted.json()['access_token']}"}


def _log(address: str, client: dict[str, str]) -> dict[str, Any]:
    body = {
        "title": "Pengawasan gudang logistik",
        "description": "Sebelum listrik padam",
        "category": "logistics",
        "function": "monitoring",
        "region": "35.73",
    }
    headers = {**_headers(address, client), "Idempotency-Key": "before-the-kill"}
    logged = httpx.post(f"{address}/v1/tasks", json=body, headers=headers)
    assert logged.status_code == 201, logged.text
    return dict(logged.json())


def _read(address: str, client: dict[str, str], task_id: str) -> dict[str, Any]:
    return dict(httpx.get(f"{address}/v1/tasks/{task_id}", headers=_headers(address, client)).json())


def one_command_serves_everything(story: dict[str, Any]) -> None:
    assert story["readyz"]["status"] == "ready"


def the_first_clients_are_kept_in_order_and_for_their_owner_only(story: dict[str, Any]) -> None:
    assert story["mode"] == 0o600
    kept = story["credentials"]
    assert [(one["agency"], one["role"]) for one in kept] == FIRST
    assert all(one.keys() == {"agency", "client_id", "client_secret", "role"} for one in kept)
    assert len({one["client_secret"] for one in kept}) == len({one["client_id"] for one in kept}) == 13


def the_first_clients_are_printed_with_their_secrets(story: dict[str, Any]) -> None:
    for one in story["credentials"]:
        assert one["client_id"] in story["printed"]
        assert one["client_secret"] in story["printed"]


def the_printed_curl_works_as_pasted(story: dict[str, Any]) -> None:
    titles = [one["title"] for one in story["pasted"]["items"] if one["access"] == "full"]
    assert len(story["pasted"]["items"]) > 3
    assert titles


def the_docs_need_no_internet(story: dict[str, Any]) -> None:
    assert story["docs"].status_code == 200
    assert story["assets"]
    assert set(story["assets"]) == {200}
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', story["docs"].text)


def a_second_one_in_the_same_folder_says_so_and_steps_back(story: dict[str, Any]) -> None:
    code, second = story["second"]
    assert code == 1
    assert "already running" in "".join(second.errors)
    assert "Traceback" not in "".join(second.errors)


def a_kill_loses_nothing(story: dict[str, Any]) -> None:
    assert story["kept"]["id"] == story["logged"]["id"]
    assert story["kept"]["title"] == "Pengawasan gudang logistik"
    assert story["credentials again"] == story["credentials"]


def the_second_start_is_quick(story: dict[str, Any]) -> None:
    assert story["warm"] < 30


def it_ends_when_told_and_leaves_no_process_behind(story: dict[str, Any]) -> None:
    assert story["ended"] == 0
    assert story["left"] == []


# One test, because two workers would live through the whole story twice.
PROMISES = (
    one_command_serves_everything,
    the_first_clients_are_kept_in_order_and_for_their_owner_only,
    the_first_clients_are_printed_with_their_secrets,
    the_printed_curl_works_as_pasted,
    the_docs_need_no_internet,
    a_second_one_in_the_same_folder_says_so_and_steps_back,
    a_kill_loses_nothing,
    the_second_start_is_quick,
    it_ends_when_told_and_leaves_no_process_behind,
)


def test_first_contact_keeps_every_promise() -> None:
    with first_contact() as story:
        for promise in PROMISES:
            promise(story)
