"""One task from log to close, as the five agencies live it."""

from support import Agency


async def test_the_law_hands_a_task_to_its_owner_who_accepts_acts_and_closes(
    bakesbangpol: Agency, bkpsdm: Agency
) -> None:
    logged = await bakesbangpol.log(effective_at="2024-08-19T08:00:00+07:00")
    assert logged["status"] == "assigned"
    assert logged["holder"] == "BAKESBANGPOL_KOTA_MALANG"
    assert logged["accountable"] is None
    assert logged["open_referral"]["to_agency"] == "BKPSDM_KOTA_MALANG"
    accepted = await bkpsdm.accept(logged, effective_at="2024-08-20T09:00:00+07:00")
    assert (accepted["status"], accepted["accountable"], accepted["mandate"]) == (
        "accepted",
        "BKPSDM_KOTA_MALANG",
        "M01",
    )
    assert (await bkpsdm.move(logged["id"], "start")).json()["status"] == "in_progress"
    resolved = await bkpsdm.move(
        logged["id"], "resolve", outcome="mitigated", note="Pakta integritas", facts={"participants": 642}
    )
    assert resolved.json()["status"] == "resolved"
    closed = await bakesbangpol.move(logged["id"], "confirm")
    assert closed.json()["status"] == "closed"
