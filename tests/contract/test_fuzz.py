"""Whatever the document allows, and what it doesn't: the answers are those it promises (Schemathesis)."""

from __future__ import annotations

import re
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from threading import Thread
from typing import Any
from uuid import uuid4

import httpx
import pytest
import schemathesis
import uvicorn
from bodies import Case as Lawful
from bodies import cases
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as how
from hypothesis.errors import FlakyStrategyDefinition, Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support import Agency, routes, scaled

from app.guard import GuardedRoute
from app.main import create_app
from app.rules.policy import Permission, may_enter
from app.rules.vocabulary import Role
from app.settings import Settings

pytestmark = pytest.mark.attack

PATIENCE = 20.0
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
]
#: Asked in this order, by the permission of the route.
ROLES = (Role.SUPERVISOR, Role.AGENCY_ADMIN, Role.OPERATOR)
#: What to put into a path beside what the lawful requests put there.
KNOWN = {
    ("regions", "code"): "35.73",
    ("reference", "list"): "category",
    ("mandates", "id"): "M01",
    ("agencies", "code"): "KPU_RI",
}
PLACE = re.compile(r"([a-z-]+)/{([a-z_]+)}")


class Served:
    """A service on loopback, and what is known of it: who may, and what there is."""

    def __init__(self, app: FastAPI, address: str, tokens: dict[Role, Any], lawful: list[Lawful]) -> None:
        self.app, self.address, self.tokens = app, address, tokens
        self.answered: Counter[int] = Counter()
        self.places = dict(KNOWN)
        self.callers: dict[tuple[str, str], Mapping[str, str]] = {}
        self.permissions: dict[tuple[str, str], Permission] = {}
        for one in routes(app):
            if isinstance(one.original_route, GuardedRoute):
                for method in one.methods or ():
                    self._learn(method, one.path, lawful)
                    self.permissions[method, one.path] = one.original_route.permission

    def _learn(self, method: str, template: str, lawful: list[Lawful]) -> None:
        """Take the names in the path of a lawful request of this route, and who may make it."""
        names = re.compile(re.sub(r"{([a-z_]+)}", r"(?P<\1>[^/]+)", template))
        for case in lawful:
            if case.method == method and (match := names.fullmatch(case.path)):
                self.callers[method, template] = case.caller.headers
                for segment, name in PLACE.findall(template):
                    self.places.setdefault((segment, name), match[name])

    def path_parameters(self, template: str) -> dict[str, str]:
        """Names of what is really there."""
        places = {name: self.places.get((segment, name)) for segment, name in PLACE.findall(template)}
        return {name: value for name, value in places.items() if value is not None}

    def headers(self, case: Case[Any]) -> dict[str, str]:
        """Somebody who may, and a key of its own; nothing where nobody needs a token."""
        route = (case.method.upper(), case.operation.path)
        if route not in self.permissions:
            return {}
        role = next(one for one in ROLES if may_enter(one, self.permissions[route]))
        headers = dict(self.callers.get(route, self.tokens[role]))
        given = {name.lower() for name in case.headers or ()}
        own = {} if unlawful(case) else {"idempotency-key": str(uuid4()), "if-match": '"1"'}
        return headers | {name: value for name, value in own.items() if name in given}

    def try_out(self, case: Case[Any]) -> Any:
        headers = self.headers(case)
        response = case.call(base_url=self.address, headers=headers, timeout=10)
        self.answered[response.status_code] += 1
        # What is unlawful in another way as well may be refused for that first.
        checks = [
            one for one in CHECKS if response.status_code not in {412, 413, 414} or one is not negative_data_rejection
        ]
        case.validate_response(response, checks=checks, headers=headers)
        return response


def unlawful(case: Case[Any]) -> bool:
    return case.meta is not None and case.meta.generation.mode is GenerationMode.NEGATIVE


@pytest.fixture(scope="module")
async def known(
    clone: Callable[[], Awaitable[str]], settings: Settings, credentials: list[dict[str, Any]]
) -> tuple[str, dict[Role, Any], list[Lawful]]:
    """A database with one of everything, and who may do what in it."""
    url = await clone()
    app = create_app(settings, url)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as http:

        async def signed_in(agency: str | None, role: str) -> Agency:
            found = next(one for one in credentials if one["agency"] == agency and one["role"] == role)
            return await Agency(http, found).sign_in()

        operator = await signed_in(None, "operator")
        admin = await signed_in("KPU_KOTA_MALANG", "agency_admin")
        bakesbangpol, bkpsdm, bawaslu = [
            await signed_in(f"{name}_KOTA_MALANG", "supervisor") for name in ("BAKESBANGPOL", "BKPSDM", "BAWASLU")
        ]
        lawful = list((await cases(bakesbangpol, bkpsdm, bawaslu, operator)).values())
    await app.state.database.close()
    holders = {Role.OPERATOR: operator, Role.AGENCY_ADMIN: admin, Role.SUPERVISOR: bakesbangpol}
    return url, {role: agency.headers for role, agency in holders.items()}, lawful


@pytest.fixture(scope="module")
def served(known: tuple[str, dict[Role, Any], list[Lawful]], settings: Settings) -> Iterator[Served]:
    url, tokens, lawful = known
    app = create_app(settings, url)
    app.openapi()  # before two threads ask for it at the same time
    with socket.create_server(("127.0.0.1", 0)) as bound:
        found = Served(app, f"http://127.0.0.1:{bound.getsockname()[1]}", tokens, lawful)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        until = time.monotonic() + PATIENCE
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < until, "the server did not start in time"
            time.sleep(0.02)
        try:
            yield found
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


def chosen(cases: int) -> how:
    return how(
        max_examples=cases,
        deadline=None,
        derandomize=not scaled(0, 1),  # the full run looks elsewhere each time
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def document(served: Served) -> Any:
    # without the one operation that ends the tokens of those who try
    return schemathesis.openapi.from_dict(served.app.openapi()).exclude(operation_id="revokeAllTokens")


WAYS = {
    "lawful, of what is there": (GenerationMode.POSITIVE, True),
    "unlawful, of what is there": (GenerationMode.NEGATIVE, True),
    "unlawful": (GenerationMode.NEGATIVE, False),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_answer_is_one_that_the_document_promises(served: Served, document: Any, way: str) -> None:
    mode, there = WAYS[way]
    operations = [one.ok() for one in document.get_all_operations()]
    tried, before = 0, served.answered.total()
    for operation in operations:
        names = served.path_parameters(operation.path) if there else {}
        strategy = operation.as_strategy(generation_mode=mode, path_parameters=names or None)

        @chosen(scaled(2, 28))
        @given(case=strategy)
        def attempt(case: Case[Any]) -> None:
            served.try_out(case)

        with suppress(Unsatisfiable):  # an operation without any input has no unlawful one
            attempt()
            tried += 1
    assert tried > 30
    assert served.answered.total() - before > tried
    assert served.answered[401] < served.answered.total() / 5, "nobody is let in any more"


def test_one_answer_leads_to_the_next(served: Served, document: Any) -> None:
    before = served.answered.copy()

    class Walk(document.as_state_machine()):  # type: ignore[misc] # made at run time
        """Steps from what one operation answered to the next."""

        def call(self, case: Case[Any], **_: Any) -> Any:
            return served.try_out(case)

        def validate_response(self, response: Any, case: Case[Any], **_: Any) -> None:
            """It was held against the document as soon as it came."""

    for _ in range(scaled(1, 40)):
        # What there is changes while it is walked through: Hypothesis, which repeats itself, may find that odd.
        with suppress(FlakyStrategyDefinition):
            Walk.run(settings=how(chosen(8), stateful_step_count=6))
    assert (served.answered - before).total() > 20
