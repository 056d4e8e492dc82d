"""Access tokens (RFC 6749 client credentials); the surface of its own that the RFC prescribes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import unquote_plus

from fastapi import APIRouter, Form, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from app.db import encode
from app.errors import QuotaExceeded
from app.problems import responses
from app.schemas.clients import Token, TokenError
from app.services import clients
from app.services.clients import GrantRefused

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class _TokenRoute(APIRoute):
    """A route whose malformed requests, too, are refused in the form of RFC 6749."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the framework's handler."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError:
                return _refused(GrantRefused("invalid_request", "Send the parameters as a form."))

        return answer


router = APIRouter(tags=["access"], route_class=_TokenRoute)


@router.post(
    "/oauth2/token",
    operation_id="grantToken",
    summary="Fetch an access token",
    response_model=Token,
    responses={400: {"model": TokenError}, 401: {"model": TokenError}, **responses(QuotaExceeded)},
)
async def grant_token(
    request: Request,
    grant_type: Annotated[str | None, Form(examples=["client_credentials"])] = None,
    client_id: Annotated[str | None, Form()] = None,
    client_secret: Annotated[str | None, Form()] = None,
    scope: Annotated[str | None, Form(description="A lesser role than the client's own.")] = None,
    authorization: Annotated[str | None, Header(description="HTTP Basic with client id and secret.")] = None,
) -> Response:
    """Exchange client id and secret (in the form, or by HTTP Basic) for a bearer token of ten minutes.

    Errors come in the form of RFC 6749 section 5.2, but for 429: too many failures from this address.
    """
    quota, named = request.app.state.quota, ""
    try:
        named, secret = _credentials(authorization, client_id, client_secret)
        _require(grant_type)
        await quota.admit_grant(request, named)
        address = request.client.host if request.client else ""
        async with request.app.state.database.writing() as writer:
            granted = await clients.grant_token(
                writer, request.app.state.keys, client_id=named, secret=secret, scope=scope, address=address
            )
    except GrantRefused as refused:
        if refused.status == 401:
            await quota.blame_grant(request, named)
        return _refused(refused)
    token: dict[str, Any] = {
        "access_token": granted.access_token,
        "token_type": "Bearer",
        "expires_in": granted.expires_in,
        "scope": granted.scope,
    }
    return Response(encode(token), headers=_NO_STORE, media_type="application/json")


def _refused(refused: GrantRefused) -> Response:
    headers = {**_NO_STORE, **({"WWW-Authenticate": 'Basic realm="simpul"'} if refused.status == 401 else {})}
    content = {"error": refused.error, "error_description": refused.description}
    return Response(encode(content), refused.status, headers, "application/json")


def _require(grant_type: str | None) -> None:
    if grant_type is None:
        raise GrantRefused("invalid_request", "Send grant_type=client_credentials.")
    if grant_type != "client_credentials":
        raise GrantRefused("unsupported_grant_type", "Only client_credentials is supported.")


def _credentials(authorization: str | None, client_id: str | None, secret: str | None) -> tuple[str, str]:
    """Client id and secret, from the Basic header or the form, never both."""
    if authorization is not None:
        if secret is not None:
            raise GrantRefused("invalid_request", "Authenticate in one way only.")
        client_id, secret = _basic(authorization)
    if not client_id or not secret:
        raise GrantRefused("invalid_client", "Client id and secret do not match a usable client.", 401)
    return client_id, secret


def _basic(authorization: str) -> tuple[str | None, str | None]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        named, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:  # not base64, not ASCII, not UTF-8
        return None, None
    return unquote_plus(named), unquote_plus(secret)
