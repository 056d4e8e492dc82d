"""What may lie in the repository."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support import scaled

from app.settings import ROOT

FOLDERS = {".ci", "app", "migrations", "openapi", "tests"}
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-peer.lock"]
# Put together from halves, so that this file does not name what it forbids.
HOSTS = ["py" + "pi.org", "python" + "hosted", "registry." + "npmjs"]
ELSEWHERE = [one + ".md" for one in ("TRU" + "ST", "DES" + "IGN", "A" + "PI")]
PLACES = ["/" + one + "/" for one in ("work", "root", "home")]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = [one for one in listed.stdout.decode().split("\0") if one]
    assert len(names) > 100
    return [ROOT / one for one in names if (ROOT / one).is_file()]


def test_the_top_level_holds_the_named_folders_and_no_others() -> None:
    folders = {one.relative_to(ROOT).parts[0] for one in tracked() if one.parent != ROOT}
    assert folders <= FOLDERS


def test_no_file_names_a_package_registry_or_a_place_on_a_machine() -> None:
    forbidden = re.compile("|".join([re.escape(one) for one in HOSTS] + [rf"(?<![\w.]){one}" for one in PLACES]))
    found = []
    for file in tracked():
        if b"\0" in (content := file.read_bytes()):
            continue
        for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
            if forbidden.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}")
    assert found == []


def test_nothing_points_to_a_document_that_is_not_here() -> None:
    ours = [one for one in tracked() if one.relative_to(ROOT).parts[0] in {"app", "tests", "README.md"}]
    found = [
        f"{one.relative_to(ROOT)}: {word}" for one in ours for word in ELSEWHERE if word.encode() in one.read_bytes()
    ]
    assert found == []


def test_no_module_has_outgrown_its_noun() -> None:
    lengths = {one.relative_to(ROOT).as_posix(): len(one.read_text().splitlines()) for one in ROOT.glob("app/**/*.py")}
    del lengths["app/errors.py"]  # one class a problem code: a table, however long
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_no_two_duties_share_an_advisory_lock() -> None:
    """They would wait for each other, or take each other for another process of their own: each has its own `Lock`."""
    taken = re.compile(r"pg_(?:try_)?advisory\w*lock\w*\([^)]*\d")
    sources = [*ROOT.glob("app/**/*.py"), ROOT / "migrations" / "env.py"]
    assert [one.name for one in sources if taken.search(one.read_text())] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_locked_by_its_hash_and_by_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    requirements = re.split(r"\n(?=[a-z0-9])", text)
    assert len(requirements) > 40
    for one in requirements:
        assert re.match(r"[a-z0-9._-]+==[\w.+-]+( ;.*)? \\\n +--hash=sha256:[0-9a-f]{64}", one), one[:80]
    assert "://" not in text
    assert not re.search(r"^\s*--(index|extra-index|find-links|trusted)", text, re.MULTILINE)


def test_the_development_lock_holds_all_of_the_runtime_one() -> None:
    runtime, development = (
        set(re.findall(r"^(\S+==\S+)", (ROOT / lock).read_text(), re.MULTILINE)) for lock in LOCKS[:2]
    )
    assert runtime <= development


@pytest.mark.attack
def test_the_bill_of_materials_is_the_runtime_lock_and_tells_of_no_machine(tmp_path: Path) -> None:
    (command,) = re.findall(r"(?m)^\t\$\(BIN\)/python -m (cyclonedx_py .*\\\n.*)$", (ROOT / "Makefile").read_text())
    arguments = command.replace("\\\n", " ").replace("var/sbom.json", str(tmp_path / "sbom.json")).split()
    arguments += ["--validate"] if scaled(0, 1) else ["--no-validate"]  # the target itself does, in some seconds
    subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, check=True, timeout=120)
    text = (tmp_path / "sbom.json").read_text()
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "simpul")
    locked = set(re.findall(r"(?m)^([a-z0-9._-]+)==(\S+)", (ROOT / "requirements.lock").read_text()))
    assert {(one["name"], one["version"]) for one in bill["components"]} == locked
    assert all(one["purl"].startswith("pkg:") for one in bill["components"])
    assert str(ROOT) not in text
    assert str(Path.home()) + "/" not in text
    assert "file://" not in text
    assert socket.gethostname() not in text
