"""A story over HTTP, told as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Console


async def tell(url: str, clients: list[dict[str, Any]], console: Console) -> str | None:
    """placeholder"""
    return None
