"""The stories of `simpul demo`, as data: what each agency does, when, and with which words. Times are WIB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

KPU: Final = "KPU_KOTA_MALANG"
BAWASLU: Final = "BAWASLU_KOTA_MALANG"
POLRESTA: Final = "POLRESTA_MALANG_KOTA"
KODIM: Final = "KODIM_0833_KOTA_MALANG"
BAKESBANGPOL: Final = "BAKESBANGPOL_KOTA_MALANG"
BKPSDM: Final = "BKPSDM_KOTA_MALANG"


@dataclass(frozen=True, slots=True)
class Step:
    """What an agency does: `ask` the law, `log`, `read`, or any action of the workflow, with the members it sends.

    `refused` is the problem code that the service must answer with; such a step changes nothing.
    """

    by: str
    does: str
    at: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict)
    refused: str | None = None

    @property
    def effective_at(self) -> str | None:
        """When it was done, in RFC 3339; None is now."""
        return self.at and f"{self.at}+07:00"

    @property
    def members(self) -> dict[str, Any]:
        """What the agency sends."""
        return {**self.said, **({"effective_at": self.effective_at} if self.at else {})}

    @property
    def leaves_fact(self) -> bool:
        """Whether the history of the task tells of it afterwards."""
        return self.refused is None and self.does not in {"ask", "read"}


@dataclass(frozen=True, slots=True)
class Story:
    """One task from its beginning; `code` becomes part of its external reference."""

    code: str
    title: str
    opening: str
    task: Mapping[str, Any]
    steps: tuple[Step, ...]

    @property
    def logger(self) -> str:
        """The agency that logs the task in the end."""
        return next(step.by for step in self.steps if step.does == "log" and step.leaves_fact)


OUTREACH: Final = Story(
    "OUTREACH",
    "Neutral civil servants: one agency sees the need, the law names another",
    "Bakesbangpol asks for outreach to the city's civil servants. Its wish is not a mandate: the law gives the work"
    " to BKPSDM, which accepts it, does it and reports; Bakesbangpol judges the result.",
    {
        "title": "Sosialisasi netralitas ASN",
        "description": "Outreach on neutrality to the civil servants of Kota Malang before the campaign.",
        "category": "asn_neutrality",
        "function": "prevention",
        "region": "35.73",
    },
    (
        Step(BAKESBANGPOL, "log", "2024-08-19T08:00:00"),
        Step(BKPSDM, "receive", "2024-08-19T10:30:00"),
        Step(BKPSDM, "accept", "2024-08-20T09:00:00"),
        Step(BKPSDM, "start", "2024-08-26T08:00:00"),
        Step(
            BKPSDM,
            "resolve",
            "2024-08-26T15:00:00",
            {
                "outcome": "mitigated",
                "note": "Pakta integritas signed by all who attended.",
                "facts": {"participants": 642},
            },
        ),
        Step(BAKESBANGPOL, "confirm", "2024-08-27T09:00:00"),
    ),
)

REFUSALS: Final = Story(
    "REFUSALS",
    "Two owners the law will not have",
    "A city official is seen at a campaign event. KPU would hand the case to Kodim; Bakesbangpol, itself a unit of the"
    " city, would keep it. Both are refused, and each refusal names who is competent.",
    {
        "title": "Pejabat pemkot menghadiri kampanye",
        "description": "A city official is reported to have attended a campaign event in uniform.",
        "category": "asn_neutrality",
        "function": "handling",
        "subject_kind": "city_official",
        "region": "35.73.05",
    },
    (
        Step(KPU, "log", "2024-10-07T09:00:00", {"proposed_owner": KODIM}, refused="mandate-mismatch"),
        Step(BAKESBANGPOL, "log", "2024-10-07T09:20:00", {"proposed_owner": BAKESBANGPOL}, refused="recusal"),
        Step(KPU, "log", "2024-10-07T09:40:00"),
        Step(BAWASLU, "accept", "2024-10-07T13:00:00"),
        Step(BAWASLU, "start", "2024-10-08T08:00:00"),
        Step(
            BAWASLU,
            "resolve",
            "2024-10-11T16:00:00",
            {"outcome": "not_proven", "note": "The official was on duty there, in no party's colours."},
        ),
        Step(KPU, "confirm", "2024-10-14T09:00:00"),
    ),
)

BOUNDARY: Final = Story(
    "BOUNDARY",
    "Midnight on 24 August 2024: one law ends, the next begins",
    "KASN judged neutrality cases of civil servants until its law ended; from midnight WIB it is BKN. Bawaslu"
    " establishes a case under its own mandate and refers the judgement. BKN has no client here, so Bawaslu's"
    " supervisor records the answer that came by letter.",
    {
        "title": "Dukungan ASN di media sosial",
        "description": "A civil servant of the city openly supports an aspirant on social media.",
        "category": "asn_neutrality",
        "function": "handling",
        "region": "35.73.01",
    },
    (
        Step(BAWASLU, "ask", "2024-08-23T23:59:59", {"function": "adjudication"}),
        Step(BAWASLU, "ask", "2024-08-24T00:00:00", {"function": "adjudication"}),
        Step(BAWASLU, "log", "2024-08-21T10:00:00"),
        Step(BAWASLU, "start", "2024-08-21T13:00:00"),
        Step(
            BAWASLU,
            "refer",
            "2024-08-26T10:00:00",
            {"to_agency": "KASN", "function": "adjudication"},
            refused="mandate-mismatch",
        ),
        Step(
            BAWASLU,
            "refer",
            "2024-08-26T10:15:00",
            {
                "to_agency": "BKN",
                "function": "adjudication",
                "letter": {
                    "number": "214/PP.01.02/K.JI-35.73/08/2024",
                    "date": "2024-08-26",
                    "classification": "terbatas",
                    "urgency": "segera",
                },
            },
        ),
        Step(
            BAWASLU,
            "accept",
            "2024-09-02T11:00:00",
            {"letter": {"number": "B-1187/BKN/2024", "date": "2024-08-30", "classification": "terbatas"}},
        ),
    ),
)

FLOOD: Final = Story(
    "FLOOD",
    "Flood warning at the ballot warehouse",
    "Two days before the vote heavy rain is forecast for Lowokwaru. The ballots are KPU's to protect; BPBD, Polresta"
    " and Kodim support. The task is open to every agency of the region: BKPSDM, no party to it, reads it too.",
    {
        "title": "Lindungi surat suara di gudang Lowokwaru",
        "description": "Heavy rain forecast; the ballot warehouse stands low. Raise the pallets, have pumps ready.",
        "category": "hydrometeorological",
        "function": "logistics",
        "region": "35.73.05",
        "classification": "terbuka",
        "priority": "high",
    },
    (
        Step(BAKESBANGPOL, "log", "2024-11-25T14:10:00"),
        Step(POLRESTA, "read"),
        Step(BKPSDM, "read"),
        Step(KPU, "accept", "2024-11-25T14:20:00"),
        Step(KPU, "start", "2024-11-25T14:25:00"),
        Step(
            KPU,
            "resolve",
            "2024-11-25T18:00:00",
            {"outcome": "no_incident", "note": "Pallets raised, pumps of BPBD in place; the store stayed dry."},
        ),
        Step(BAKESBANGPOL, "confirm", "2024-11-26T08:00:00"),
    ),
)

RETURNED: Final = Story(
    "RETURNED",
    "Returned with a reason, and sent again",
    "A clip of torn ballots goes viral. Polresta logs it as a rumour, so it reaches Bakesbangpol, which returns it: the"
    " ballots are KPU's. Polresta sends it again, now by the mandate for the election process.",
    {
        "title": "Video surat suara rusak viral",
        "description": "A clip said to show torn ballots of Kota Malang spreads fast.",
        "category": "viral_issue",
        "function": "prevention",
        "region": "35.73",
    },
    (
        Step(POLRESTA, "log", "2024-11-20T19:00:00"),
        Step(
            BAKESBANGPOL,
            "return",
            "2024-11-20T20:10:00",
            {"reason": "The clip is about ballots: only KPU can say what it shows.", "suggested_agency": KPU},
        ),
        Step(
            POLRESTA,
            "refer",
            "2024-11-20T20:30:00",
            {"to_agency": KPU, "variant": "topic_election_process", "note": "As Bakesbangpol suggested."},
        ),
        Step(KPU, "accept", "2024-11-20T20:45:00"),
        Step(KPU, "start", "2024-11-20T20:50:00"),
        Step(
            KPU,
            "resolve",
            "2024-11-21T09:00:00",
            {"outcome": "mitigated", "note": "Sortation records published: the ballots were of another city."},
        ),
        Step(POLRESTA, "confirm", "2024-11-21T10:00:00"),
    ),
)

#: In the order of telling; a run is over when the task of the last has ended.
STORIES: Final = (OUTREACH, REFUSALS, BOUNDARY, FLOOD, RETURNED)
