"""What a fact is as evidence: one canonical document, and the leaf that stands for it in the log.

Free text and persons stand in the document as commitments, so that they can be taken away without touching the tree.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import rfc8785

from app.rules import merkle

DOMAIN_TAG: Final = b"simpul-event-v1\0"
#: The members of the document, each a column of the event.
MEMBERS: Final = (
    "id",
    "kind",
    "object_type",
    "object_id",
    "task_id",
    "agency",
    "client_id",
    "concerns",
    "person",
    "request_id",
    "effective_at",
    "recorded_at",
    "version_before",
    "version_after",
    "payload",
    "words",
    "salt",
)


def document(event: Mapping[str, Any]) -> bytes:
    """The canonical JSON (RFC 8785) of an event: ids as text, instants in UTC with microseconds, bytes in hex."""
    return rfc8785.dumps({name: _plain(event[name]) for name in MEMBERS})


def leaf(document: bytes) -> bytes:
    """The leaf hash (32 bytes) of a document."""
    return merkle.leaf_hash(DOMAIN_TAG + document)


def commitment(content: Any, salt: str) -> str:
    """What stands for a word (any JSON) in a document: hex of SHA-256 over its own salt and its canonical JSON."""
    return sha256(bytes.fromhex(salt) + rfc8785.dumps(content)).hexdigest()


def new_salt() -> str:
    """A fresh salt, 16 bytes in hex."""
    return secrets.token_hex(16)


def instant(moment: datetime) -> str:
    """An instant as documents spell it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _plain(content: Any) -> Any:
    if isinstance(content, datetime):
        return instant(content)
    if isinstance(content, UUID):
        return str(content)
    return content
