"""What filters name must be: an agency, a category, a region, an election or a stage that the registry knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.db import Executor, row
from app.errors import Fault, InvalidParameter

#: SQL: a record `t` lies in a region or below it. A range of codes: under row-level security `region_path @>`, which is
#: not leakproof, would find nothing by an index.
WITHIN: Final = "(t.region_code = :region or t.region_code >= :region || '.' and t.region_code < :region || '/')"
#: Parameter -> what it names. All of it is public, so that a refusal tells nobody anything.
_NAMES: Final = {
    **dict.fromkeys(("accountable", "holder", "logged_by", "supporting", "referred_to"), "agency"),
    **dict.fromkeys(("from_agency", "to_agency", "host", "mapped_by"), "agency"),
    **{noun: noun for noun in ("category", "election", "region", "stage")},
}
#: What is named -> where it stands, where to look it up, its Indonesian name.
_KNOWN: Final = {
    "agency": ("agency", "/v1/agencies", "instansi"),
    "category": ("category", "/v1/reference/category", "kategori"),
    "election": ("election", "/v1/elections", "pemilihan"),
    "region": ("region", "/v1/regions", "wilayah"),
    "stage": ("stage", "/v1/elections/{code}/stages", "tahapan"),
}


async def require_known(executor: Executor, given: Mapping[str, Any]) -> None:
    """Refuse filters that name what is not: a misspelled code would otherwise find nothing; raises InvalidParameter."""
    asked = {name: _several(given[name]) for name in given if name in _NAMES}
    if not asked:
        return
    codes: dict[str, list[str]] = {}
    for name, named in asked.items():
        codes.setdefault(_NAMES[name], []).extend(named)
    checks = (f"array(select code from {_KNOWN[noun][0]} where code = any(:{noun})) as {noun}" for noun in codes)
    found = await row(executor, f"select {', '.join(checks)}", **codes) or {}
    wrong = [name for name, named in asked.items() if not set(named) <= set(found[_NAMES[name]])]
    if wrong:
        raise InvalidParameter(errors=[_unknown(name, *_KNOWN[_NAMES[name]]) for name in wrong])


def _several(named: Any) -> list[str]:
    return [str(one) for one in named] if isinstance(named, list) else [str(named)]


def _unknown(name: str, noun: str, where: str, id_: str) -> Fault:
    return Fault(
        "unknown",
        f"There is no such {noun}; GET {where} shows those that there are.",
        f"Tidak ada {id_} seperti itu; GET {where} menampilkan yang ada.",
        parameter=name,
    )
