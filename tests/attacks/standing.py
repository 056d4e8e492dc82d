"""Attacks with what only the issuer could sign, yet the database knows better: who, for whom, as what, since when."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from forger import Forger

from attacks.family import claims

Made = Iterator[tuple[str, str]]
NIL = "00000000-0000-0000-0000-000000000000"


@claims("a client that there is not")
def unknown_client(forger: Forger) -> Made:
    for one in (
        str(uuid4()),
        NIL,
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        forger.claims["jti"],
        forger.claims["credential"],
    ):
        yield one, forger.claiming(sub=one, client_id=one)


@claims("another client")
def another_client(forger: Forger) -> Made:
    theirs = forger.other.claims
    yield "theirs with our credential", forger.claiming(sub=theirs["sub"], client_id=theirs["sub"])
    yield (
        "theirs and their agency",
        forger.claiming(sub=theirs["sub"], client_id=theirs["sub"], agency=theirs["agency"]),
    )
    yield (
        "ours with their credential and agency",
        forger.claiming(credential=theirs["credential"], agency=theirs["agency"]),
    )


@claims("another agency")
def another_agency(forger: Forger) -> Made:
    for agency in (forger.other.claims["agency"], "", "KPU_RI", "NO_SUCH_AGENCY"):
        yield repr(agency), forger.claiming(agency=agency)


@claims("a greater role, or one beside it")
def greater_role(forger: Forger) -> Made:
    for role in ("operator", "agency_admin", "auditor", "expert"):
        yield role, forger.claiming(role=role)


@claims("another credential")
def another_credential(forger: Forger) -> Made:
    for one in (str(uuid4()), NIL, forger.other.claims["credential"], forger.claims["sub"], forger.claims["jti"]):
        yield one, forger.claiming(credential=one)


@claims("another epoch")
def another_epoch(forger: Forger) -> Made:
    now = [int(part) for part in forger.claims["epoch"].split(".")]
    for at, name in enumerate(("of all", "of the agency", "of the client")):
        for step in (1, 1_000, 10**18):
            changed = [*now[:at], now[at] + step, *now[at + 1 :]]
            yield f"{name} + {step}", forger.claiming(epoch=".".join(map(str, changed)))
        if now[at]:
            changed = [*now[:at], now[at] - 1, *now[at + 1 :]]
            yield f"{name} - 1", forger.claiming(epoch=".".join(map(str, changed)))
    yield "leading zero", forger.claiming(epoch=f"0{forger.claims['epoch']}")
