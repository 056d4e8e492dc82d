"""The service's own log, exported: whatever it promised is there, and every document is the one that was hashed."""

from __future__ import annotations

from notary import House
from support import Agency, task

from app.testimony import Kept
from app.verifying import verify


async def receipts_of(agency: Agency) -> list[str]:
    """What an agency keeps of writes with one fact and with several, with free text and without."""
    answers = [await agency.post("/v1/tasks", task(title=f"Sosialisasi {one}")) for one in range(3)]
    answers.append(await agency.post(f"/v1/tasks/{answers[0].json()['id']}/comments", {"body": "Sudah dibahas."}))
    answers.append(await agency.move(answers[1].json()["id"], "cancel", reason="Ganda"))
    assert all(one.is_success for one in answers), [one.text for one in answers]
    return [one.headers["audit-receipt"] for one in answers]


async def test_an_export_redeems_every_receipt_and_shows_every_document(house: House) -> None:
    receipts = await receipts_of(house.bakesbangpol)
    first = await house.seal()
    receipts += await receipts_of(house.bakesbangpol)
    assert await house.seal() > first
    kept = house.folder / "receipts"
    kept.write_text("\n".join(receipts))
    report = verify(await house.export("export"), Kept(receipts=(kept,)))
    assert (report.findings, report.pending, report.receipts) == ([], [], len(receipts))
    assert report.documents == report.entries == report.sealed > len(receipts)
