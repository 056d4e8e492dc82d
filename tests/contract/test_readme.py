"""What the README and the pages of the policy show of the rules is generated from them."""

from __future__ import annotations

import pytest

from app import policy_page
from app.documents import openapi_document, policy_documents, renewed_readme
from app.openapi import operations
from app.rules.policy import ENTRANCES, GRANTS, Permission
from app.rules.workflow import TRANSITIONS
from app.settings import ROOT, Settings

README = ROOT / "README.md"


def test_the_generated_parts_are_current() -> None:
    text = README.read_text(encoding="utf-8")
    assert renewed_readme(text) == text, "run `make openapi`"


@pytest.mark.parametrize("part", ["diagram", "policy", "settings"])
def test_the_readme_has_a_place_for_each_part(part: str) -> None:
    text = README.read_text(encoding="utf-8")
    assert text.count(f"<!-- {part} -->") == text.count(f"<!-- /{part} -->") == 1


def test_every_move_permission_and_setting_is_shown() -> None:
    text = README.read_text(encoding="utf-8")
    wanted = {f": {move.action}" for move in TRANSITIONS} | {f"`{one}`" for one in GRANTS}
    wanted |= {f"`SIMPUL_{name.upper()}`" for name in Settings.model_fields}
    assert [one for one in sorted(wanted) if one not in text] == []


@pytest.mark.parametrize(("page", "text"), policy_documents().items())
def test_the_pages_of_the_policy_are_current(page: str, text: str) -> None:
    assert (ROOT / "openapi" / page).read_text(encoding="utf-8") == text, "run `make openapi`"


def test_as_many_cells_are_shown_as_are_counted() -> None:
    text = (ROOT / "openapi" / "policy-cells.txt").read_text(encoding="utf-8")
    head, *blocks = text.split("\n\n")
    tables = [block.splitlines()[1:] for block in blocks if block.split(maxsplit=1)[0].isupper()]
    shown = sum(len("".join(line.split()[1:])) for table in tables for line in table)
    assert f"{shown:,} of them" in head
    assert f"{shown:,} cells" in (ROOT / "openapi" / "policy.md").read_text(encoding="utf-8")
    assert shown > 10_000


def test_every_permission_opens_an_operation_or_is_asked_within_one() -> None:
    named = [policy_page.permission_of(one) for _, _, one in operations(openapi_document())]
    opened = {one for name in named if name for one in (name, *ENTRANCES.get(name, ()))}
    assert opened | policy_page.WITHIN.keys() == set(Permission)
    assert opened.isdisjoint(policy_page.WITHIN)
    ids = {one["operationId"] for _, _, one in operations(openapi_document())}
    assert {name for names in policy_page.WITHIN.values() for name in names} <= ids
