"""The log as evidence on the wire: heads, entries, proofs, cosignatures. Hashes are in lowercase hex."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from app.rules.facts import EventKind
from app.rules.vocabulary import Finality
from app.schemas.types import Command, Shown, Title

Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$", max_length=64)]
_JWS: Final = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}$"
Jws = Annotated[str, Field(pattern=_JWS, max_length=2000)]
LongJws = Annotated[str, Field(pattern=_JWS, max_length=30_000)]
_HEAD: Final = (
    "The head itself: a compact JWS of the log (ES256, `typ` `simpul-head+jwt`, a key of `/.well-known/log-keys.json`),"
    " whose payload is `{iss, size, root, iat}`, after a loss with `resumed`: of each loss that was declared its"
    " `{entry, kept, size, root}`."
)


class Head(Shown):
    """A signed head: the root over the first `size` entries."""

    size: int
    root: Hash
    head: str = Field(description=_HEAD)
    recorded_at: datetime
    finality: Finality


class Opening(Shown):
    """A word that somebody wrote and the salt of its commitment: hex of SHA-256 over both opens it."""

    salt: Annotated[str, Field(pattern="^[0-9a-f]{32}$", max_length=32)]
    content: Annotated[Any, Field(description="Its canonical JSON (RFC 8785) is what was hashed after the salt.")]


class Entry(Shown):
    """One place of the log; `kind` and `document` are there for whom hears of the fact, and null for others.

    Of a fact that was retired with its year they are null for everybody: an export of the log has its document.
    """

    index: int
    leaf: Hash
    finality: Finality
    kind: EventKind | None
    document: str | None = Field(
        description="The very text that was hashed: `leaf` is SHA-256 over a byte 0, `simpul-event-v1`, a byte 0 and"
        " this text in UTF-8. `salt` in it keeps others from guessing it; `payload` is the `facts` of the event without"
        " what people wrote; `words` (by member) and `person` are commitments to that and to who acted: hex of SHA-256"
        " over the 16 bytes of a salt and its canonical JSON."
    )
    openings: dict[str, Opening] | None = Field(
        description="What opens the commitments in `words`, by member, but those that were erased: keep it with the"
        " document to prove in court what was written. What opens `person` nobody is shown."
    )


class Entries(Shown):
    """Entries in the order of the log; `after` is the last index, to go on from."""

    items: list[Entry]
    after: int


class _Proof(Shown):
    size: int
    root: Hash
    head: str = Field(description=_HEAD)


class Inclusion(_Proof):
    """The proof that an entry is under a head: the audit path of RFC 6962, section 2.1.1, from the leaf upwards."""

    index: int = Field(description="From 1; RFC 6962 counts leaves from 0, so that its `m` is `index` - 1.")
    leaf: Hash
    finality: Finality
    path: list[Hash]


class Consistency(_Proof):
    """The proof that a head continues an earlier one: PROOF(from, D[to]) of RFC 6962, section 2.1.2, in its order."""

    from_size: int
    from_root: Hash
    path: list[Hash]


class CosignatureInput(Command):
    """What a witness has signed."""

    cosignature: Jws = Field(
        description="A compact JWS, ES256, `typ` `simpul-cosignature+jwt`, header and payload in canonical JSON"
        " (RFC 8785): `{iss: your agency, log: the iss of the head, size, root, iat}`, signed with a live registered"
        " key of a client of your agency; `iat` in seconds since 1970, and not in the future."
    )


class Cosignature(Shown):
    """That an agency knows a head of ours, with the public key that it signed this with."""

    agency: str
    size: int
    kid: str
    jwk: dict[str, Any]
    cosignature: str
    recorded_at: datetime


class LostHeadInput(Command):
    """A head that the log does not continue, as the log has signed it."""

    head: LongJws = Field(description="The compact JWS that you were given, whole.")


class Declaration(Command):
    """What an operator declares of the log; both stand in the log in the clear, for everybody and for good."""

    reason: Title
    operator: Title


class LostHead(Shown):
    """A head that the log has signed and does not continue."""

    size: int
    root: Hash
    head: str = Field(description=_HEAD)
    signed_at: datetime
    source: Literal["memory", "report"] = Field(description="The service's own memory, or who held the head.")
    agency: str | None = Field(description="Who reported it.")
    recorded_at: datetime
    entry: int | None = Field(description="The entry that declares the loss; null while the log stands still for it.")
    kept: int | None = Field(description="Entries up to here are known to be those that were signed then.")


class LostHeads(Shown):
    """The lost heads, the smallest first."""

    items: list[LostHead]


class Cosignatures(Shown):
    """Cosignatures, those of smaller heads first; `after` is the last size, to go on from."""

    items: list[Cosignature]
    after: int
