"""Access tokens (RFC 6749, 7009, 7523, 7662, 8414, 7517); the surface of its own that the RFCs prescribe."""

from __future__ import annotations

import base64
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, unquote_plus
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from app import errors
from app.assertions import ALGORITHMS
from app.db import encode
from app.problems import responses
from app.rules.vocabulary import Role
from app.schemas.clients import ActiveToken, InactiveToken, PublishedKeys, ServerMetadata, Token, TokenError
from app.services import authentication, signing, tokens
from app.services.authentication import GrantRefused, Known, Presented

_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
#: Shorter than a key is published before it signs would be too often to ask; a new key is looked up when it is met.
_SHORT: Final = {"Cache-Control": "public, max-age=60"}
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 20
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_METHODS: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt")
_UNAVAILABLE: Final = responses(errors.Internal, errors.TemporarilyUnavailable)
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": TokenError},
    401: {"model": TokenError},
    **responses(
        *(errors.BodyTooLarge, errors.UriTooLong, errors.QuotaExceeded, errors.Internal),
        *(errors.Overloaded, errors.Timeout, errors.TemporarilyUnavailable),
    ),
}


class _FormRoute(APIRoute):
    """A route that takes a form, and refuses in the form of RFC 6749, malformed requests too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the framework's handler."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                _require_form(request, await request.body())
                return await handle(request)
            except GrantRefused as refused:
                return _refused(refused)
            except (RequestValidationError, HTTPException):
                return _refused(_not_a_form())

        return answer


router = APIRouter(tags=["access"])
_forms = APIRouter(route_class=_FormRoute, tags=["access"])


async def _presented(
    request: Request,
    client_id: Annotated[str | None, Form()] = None,
    client_secret: Annotated[str | None, Form()] = None,
    client_assertion_type: Annotated[str | None, Form(examples=[_ASSERTION])] = None,
    client_assertion: Annotated[
        str | None, Form(description="A JWT signed with the client's registered key (RFC 7523), good for one use.")
    ] = None,
    authorization: Annotated[str | None, Header(description="HTTP Basic with client id and secret.")] = None,
) -> Presented:
    """What the client shows, in exactly one of the three ways; raises GrantRefused."""
    if (authorization, client_secret, client_assertion).count(None) < 2:
        raise GrantRefused("invalid_request", "Authenticate in one way only.")
    if (client_assertion is None) != (client_assertion_type is None):
        raise GrantRefused("invalid_request", "Send client_assertion and client_assertion_type together.")
    if client_assertion is not None and client_assertion_type == _ASSERTION:
        return Presented(client_id, assertion=client_assertion)
    if authorization is not None:
        client_id, client_secret = _basic(authorization)
    if not client_id or not client_secret:
        raise _no_client(request)
    return Presented(client_id, secret=client_secret)


async def _known(request: Request, presented: Presented) -> Known:
    """The client, its use or misuse recorded in a transaction of its own; raises GrantRefused, QuotaExceeded."""
    state = request.app.state
    async with state.database.writing() as writer:
        known = await authentication.authenticate(
            writer,
            state.keys,
            presented,
            address=request.client.host if request.client else "",
            request_id=request.state.request_id,
        )
    if known is None:
        refused = _no_client(request, authentication.named(presented, audiences=state.database.settings.audiences))
        await state.quota.blame_grant(request, presented.client_id or "")
        raise refused
    await state.quota.spend(request, known.caller(request.state.request_id))
    return known


Shows = Annotated[Presented, Depends(_presented)]
AToken = Annotated[str | None, Form(description="An access token.")]
AHint = Annotated[str | None, Form(description="`access_token`: there are no others.", examples=["access_token"])]


@_forms.post(
    "/oauth2/token",
    operation_id="grantToken",
    summary="Fetch an access token",
    response_model=Token,
    responses=_REFUSALS,
)
async def grant_token(
    request: Request,
    presented: Shows,
    grant_type: Annotated[str | None, Form(examples=["client_credentials"])] = None,
    scope: Annotated[str | None, Form(description="A lesser role than the client's own.")] = None,
) -> Response:
    """Exchange client id and secret (in the form or by HTTP Basic), or an assertion, for a bearer token of ten minutes.

    An assertion is a JWT (ES256, `kid` of a registered key) with `iss` and `sub` the client id, `aud` our
    `issuer` or the token endpoint, a fresh `jti`, and `exp` five minutes ahead at most. Errors come in the form of
    RFC 6749 section 5.2, but for 413, 414, 429, 500 and 503, which are problem documents; 429: the quota of your client
    or agency is spent, or there were too many failures from your address. One answer, `invalid_client`, for all that
    is wrong with a client: a wrong, ended or revoked credential, a suspended client or agency, a network not permitted.
    """
    if grant_type is None:
        raise GrantRefused("invalid_request", "Send grant_type=client_credentials.")
    if grant_type != "client_credentials":
        raise GrantRefused("unsupported_grant_type", "Only client_credentials is supported.")
    known = await _known(request, presented)
    granted = await tokens.grant(request.app.state.database, request.app.state.keys, known, scope=scope)
    return _shown(
        {
            "access_token": granted.access_token,
            "token_type": "Bearer",
            "expires_in": granted.expires_in,
            "scope": granted.scope,
        }
    )


@_forms.post(
    "/oauth2/introspect",
    operation_id="introspectToken",
    summary="Ask what a token is good for",
    response_model=ActiveToken | InactiveToken,
    responses=_REFUSALS,
)
async def introspect_token(
    request: Request, presented: Shows, token: AToken = None, token_type_hint: AHint = None
) -> Response:
    """Whether a token of your agency is good now, and for what (RFC 7662); operators may ask about any.

    Revocations, suspensions and ended credentials show at once. All else is `{"active": false}`, whatever the cause.
    Authenticate as at the token endpoint.
    """
    del token_type_hint  # RFC 7662 section 2.1: a help for servers that have several kinds
    wanted, known = _required(token), await _known(request, presented)
    return _shown(await tokens.introspect(request.app.state.database, request.app.state.keys, known, wanted))


@_forms.post(
    "/oauth2/revoke",
    operation_id="revokeToken",
    summary="Revoke a token",
    responses={
        **_REFUSALS,
        200: {
            "description": "The token is good no more, or never was; with a receipt if it was good until now.",
            "headers": {"Audit-Receipt": {"$ref": "#/components/headers/Audit-Receipt"}},
        },
    },
    response_class=Response,
)
async def revoke_token(
    request: Request, presented: Shows, token: AToken = None, token_type_hint: AHint = None
) -> Response:
    """Revoke your client's own token, from the next request on (RFC 7009); 200 as well for what is no good token.

    A token of another client is refused (`unauthorized_client`), for it still works. Authenticate as at the token
    endpoint.
    """
    del token_type_hint  # likewise
    wanted, known = _required(token), await _known(request, presented)
    state = request.app.state
    receipt = await tokens.revoke(state.database, state.keys, known, wanted, request_id=request.state.request_id)
    return Response(headers={**_NO_STORE, **({"Audit-Receipt": receipt} if receipt else {})})


@router.get(
    "/.well-known/jwks.json",
    operation_id="showSigningKeys",
    summary="The public keys of our tokens",
    response_model=PublishedKeys,
    responses=_UNAVAILABLE,
)
async def show_signing_keys(request: Request) -> Response:
    """Under which keys our access tokens are verified (RFC 7517).

    A key stands here before it signs; fetch this again, at most once a minute, when you meet a `kid` you do not know.
    A signature alone does not make a token good: it may have been revoked, which only we can tell (introspection).
    """
    await signing.keep_up(request.app.state.database, request.app.state.keys)
    return Response(encode(signing.published(request.app.state.keys)), headers=_SHORT, media_type="application/json")


@router.get(
    "/.well-known/oauth-authorization-server",
    operation_id="showServerMetadata",
    summary="What an OAuth client needs to know about us",
    response_model=ServerMetadata,
    responses=_UNAVAILABLE,
)
async def show_server_metadata(request: Request) -> Response:
    """The endpoints and what they support (RFC 8414).

    `issuer` is the configured name, which stands in every token, and need not be a URL as that RFC has it; the
    endpoints lie at `SIMPUL_PUBLIC_URL`, whatever name a request came to.
    """
    settings = request.app.state.database.settings
    base = settings.base_url
    how = {
        f"{one}_endpoint_auth_{name}_supported": supported
        for one in ("token", "introspection", "revocation")
        for name, supported in (("methods", _METHODS), ("signing_alg_values", ALGORITHMS))
    }
    content = {
        "issuer": settings.issuer,
        "token_endpoint": f"{base}/oauth2/token",
        "jwks_uri": f"{base}/.well-known/jwks.json",
        "introspection_endpoint": f"{base}/oauth2/introspect",
        "revocation_endpoint": f"{base}/oauth2/revoke",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "scopes_supported": list(Role),
        **how,
    }
    return Response(encode(content), headers=_SHORT, media_type="application/json")


router.routes.extend(_forms.routes)


def _shown(content: dict[str, Any]) -> Response:
    return Response(encode(content), headers=_NO_STORE, media_type="application/json")


def _refused(refused: GrantRefused) -> Response:
    headers = {**_NO_STORE, **({"WWW-Authenticate": 'Basic realm="simpul"'} if refused.status == 401 else {})}
    content = {"error": refused.error, "error_description": refused.description}
    return Response(encode(content), refused.status, headers, "application/json")


def _no_client(request: Request, client: UUID | None = None) -> GrantRefused:
    """The one refusal of all that is wrong with a client, counted."""
    request.app.state.refusals.count(request, "invalid-client", client=client)
    return GrantRefused("invalid_client", "What was sent does not prove a usable client.", 401)


def _not_a_form() -> GrantRefused:
    return GrantRefused("invalid_request", f"Send each parameter once, as {_FORM}.")


def _require_form(request: Request, body: bytes) -> None:
    """Refuse other content types, and parameters sent twice (RFC 6749 section 3.2); raises GrantRefused."""
    kind = request.headers.get("content-type", _FORM).partition(";")[0].strip().lower()
    try:
        sent = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise _not_a_form() from None
    if kind != _FORM or len(dict(sent)) != len(sent):
        raise _not_a_form()


def _required(token: str | None) -> str:
    if not token:
        raise GrantRefused("invalid_request", "Send the token.")
    return token


def _basic(authorization: str) -> tuple[str | None, str | None]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        named, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:  # not base64, not ASCII, not UTF-8
        return None, None
    return unquote_plus(named), unquote_plus(secret)
