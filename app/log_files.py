"""The files of an exported log and what the statements in them say, read strictly: in one way or not at all.

`entries.jsonl` holds the entries, contiguous from index 1; `heads.jsonl` and `cosignatures.jsonl` hold statements about
the tree, the smallest size first, so that all three are read side by side; `keys.json` holds public keys (RFC 7517).
`sealed.jsonl`, where it was asked for, holds what is sealed beside the entries, for whoever has the keys.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, Literal, Self, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app import statements
from app.claims import strict_object
from app.public_keys import public_jwk
from app.statements import Kind, Unsigned

ENTRIES: Final = "entries.jsonl"
HEADS: Final = "heads.jsonl"
COSIGNATURES: Final = "cosignatures.jsonl"
KEYS: Final = "keys.json"
SEALED: Final = "sealed.jsonl"
#: The last second of the year 9999, since 1970.
LAST: Final = 253_402_300_799
#: Bytes of the longest line; ours are far shorter.
_LONGEST: Final = 1 << 20

Agency = Annotated[str, Field(pattern="^[A-Z][A-Z0-9_]{1,63}$")]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Instant = Annotated[int, Field(ge=0, le=LAST)]
Kid = Annotated[str, Field(pattern="^[A-Za-z0-9._~-]{4,100}$")]
Name = Annotated[str, Field(pattern="^[!-~]{1,300}$")]
Sealed = Annotated[str, Field(pattern="^([0-9a-f]{2})*$")]
Size = Annotated[int, Field(ge=0, lt=2**63)]


class Unreadable(Exception):
    """A file is not what it should be; the text is a sentence that names it."""


# what the files hold: nothing beside it, or somebody might read what nobody has checked


class _Line(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", defer_build=True)


class Entry(_Line):
    """A line of `entries.jsonl`; the document is the very text that was hashed, or null for who may not read it."""

    index: Size
    leaf: Hash
    document: str | None


class HeadLine(_Line):
    """A line of `heads.jsonl`."""

    size: Size
    head: str


class CosignatureLine(_Line):
    """A line of `cosignatures.jsonl`."""

    agency: Agency
    size: Size
    kid: Kid
    cosignature: str


class SealedLine(_Line):
    """A line of `sealed.jsonl`: words and person of the entry's fact in hex, each with the id of its key."""

    index: Size
    words_key: str | None
    words: Sealed | None
    person_key: str | None
    person: Sealed | None


# what statements say: signed as a whole, so that members to come do no harm


class Loss(BaseModel):
    """What the entry with this index declares lost: entries from `kept` to `size`, which were under this root."""

    model_config = ConfigDict(strict=True, frozen=True, defer_build=True)
    entry: Size
    kept: Size
    size: Size
    root: Hash


class Tree(BaseModel):
    """The tree of this size has this root, says `iss`."""

    model_config = ConfigDict(strict=True, defer_build=True)
    iss: Name
    size: Size
    root: Hash
    iat: Instant


class Head(Tree):
    """The same, says the log; it names every loss after which it was resumed."""

    resumed: Annotated[list[Loss], Field(max_length=100)] = []


class Cosignature(Tree):
    """The same, says the agency `iss` of a log."""

    iss: Agency
    log: Name


class Receipt(BaseModel):
    """These leaves will be in the log `within` seconds.

    Of many leaves, which stand one after another, the `first`, their `count`, and the `root` of the tree they make.
    """

    model_config = ConfigDict(strict=True, defer_build=True)
    iss: Name
    iat: Instant
    request_id: Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,64}$")]
    within: Annotated[int, Field(ge=0, lt=2**31)]
    leaves: list[Hash] = []
    first: Hash | None = None
    count: Annotated[int, Field(ge=1, lt=2**31)] = 1
    root: Hash | None = None

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        """Refuse a receipt that promises nothing, or in both ways."""
        if bool(self.leaves) == (self.first is not None) or (self.first is None) != (self.root is None):
            raise ValueError("leaves")
        return self

    @property
    def promised(self) -> list[str]:
        """What will be found in the log, each by a name that no leaf but the one named can have."""
        return self.leaves or [f"{self.first} (with {self.count - 1} after it, under {self.root})"]


# keys


class _Jwk(BaseModel):
    model_config = ConfigDict(strict=True, defer_build=True)
    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    kid: Kid


class _Witness(BaseModel):
    agency: Agency
    jwk: _Jwk


class _Exported(BaseModel):
    log: list[_Jwk]
    witnesses: list[_Witness]


class _Published(BaseModel):
    keys: list[_Jwk]


@dataclass(frozen=True)
class PublicKeys:
    """The public keys of a log, and those of its witnesses by agency and kid; None where a file knows of none."""

    log: list[dict[str, str]]
    witnesses: dict[tuple[str, str], dict[str, str]] | None


def public_keys(path: Path) -> PublicKeys:
    """The keys of an export, or of a JWKS that the log published; raises Unreadable."""
    with _opened(path) as file:
        text = file.read(_LONGEST + 1)
    try:
        found = unambiguous(text)
        if "keys" in found:
            return PublicKeys([_key(one) for one in _Published.model_validate(found).keys], None)
        exported = _Exported.model_validate(found)
        witnesses = {(one.agency, one.jwk.kid): _key(one.jwk) for one in exported.witnesses}
        return PublicKeys([_key(one) for one in exported.log], witnesses)
    except (ValueError, RecursionError):
        raise Unreadable(f"{shown(path)} holds no public keys: neither a JWKS nor those of an export.") from None


def _key(jwk: _Jwk) -> dict[str, str]:
    return public_jwk(jwk.model_dump())


# reading

Form = TypeVar("Form", bound=BaseModel)


def lines(path: Path, advance: Callable[[int], object] | None = None) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers; `advance` hears now and then how many bytes more were read.

    Raises Unreadable.
    """
    read = 0
    with _opened(path) as file:
        for number, line in enumerate(iter(lambda: file.readline(_LONGEST + 1), b""), start=1):
            if len(line) > _LONGEST:
                raise Unreadable(f"{shown(path)}, line {number} is longer than {_LONGEST:,} bytes.")
            yield number, line
            read += len(line)
            if advance is not None and read > _LONGEST:
                advance(read)
                read = 0
    if advance is not None:
        advance(read)


def records(path: Path, form: type[Form], advance: Callable[[int], object] | None = None) -> Iterator[tuple[int, Form]]:
    """The lines of a file as records of one form; raises Unreadable."""
    for number, line in lines(path, advance):
        try:
            record = form.model_validate(unambiguous(line.rstrip(b"\n")))
        except (ValueError, RecursionError):
            wrong = "is not as it should be" if line.endswith(b"\n") else "is cut off"
            members = ", ".join(form.model_fields)
            raise Unreadable(f"{shown(path)}, line {number} {wrong}: a JSON object of {members}.") from None
        yield number, record


def unambiguous(text: bytes) -> dict[str, Any]:
    """A JSON object that can be read in one way only; raises ValueError, RecursionError.

    What is spelled as orjson would spell it has no duplicate members; only other spellings take the slow way.
    """
    found = orjson.loads(text)
    return found if type(found) is dict and orjson.dumps(found) == text else strict_object(text)


def stated(keys: Iterable[dict[str, Any]], kind: Kind, form: type[Form], text: str) -> Form:
    """What a statement says that one of these keys has signed; raises Unsigned."""
    said, _ = statements.read(keys, kind, text)
    try:
        return form.model_validate(said)
    except ValidationError as cause:
        raise Unsigned(str(kind)) from cause


def bytes_of(path: Path) -> int:
    """How long a file is; raises Unreadable."""
    with _opened(path) as file:
        return os.fstat(file.fileno()).st_size


def shown(path: Path) -> str:
    """The name of a file as it can be printed anywhere."""
    return os.fsencode(path.name).decode(errors="replace")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A plain file, not what a link leads to; raises Unreadable, in the middle of it as well."""
    try:
        found = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe must not keep us waiting
        with os.fdopen(found, "rb") as file:
            if not stat.S_ISREG(os.fstat(found).st_mode):
                raise Unreadable(f"{shown(path)} is no file.")
            yield file
    except OSError as error:
        reason = "it is a link" if path.is_symlink() else error.strerror
        raise Unreadable(f"{shown(path)} can't be read: {reason}.") from None
