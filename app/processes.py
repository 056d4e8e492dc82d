"""Starting the programs of PostgreSQL: never as root, never outliving us."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import Future
from threading import Thread
from typing import Final

from app.places import EmbeddedError, Site

_ENVIRONMENT: Final = {"LC_ALL": "C", "PATH": os.defpath}  # neither PGPORT to surprise the server nor our secrets
# A fresh interpreter, because a preexec_fn may deadlock in a process that has threads. The order matters: the kernel
# forgets the parent-death signal when the uid changes, and never sends it for a parent that died before it was set.
_LAUNCHER: Final = """
import ctypes, os, signal, sys
parent, uid, gid = map(int, sys.argv[1:4])
if os.geteuid() == 0:
    try:
        os.setgroups([]); os.setgid(gid); os.setuid(uid)
    except OSError as error:
        sys.exit(f"root cannot become uid {uid} here: {error}")
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGINT)
if os.getppid() == parent:
    os.execv(sys.argv[4], sys.argv[4:])
"""


def _launch(site: Site, program: str, *arguments: str) -> list[str]:
    launcher = (sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *map(str, site.account))
    return [*launcher, str(site.programs / program), *arguments]


def call(site: Site, program: str, *arguments: str, text: str = "") -> str:
    """Run a program and return what it prints; raises EmbeddedError with its last words when it fails."""
    command = _launch(site, program, *arguments)
    done = subprocess.run(command, input=text, capture_output=True, text=True, cwd="/", env=_ENVIRONMENT, check=False)
    if done.returncode != 0:
        raise EmbeddedError(f"{program} failed:\n{(done.stdout + done.stderr)[-2000:].strip()}")
    return done.stdout


def spawn(site: Site, server: int, settings: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Start the server, with the lock it inherits, from a thread that lives as long as it does.

    The parent-death signal is sent when the thread that forked ends, and ours may be a passing worker thread.
    """
    where = ("-D", str(site.data), f'--unix_socket_directories="{site.sockets}"')
    command = _launch(site, "postgres", *where, *settings)
    log = os.open(site.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    started: Future[subprocess.Popen[bytes]] = Future()

    def accompany() -> None:
        try:
            # A session of its own: Ctrl-C in the terminal is for us.
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=_ENVIRONMENT,
                pass_fds=(server,), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            started.set_exception(error)
        else:
            started.set_result(child)
            child.wait()

    Thread(target=accompany, name="postgres", daemon=True).start()
    try:
        return started.result()
    finally:
        os.close(log)
