"""How logs look: one JSON line each, on standard error."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import orjson
import structlog


def _line(said: Any, **_: Any) -> str:
    return orjson.dumps(said, default=str).decode()


def configure() -> None:
    """Set up the logs of this process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(serializer=_line),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def frames(error: BaseException) -> str:
    """Frames and classes of an error and all behind it, never their texts, which may repeat what a caller sent."""
    said: list[str] = []
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        # A group and its members may stand behind one another.
        if (one := waiting.pop()) is None or id(one) in seen:
            continue
        seen.add(id(one))
        said += [*traceback.format_tb(one.__traceback__), f"{type(one).__module__}.{type(one).__qualname__}\n"]
        waiting += [*getattr(one, "exceptions", ()), one.__cause__ or one.__context__]
    return "".join(said)
