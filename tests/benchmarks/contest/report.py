"""What the contest found: as text on the terminal, and as Markdown, JSON and a plot in a folder that git ignores."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from benchmarks.contest import processes
from benchmarks.contest.ground import Size
from benchmarks.contest.load import GENERATOR
from benchmarks.contest.measure import CONNECTIONS, Block, Measured, ratios, spread
from rich.console import Console
from rich.table import Table

LETTERS = "abcd"
HEAD = (
    "operation", "a, memory", "b, by hand", "c, ours", "d, Kinto", "c / b", "c / d", "p50, p99 ms of c",
    "server ms b, c, d", "database ms b, c, d",
)  # fmt: skip
NOTES = (
    """Answers that are no refusals a second, medians of the rounds with quartiles; ratios round by round, with
  quartiles. While one is measured the others are stopped.""",
    "a: a bare ASGI application returns the bytes of ours from memory, under the same server.",
    """b: Starlette and asyncpg by hand, the same members of the same rows; no authentication, no access rules but the
  condition that chooses the caller's rows, no validation. Its writes leave the same rows in one transaction.""",
    "c: `simpul serve` as it is, with token, revocation, both walls, quotas (raised), access log, background process.",
    """d: Kinto on PostgreSQL (storage, permissions, cache), one process under waitress. Every caller sees every record;
  there are no visibility rules, moves, law, history or log; a write is one record, and some are refused when two come
  in one millisecond. It has no search and no statistics. Its city and nation are the same list.""",
    """Processor milliseconds are those of the whole contestant (of c with its background process, until its writes
  stand in the log) and of PostgreSQL.""",
    "-: no counterpart.",
)


@dataclass(frozen=True)
class Goal:
    """What is to be reached, and what was: median and quartiles; `least` says from which side."""

    name: str
    found: tuple[float, float, float]
    goal: float
    least: bool
    note: str = ""

    @property
    def reached(self) -> bool:
        """Whether the median is there."""
        return self.found[1] >= self.goal if self.least else self.found[1] <= self.goal


def facts(size: Size) -> dict[str, str]:
    """What else tells what was measured."""
    asked = ["git", "-C", str(processes.ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip()
    return {
        "Tasks": f"{size.tasks:,}, in the small nation {size.few:,}",
        "Rounds": f"{size.rounds} of {size.seconds:g} s",
        "Commit": commit or "unknown",
    }


def machine() -> str:
    """The machine, in a line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    memory = Path("/proc/meminfo").read_text().split()[1]
    return f"{os.cpu_count()} cores {model}, {int(memory) / 2**20:.0f} GiB, {platform.platform(terse=True)}"


def rows(found: Sequence[Measured]) -> list[list[str]]:
    """The table of operations."""
    return [_row(one) for one in found]


def _row(one: Measured) -> list[str]:
    ours = one.blocks["c"]
    milliseconds = f"{_middle(ours, 'p50'):.1f}, {_middle(ours, 'p99'):.1f}"
    rates = [_rate(one, letter) for letter in LETTERS]
    spent = [", ".join(_spent(one, letter, part) for letter in "bcd") for part in ("server", "database")]
    name = f"{one.case.name} ({one.case.note})" if one.case.note else one.case.name
    return [name, *rates, _ratio(one, "b"), _ratio(one, "d"), milliseconds, *spent]


def _rate(one: Measured, letter: str) -> str:
    if letter not in one.blocks:
        return "-"
    low, middle, high = spread(one.rates(letter))
    refused = sum(block.refused for block in one.blocks[letter])
    share = refused / max(1, refused + sum(block.answers for block in one.blocks[letter]))
    told = f"{_short(middle)} ({_short(low)}..{_short(high)})"
    return f"{told}, {share:.0%} refused" if refused else told


def _short(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 20 else f"{rate:.1f}"


def _ratio(one: Measured, other: str) -> str:
    if other not in one.blocks:
        return "-"
    low, middle, high = ratios(one.rates("c"), one.rates(other))
    return f"{middle:.2f} ({low:.2f}..{high:.2f})"


def _middle(blocks: Sequence[Block], part: str) -> float:
    return float(statistics.median(getattr(block, part) for block in blocks))


def _spent(one: Measured, letter: str, part: str) -> str:
    return f"{_middle(one.blocks[letter], part):.2f}" if letter in one.blocks else "-"


def goal_rows(goals: Sequence[Goal]) -> list[list[str]]:
    """The table of goals."""
    return [
        [
            one.name,
            f"{one.found[1]:.2f} ({one.found[0]:.2f}..{one.found[2]:.2f})",
            f"{'at least' if one.least else 'at most'} {one.goal:g}",
            "reached" if one.reached else "not reached",
            one.note,
        ]
        for one in goals
    ]


GOAL_HEAD = ("goal", "found", "wanted", "", "")


def write(folder: Path, found: Sequence[Measured], goals: Sequence[Goal], facts: Mapping[str, Any]) -> str:
    """Write `bench.md`, `bench.json` and `bench.svg`; returns the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    told = [f"{name}: {content}" for name, content in facts.items()]
    parts = [
        f"Measured on {datetime.now(UTC):%d %B %Y}, {machine()}. Load: {GENERATOR}, {CONNECTIONS} connections.",
        *told,
        "",
        *_markdown(HEAD, rows(found)),
        "",
        *_markdown(GOAL_HEAD, goal_rows(goals)),
        "",
        *(f"* {note}" for note in NOTES),
    ]
    said = "\n".join(parts) + "\n"
    (folder / "bench.md").write_text(said)
    content = {
        "at": datetime.now(UTC).isoformat(),
        "machine": machine(),
        "generator": GENERATOR,
        "facts": dict(facts),
        "cases": {
            one.case.name: {letter: [asdict(block) for block in blocks] for letter, blocks in one.blocks.items()}
            for one in found
        },
        "goals": [{**asdict(one), "reached": one.reached} for one in goals],
    }
    (folder / "bench.json").write_text(json.dumps(content, indent=1))
    (folder / "bench.svg").write_bytes(plot(found))
    return said


def show(console: Console, found: Sequence[Measured], goals: Sequence[Goal]) -> None:
    """Both tables on the terminal."""
    for head, lines in ((HEAD, rows(found)), (GOAL_HEAD, goal_rows(goals))):
        table = Table(*head)
        for line in lines:
            table.add_row(*line)
        console.print(table)


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines)]


COLOURS = {"a": "#bbbbbb", "b": "#e69f00", "c": "#0072b2", "d": "#cc79a7"}
_WIDTH, _LEFT, _BAR = 900, 220, 12


def plot(found: Sequence[Measured]) -> bytes:
    """Requests a second of each contestant and operation as bars on a logarithmic scale, with their quartiles."""
    highest = max(max(one.rates(letter)) for one in found for letter in one.blocks)
    lowest = min(min(one.rates(letter)) for one in found for letter in one.blocks)
    scale = _Scale(max(lowest / 2, 0.01), highest * 1.2)
    height = 60 + sum(len(one.blocks) * _BAR + 14 for one in found)
    root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_WIDTH} {height}")
    ET.SubElement(root, "rect", width=str(_WIDTH), height=str(height), fill="white")
    for place, letter in enumerate(LETTERS):
        _bar(root, 220 + place * 150, 12, 14, COLOURS[letter])
        _text(root, 240 + place * 150, 22, HEAD[1 + place])
    y = 44
    for one in found:
        _text(root, 8, y + 10, one.case.name)
        for letter, blocks in sorted(one.blocks.items()):
            low, middle, high = spread([block.rate for block in blocks])
            _bar(root, _LEFT, y, scale.at(middle), COLOURS[letter])
            ET.SubElement(
                root, "line", x1=str(_LEFT + scale.at(low)), x2=str(_LEFT + scale.at(high)), y1=str(y + 5),
                y2=str(y + 5), stroke="black",
            )  # fmt: skip
            _text(root, _LEFT + scale.at(high) + 6, y + 9, f"{_short(middle)}/s")
            y += _BAR
        y += 14
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


@dataclass(frozen=True)
class _Scale:
    lowest: float
    highest: float

    def at(self, rate: float) -> float:
        span = math.log(self.highest / self.lowest)
        return round(math.log(max(rate, self.lowest) / self.lowest) / span * (_WIDTH - _LEFT - 80), 1)


def _bar(root: ET.Element, x: float, y: float, width: float, colour: str) -> None:
    ET.SubElement(root, "rect", x=str(x), y=str(y), width=str(width), height=str(_BAR - 2), fill=colour)


def _text(root: ET.Element, x: float, y: float, said: str) -> None:
    style = {"font-family": "sans-serif", "font-size": "11"}
    ET.SubElement(root, "text", style, x=str(x), y=str(y)).text = said
