"""The headers of the OpenAPI document, each described once: what may be asked in them, what they tell."""

from __future__ import annotations

import json
from typing import Any, Final

from app.claims import b64
from app.statements import Kind

_RECEIPT: Final[dict[str, Any]] = {
    "iat": 1_795_326_630,
    "iss": "simpul",
    "leaves": ["8592003fcf7a749dd9516e74da01d279e741df9c18c04dc882ab656faee5c449"],
    "request_id": "01a201ce-5ba2-75e8-9b88-37558a95c7a8",
    "within": 3600,
}


def _unsigned(kind: Kind, said: dict[str, Any]) -> str:
    """What a statement looks like, under a signature that nobody made."""
    header = {"alg": "ES256", "kid": "QfdAVh52_1VMDaPy", "typ": kind}
    return ".".join((*(b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, said)), "A" * 86))


_VISIBLE: Final = r"^[\x21-\x7e]+$"
_IDEMPOTENCY_KEY: Final[dict[str, Any]] = {
    "description": "Required on every POST under `/v1`: a fresh value for each intent, the same one for its retries. It"
    " belongs to your client, whatever the path. The first success is kept for 72 hours (unless the service is set"
    " otherwise) and replayed with `Idempotent-Replayed: true`. Another path, another body (byte for byte), another"
    " role or clearance under the same key is 422; while the first still runs, 409. A refusal is not kept: the same key"
    " tries anew.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": _VISIBLE},
}


def asked(name: str) -> dict[str, Any]:
    """What is said of a header that the guard asks for: a problem of its own answers without it."""
    said = {"required": True, "schema": {"type": "string", "maxLength": 255}}
    return said | (_IDEMPOTENCY_KEY if name == "idempotency-key" else {})


ACTING_USER: Final[dict[str, Any]] = {
    "name": "acting-user",
    "in": "header",
    "required": False,
    "description": "The person who acts, an opaque staff id of your own: recorded, never a source of rights.",
    "schema": {"type": "string", "maxLength": 100, "pattern": _VISIBLE},
}
IF_NONE_MATCH: Final[dict[str, Any]] = {
    "name": "if-none-match",
    "in": "header",
    "required": False,
    "description": "ETags that you hold, separated by commas: if one still holds, the answer is 304.",
    "schema": {"type": "string"},
}
PREFER: Final[dict[str, Any]] = {
    "name": "prefer",
    "in": "header",
    "required": False,
    "description": "`return=minimal`: without a body (204; 201 stays 201), with the same ETag and Location. A batch"
    " keeps its status and body, each `result` null. Leave it out where the answer shows a secret: it is shown once.",
    "schema": {"type": "string"},
}
HEADERS: Final[dict[str, Any]] = {
    "Request-Id": {
        "description": "Yours (1 to 64 of `A-Z a-z 0-9 . _ -`), or ours: name it when you ask for help.",
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "The version you see and a digest of it, for If-Match and If-None-Match; it may differ between"
        ' agencies. If-Match needs the version alone (`"7"`), as a 412 names it; `*` fits nothing.',
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "Where the new record is, or the list that it is in; absent where there is nothing to read.",
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {"description": "`true` on the kept answer to a retry.", "schema": {"type": "string"}},
    "RateLimit-Policy": {
        "description": "The quotas of the client and of its agency: `q` requests in `w` seconds.",
        "schema": {"type": "string"},
        "example": '"client";q=6000;w=60, "agency";q=12000;w=60',
    },
    "RateLimit": {
        "description": "What is left of each: `r` requests, more in `t` seconds. Operators have that of the client"
        " alone.",
        "schema": {"type": "string"},
        "example": '"client";r=5999;t=42, "agency";r=11998;t=42',
    },
    "Audit-Receipt": {
        "description": "A signed promise (compact JWS, ES256, `typ` `simpul-receipt+jwt`, a key of"
        " `/.well-known/log-keys.json`) that the facts of this request will stand in the log `within` so many seconds"
        " of `iat`. Its payload is `{iss, iat, request_id, within, leaves}`: `leaves` are their hashes (hex), each to"
        " be looked for in `/v1/log/proofs/inclusion?leaf=`. Of more than ten, which stand one after another, there are"
        " in place of `leaves` only the `first`, the `count`, and the `root` of the tree (RFC 6962) that they make."
        " Absent where nothing was entered.",
        "schema": {"type": "string"},
        "example": _unsigned(Kind.RECEIPT, _RECEIPT),
    },
    "Total-Count": {
        "description": "Of a file, where `count` asks for it: how many tasks it holds; `;relation=at_least` when"
        " counting stopped early.",
        "schema": {"type": "string"},
        "example": "10000;relation=at_least",
    },
    "Preference-Applied": {
        "description": "`return=minimal` where you preferred that: there is no body.",
        "schema": {"type": "string"},
    },
    "Link": {"description": 'The next page, `rel="next"`, if there is one.', "schema": {"type": "string"}},
}
