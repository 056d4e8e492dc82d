"""Files that are there whole or not at all: written beside their place, and renamed to it at the end."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def drafted(path: Path) -> Iterator[IO[bytes]]:
    """A file, for its owner only, that replaces the one at `path` when the block ends; raises OSError.

    When the block raises, nothing of it is left, and what was there stays.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
