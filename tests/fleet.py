"""Three stock PostgreSQLs of one database on this machine: a primary, and two that follow it, each behind a socket.

A write counts once one of the two has it (`ANY 1 (east, west)`), so that either may be promoted. Nothing promotes by
itself: an operator does, and `promote` does it as an operator would.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from app import embedded
from app.places import Site, new_folder, open_folder, settle
from app.processes import call

PRIMARY, FOLLOWERS = "primary", ("east", "west")
#: What each of them is told, in the file that `alter system` writes.
SETTINGS: Final = {
    "synchronous_standby_names": f"ANY 1 ({', '.join(FOLLOWERS)})",
    "hot_standby_feedback": "on",
    "max_standby_streaming_delay": "1s",
    "wal_keep_size": "512MB",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "200ms",
}
_PATIENCE: Final = 30.0


@dataclass
class Fleet:
    """Where they are, and how one logs in to their database."""

    folder: Path
    login: URL
    running: dict[str, ExitStack] = field(default_factory=dict)

    def site(self, name: str) -> Site:
        """Where a server lives."""
        return settle(self.folder / name, None)

    def url(self, *names: str, role: str = "") -> str:
        """The address of the database on these servers, one of which is to have a role."""
        port = ":5432" if len(names) > 1 else ""
        wanted = [f"host={quote(str(self.site(name).sockets))}{port}" for name in names]
        wanted += [f"target_session_attrs={role}"] if role else []
        login = f"{self.login.username}:{self.login.password}"
        return f"postgresql+asyncpg://{login}@/{self.login.database}?{'&'.join(wanted)}"

    def start(self, name: str, *, durable: bool) -> None:
        """Run a server until it is stopped, or all are."""
        stack = self.running[name] = ExitStack()
        stack.enter_context(embedded.serve(self.folder / name, durable=durable))

    def stop(self, name: str) -> None:
        """Stop a server in good order."""
        self.running.pop(name).close()

    def stop_all(self) -> None:
        """Stop all that run, those that follow first: a primary waits for them."""
        for name in reversed(self.running):
            self.running[name].close()

    def kill(self, name: str) -> None:
        """Let a server die in the middle of what it does (kill -9)."""
        os.kill(int((self.site(name).data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    async def ask(self, name: str, *statements: str) -> Any:
        """The first value that the last of some statements brings, as superuser."""
        engine = create_async_engine(self.url(name), isolation_level="AUTOCOMMIT")
        try:
            async with engine.connect() as connection:
                for statement in statements:
                    found = await connection.execute(text(statement))
                return found.scalar() if found.returns_rows else None
        finally:
            await engine.dispose()

    async def until(self, name: str, question: str) -> None:
        """Wait until a server says yes."""
        end = time.monotonic() + _PATIENCE
        while True:
            with suppress(SQLAlchemyError, OSError):
                if await self.ask(name, question):
                    return
            assert time.monotonic() < end, f"{name}: {question}"

    async def promote(self) -> str:
        """Make the follower that has received more the primary; its name."""
        received = {one: await self.ask(one, "select pg_last_wal_receive_lsn() - '0/0'") for one in FOLLOWERS}
        chosen = max(FOLLOWERS, key=lambda one: received[one])
        assert await self.ask(chosen, "select pg_promote(wait_seconds => 30)")
        return chosen

    async def checkpoint(self, promoted: str) -> None:
        """Let the other one know for sure, rather than minutes later, that it follows the one that was promoted."""
        await self.ask(promoted, "checkpoint")
        place = await self.ask(promoted, "select pg_current_wal_flush_lsn()::text")
        (other,) = {*FOLLOWERS} - {promoted}
        await self.until(other, f"select pg_last_wal_replay_lsn() >= '{place}'")
        await self.ask(other, "checkpoint")

    def copy(self, name: str, origin: URL) -> None:
        """Make a server out of a copy of another one, which goes on meanwhile."""
        site = self.site(name)
        made = new_folder(site.home, prefix="new-")
        password, passwords, data = made / "password", made / "passwords", made / "data"
        password.touch(mode=0o600)
        password.write_text(str(origin.password))
        passwords.touch(mode=0o600)
        passwords.write_text(f"*:*:*:*:{origin.password}\n")
        data.mkdir(mode=0o700)
        for one in (passwords, data):
            os.chown(one, *site.account)
        whom = f"host={origin.query['host']} port=5432 user={origin.username} passfile={passwords}"
        call(site, "pg_basebackup", "-D", str(data), "-d", whom, "--checkpoint=fast", "--no-sync")
        passwords.unlink()
        made.rename(site.home / "cluster")

    def tell(self, name: str, told: dict[str, str]) -> None:
        """Add to the settings of a server that is not running."""
        with (self.site(name).data / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{one} = '{said}'\n" for one, said in told.items())

    def follow(self, name: str, *others: str) -> None:
        """Let a server that is not running follow whichever of the others is the primary."""
        hosts = ",".join(str(self.site(one).sockets) for one in others)
        login = f"user={self.login.username} password={self.login.password} application_name={name}"
        self.tell(name, {"primary_conninfo": f"host={hosts} port=5432 {login} target_session_attrs=read-write"})
        signal_file = self.site(name).data / "standby.signal"
        signal_file.touch(mode=0o600)
        os.chown(signal_file, *self.site(name).account)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for their data, gone with the block, as is what went elsewhere for an account that can't enter it."""
    folder = Path(tempfile.mkdtemp(prefix="simpul-fleet-")).resolve()
    folder.chmod(0o711)
    try:
        for name in (PRIMARY, *FOLLOWERS):
            open_folder(folder / name)
        yield folder
    finally:
        for elsewhere in folder.glob("*/elsewhere"):
            shutil.rmtree(elsewhere.readlink(), ignore_errors=True)
        shutil.rmtree(folder)


@asynccontextmanager
async def fleet(origin: str, *, durable: bool = False) -> AsyncIterator[Fleet]:
    """A primary, which is a copy of a running server, and two that follow it, for as long as the block lasts."""
    with _folder() as folder, ExitStack() as stack:
        made = Fleet(folder, make_url(origin))
        stack.callback(made.stop_all)
        made.copy(PRIMARY, make_url(origin))
        made.start(PRIMARY, durable=durable)
        # the throwaway settings say otherwise, and what is acknowledged is to be on two servers
        await made.ask(PRIMARY, f"alter role {made.login.username} set synchronous_commit = 'on'")
        for name, other in zip(FOLLOWERS, reversed(FOLLOWERS), strict=True):
            made.copy(name, make_url(made.url(PRIMARY)))
            made.tell(name, SETTINGS)
            made.follow(name, PRIMARY, other)
            made.start(name, durable=durable)
        await made.ask(PRIMARY, *(f"alter system set {name} = '{said}'" for name, said in SETTINGS.items()))
        await made.ask(PRIMARY, "select pg_reload_conf()")
        await made.until(PRIMARY, "select count(*) = 2 from pg_stat_replication where sync_state = 'quorum'")
        yield made
