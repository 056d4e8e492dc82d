"""Which offices every region has, and the agencies that hold them where the register knows none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.rules.vocabulary import Tier


@dataclass(frozen=True, slots=True)
class Office:
    """An office that each region of a tier has: its type of agency, its names, the office above it (or none)."""

    office: str
    tier: Tier
    type: str
    name_id: str
    name_en: str
    above: str = ""
    coordinator: bool = False


#: Office, tier and region (empty: the whole country).
Held = tuple[str, str, str]
_C, _P = Tier.CITY, Tier.PROVINCE
OFFICES: Final = (
    Office("KPU", _P, "election_organizer", "Komisi Pemilihan Umum", "General Elections Commission", "KPU@national"),
    Office(
        "BAWASLU", _P, "election_supervisor", "Badan Pengawas Pemilihan Umum", "Election Supervisor", "BAWASLU@national"
    ),
    Office("POLDA", _P, "police", "Kepolisian Daerah", "Regional Police", "POLRI@national"),
    Office("KOREM", _P, "military", "Komando Resor Militer", "Military Sub-regional Command"),
    Office("BAKESBANGPOL", _P, "local_government_unit", "Badan Kesatuan Bangsa dan Politik", "National Unity Agency"),
    Office("PT", _P, "court", "Pengadilan Tinggi", "High Court"),
    Office("PTTUN", _P, "court", "Pengadilan Tinggi Tata Usaha Negara", "Administrative High Court"),
    Office(
        "KPU", _C, "election_organizer", "Komisi Pemilihan Umum", "General Elections Commission", "KPU@province",
        coordinator=True,
    ),
    Office(
        "BAWASLU", _C, "election_supervisor", "Badan Pengawas Pemilihan Umum", "Election Supervisor",
        "BAWASLU@province", coordinator=True,
    ),
    Office("POLRES", _C, "police", "Kepolisian Resor", "Police", "POLDA@province"),
    Office("KODIM", _C, "military", "Komando Distrik Militer", "Military District Command", "KOREM@province"),
    Office("BAKESBANGPOL", _C, "local_government_unit", "Badan Kesatuan Bangsa dan Politik", "National Unity Agency"),
    Office("BKPSDM", _C, "local_government_unit", "Badan Kepegawaian dan Pengembangan SDM", "Personnel Agency"),
    Office("BPBD", _C, "local_government_unit", "Badan Penanggulangan Bencana Daerah", "Disaster Management Agency"),
    Office("DISKOMINFO", _C, "local_government_unit", "Dinas Komunikasi dan Informatika", "Informatics Office"),
    Office("KEJARI", _C, "prosecutor", "Kejaksaan Negeri", "District Prosecution Office"),
    Office("PN", _C, "court", "Pengadilan Negeri", "District Court"),
    Office("GAKKUMDU", _C, "joint_centre", "Sentra Penegakan Hukum Terpadu", "Integrated Law Enforcement Centre"),
)  # fmt: skip
#: The members of a joint centre, of the same region, and what they are in it.
MEMBERS: Final = (("BAWASLU", "host"), ("POLRES", "member"), ("KEJARI", "member"))


def tier_of(code: str) -> Tier:
    """The tier of the offices that a province, or a regency or city, has."""
    return Tier.PROVINCE if len(code) == 2 else Tier.CITY


def missing(places: Mapping[str, tuple[str, str]], held: Mapping[Held, str]) -> Iterator[dict[str, Any]]:
    """The agencies that hold what nobody holds yet, provinces first.

    `places` are names and levels of provinces, regencies and cities by code; `held` says who holds what already.
    """
    for code, (name, level) in sorted(places.items(), key=lambda one: (len(one[0]), one[0])):
        for one in OFFICES:
            if one.tier is tier_of(code) and (one.office, one.tier.value, code) not in held:
                yield {
                    "code": code_of(one.office, code),
                    "office": one.office,
                    "tier": one.tier.value,
                    "name_id": f"{one.name_id} {name}",
                    "name_en": f"{one.name_en} of {name}",
                    "type": one.type,
                    "level": level,
                    "region_code": code,
                    "regions": [code],
                    "coordinator": one.coordinator,
                    "command_parent": _above(one, code, held),
                    "source": "simulated",
                    "verified": False,
                }


def _above(office: Office, code: str, held: Mapping[Held, str]) -> str | None:
    if not office.above:
        return None
    name, tier = office.above.split("@")
    region = "" if tier == Tier.NATIONAL else code[:2]
    return held.get((name, tier, region)) or code_of(name, region)


def code_of(office: str, region: str) -> str:
    """The code of a simulated agency."""
    return f"{office}_{region.replace('.', '_')}"
