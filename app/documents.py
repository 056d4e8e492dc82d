"""Generated documents: OpenAPI, and the README's diagram and tables. One source each: the rules themselves."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Final

from app.main import create_app
from app.rules import workflow
from app.rules.policy import GRANTS
from app.security import Keys
from app.settings import ROOT, Settings


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document of the service."""
    with tempfile.TemporaryDirectory() as folder:
        keys = Keys.open(Path(folder), issuer="simpul")
        return create_app(Settings(), "postgresql+asyncpg://nowhere/simpul", keys=keys).openapi()


def write_openapi(path: Path) -> None:
    """Write the OpenAPI document, two spaces deep, keys as they come."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(openapi_document(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def state_diagram() -> str:
    """The workflow of a task as a Mermaid state diagram, from the workflow's rows."""
    lines = [
        "stateDiagram-v2",
        "    [*] --> draft: log (draft)",
        "    [*] --> assigned: log",
        "    [*] --> accepted: log (own mandate)",
    ]
    for move in workflow.TRANSITIONS:
        lines += [f"    {source} --> {move.target}: {move.action}" for source in sorted(move.sources)]
    lines.append("    draft --> accepted: submit (own mandate)")
    for move in workflow.REFER:
        lines += [f"    {source} --> {move.target}: {move.action}" for source in sorted(move.sources)]
    for answer in workflow.REFERRAL_MOVES:
        lines += [f"    {source} --> {target}: {answer.action}" for source, target in answer.task_target.items()]
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def policy_matrix() -> str:
    """Who may do what, as a Markdown table: permission, role, standings."""
    lines = ["| permission | least role | standing |", "| --- | --- | --- |"]
    for permission, grants in GRANTS.items():
        for role, standings in grants.items():
            lines.append(f"| `{permission}` | {role} | {', '.join(sorted(standings))} |")
    return "\n".join(lines)


def settings_table() -> str:
    """Every setting, its default and meaning, as a Markdown table."""
    lines = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = default.relative_to(ROOT) if isinstance(default, Path) else default
        lines.append(f"| `SIMPUL_{name.upper()}` | {'' if shown is None else f'`{shown}`'} | {field.description} |")
    return "\n".join(lines)


_PARTS: Final = {"diagram": state_diagram, "policy": policy_matrix, "settings": settings_table}


def renewed_readme(text: str) -> str:
    """The README with its generated parts made anew."""
    for name, make in _PARTS.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{make()}{end}{rest.partition(end)[2]}"
    return text


def renew_readme(path: Path) -> None:
    """Write the generated parts of the README."""
    path.write_text(renewed_readme(path.read_text(encoding="utf-8")), encoding="utf-8")
