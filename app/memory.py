"""The newest head outside the database: what tells a restored database that it is older than what it has signed.

One small file where the background process runs, atomically replaced, sealed under the pepper: so that a head counts
even if the restored database does not know the key that signed it, and nobody without the pepper stops the log by a
forged one. It helps only where it is: a worker on another machine, or a folder that was restored together with the
database, knows of nothing. Then those who hold heads must bring them.
"""

from __future__ import annotations

import fcntl
import hmac
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from app.claims import strict_object, unb64
from app.drafts import drafted
from app.log_files import Head
from app.places import sync
from app.security import Keys

_PURPOSE: Final = "head-memory"


class Forged(ValueError):
    """The file was not written under this pepper, or is not whole; it was put aside, the text says where."""


class Known(NamedTuple):
    """A head that the log has signed: what it says, and its text."""

    said: Head
    text: str


class Memory:
    """The newest head that was signed here, in its file; without a path, nothing is remembered."""

    def __init__(self, path: Path | None, keys: Keys) -> None:
        self.path, self.keys = path, keys

    def recall(self) -> Known | None:
        """The newest head, None where none is remembered; raises Forged, OSError."""
        if self.path is None:
            return None
        try:
            return self._opened(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as cause:
            aside = self.path.with_name(f"{self.path.name}.refused-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
            self.path.replace(aside)
            raise Forged(str(aside)) from cause

    def _opened(self, content: bytes) -> Known:
        kept = orjson.loads(content)
        if not hmac.compare_digest(self._seal(kept["head"]), kept["seal"]):
            raise ValueError("seal")
        return known(kept["head"])

    def remember(self, text: str) -> None:
        """Keep a head that was committed, unless a younger one is kept; raises Forged, OSError."""
        if self.path is None:
            return
        said = known(text).said
        with _alone(self.path.with_name(f"{self.path.name}.lock")):
            before = self.recall()
            if before is None or (before.said.iat, before.said.size) < (said.iat, said.size):
                keep(self.path, {"head": text, "seal": self._seal(text)})
                sync(self.path.parent)

    def _seal(self, text: str) -> str:
        return hmac.digest(self.keys.key_for(_PURPOSE), text.encode(), "sha256").hex()


def known(text: str) -> Known:
    """A head whose origin is beyond doubt; raises ValueError for what is none."""
    return Known(Head.model_validate(strict_object(unb64(text.split(".")[1]))), text)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def keep(path: Path, content: dict[str, Any]) -> None:
    """Replace a file as a whole, or leave it as it was."""
    with drafted(path) as file:
        file.write(orjson.dumps(content) + b"\n")
