"""A client that openapi-python-client makes of the document lives through a task, over a real socket."""

from __future__ import annotations

import importlib
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from threading import Thread
from typing import Any, Self
from uuid import uuid4

import pytest
import uvicorn

from app.main import create_app
from app.settings import ROOT, Settings

PATIENCE = 20.0


@pytest.fixture
async def database_of_its_own(clone: Callable[[], Awaitable[str]]) -> str:
    return await clone()


@pytest.fixture
def address(database_of_its_own: str, settings: Settings) -> Iterator[str]:
    """The service, listening on a free port of this machine until the test is over."""
    config = uvicorn.Config(create_app(settings, database_of_its_own), log_config=None, access_log=False)
    served = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = Thread(target=served.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        until = time.monotonic() + PATIENCE
        while not served.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < until, "the server did not start in time"
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            served.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """The client as an integrator makes it from the file in this repository; gives its modules by name."""
    folder = tmp_path_factory.mktemp("client")
    config = folder / "config.yml"
    config.write_text("post_hooks: []\n")
    generator = [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none"]
    where = {"--path": ROOT / "openapi/openapi.json", "--config": config, "--output-path": folder / "simpul_client"}
    options = [str(part) for option in where.items() for part in option]
    made = subprocess.run([*generator, *options], capture_output=True, text=True, check=False, timeout=120)
    assert made.returncode == 0, made.stdout + made.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield lambda name: importlib.import_module(f"simpul_client.{name}")


class Front:
    """An agency's front-end, written against the generated client alone."""

    def __init__(self, generated: Callable[[str], Any], address: str, credentials: dict[str, Any]) -> None:
        self._generated, self.models = generated, generated("models")
        shown = {name: credentials[name] for name in ("client_id", "client_secret")}
        form = self.models.BodyGrantToken(grant_type="client_credentials", **shown)
        with generated("client").Client(base_url=address) as anybody:
            token = self._call("access.grant_token", anybody, body=form)
        self._client = generated("client").AuthenticatedClient(base_url=address, token=token.parsed.access_token)

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        self._client.__exit__(*failure)

    def _call(self, operation: str, client: Any, *values: Any, **named: Any) -> Any:
        return self._generated(f"api.{operation}").sync_detailed(*values, client=client, **named)

    def read(self, operation: str, *values: Any) -> Any:
        return self._call(operation, self._client, *values)

    def write(self, operation: str, *values: Any, body: Any, read: Any = None) -> Any:
        """A POST with a key of its own and, where something was read before, its ETag."""
        condition = {} if read is None else {"if_match": read.headers["etag"]}
        answer = self._call(
            operation, self._client, *values, body=body, idempotency_key=str(uuid4()), acting_user="staf-7", **condition
        )
        assert answer.status_code < 300, answer.content
        return answer.parsed

    def move(self, task_id: Any, action: str, **said: Any) -> str:
        body = self.models.TransitionInput.from_dict({"action": action, **said})
        moved = self.write("tasks.move_task", task_id, body=body, read=self.read("tasks.show_task", task_id))
        return str(moved.status)


def test_a_generated_client_takes_a_task_from_log_to_close(
    generated: Callable[[str], Any], address: str, credentials: list[dict[str, Any]]
) -> None:
    by_agency = {one["agency"]: one for one in reversed(credentials) if one["role"] == "supervisor"}
    with (
        Front(generated, address, by_agency["BAKESBANGPOL_KOTA_MALANG"]) as bakesbangpol,
        Front(generated, address, by_agency["BKPSDM_KOTA_MALANG"]) as bkpsdm,
    ):
        models = bakesbangpol.models

        logged = bakesbangpol.write(
            "tasks.log_task",
            body=models.TaskInput(
                title="Sosialisasi netralitas ASN",
                description="Sosialisasi kepada ASN Kota Malang sebelum masa kampanye.",
                category="asn_neutrality",
                function=models.Function.PREVENTION,
                region="35.73",
            ),
        )
        assert (logged.status, logged.open_referral.to_agency) == ("assigned", "BKPSDM_KOTA_MALANG")

        referral = bkpsdm.read("referrals.show_referral", logged.open_referral.id)
        answer = models.ResponseInput(answer=models.ResponseInputAnswer.ACCEPTED)
        accepted = bkpsdm.write("referrals.answer_referral", logged.open_referral.id, body=answer, read=referral)
        assert accepted.status == "accepted"

        assert bkpsdm.move(logged.id, "start") == "in_progress"
        assert bkpsdm.move(logged.id, "resolve", outcome="mitigated", note="Selesai.", facts={"participants": 642}) == (
            "resolved"
        )
        assert bakesbangpol.move(logged.id, "confirm") == "closed"

        history = bakesbangpol.read("tasks.show_task_history", logged.id).parsed
        assert [one.kind for one in history.items][-3:] == ["task.started", "task.resolved", "task.confirmed"]
        assert history.items[-1].acting_user == "staf-7"


def test_a_generated_client_reads_a_refusal_as_a_problem(
    generated: Callable[[str], Any], address: str, credentials: list[dict[str, Any]]
) -> None:
    with Front(generated, address, credentials[0]) as kpu:
        refused = kpu.read("tasks.show_task", uuid4())
    assert (refused.status_code, type(refused.parsed).__name__, refused.parsed.code) == (404, "Problem", "not-found")
