"""Generated documents: OpenAPI, the policy, the README's diagram and tables. One source each: the rules themselves."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any, Final

from app import event_pages
from app.main import create_app
from app.policy_page import policy_cells, policy_page
from app.rules import workflow
from app.rules.policy import GRANTS
from app.rules.vocabulary import Standing
from app.security import Keys
from app.settings import ROOT, Settings

_WIDTH: Final = 120


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document of the service."""
    with tempfile.TemporaryDirectory() as folder:
        keys = Keys.open(Path(folder), issuer="simpul")
        return create_app(Settings(), "postgresql+asyncpg://nowhere/simpul", keys=keys).openapi()


def write_openapi(path: Path) -> None:
    """Write the OpenAPI document, keys as they come."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(_laid_out(openapi_document()) + "\n", encoding="utf-8")


def _laid_out(part: Any, margin: str = "") -> str:
    """JSON in which whatever fits on a line stands on one: a change shows as a few lines, and the file stays small."""
    flat = json.dumps(part, ensure_ascii=False)
    if len(flat) + len(margin) <= _WIDTH or not isinstance(part, dict | list):
        return flat
    inner = margin + " "
    if isinstance(part, list):
        lines, (first, last) = [_laid_out(one, inner) for one in part], "[]"
    else:
        lines, (first, last) = [f"{json.dumps(name)}: {_laid_out(one, inner)}" for name, one in part.items()], "{}"
    joined = f",\n{inner}".join(lines)
    return f"{first}\n{inner}{joined}\n{margin}{last}"


def state_diagrams() -> str:
    """The lives of a task and of a referral as Mermaid state diagrams, from the workflow's rows."""
    task = [("[*]", "draft", "log as draft"), ("[*]", "assigned", "log"), ("[*]", "accepted", "log, own mandate")]
    task.append(("draft", "accepted", "submit, own mandate"))
    for move in (*workflow.TRANSITIONS, *workflow.REFER):
        task += [(source, move.target, move.action) for source in sorted(move.sources)]
    for answer in workflow.REFERRAL_MOVES:
        task += [(source, target, answer.action) for source, target in answer.task_target.items()]
    referral = [("[*]", "sent", "log, submit, refer")]
    for answer in workflow.REFERRAL_MOVES:
        referral += [(source, answer.target, answer.action) for source in sorted(answer.sources)]
    return f"A task:\n\n{_diagram(task)}\n\nIts referral:\n\n{_diagram(referral)}"


def _diagram(moves: Iterable[tuple[str, str, str]]) -> str:
    """One arrow for each pair of statuses, with every action that leads from one to the other."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for source, target, action in moves:
        arrows.setdefault((source, target), []).append(action)
    drawn = (f"    {source} --> {target}: {' / '.join(actions)}" for (source, target), actions in arrows.items())
    return "\n".join(["```mermaid", "stateDiagram-v2", *drawn, "```"])


def policy_matrix() -> str:
    """Who may do what, as a Markdown table: permissions that are granted alike stand together."""
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for permission, grants in GRANTS.items():
        roles: dict[str, list[str]] = {}
        for role, standings in grants.items():
            roles.setdefault(_standings(standings), []).append(role)
        granted = tuple((", ".join(names), held) for held, names in roles.items())
        alike.setdefault(granted, []).append(f"`{permission}`")
    lines = ["| permission | role | how its agency must stand to the record |", "| --- | --- | --- |"]
    for granted, permissions in alike.items():
        for names, held in granted:
            lines.append(f"| {', '.join(permissions)} | {names} | {held} |")
    return "\n".join(lines)


def _standings(standings: Set[Standing]) -> str:
    """The standings in the order of the vocabulary; everybody is an outsider at least."""
    return "any" if Standing.OUTSIDER in standings else ", ".join(one for one in Standing if one in standings)


def settings_table() -> str:
    """Every setting, its default and meaning, as a Markdown table."""
    lines = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = default.relative_to(ROOT) if isinstance(default, Path) else default
        lines.append(f"| `SIMPUL_{name.upper()}` | {'' if shown is None else f'`{shown}`'} | {field.description} |")
    return "\n".join(lines)


_PARTS: Final = {"diagram": state_diagrams, "policy": policy_matrix, "settings": settings_table}


def renewed_readme(text: str) -> str:
    """The README with its generated parts made anew; raises ValueError where a part has no place."""
    for name, make in _PARTS.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, begun, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not (begun and ended):
            raise ValueError(f"The README has no place for {name}: {begin} and {end}.")
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text


def renew_readme(path: Path) -> None:
    """Write the generated parts of the README."""
    path.write_text(renewed_readme(path.read_text(encoding="utf-8")), encoding="utf-8")


def policy_documents() -> dict[str, str]:
    """The pages of the policy and of the events by file name."""
    return {
        "policy.md": policy_page(openapi_document()),
        "policy-cells.txt": policy_cells(),
        "events.md": event_pages.markdown(),
    }


def write_policy(folder: Path) -> None:
    """Write the pages of the policy."""
    for name, text in policy_documents().items():
        (folder / name).write_text(text, encoding="utf-8")
