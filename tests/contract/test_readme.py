"""What the README shows of the rules is generated from them."""

from __future__ import annotations

import pytest

from app.documents import renewed_readme
from app.rules.policy import GRANTS
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
