"""`simpul log verify`: what it prints, how it ends, and what it says of files that are not what they should be."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger import BAWASLU, KPU, POLRI, Ledger
from support import scaled
from typer.testing import CliRunner, Result

from app.cli import app
from app.log_files import Unreadable
from app.testimony import Kept
from app.verifying import verify

FILES = ("entries.jsonl", "heads.jsonl", "cosignatures.jsonl", "keys.json")
Break = Callable[[Path], object]


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger.of(8)
    ledger.cosign(KPU, BAWASLU, POLRI)
    return ledger


@pytest.fixture
def folder(ledger: Ledger, tmp_path: Path) -> Path:
    return ledger.export(tmp_path / "export")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["log", "verify", *map(str, arguments)])


def test_an_honest_export_ends_with_nothing_wrong(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "heads").write_text(ledger.heads[0]["head"])
    (tmp_path / "receipts").write_text("\n".join(ledger.receipts))
    (tmp_path / "keys").write_text(json.dumps(ledger.keys()))
    kept = ("--head", tmp_path / "heads", "--receipts", tmp_path / "receipts", "--keys", tmp_path / "keys")
    ran = run(folder, *kept)
    assert ran.exit_code == 0, ran.output
    for words in (
        "The log simpul",
        "8 with their document",
        f"Root of the entries: {ledger.root(8)}\n",
        "sealed up to entry 8, 2024-11-22 00:00 UTC",
        "witnessed by 3 agencies up to entry 8",
        "0 pending",
        "Nothing is wrong.",
    ):
        assert words in ran.stdout
    assert "could have" not in ran.stdout
    assert "none is witnessed by 4 agencies" in run(folder, *kept, "--witnesses", "4").stdout


def test_keys_of_the_export_are_used_with_a_warning(folder: Path) -> None:
    ran = run(folder)
    assert ran.exit_code == 0
    assert "The log's keys are those of the export itself" in ran.stdout
    assert "The witnesses' keys are those of the export itself" in ran.stdout


def test_findings_are_told_and_end_it_with_1(ledger: Ledger, folder: Path) -> None:
    ledger.edit(2)
    ledger.export(folder)
    ran = run(folder)
    assert ran.exit_code == 1
    assert "Head of size 4 (heads.jsonl, line 1): it was signed 2024-11-22 00:00:04 UTC" in ran.stdout
    assert "Nothing is wrong." not in ran.stdout


def test_a_program_gets_json(ledger: Ledger, folder: Path) -> None:
    ran = run(folder, "--json")
    report = json.loads(ran.stdout)
    assert (ran.exit_code, report["findings"], report["entries"], report["witnessed"]) == (0, [], 8, 8)
    ledger.delete(2)
    ledger.export(folder)
    ran = run(folder, "--json")
    report = json.loads(ran.stdout)
    assert ran.exit_code == 1
    assert report["findings"][0] == "Entry 3 is missing."


def test_a_name_with_markup_and_odd_bytes_is_printed_as_it_can_be(folder: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"[bold]\xff")
    odd.write_text("nothing")
    ran = run(folder, "--head", odd)
    assert ran.exit_code == 1
    assert "Head in [bold]\ufffd (kept), line 1: no key of the log has signed it." in ran.stdout
    odd.unlink()
    ran = run(folder, "--head", odd)
    assert (ran.exit_code, ran.stderr.strip()) == (2, "[bold]\ufffd can't be read: No such file or directory.")


# files that are not what they should be


def link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name("elsewhere")))


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


BROKEN: dict[str, Break] = {
    "missing": Path.unlink,
    "a link": link,
    "a folder": folder_instead,
    "a pipe": pipe,
    "no JSON": lambda path: path.write_text("PK\x03\x04 not json\n"),
    "no object": lambda path: path.write_text("[]\n"),
    "no members": lambda path: path.write_text("{}\n"),
    "no UTF-8": lambda path: path.write_bytes(b'{"index":1,"leaf":"\xff"}\n'),
    "UTF-16": lambda path: path.write_bytes(path.read_text().encode("utf-16")),
    "nested": lambda path: path.write_text("[" * 500_000),
    "nested objects": lambda path: path.write_text('{"a":' * 100_000),
    "a huge number": lambda path: path.write_text(f'{{"index":{"9" * 9999},"size":{"9" * 9999}}}\n'),
    "a line of 100 MB": lambda path: os.truncate(path, 100 << 20),
    "cut off": lambda path: os.truncate(path, path.stat().st_size - 9),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_file_is_named_in_a_sentence_and_ends_it_with_2(name: str, how: str, folder: Path) -> None:
    BROKEN[how](folder / name)
    ran = run(folder)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr.startswith(name)
    assert "Traceback" not in ran.output
    assert ran.stderr.strip().endswith(".")
    assert type(ran.exception) is SystemExit


@pytest.mark.parametrize("option", ["--head", "--receipts", "--keys"])
@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_file_that_was_kept_is_no_traceback_either(
    option: str, how: str, folder: Path, tmp_path: Path, ledger: Ledger
) -> None:
    kept = tmp_path / "kept"
    kept.write_text(json.dumps(ledger.jwks()) if option == "--keys" else f"{ledger.heads[0]['head']}\n")
    BROKEN[how](kept)
    ran = run(folder, option, kept)
    assert ran.exit_code in {1, 2}
    assert type(ran.exception) is SystemExit
    assert "kept" in ran.output


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("entries.jsonl", '{"index":9,"leaf":"%s"}' % ("00" * 32)),
        ("entries.jsonl", '{"index":"9","leaf":"%s","document":null}' % ("00" * 32)),
        ("entries.jsonl", '{"index":9.0,"leaf":"%s","document":null}' % ("00" * 32)),
        ("entries.jsonl", '{"index":true,"leaf":"%s","document":null}' % ("00" * 32)),
        ("entries.jsonl", '{"index":-9,"leaf":"%s","document":null}' % ("00" * 32)),
        ("entries.jsonl", '{"index":9,"leaf":"00","document":null}'),
        ("entries.jsonl", '{"index":9,"leaf":"%s","document":null}' % ("zz" * 32)),
        ("entries.jsonl", '{"index":9,"leaf":"%s","document":{}}' % ("00" * 32)),
        ("entries.jsonl", '{"index":9,"leaf":"%s","document":"\\ud800"}' % ("00" * 32)),
        ("entries.jsonl", '{"index":9,"index":9,"leaf":"%s","document":null}' % ("00" * 32)),
        ("entries.jsonl", '{"index":9,"leaf":"%s","document":null,"event":"all is well"}' % ("00" * 32)),
        ("entries.jsonl", '{"index":NaN,"leaf":"%s","document":null}' % ("00" * 32)),
        ("entries.jsonl", ""),
        ("heads.jsonl", '{"size":9}'),
        ("heads.jsonl", '{"size":9,"head":5}'),
        ("heads.jsonl", '{"size":99999999999999999999,"head":""}'),
        ("cosignatures.jsonl", '{"agency":"\\u001b[2J","size":9,"kid":"abcd","cosignature":""}'),
        ("cosignatures.jsonl", '{"agency":"KPU","size":9,"kid":"\\u202e1234","cosignature":""}'),
        ("cosignatures.jsonl", '{"agency":"KPU","size":9,"kid":"abcd","cosignature":null}'),
    ],
)
def test_a_line_of_another_form_is_named(name: str, line: str, folder: Path) -> None:
    path = folder / name
    before = len(path.read_text().splitlines())
    path.write_text(f"{path.read_text()}{line}\n")
    ran = run(folder)
    assert ran.exit_code == 2
    assert ran.stderr.startswith(f"{name}, line {before + 1} is not as it should be: a JSON object of ")


def test_a_last_line_that_was_cut_off_is_said_to_be(folder: Path) -> None:
    path = folder / "entries.jsonl"
    os.truncate(path, path.stat().st_size - 9)
    assert run(folder).stderr.startswith("entries.jsonl, line 8 is cut off: a JSON object of index, leaf, document.")


@pytest.mark.parametrize(
    "keys",
    [
        {"log": []},
        {"keys": {}},
        {"keys": [{}]},
        {"keys": [{"kty": "RSA", "kid": "abcd", "n": "AQAB", "e": "AQAB"}]},
        {"keys": [{"kty": "EC", "crv": "P-256", "kid": "abcd", "x": "A" * 43, "y": "A" * 43}]},
        {"keys": [{"kty": "EC", "crv": "P-256", "kid": "abcd", "x": "\u00e9", "y": "="}]},
        {"log": [], "witnesses": [{"agency": "KPU"}]},
        [],
    ],
    ids=str,
)
def test_keys_that_are_none_are_named(keys: object, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text(json.dumps(keys))
    ran = run(folder, "--keys", tmp_path / "kept")
    assert (ran.exit_code, ran.stderr.strip()) == (
        2,
        "kept holds no public keys: neither a JWKS nor those of an export.",
    )


def test_a_line_without_end_is_not_read_into_memory(folder: Path) -> None:
    os.truncate(folder / "heads.jsonl", 200 << 20)
    tracemalloc.start()
    with pytest.raises(Unreadable, match="is longer than"):
        verify(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


@pytest.mark.attack
@settings(max_examples=scaled(60, 4000))
@given(st.data())
def test_bytes_changed_anywhere_are_found_or_make_no_difference(data: st.DataObject) -> None:
    export = _example()
    path = export / data.draw(st.sampled_from(FILES[:3]))
    honest = path.read_bytes()
    place = data.draw(st.integers(0, len(honest) - 2))
    other = data.draw(st.binary(max_size=4).filter(lambda one: one != honest[place : place + 1]))
    changed = honest[:place] + other + honest[place + 1 :]
    path.write_bytes(changed)
    told = _told(export)
    path.write_bytes(honest)
    assert told or [*map(json.loads, changed.splitlines())] == [*map(json.loads, honest.splitlines())]


def _told(export: Path) -> list[str]:
    try:
        return verify(export, Kept(keys=export / "kept")).findings
    except Unreadable as error:
        return [str(error)]


@cache
def _example() -> Path:
    ledger = Ledger.of(8)
    ledger.cosign(KPU, BAWASLU, POLRI)
    export = ledger.export(Path(os.environ["SIMPUL_TEST_VAR"]) / f"export-{os.getpid()}")
    (export / "kept").write_text(json.dumps(ledger.keys()))
    return export
