"""The log as evidence over HTTP: heads, entries, proofs, cosignatures, the keys that sign."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from app import answers
from app.db import encode
from app.deps import Caller, Keys, Reader, Writer
from app.errors import HeadMismatch, Internal, NoSuchHead, NotInLog, TemporarilyUnavailable
from app.guard import guarded, needs
from app.problems import responses
from app.rules.policy import Permission as P
from app.schemas.clients import PublishedKeys
from app.schemas.log import (
    Consistency,
    Cosignature,
    CosignatureInput,
    Cosignatures,
    Entries,
    Hash,
    Head,
    Inclusion,
    LostHead,
    LostHeadInput,
    LostHeads,
)
from app.services import cosignatures, log_reads, lost_heads

router = APIRouter()
_guarded = guarded(prefix="/v1/log", tags=["log"])

_SHORT: Final = {"Cache-Control": "public, max-age=60"}
#: More entries than there will be.
MOST: Final = 10_000_000_000
_OF_SIZE: Final = "The size of a head; default the newest."
Size = Annotated[int | None, Query(ge=1, le=MOST, description=_OF_SIZE)]
After = Annotated[int, Query(ge=0, le=MOST)]


@_guarded.get(
    "/head",
    operation_id="showHead",
    summary="Show a signed head of the log",
    response_model=Head,
    dependencies=[needs(P.LOG_READ, NoSuchHead)],
)
async def show_head(request: Request, reader: Reader, size: Size = None) -> Response:
    """The root of the tree over the first `size` entries, signed by the log.

    Keep every head you are shown: whoever changes an entry under it afterwards cannot make another tree fit it. A head
    is signed at most every half second, so not every size has one.
    """
    return answers.read(request, await log_reads.show_head(reader, size=size))


@_guarded.get(
    "/entries",
    operation_id="listEntries",
    summary="List the entries of the log",
    response_model=Entries,
    dependencies=[needs(P.LOG_READ)],
)
async def list_entries(
    request: Request,
    reader: Reader,
    caller: Caller,
    keys: Keys,
    after: Annotated[After, Query(description="Go on after this index.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Entries at most.")] = 200,
) -> Response:
    """Every entry from index 1 on, without a gap: to whom hears of the fact its document, to all others the leaf alone.

    The document is canonical JSON (RFC 8785), its instants in UTC with six decimals. What people wrote, and the person
    who acted, stand in it as commitments, which an erasure leaves as they are: the leaf stays what it was.
    `openings` open those to words that are not erased.
    """
    return answers.read(request, await log_reads.list_entries(reader, caller, keys, after=after, limit=limit))


@_guarded.get(
    "/proofs/inclusion",
    operation_id="proveInclusion",
    summary="Prove that an entry is under a head",
    response_model=Inclusion,
    dependencies=[needs(P.LOG_READ, NoSuchHead, NotInLog)],
)
async def prove_inclusion(
    request: Request,
    reader: Reader,
    index: Annotated[int | None, Query(ge=1, le=MOST, description="The entry's index, from 1.")] = None,
    leaf: Annotated[Hash | None, Query(description="Or its leaf, as a receipt names it (hex).")] = None,
    size: Size = None,
) -> Response:
    """The audit path from the leaf to the root (RFC 6962, section 2.1.1); checked as in RFC 9162, section 2.1.3.2.

    A node is SHA-256 over a byte 1, its left and its right child; the path lists the siblings from the leaf upwards.
    The leaf's place in the RFC's sense is `index` - 1.
    """
    return answers.read(request, await log_reads.prove_inclusion(reader, index=index, leaf=leaf, size=size))


@_guarded.get(
    "/proofs/consistency",
    operation_id="proveConsistency",
    summary="Prove that a head continues an earlier one",
    response_model=Consistency,
    dependencies=[needs(P.LOG_READ, NoSuchHead)],
)
async def prove_consistency(
    request: Request,
    reader: Reader,
    old: Annotated[int, Query(alias="from", ge=1, le=MOST, description="The size of the head that you hold.")],
    new: Annotated[int | None, Query(alias="to", ge=1, le=MOST, description=_OF_SIZE)] = None,
) -> Response:
    """The proof of RFC 6962, section 2.1.2, in its order; checked as in RFC 9162, section 2.1.4.2.

    Check it with the root of the head that you hold, never with `from_root`, which is only what we say it was.
    """
    return answers.read(request, await log_reads.prove_consistency(reader, old=old, new=new))


@_guarded.get(
    "/cosignatures",
    operation_id="listCosignatures",
    summary="List the cosignatures of heads",
    response_model=Cosignatures,
    dependencies=[needs(P.LOG_READ)],
)
async def list_cosignatures(
    request: Request,
    reader: Reader,
    after: Annotated[After, Query(description="Go on after this size.")] = 0,
    limit: Annotated[
        int, Query(ge=1, le=1000, description="Cosignatures at most, but those of the last head whole.")
    ] = 200,
) -> Response:
    """What agencies have signed of our heads, each with its public key: ask the agency whether it is theirs."""
    return answers.read(request, await cosignatures.list_cosignatures(reader, after=after, limit=limit))


@_guarded.post(
    "/cosignatures",
    operation_id="cosign",
    summary="Cosign a head",
    status_code=201,
    response_model=Cosignature,
    dependencies=[needs(P.LOG_COSIGN, HeadMismatch)],
)
async def cosign(request: Request, writer: Writer, caller: Caller, input: CosignatureInput) -> Response:
    """Witness a head, after its consistency with the last one that you witnessed was proven to you.

    What enough agencies have cosigned (three, unless the service is set otherwise) is `witnessed`. A second
    cosignature of one size changes nothing; the answer is the first.
    """
    kept = await cosignatures.cosign(writer, caller, input)
    return answers.written(request, kept, status=201, location="/v1/log/cosignatures")


@_guarded.get(
    "/lost-heads",
    operation_id="listLostHeads",
    summary="List the lost heads of the log",
    response_model=LostHeads,
    dependencies=[needs(P.LOG_READ)],
)
async def list_lost_heads(request: Request, reader: Reader) -> Response:
    """Heads that the log has signed and does not continue, as after a restored backup; good is an empty list.

    While one of them has no `entry`, facts are taken and promised, but none gets a place in the log.
    """
    return answers.read(request, await lost_heads.list_lost_heads(reader))


@_guarded.post(
    "/lost-heads",
    operation_id="reportLostHead",
    summary="Report a head that the log does not continue",
    status_code=201,
    response_model=LostHead,
    dependencies=[needs(P.LOG_READ)],
)
async def report_lost_head(request: Request, writer: Writer, caller: Caller, input: LostHeadInput) -> Response:
    """Hold a head against the log: signed by one of its keys, over entries that it does not have, or has otherwise.

    The log then stands still until an operator declares why; that stays in the log, and in every head after it.
    """
    kept = await lost_heads.report(writer, caller, input)
    return answers.written(request, kept, status=201, location="/v1/log/lost-heads")


@router.get(
    "/.well-known/log-keys.json",
    tags=["log"],
    operation_id="showLogKeys",
    summary="The public keys of the log",
    response_model=PublishedKeys,
    responses=responses(Internal, TemporarilyUnavailable),
)
async def show_log_keys(request: Request) -> Response:
    """Every key that ever signed heads and receipts (RFC 7517), the oldest first.

    The `kid` of a head or of a receipt names one of them. Fetch them once, keep them, and trust a new one only when the
    log was handed over to it in a way you can check.
    """
    return Response(encode(await request.app.state.log_keys.now()), headers=_SHORT, media_type="application/json")


router.routes.extend(_guarded.routes)
