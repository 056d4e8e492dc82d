"""Secrets, keys and tokens of clients over HTTP."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request, Response

from app import answers
from app.deps import Caller, Keys, Reader, Writer
from app.errors import ExpiryInFreezeWindow, NotFound, TransitionNotAllowed
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.schemas.client_credentials import (
    Key,
    KeyInput,
    KeyList,
    NewSecret,
    ReasonInput,
    RotationInput,
    Secret,
    SecretList,
    TokensRevoked,
)
from app.services import client_keys, client_secrets, token_epochs

router = guarded(prefix="/v1", tags=["access"])


@router.get(
    "/clients/{id}/secrets",
    operation_id="listSecrets",
    summary="List the secrets of a client",
    response_model=SecretList,
    dependencies=[needs(P.SECRET_READ, NotFound)],
)
async def list_secrets(reader: Reader, caller: Caller, id: UUID) -> Response:
    """All it ever had, by their last four characters: when each ends or ended, when and from where it was used."""
    return answers.items(await client_secrets.list_secrets(reader, caller, id))


@router.post(
    "/clients/{id}/secrets",
    operation_id="rotateSecret",
    summary="Rotate the secret of a client",
    status_code=201,
    response_model=NewSecret,
    dependencies=[needs(P.SECRET_ROTATE, NotFound, TransitionNotAllowed, ExpiryInFreezeWindow)],
)
async def rotate_secret(
    request: Request, writer: Writer, caller: Caller, keys: Keys, id: UUID, input: RotationInput
) -> Response:
    """The new secret works at once and is shown this once; the one before it works on for `overlap_days`.

    Two work at most: a third ends the oldest at once. An overlap never lengthens a secret's life, and a secret so
    retired may end in a freeze window, for its successor lives. A client may rotate its own secret with a token for its
    full role; with `overlap_days` 0 that token and all keys end as well, and an answer lost on the way can't be
    replayed: leave a day unless the old secret leaked. A client cleared for `rahasia` is rotated by itself, by who is
    cleared, or by an operator.

    **Freeze windows**: no credential may end from 14 days before the vote of any election to the end of its count (the
    stage `count_recap`, else 14 days after the vote), days in WIB. A date asked for in one is refused
    (`expiry-in-freeze-window`), a default one moves to before it.
    """
    rotated = await client_secrets.rotate(writer, caller, keys, id, input)
    return answers.written(request, rotated, status=201, location=f"/v1/clients/{id}/secrets")


@router.post(
    "/clients/{id}/secrets/{secret}/revocation",
    operation_id="revokeSecret",
    summary="Revoke a secret",
    response_model=Secret,
    dependencies=[needs(P.SECRET_REVOKE, NotFound, TransitionNotAllowed)],
)
async def revoke_secret(
    request: Request, writer: Writer, caller: Caller, id: UUID, secret: UUID, input: ReasonInput
) -> Response:
    """The secret and every token fetched with it are refused from the next request on, be it the client's last one."""
    return answers.written(request, await client_secrets.revoke(writer, caller, id, secret, input.reason))


@router.get(
    "/clients/{id}/keys",
    operation_id="listKeys",
    summary="List the public keys of a client",
    response_model=KeyList,
    dependencies=[needs(P.KEY_READ, NotFound)],
)
async def list_keys(reader: Reader, caller: Caller, id: UUID) -> Response:
    """All it ever had, by kid and thumbprint (RFC 7638)."""
    return answers.items(await client_keys.list_keys(reader, caller, id))


@router.post(
    "/clients/{id}/keys",
    operation_id="registerKey",
    summary="Register a public key",
    status_code=201,
    response_model=Key,
    dependencies=[needs(P.KEY_REGISTER, NotFound, TransitionNotAllowed, ExpiryInFreezeWindow)],
)
async def register_key(request: Request, writer: Writer, caller: Caller, id: UUID, input: KeyInput) -> Response:
    """A P-256 key with which the client signs assertions (`private_key_jwt`), so that no secret need be kept here.

    No key and no kid of a client is taken twice; five keys may live at once. A client may register its own with a token
    for its full role. Freeze windows hold as for secrets.
    """
    registered = await client_keys.register(writer, caller, id, input)
    return answers.written(request, registered, status=201, location=f"/v1/clients/{id}/keys")


@router.post(
    "/clients/{id}/keys/{key}/revocation",
    operation_id="revokeKey",
    summary="Revoke a public key",
    response_model=Key,
    dependencies=[needs(P.KEY_REVOKE, NotFound, TransitionNotAllowed)],
)
async def revoke_key(
    request: Request, writer: Writer, caller: Caller, id: UUID, key: UUID, input: ReasonInput
) -> Response:
    """The key and every token fetched with it are refused from the next request on, be it the client's last one."""
    return answers.written(request, await client_keys.revoke(writer, caller, id, key, input.reason))


@router.post(
    "/clients/{id}/token-revocation",
    operation_id="revokeTokens",
    summary="Revoke all tokens of a client",
    response_model=TokensRevoked,
    dependencies=[needs(P.TOKENS_REVOKE, NotFound)],
)
async def revoke_tokens(request: Request, writer: Writer, caller: Caller, id: UUID, input: ReasonInput) -> Response:
    """Every token it holds is refused from the next request on; with its secret or key it may fetch new ones."""
    return answers.written(request, await token_epochs.revoke_of_client(writer, caller, id, input.reason))


@router.post(
    "/token-revocation",
    operation_id="revokeAllTokens",
    summary="Revoke all tokens of everybody",
    response_model=TokensRevoked,
    dependencies=[needs(P.TOKENS_REVOKE_ALL)],
)
async def revoke_all_tokens(request: Request, writer: Writer, caller: Caller, input: ReasonInput) -> Response:
    """An operator's emergency brake: every token there is, yours too, is refused from the next request on."""
    return answers.written(request, await token_epochs.revoke_all(writer, caller, input.reason))
