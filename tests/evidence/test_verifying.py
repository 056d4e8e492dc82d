"""Exports made by an honest log, and by one that is not: what is found, and by whom."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger import BAWASLU, KPU, POLRI, TNI, WITHIN, Ledger, fresh
from support import scaled

from app.settings import ROOT
from app.statements import Kind, read, state
from app.testimony import Kept, Report
from app.verifying import verify

pytestmark = pytest.mark.attack

Tamper = Callable[[Ledger, int], None]
TAMPERING: tuple[Tamper, ...] = (Ledger.edit, Ledger.delete, Ledger.insert, Ledger.reorder, Ledger.truncate)
tampering = pytest.mark.parametrize("tamper", TAMPERING, ids=lambda one: one.__name__)


class Agency:
    """Somebody who keeps heads, receipts and keys on a machine of its own, and verifies with what it kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def keep(self, name: str, *lines: str) -> Path:
        self.count += 1
        path = self.folder / f"{name}-{self.count}"
        path.write_text("".join(f"{one}\n" for one in lines))
        return path

    def verify(
        self,
        ledger: Ledger,
        *,
        heads: Sequence[str] = (),
        receipts: Sequence[str] = (),
        keys: Any = None,
        quorum: int = 3,
        partial: bool = False,
    ) -> Report:
        self.count += 1
        kept = Kept(
            (self.keep("heads", *heads),) if heads else (),
            (self.keep("receipts", *receipts),) if receipts else (),
            self.keep("keys", json.dumps(keys)) if keys else None,
            partial=partial,
        )
        return verify(ledger.export(self.folder / f"export-{self.count}"), kept, quorum=quorum)


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    return Agency(tmp_path)


def told(report: Report, *words: str) -> bool:
    """Whether one of the findings holds all of these words."""
    return any(all(word in finding for word in words) for finding in report.findings)


# honest


def test_an_honest_export_passes_with_everything_that_was_kept(agency: Agency) -> None:
    ledger = Ledger.of(11)
    ledger.cosign(KPU, BAWASLU, POLRI)
    heads = [one["head"] for one in ledger.heads]
    report = agency.verify(ledger, heads=heads, receipts=ledger.receipts, keys=ledger.keys())
    assert (report.findings, report.pending, report.warnings) == ([], [], [])
    assert (report.entries, report.documents, report.heads, report.receipts) == (11, 11, 6, 11)
    assert (report.sealed, report.witnessed, report.cosignatures) == (11, 11, 3)
    assert (report.log, report.root, report.newest) == ("simpul", ledger.root(11), ledger.now)


@settings(max_examples=scaled(15, 400))
@given(st.integers(0, 40), st.integers(1, 9), st.data())
def test_whoever_kept_anything_of_an_honest_log_finds_nothing(size: int, every: int, data: st.DataObject) -> None:
    ledger = Ledger.of(size, sealed_every=every)
    ledger.seal()
    heads = data.draw(st.lists(st.sampled_from([one["head"] for one in ledger.heads])))
    receipts = data.draw(st.lists(st.sampled_from(ledger.receipts))) if size else []
    hidden = data.draw(st.sets(st.integers(0, size - 1))) if size else set()
    for place in hidden:
        ledger.entries[place]["document"] = None
    with tempfile.TemporaryDirectory() as folder:
        report = Agency(Path(folder)).verify(ledger, heads=heads, receipts=receipts, keys=ledger.jwks(), partial=True)
    assert report.findings == []
    assert (report.entries, report.documents) == (size, size - len(hidden))


def test_an_entry_whose_document_one_may_not_read_is_checked_by_its_leaf(agency: Agency) -> None:
    ledger = Ledger.of(5)
    ledger.entries[2]["document"] = None
    assert agency.verify(ledger, partial=True).findings == []
    assert told(agency.verify(ledger), "1 entries are here by their leaf alone", "1 of them are none of those")
    ledger.entries[2]["leaf"] = "00" * 32
    assert told(agency.verify(ledger, partial=True), "Head of size 4", "another root")


def test_what_no_head_covers_yet_is_no_lie(agency: Agency) -> None:
    ledger = Ledger.of(4)
    receipt = ledger.record()
    report = agency.verify(ledger, receipts=[receipt])
    assert (report.findings, report.entries, report.sealed) == ([], 5, 4)
    assert len(report.pending) == 1


def test_a_receipt_of_several_facts_and_several_receipts_a_line_are_read(agency: Agency) -> None:
    ledger = Ledger()
    receipts = [ledger.record(3), ledger.record(), ledger.record(2)]
    ledger.seal()
    report = agency.verify(ledger, receipts=[f"{receipts[0]}, {receipts[1]}\r", "", receipts[2]])
    assert (report.findings, report.pending, report.receipts) == ([], [], 3)


def test_a_receipt_of_many_facts_is_redeemed_by_all_of_them_and_by_nothing_else(agency: Agency) -> None:
    ledger = Ledger.of(3)
    receipts = [ledger.record(41), ledger.record(11)]
    ledger.record()
    ledger.seal()
    report = agency.verify(ledger, receipts=receipts)
    assert (report.findings, report.pending, report.receipts) == ([], [], 2)
    for tamper in (Ledger.edit, Ledger.delete, Ledger.insert, Ledger.reorder):
        for place in (4, 20, 43):
            other = ledger.copy()
            tamper(other, place)
            other.rebuild()
            assert told(agency.verify(other, receipts=receipts[:1]), "Receipt of request", "40 after it", "no head")
    gone = ledger.copy()
    del gone.entries[3:44]
    leaf = read([ledger.key.published()], Kind.RECEIPT, receipts[0])[0]["root"]
    gone.entries.insert(3, {"index": 4, "leaf": leaf, "document": None})
    gone.rebuild()
    assert told(agency.verify(gone, receipts=receipts[:1]), "Receipt of request", "40 after it", "no head")


@pytest.mark.parametrize("form", ["{}", '{{"size": 4, "head": "{}"}}', '  {{"head":"{}"}}', "{}\r"])
def test_a_head_is_kept_as_it_was_sent_or_as_it_was_exported(form: str, agency: Agency) -> None:
    ledger = Ledger.of(4)
    report = agency.verify(ledger, heads=[form.format(ledger.heads[0]["head"])])
    assert (report.findings, report.heads) == ([], 2)
    foreign = Ledger.of(4).heads[0]["head"]
    assert told(agency.verify(ledger, heads=[form.format(foreign)]), "no key of the log has signed it")


def test_heads_of_a_key_that_the_log_has_retired_still_count(agency: Agency) -> None:
    ledger = Ledger.of(4)
    retired, ledger.key = ledger.key, fresh()
    ledger.record()
    ledger.seal()
    folder = ledger.export(agency.folder / "export")
    both = [retired.published(), ledger.key.published()]
    (folder / "keys.json").write_text(json.dumps({**ledger.keys(), "log": both}))
    assert verify(folder).findings == []
    assert verify(folder, Kept(keys=agency.keep("jwks", json.dumps({"keys": both})))).findings == []
    old = verify(folder, Kept(keys=agency.keep("jwks", json.dumps({"keys": both[:1]}))))
    assert (len(old.findings), old.sealed) == (1, 4)


# tampering that leaves the heads as they were


@tampering
@pytest.mark.parametrize("place", [0, 3, 10])
def test_what_is_tampered_with_under_its_heads_is_found_by_everybody(
    tamper: Tamper, place: int, agency: Agency
) -> None:
    ledger = Ledger.of(11)
    tamper(ledger, place)
    assert told(agency.verify(ledger), "Head of size 11 (heads.jsonl, line 3)")
    for index, entry in enumerate(ledger.entries, start=1):
        entry["index"] = index
    report = agency.verify(ledger)
    assert told(report, "Head of size 11 (heads.jsonl, line 3)")
    assert report.sealed < 11


def test_the_finding_names_the_entry(agency: Agency) -> None:
    ledger = Ledger.of(11)
    cases: tuple[tuple[Callable[[Ledger], object], str], ...] = (
        (lambda one: one.delete(4), "Entry 5 is missing."),
        (lambda one: one.entries.__delitem__(slice(4, 6)), "Entries 5 to 6 are missing."),
        (lambda one: one.delete(0), "Entry 1 is missing."),
        (lambda one: one.insert(4), "Entry 5 stands after entry 5."),
        (lambda one: one.entries.insert(2, one.entries.pop(7)), "Entry 3 stands after entry 8."),
        (lambda one: one.entries[6].update(index=0), "Entry 0 stands after entry 6."),
        (lambda one: one.entries[6].update(document="{}"), "Entry 7: its document is not the one that was hashed."),
        (lambda one: one.entries[6].update(document='{"a":1,"a":2}'), "Entry 7: its document can't be read in one"),
        (lambda one: one.entries[6].update(document="[]"), "Entry 7: its document can't be read in one way"),
        (lambda one: one.entries[6].update(document="[" * 9999), "Entry 7: its document can't be read in one way"),
    )
    for tamper, sentence in cases:
        tampered = ledger.copy()
        tamper(tampered)
        assert told(agency.verify(tampered), sentence), sentence


def test_a_document_of_two_meanings_is_refused_even_when_its_leaf_and_head_fit(agency: Agency) -> None:
    ledger = Ledger.of(3)
    ledger.enter(3, '{"kind":"task.accepted","kind":"task.returned"}')
    ledger.seal()
    assert agency.verify(ledger).findings == ["Entry 4: its document can't be read in one way only."]


# a whole tree rebuilt to hide it


@tampering
@pytest.mark.parametrize("place", [0, 3, 6])
def test_a_tree_rebuilt_with_the_logs_key_is_found_by_an_earlier_head(
    tamper: Tamper, place: int, agency: Agency
) -> None:
    ledger = Ledger.of(8)
    head = ledger.heads[-1]["head"]
    tamper(ledger, place)
    ledger.rebuild()
    assert agency.verify(ledger, keys=ledger.jwks()).findings == []  # nobody finds it who kept nothing
    assert told(agency.verify(ledger, heads=[head], keys=ledger.jwks()), "Head in heads-", "line 1")


@tampering
def test_a_tree_rebuilt_with_the_logs_key_is_found_by_witnesses_who_cosigned(tamper: Tamper, agency: Agency) -> None:
    ledger = Ledger.of(8)
    ledger.cosign(KPU, BAWASLU, POLRI)
    kept = ledger.cosignatures
    tamper(ledger, 3)
    ledger.rebuild()
    assert agency.verify(ledger).witnessed == 0
    ledger.cosignatures = kept
    report = agency.verify(ledger)
    assert told(report, f"Cosignature of {BAWASLU} for size 8 (cosignatures.jsonl, line 2)")
    assert report.witnessed == 0


@pytest.mark.parametrize("tamper", [Ledger.edit, Ledger.delete], ids=lambda one: one.__name__)
def test_a_tree_rebuilt_with_the_logs_key_is_found_by_the_receipt_of_what_is_gone(
    tamper: Tamper, agency: Agency
) -> None:
    ledger = Ledger.of(8)
    tamper(ledger, 3)
    ledger.rebuild()
    for receipt, there in ((ledger.receipts[3], False), (ledger.receipts[4], True)):
        report = agency.verify(ledger, receipts=[receipt], keys=ledger.jwks())
        assert report.pending == []
        assert (report.findings == []) is there
        assert told(report, "Receipt of request r-", "(receipts-", "is under no head") is not there


def test_what_was_cut_off_is_found_by_its_receipt_once_the_log_signs_again(agency: Agency) -> None:
    ledger = Ledger.of(8)
    ledger.truncate(3)
    ledger.rebuild()
    report = agency.verify(ledger, receipts=ledger.receipts)
    assert len(report.findings) == 5
    assert told(report, "line 4), ") is False
    assert told(report, "line 4): the leaf", "is under no head")


def test_a_receipt_is_pending_until_a_head_is_young_enough_to_tell(agency: Agency) -> None:
    for later, findings, pending in ((WITHIN, 0, 1), (WITHIN + 1, 1, 0)):
        ledger = Ledger.of(8)
        receipt = ledger.record()
        ledger.delete(8)
        ledger.rebuild(later=later)
        report = agency.verify(ledger, receipts=[receipt])
        assert (len(report.findings), len(report.pending)) == (findings, pending)


def test_an_entry_put_behind_the_newest_head_redeems_no_receipt(agency: Agency) -> None:
    ledger = Ledger.of(8)
    receipt = ledger.record()
    late = ledger.entries.pop()
    ledger.rebuild()
    ledger.entries.append(late)
    assert told(agency.verify(ledger, receipts=[receipt]), "is under no head")


def test_an_earlier_head_finds_a_log_that_ends_before_it_even_if_the_receipts_stay_pending(agency: Agency) -> None:
    ledger = Ledger.of(8)
    head = ledger.heads[-1]["head"]
    del ledger.heads[-1]
    ledger.truncate(4)
    report = agency.verify(ledger, receipts=ledger.receipts)
    assert (report.findings, len(report.pending)) == ([], 4)
    assert told(agency.verify(ledger, heads=[head]), "here are 4 entries: what it covers was cut off")


@tampering
def test_a_tree_rebuilt_without_the_logs_key_is_found_by_its_keys_by_any_head_and_by_any_receipt(
    tamper: Tamper, agency: Agency
) -> None:
    ledger = Ledger.of(8)
    forged = ledger.copy()
    forged.key = fresh()
    tamper(forged, 3)
    forged.rebuild()
    report = agency.verify(forged)
    assert report.findings == []
    assert "an operator could have exchanged them" in report.warnings[0]
    assert told(agency.verify(forged, keys=ledger.jwks()), "no key of the log has signed it")
    assert told(agency.verify(forged, heads=[ledger.heads[0]["head"]]), "no key of the log has signed it")
    assert told(agency.verify(forged, receipts=[ledger.receipts[0]]), "no key of the log has signed it")


@settings(max_examples=scaled(40, 2000))
@given(st.data())
def test_whatever_was_changed_under_a_head_that_somebody_kept_is_found(data: st.DataObject) -> None:
    ledger = Ledger.of(data.draw(st.integers(1, 40)), sealed_every=data.draw(st.integers(1, 9)))
    kept = data.draw(st.sampled_from(ledger.heads))
    covered = [one["leaf"] for one in ledger.entries[: kept["size"]]]
    forged = ledger.copy()
    for _ in range(data.draw(st.integers(1, 3))):
        if len(forged.entries) > 1:
            tamper = data.draw(st.sampled_from(TAMPERING))
            tamper(forged, data.draw(st.integers(0, len(forged.entries) - 1)))
    for _ in range(data.draw(st.integers(0, 9))):
        forged.record()
    forged.rebuild()
    with tempfile.TemporaryDirectory() as folder:
        report = Agency(Path(folder)).verify(forged, heads=[kept["head"]], keys=ledger.jwks())
    untouched = [one["leaf"] for one in forged.entries[: kept["size"]]] == covered
    assert (report.findings == []) is untouched


# views that differ


def test_two_heads_of_one_size_and_two_roots_are_a_split_view(agency: Agency) -> None:
    ledger = Ledger.of(8)
    other = ledger.copy()
    other.edit(5)
    other.rebuild()
    shown_to_another = other.heads[-1]["head"]
    assert told(agency.verify(ledger, heads=[shown_to_another]), "others were shown another log")
    ledger.heads.append({"size": 8, "head": shown_to_another})
    report = agency.verify(ledger)
    assert told(report, "Head of size 8 (heads.jsonl, line 3)", "another root")
    assert len(report.findings) == 1


def test_a_witness_of_another_view_is_heard(agency: Agency) -> None:
    ledger = Ledger.of(8)
    ledger.cosign(KPU, root="00" * 32)
    ledger.cosign(BAWASLU)
    report = agency.verify(ledger, quorum=1)
    assert told(report, f"Cosignature of {KPU} for size 8", "others were shown another log")
    assert (len(report.findings), report.witnessed) == (1, 8)


@pytest.mark.parametrize("kind", ["head", "receipt", "cosignature"])
def test_what_is_said_of_another_log_is_no_evidence_of_this_one(kind: str, agency: Agency) -> None:
    ledger = Ledger.of(8)
    other = ledger.copy()
    other.issuer = "another"
    heads, receipts = [ledger.heads[0]["head"]], [ledger.receipts[0]]
    if kind == "head":
        heads.append(other.seal())
    elif kind == "receipt":
        receipts.append(other.record())
    else:
        other.cosign(KPU)
        ledger.cosignatures = other.cosignatures
    report = agency.verify(ledger, heads=heads, receipts=receipts, quorum=1)
    assert len(report.findings) == 1
    assert told(report, "it is about another log, another.")
    assert report.witnessed == 0


# signatures


def test_a_head_of_a_foreign_key_is_nobodys(agency: Agency) -> None:
    ledger = Ledger.of(8)
    stranger = ledger.copy()
    stranger.key = fresh()
    ledger.heads.append({"size": 8, "head": stranger.seal()})
    report = agency.verify(ledger)
    assert report.findings == ["Head of size 8 (heads.jsonl, line 3): no key of the log has signed it."]
    assert report.sealed == 8
    ledger.heads = ledger.heads[-1:]
    report = agency.verify(ledger)
    assert report.sealed == 0
    assert told(report, "No head of the log fits these entries")


@pytest.mark.parametrize(
    "said",
    [
        {"size": "8"},
        {"size": True},
        {"size": -1},
        {"size": 8.5},
        {"root": "5D" * 32},
        {"root": "5d" * 31},
        {"root": None},
        {"iat": "now"},
        {"iat": 2**50},
        {"iss": ""},
        {"iss": "\x1b[2J"},
        {"iss": 5},
    ],
    ids=str,
)
def test_a_signed_head_that_says_something_else_is_none(said: dict[str, Any], agency: Agency) -> None:
    ledger = Ledger.of(8)
    head = {"iss": "simpul", "size": 8, "root": ledger.root(8), "iat": ledger.now, **said}
    ledger.heads.append({"size": 8, "head": state(ledger.key, Kind.HEAD, head)})
    report = agency.verify(ledger)
    assert report.findings == ["Head of size 8 (heads.jsonl, line 3): no key of the log has signed it."]


def test_a_line_that_says_another_size_than_its_head_is_found(agency: Agency) -> None:
    ledger = Ledger.of(8)
    ledger.heads[0]["size"] = 3
    assert agency.verify(ledger).findings == ["Head of size 3 (heads.jsonl, line 1): it was signed for size 4."]


def test_heads_and_cosignatures_out_of_order_are_not_passed_over(agency: Agency) -> None:
    ledger = Ledger.of(8)
    ledger.cosign(KPU)
    ledger.cosign(BAWASLU, size=4)
    ledger.heads.reverse()
    report = agency.verify(ledger)
    assert told(report, "Head of size 4 (heads.jsonl, line 2): it stands after one of a larger size.")
    assert told(report, f"Cosignature of {BAWASLU} for size 4", "it stands after one of a larger size")


def test_a_receipt_of_a_foreign_key_and_a_head_taken_for_a_receipt_promise_nothing(agency: Agency) -> None:
    ledger = Ledger.of(4)
    foreign = Ledger.of(1).receipts[0]
    report = agency.verify(ledger, receipts=[foreign, ledger.heads[0]["head"], "x" * 70_000, "é", "Bearer"])
    assert len(report.findings) == 5
    assert told(report, "Receipt in receipts-", "line 2: no key of the log has signed it.")


def test_a_log_without_heads_is_vouched_for_by_nobody(agency: Agency) -> None:
    for ledger in (Ledger(), Ledger.of(4)):
        ledger.heads = []
        assert agency.verify(ledger).findings == ["No head of the log fits these entries: nobody answers for them."]


# witnesses


def test_an_entry_is_witnessed_when_three_agencies_have_cosigned_a_head_over_it(agency: Agency) -> None:
    ledger = Ledger.of(2)
    ledger.cosign(KPU, KPU)  # the same agency twice is one witness
    ledger.record(3)
    ledger.seal()
    ledger.cosign(BAWASLU)
    ledger.record(4)
    ledger.seal()
    ledger.cosign(POLRI)
    assert [agency.verify(ledger, quorum=count).witnessed for count in (1, 2, 3, 4)] == [9, 5, 2, 0]


def test_two_keys_of_one_agency_are_one_witness(agency: Agency) -> None:
    ledger = Ledger.of(4)
    ledger.cosign(KPU)
    first, ledger.witnesses[KPU] = ledger.witnesses[KPU], fresh()
    ledger.cosign(KPU)
    folder = ledger.export(agency.folder / "export")
    keys = ledger.keys()
    keys["witnesses"].append({"agency": KPU, "jwk": first.published()})
    (folder / "keys.json").write_text(json.dumps(keys))
    report = verify(folder, quorum=2)
    assert (report.findings, report.witnessed, report.cosignatures) == ([], 0, 2)
    assert verify(folder, quorum=1).witnessed == 4


def test_a_cosignature_by_nobody_witnesses_nothing(agency: Agency) -> None:
    ledger = Ledger.of(4)
    ledger.witnesses[TNI] = fresh()
    ledger.cosign(TNI)
    del ledger.witnesses[TNI]
    report = agency.verify(ledger, quorum=1)
    assert told(report, f"Cosignature of {TNI} for size 4", f"no witness key of {TNI} has signed it")
    assert report.witnessed == 0


def test_no_agency_cosigns_for_another(agency: Agency) -> None:
    ledger = Ledger.of(4)
    ledger.cosign(KPU)
    good, other = ledger.cosignatures[0], ledger.witnesses[BAWASLU].kid
    for forged in (
        {**good, "agency": BAWASLU},
        {**good, "agency": BAWASLU, "kid": other},
        {**good, "kid": other},
        {**good, "size": 3},
        {**good, "cosignature": ledger.heads[0]["head"]},
        {**good, "cosignature": state(ledger.key, Kind.COSIGNATURE, {})},
    ):
        ledger.cosignatures = [forged]
        report = agency.verify(ledger, quorum=1)
        assert len(report.findings) == 1
        assert told(report, f"Cosignature of {forged['agency']} for size {forged['size']}")
        assert report.witnessed == 0
    ledger.cosignatures = []
    ledger.cosign(KPU, iss=BAWASLU)
    assert told(agency.verify(ledger, quorum=1), f"it was signed for {BAWASLU} and size 4")


def test_witnesses_made_up_by_the_operator_are_found_by_who_kept_an_earlier_exports_keys(agency: Agency) -> None:
    ledger = Ledger.of(4)
    kept = ledger.keys()
    ledger.witnesses = {one: fresh() for one in ledger.witnesses}
    ledger.cosign(KPU, BAWASLU, POLRI)
    report = agency.verify(ledger, keys=ledger.jwks())
    assert (report.findings, report.witnessed) == ([], 4)
    assert "could have made them up" in report.warnings[0]
    report = agency.verify(ledger, keys=kept)
    assert (len(report.findings), report.witnessed, report.warnings) == (3, 0, [])


# the report


def test_many_findings_of_one_file_are_counted_and_hide_those_of_no_other(agency: Agency) -> None:
    ledger = Ledger.of(200, sealed_every=1)
    head = ledger.heads[-1]["head"]
    ledger.entries[0]["leaf"], ledger.entries[0]["document"] = "00" * 32, None
    report = agency.verify(ledger, heads=[head], partial=True)
    assert report.findings[-1] == "heads.jsonl: 180 findings more."
    assert told(report, "Head in heads-")
    assert told(report, "No head of the log fits")
    assert len(report.findings) == 20 + 3


def test_the_verifier_needs_neither_database_nor_web() -> None:
    program = "import sys, app.verifying; print({'sqlalchemy', 'asyncpg', 'fastapi', 'httpx'} & sys.modules.keys())"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
