"""GuardedRoute: every route names its permission, checked before the body is read; and owns the transaction."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.routing import APIRoute

from app import errors
from app.claims import Claims
from app.db import Executor, Reader, Writer
from app.errors import (
    Fault,
    IdempotencyKeyMissing,
    InvalidParameter,
    PermissionDenied,
    Problem,
    TokenMissing,
)
from app.lagging import MayLag
from app.parameters import known_to, refuse_unknown
from app.problems import responses
from app.provided import Mark, handed_out
from app.refusals import UNKNOWN
from app.rules.caller import Caller
from app.rules.policy import Permission, may_enter
from app.rules.vocabulary import Role
from app.services import callers, idempotency, sequencer, signing
from app.services.callers import Bearer
from app.services.idempotency import Answer
from app.services.replica import Replica
from app.wire import decode

Handler = Callable[[Request], Awaitable[Response]]

_BEARER: Final = re.compile(r"bearer +(\S+)", re.IGNORECASE | re.ASCII)
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_ACTING_USER: Final = re.compile(r"[\x21-\x7e]{1,100}", re.ASCII)
_KEPT_HEADERS: Final = ("content-type", "etag", "location", "cache-control", "preference-applied", "audit-receipt")


_WRITES: Final = frozenset({"POST", "PATCH", "PUT", "DELETE"})
_USUAL: Final = (
    errors.UnknownParameter,
    errors.InvalidParameter,
    errors.TokenMissing,
    errors.TokenInvalid,
    errors.PermissionDenied,
    errors.AgencySuspended,
    errors.AddressNotAllowed,
    errors.QuotaExceeded,
    errors.UriTooLong,
    errors.Internal,
    errors.Overloaded,
    errors.Timeout,
    errors.TemporarilyUnavailable,
)
_OF_WRITES: Final = (
    errors.MalformedJson,
    errors.JsonDepth,
    errors.JsonDuplicateKey,
    errors.JsonNumber,
    errors.BodyTooLarge,
    errors.UnsupportedMediaType,
    errors.ValidationFailed,
    errors.TextEncoding,
    errors.Storage,
)
_OF_POST: Final = (
    errors.IdempotencyKeyMissing,
    errors.IdempotencyInProgress,
    errors.IdempotencyKeyReused,
)


class Needs(Mark):
    """The permission that a route names, and the refusals it adds."""

    def __init__(self, permission: Permission, *refusals: type[Problem]) -> None:
        self.permission, self.refusals = permission, refusals


def needs(permission: Permission, *refusals: type[Problem]) -> Any:
    """Name the permission of a route, and the refusals beyond those of every route of its kind.

    `dependencies=[needs(P.TASK_LOG, MandateGap)]`
    """
    return Depends(Needs(permission, *refusals))


async def _idempotency_key(idempotency_key: Annotated[str | None, Header()] = None) -> None:
    """Documents the header, which the guard reads itself."""


class Asked(Request):
    """A request whose JSON is read strictly."""

    async def json(self) -> Any:
        """The body as strict JSON; raises the refusals of `wire.decode`."""
        if not hasattr(self, "_json"):
            self._json = decode(await self.body())
        return self._json


class GuardedRoute(APIRoute):
    """A route behind a permission. Fails at import if it names none.

    Reads get a connection, writes a transaction that commits before the response starts; a POST keeps its answer
    for replay in that same transaction.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **kwargs: Any) -> None:
        given = kwargs.get("dependencies") or ()
        marks = [one.dependency for one in given if isinstance(one.dependency, Mark)]
        kwargs["dependencies"] = [one for one in given if not isinstance(one.dependency, Mark)]
        named = [one for one in marks if isinstance(one, Needs)]
        if len(named) != 1:
            raise TypeError(f"{path} must name exactly one permission")
        self.permission: Permission = named[0].permission
        self.may_lag = next((one for one in marks if isinstance(one, MayLag)), None)
        methods = set(kwargs["methods"])
        if "POST" in methods:
            kwargs["dependencies"] = [*kwargs["dependencies"], Depends(_idempotency_key)]
        usual = _USUAL + (_OF_WRITES if methods & _WRITES else ()) + (_OF_POST if "POST" in methods else ())
        refusals: tuple[type[Problem], ...] = (*usual, *named[0].refusals)
        kwargs["responses"] = {**(kwargs.get("responses") or {}), **responses(*dict.fromkeys(refusals))}
        said = inspect.cleandoc(endpoint.__doc__ or "")
        age = "\n\nA replica may give it, a few seconds old." if self.may_lag else ""
        kwargs["description"] = f"{said}{age}\n\nPermission: `{self.permission}`."
        super().__init__(path, endpoint, **kwargs)

    def get_route_handler(self) -> Any:
        """Wrap the framework's handler in the guard."""
        whole = self.dependant
        self.dependant = handed_out(whole)
        handle = super().get_route_handler()
        self.dependant = whole  # which the documents are made of
        known = known_to(whole)
        read = self._read if self.may_lag is None else self._read_somewhere

        async def guarded(request: Request) -> Response:
            asked = Asked(request.scope, request.receive)
            answer = read if request.method in {"GET", "HEAD"} else self._write
            try:
                return await answer(asked, handle, known)
            except Problem as refused:
                await self._note(request, refused)
                raise

        return guarded

    async def _note(self, request: Request, refused: Problem) -> None:
        """Keep what was refused to a caller, whose transaction is over; raises QuotaExceeded, 503."""
        kept = request.app.state.refusals
        if isinstance(refused, UNKNOWN):
            kept.count(request, refused.code, client=getattr(request.state, "client", None))
            if refused.status == 401:
                await request.app.state.quota.blame(request)
        elif refused.status == 403 or refused.denied:
            await kept.record(request, refused, operation=self.operation_id or self.name)

    async def _read(self, request: Request, handle: Handler, known: frozenset[str]) -> Response:
        claims = await _claims(request)
        async with request.app.state.database.reading() as reader:
            request.state.reader = reader
            await self._enter(request, reader, claims)
            refuse_unknown(request, known)
            return await handle(request)

    async def _read_somewhere(self, request: Request, handle: Handler, known: frozenset[str]) -> Response:
        """Read from the replica, if there is one and the request may; who asks, the primary says."""
        replica: Replica = request.app.state.replica
        if self.may_lag is None or not replica.configured or not self.may_lag.when(request):
            return await self._read(request, handle, known)
        claims = await _claims(request)

        async def enter(reader: Reader) -> Caller:
            await self._enter(request, reader, claims)
            refuse_unknown(request, known)
            caller: Caller = request.state.caller
            return caller

        async def ask(reader: Reader, _: Caller) -> Response:
            request.state.reader = reader
            return await handle(request)

        return await replica.ask(enter, ask)

    async def _write(self, request: Request, handle: Handler, known: frozenset[str]) -> Response:
        database, claims = request.app.state.database, await _claims(request)
        async with AsyncExitStack() as stack:
            async with database.writing() as writer:
                await self._enter(request, writer, claims)
                refuse_unknown(request, known)
                body = await stack.enter_async_context(_arriving(request))
                if body.done():
                    return await self._carry_out(request, writer, handle, await body)
            content = await body  # long in coming: nobody waits for its connection meanwhile
            async with database.writing() as writer:
                await self._enter(request, writer, claims)  # anew: much may have happened
                return await self._carry_out(request, writer, handle, content)

    async def _carry_out(self, request: Request, writer: Writer, handle: Handler, body: bytes) -> Response:
        keys, request.state.writer = request.app.state.keys, writer
        if request.method != "POST":
            return await _promised(request, await handle(request))
        path = request.scope["path"]
        ticket = idempotency.ticket(request.state.caller, _key(request), method="POST", path=path, body=body)
        kept = await idempotency.begin(writer, keys, ticket)
        if kept is not None:
            return Response(kept.body, kept.status, {**kept.headers, "Idempotent-Replayed": "true"})
        response = await _promised(request, await handle(request))
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        await idempotency.keep(writer, keys, ticket, Answer(response.status_code, headers, bytes(response.body)))
        return response

    async def _enter(self, request: Request, executor: Executor, claims: Claims) -> None:
        """Hold the claims against the database and check the route's permission.

        Raises TokenInvalid, PermissionDenied, AgencySuspended, AddressNotAllowed, QuotaExceeded.
        """
        address, request_id = request.client.host if request.client else "", request.state.request_id
        caller = await callers.identify(
            executor, claims, address=address, acting_user=_acting_user(request), request_id=request_id
        )
        request.state.caller, request.state.bearer = caller, Bearer(claims, address, request_id)
        await request.app.state.quota.spend(request, caller)
        if not may_enter(Role(caller.role), self.permission):
            raise PermissionDenied(permission=self.permission.value)


@asynccontextmanager
async def _arriving(request: Request) -> AsyncIterator[asyncio.Task[bytes]]:
    """The body of a request: done where it is there already, as most are by now. Left unread when the block ends."""
    body = asyncio.create_task(request.body())
    try:
        await asyncio.sleep(0)  # what is there is read in one turn of the loop
        yield body
    finally:
        body.cancel()
        await asyncio.gather(body, return_exceptions=True)


async def _promised(request: Request, response: Response) -> Response:
    """The answer to a write, with the receipt for its facts."""
    receipt = await sequencer.receipt(request.state.writer, request_id=request.state.request_id)
    if receipt is not None:
        response.headers["Audit-Receipt"] = receipt
    return response


def guarded(**kwargs: Any) -> APIRouter:
    """A router all of whose routes are guarded."""
    return APIRouter(route_class=GuardedRoute, **kwargs)


async def _claims(request: Request) -> Claims:
    """What the caller's token says, before a connection is taken: a flood of forgeries costs others none.

    Several Authorization lines are one list (RFC 9110 section 5.2), and a list is no token.
    Raises TokenMissing, TokenInvalid.
    """
    match = _BEARER.fullmatch(", ".join(request.headers.getlist("authorization")))
    if match is None:
        raise TokenMissing
    claims = await signing.verified(request.app.state.database, request.app.state.keys, match[1])
    request.state.client = claims.client_id
    return claims


def _key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if not _KEY.fullmatch(key):
        raise IdempotencyKeyMissing
    return key


def _acting_user(request: Request) -> str | None:
    given = request.headers.get("acting-user")
    if given is not None and not _ACTING_USER.fullmatch(given):
        wrong = Fault(
            "acting_user",
            "Send 1 to 100 visible ASCII characters, an opaque staff id.",
            "Kirim 1 sampai 100 karakter ASCII, id staf yang tidak bermakna.",
            parameter="Acting-User",
        )
        raise InvalidParameter(errors=[wrong])
    return given
