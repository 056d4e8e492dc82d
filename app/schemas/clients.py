"""Clients, tokens and the caller itself on the wire."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from app.rules.vocabulary import Clearance, ClientStatus, Role
from app.schemas.client_credentials import Key, Secret
from app.schemas.types import AgencyCode, Command, Line, Shown, absent, distinct


def _written(value: Any) -> Any:
    """Refuse numbers, which the library would take for addresses."""
    if not isinstance(value, str):
        en, id_ = "Give a network as text, e.g. 10.0.0.0/8.", "Berikan jaringan sebagai teks, mis. 10.0.0.0/8."
        raise PydanticCustomError("network", "{en}", {"en": en, "id": id_})
    return value


def _usable(value: str) -> str:
    """Refuse ports that no browser would name in an Origin."""
    port = value.rpartition(":")[2]
    usual = "443" if value.startswith("https:") else "80"
    if port.isdecimal() and (port == usual or port[0] == "0" or int(port) > 65_535):
        en, id_ = (
            "A browser never says this port in an Origin.",
            "Peramban tidak pernah menyebut porta ini dalam Origin.",
        )
        raise PydanticCustomError("origin", "{en}", {"en": en, "id": id_})
    return value


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_written)]
Networks = Annotated[list[Network], Field(max_length=20)]
_LABEL: Final = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
#: As a browser writes it: scheme, host, port where it is not the usual one; plain http for one's own machine only.
Origin = Annotated[
    str,
    AfterValidator(_usable),
    Field(
        max_length=260,
        pattern=rf"^(https://{_LABEL}(\.{_LABEL})*(:[0-9]{{1,5}})?|http://(localhost|127\.0\.0\.1):[0-9]{{1,5}})$",
        examples=["https://simpul.kpu-malangkota.go.id"],
    ),
]
Origins = Annotated[list[Origin], AfterValidator(distinct), Field(max_length=10)]
TokenMinutes = Annotated[int, Field(strict=True, ge=1, le=15)]


class ClientInput(Command):
    """A client to create. Only an operator's belongs to no agency."""

    agency: AgencyCode | None = None
    role: Role
    purpose: Line
    contact: Line | None = None
    clearance: Clearance = Field(
        Clearance.TERBATAS, description="`rahasia` is granted by an operator, or by a client that holds it."
    )
    networks: Networks = Field([], description="Addresses (CIDR) from which it may be used; none: any.")
    origins: Origins = Field([], description="Origins of its web pages, which browsers may call from.")
    token_minutes: TokenMinutes | None = Field(
        None, description="Longest life of its tokens; the service's own bound holds as well."
    )


class ClientPatch(Command):
    """Changes of a client (JSON merge patch)."""

    role: Role = absent()
    purpose: Line = absent()
    contact: Line | None = None
    clearance: Clearance = absent(
        "`rahasia` is granted by an operator, or by a client that holds it. Who knows its secret reads it then: rotate."
    )
    networks: Networks = absent()
    origins: Origins = absent()
    token_minutes: TokenMinutes | None = None


class Client(Shown):
    """A client of an agency, with the secrets and keys that were not revoked."""

    id: UUID
    agency: str | None
    role: Role
    purpose: str
    contact: str | None
    clearance: Clearance
    networks: list[str]
    origins: list[str]
    token_minutes: int | None
    status: ClientStatus
    recorded_at: datetime
    version: int
    secrets: list[Secret]
    keys: list[Key]


class NewClient(Client):
    """A client just created; `client_secret` is shown this once."""

    client_id: UUID
    client_secret: str


class ClientPage(Shown):
    """A page of clients, newest first."""

    items: list[Client]
    next_cursor: str | None


class Me(Shown):
    """Who you are here: agency, client, role, what it may do, and when your token and its credential end."""

    agency: str | None
    acts_for: list[str]
    client_id: UUID
    role: Role
    clearance: Clearance
    permissions: list[str]
    token_ends: datetime | None
    credential: UUID | None = Field(description="The secret or key with which the token was fetched.")
    credential_ends: datetime | None


class Token(Shown):
    """An access token (RFC 6749 section 5.1)."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


class TokenError(Shown):
    """Why nothing was granted or done (RFC 6749 section 5.2)."""

    error: Literal[
        "invalid_request", "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"
    ]
    error_description: str


class ActiveToken(Shown):
    """What a good token says (RFC 7662)."""

    active: Literal[True]
    scope: Role
    client_id: UUID
    token_type: Literal["Bearer"]
    exp: int
    iat: int
    sub: UUID
    aud: str
    iss: str
    jti: UUID
    agency: AgencyCode | None


class InactiveToken(Shown):
    """No token, or none that you may know of, or one that is good no more."""

    active: Literal[False]


class PublishedKey(Shown):
    """A public key under which what we sign is verified (RFC 7517)."""

    kid: str
    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    alg: Literal["ES256"]
    use: Literal["sig"]


class PublishedKeys(Shown):
    """Public keys. Of tokens: the one that signs, the next, and those whose tokens may still live; of the log: all."""

    keys: list[PublishedKey]


class ServerMetadata(Shown):
    """What an OAuth client needs to know about us (RFC 8414)."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    introspection_endpoint: str
    revocation_endpoint: str
    grant_types_supported: list[Literal["client_credentials"]]
    response_types_supported: list[str]
    scopes_supported: list[Role]
    token_endpoint_auth_methods_supported: list[str]
    token_endpoint_auth_signing_alg_values_supported: list[str]
    introspection_endpoint_auth_methods_supported: list[str]
    introspection_endpoint_auth_signing_alg_values_supported: list[str]
    revocation_endpoint_auth_methods_supported: list[str]
    revocation_endpoint_auth_signing_alg_values_supported: list[str]
