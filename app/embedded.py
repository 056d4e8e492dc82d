"""The PostgreSQL that Simpul starts where none is configured: our child, behind one socket, durable.

The kernel's locks decide who may do what, never a process id read from a file:

* `owner.lock` is held by the process that serves a folder, for as long as it lives. Its text (process id, program,
  socket folder) is for people and for `attach`.
* `server.lock` is inherited by PostgreSQL and all its backends. Whoever gets it knows that none of them is left, so
  the files they left are stale, even if some other process has their number by now.

PostgreSQL refuses root, so for root it runs as `nobody`, or as the owner of data that is there already. Where nobody
cannot reach the folder or the programs, data and a copy of the programs go to /var/lib/simpul, and a link `elsewhere`
in the folder leads there: no mode of a folder that was there before is ever changed.

An owner killed with -9 takes its server along (parent-death signal, Linux only: elsewhere the server stays, and the
next start says so). Owners should spawn their worker processes: a bare fork would inherit `owner.lock`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from app.places import SOCKET, EmbeddedError, Site, home_of, new_folder, open_folder, settle, sync
from app.processes import call, spawn

__all__ = ["PATIENCE", "AlreadyRunning", "Cluster", "EmbeddedError", "attach", "serve"]

PATIENCE: Final = 30.0  # seconds: for a sign of life at the start, for a fast stop, for a predecessor to finish
_FIRST_WITH_BUILTIN_LOCALE: Final = 17
_SETTINGS: Final = (
    "--listen_addresses=",
    "--port=5432",
    "--unix_socket_permissions=0700",
    "--max_connections=100",
    "--shared_buffers=128MB",
    "--jit=off",
    "--timezone=UTC",
    "--log_timezone=UTC",
    "--log_error_verbosity=terse",  # statements and details of errors can name people; the log is for operators
    "--log_min_error_statement=panic",
)
_THROWAWAY: Final = ("--fsync=off", "--synchronous_commit=off", "--full_page_writes=off")


class AlreadyRunning(EmbeddedError):
    """Another process serves this folder; `pid` is its process id, or None when that is not known."""

    def __init__(self, folder: Path, *, pid: str = "", program: str = "") -> None:
        self.pid = int(pid) if pid.isdecimal() else None
        who = f"process {pid} {program}".rstrip() if self.pid else "another process"
        super().__init__(f"{folder} is already served by {who}: stop that first, or choose another folder.")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server: `url` reaches its database as superuser, `home` holds its data, `log` is what it says."""

    url: str = field(repr=False)
    home: Path
    log: Path


@contextmanager
def serve(folder: Path, *, durable: bool = True, binaries: Path | None = None) -> Iterator[Cluster]:
    """Run the server of this folder, created on first use, until the end of the block; `durable=False` is for tests.

    Raises AlreadyRunning when another process serves the folder, EmbeddedError when the server cannot be started.
    """
    folder = folder.resolve()
    with ExitStack() as stack:
        with _plain_words():
            open_folder(folder)
            owner = stack.enter_context(_locked(folder / "owner.lock", patience=0.5))
            stack.callback(os.ftruncate, owner, 0)
            _sign(owner)
            site = settle(folder, binaries)
            with _locked(site.lock, patience=PATIENCE) as server:
                if not site.data.exists():
                    _create(site, durable=durable)
                _clear(site)
                log_end = site.log.stat().st_size if site.log.exists() else 0
                child = spawn(site, server, _SETTINGS if durable else (*_SETTINGS, *_THROWAWAY))
            stack.callback(_stop, child, site)
            _await(child, site, log_end)
            _sign(owner, site.sockets)
            cluster = _cluster(site.home, site.sockets)
        yield cluster


def attach(folder: Path) -> Cluster | None:
    """The cluster that another process is serving out of this folder right now, or None.

    Raises EmbeddedError when this account may not know.
    """
    folder = folder.resolve()
    with _plain_words(), suppress(FileNotFoundError), (folder / "owner.lock").open() as owner:
        try:
            fcntl.flock(owner, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            match owner.read().splitlines():
                case [_, _, sockets] if _answers(Path(sockets, SOCKET)):
                    return _cluster(home_of(folder), Path(sockets))
    return None


def _cluster(home: Path, sockets: Path) -> Cluster:
    password = (home / "cluster/password").read_text()
    url = f"postgresql+asyncpg://simpul:{password}@/simpul?host={quote(str(sockets))}"
    return Cluster(url=url, home=home, log=home / "postgres.log")


@contextmanager
def _plain_words() -> Iterator[None]:
    """Say in a sentence what the operating system refused."""
    try:
        yield
    except PermissionError as error:
        closed = f"{error.filename} is closed to this account (uid {os.geteuid()})"
        raise EmbeddedError(f"{closed}: use the account that owns it, or choose another folder.") from error
    except OSError as error:
        raise EmbeddedError(f"The embedded PostgreSQL cannot be used: {error}.") from error


# Locks


@contextmanager
def _locked(path: Path, *, patience: float) -> Iterator[int]:
    """Hold the lock of a file; raises AlreadyRunning when nobody lets go of it within `patience` seconds.

    Some patience is always needed: `attach` takes the lock for an instant, too.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + patience
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                pid, program, *_ = (*os.pread(lock, 4096, 0).decode().splitlines(), "", "")
                raise AlreadyRunning(path.parent, pid=pid, program=program)
            time.sleep(0.02)
        yield lock
    finally:
        os.close(lock)


def _sign(lock: int, *sockets: Path) -> None:
    """Write into a lock who holds it and, once it answers, where."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, "\n".join((str(os.getpid()), f"({Path(sys.argv[0]).name})", *map(str, sockets))).encode(), 0)


def _create(site: Site, *, durable: bool) -> None:
    """Make the cluster beside its place, then move it there whole: a kill half-way leaves nothing but litter."""
    for litter in site.home.glob("new-*"):
        shutil.rmtree(litter, ignore_errors=True)
    staging = new_folder(site.home, prefix="new-")
    password, data = staging / "password", staging / "data"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(32))
    data.mkdir(mode=0o700)
    for item in (password, data):
        os.chown(item, *site.account)
    libc = "C.UTF-8" if sys.platform == "linux" else "C"  # pg_trgm goes by it, whoever provides the locale
    locale = ["--encoding=UTF8", f"--locale={libc}"]
    version = re.search(r"\d+", call(site, "postgres", "--version"))
    if version and int(version[0]) >= _FIRST_WITH_BUILTIN_LOCALE:
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    access = ("--username=simpul", "--auth=scram-sha-256", f"--pwfile={password}")
    hurry = () if durable else ("--no-sync",)
    call(site, "initdb", "-D", str(data), "--data-checksums", *locale, *access, *hurry)
    single = ("--single", "--exit_on_error=on", "-D", str(data), *(() if durable else _THROWAWAY))
    call(site, "postgres", *single, "postgres", text="CREATE DATABASE simpul\n")
    os.chown(password, os.geteuid(), os.getegid())
    for item in (password, staging):
        sync(item)
    staging.rename(site.home / "cluster")
    sync(site.home)


def _clear(site: Site) -> None:
    """Remove what a killed server left, lest PostgreSQL mistake the present bearer of its process id for it.

    `server.lock` is ours, so only a server started by hand can still be there: raises AlreadyRunning if one answers.
    """
    note = site.data / "postmaster.pid"
    if note.exists():
        match note.read_text().splitlines():
            case [pid, _, _, port, sockets, *_] if sockets and _answers(Path(sockets, f".s.PGSQL.{port}")):
                raise AlreadyRunning(site.home, pid=pid)
    for file in (note, site.sockets / SOCKET, site.sockets / f"{SOCKET}.lock"):
        file.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0)
        return probe.connect_ex(str(path)) in {0, errno.EAGAIN}


def _await(child: subprocess.Popen[bytes], site: Site, log_end: int) -> None:
    """Return once the server accepts connections, as told by the file in which pg_ctl looks for that.

    Raises EmbeddedError with what the server wrote beyond `log_end` when it ends or says nothing for too long.
    """
    seen, deadline = log_end, time.monotonic() + PATIENCE
    while child.poll() is None and time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            words = (site.data / "postmaster.pid").read_text().split()
            if words[:1] == [str(child.pid)] and words[-1] == "ready":
                return
        if (size := site.log.stat().st_size) != seen:  # crash recovery tells its progress: wait as long as it does
            seen, deadline = size, time.monotonic() + PATIENCE
        time.sleep(0.01)
    with site.log.open("rb") as log:
        log.seek(max(log_end, log.seek(0, os.SEEK_END) - 2000))
        last_words = log.read().decode(errors="replace").strip()
    raise EmbeddedError(f"PostgreSQL did not start ({site.log}):\n{last_words}")


def _stop(child: subprocess.Popen[bytes], site: Site) -> None:
    """Stop the server fast, else at once, else by force, and wait for its last process."""
    if sys.is_finalizing():
        return  # no thread can wait any more; the parent-death signal stops the server in a moment
    for sign, patience in ((signal.SIGINT, PATIENCE), (signal.SIGQUIT, PATIENCE / 3), (signal.SIGKILL, None)):
        child.send_signal(sign)
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):  # a second Ctrl-C means: hurry
            child.wait(patience)
            break
    with suppress(AlreadyRunning), _locked(site.lock, patience=PATIENCE / 3):
        pass  # the backends of a server that was killed need a moment more
    with suppress(OSError):
        site.sockets.rmdir()
